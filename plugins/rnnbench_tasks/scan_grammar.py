"""The language of SCAN: 20,910 commands, and the actions that each of them means."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from itertools import product

Words = tuple[str, ...]

ACTS = {"walk": "I_WALK", "look": "I_LOOK", "run": "I_RUN", "jump": "I_JUMP"}
TURNS = {"left": "I_TURN_LEFT", "right": "I_TURN_RIGHT"}
TIMES = {"twice": 2, "thrice": 3}


@cache
def commands() -> Mapping[Words, Words]:
    """Return the actions of every command, as Lake & Baroni (2018) define them."""
    phrases = _phrases()
    said = dict(phrases)
    for (one, first), (other, second) in product(phrases.items(), repeat=2):
        said[*one, "and", *other] = first + second
        said[*one, "after", *other] = second + first
    return said


def _phrases() -> dict[Words, Words]:
    """Return commands without `and` and `after`, done once, twice or thrice."""
    once = _verbs()
    repeated = {
        (*words, often): times * actions
        for words, actions in once.items()
        for often, times in TIMES.items()
    }
    return once | repeated


def _verbs() -> dict[Words, Words]:
    """Return what is done in one way: `jump`, `jump left`, `turn around right`."""
    verbs: dict[Words, Words] = {(act,): (action,) for act, action in ACTS.items()}
    done: dict[str, Words] = {"turn": ()} | {act: (action,) for act, action in ACTS.items()}
    for (act, action), (side, turn) in product(done.items(), TURNS.items()):
        verbs[act, side] = (turn, *action)
        verbs[act, "opposite", side] = (turn, turn, *action)
        verbs[act, "around", side] = 4 * (turn, *action)
    return verbs
