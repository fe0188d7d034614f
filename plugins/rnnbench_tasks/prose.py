"""An endless text out of a small grammar, and the exact probability of its every character.

Every rule begins with a word, and of the words that may begin a part of the grammar none begins
another. So a reader knows at each character where the grammar stands: the text has one derivation,
and the probability of the next character follows from the weights of the rules.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Probabilities = npt.NDArray[np.float64]

Rule = tuple[int, str, tuple[str, ...]]
"""A weight, the word that is written, and the parts that follow it."""

START = "line"
"""The part that begins after each line end."""

NAMES = {"Anna": "f", "Boris": "m", "Clara": "f", "David": "m"}
ADJECTIVES = ("old", "young", "proud")
PEOPLE = {"girl": "f", "queen": "f", "boy": "m", "king": "m"}
BEASTS = {"dog": "n", "bird": "n", "horse": "n"}
PLURALS = ("girls", "boys", "dogs", "birds")
THINGS = ("river", "garden", "letter")
PLACES = ("rivers", "garden", "trees")
SLEEP = ("sleep", "sing", "wait", "run away")
SEE = ("see", "like", "fear", "remember")
SELF = {"f": "herself", "m": "himself", "n": "itself", "p": "themselves"}

KINDS = ("fs", "ms", "ns", "pb", "fb", "mb", "nb")
"""Who does it (feminine, masculine, neuter, plural) and in which form (with s, bare)."""


def _verb(word: str, kind: str) -> str:
    """Make a verb agree: `run away` of one who does so is `runs away`."""
    first, *rest = word.split()
    return " ".join([first + "s" if kind[1] == "s" else first, *rest])


def _nouns(form: str) -> Iterator[tuple[str, str]]:
    """Yield nouns with the kind of their verb: singular ones, or plural ones."""
    if form == "plural":
        yield from ((noun, "pb") for noun in PLURALS)
    else:
        end = "b" if form == "asked" else "s"
        yield from ((noun, gender + end) for noun, gender in (PEOPLE | BEASTS).items())


def _grammar() -> dict[str, tuple[Rule, ...]]:
    rules: dict[str, list[Rule]] = defaultdict(list)

    for weight, (name, gender) in enumerate(NAMES.items(), 2):
        rules["line"].append((weight, f'{name} says: "', ("sentence", f"speech of {name}")))
        rules[f"speech of {name}"] += [
            (4, " ", ("sentence", f"speech of {name}")),
            (1, '"\n', ("line",)),
            (5, f'" So says {name}.\n', ("line",)),
        ]
        rules["sentence"].append((weight, f"{name} ", (f"does {gender}s", "end")))
        rules["clause"].append((weight, f"{name} ", (f"does {gender}s",)))
    rules["line"].append((5, "* ", ("sentence", "story")))
    rules["story"] += [(5, " ", ("sentence", "story")), (5, "\n", ("line",))]

    rules["sentence"] += [
        (50, "The ", ("subject", "end")),
        (15, "Every ", ("singular subject", "end")),
        (15, "These ", ("plural subject", "end")),
        (12, "Does the ", ("asked subject", "asked end")),
        (12, "Do the ", ("plural subject", "asked end")),
    ]
    rules["clause"] += [
        (50, "the ", ("subject",)),
        (15, "every ", ("singular subject",)),
        (15, "these ", ("plural subject",)),
    ]
    rules["end"] += [
        (12, ".", ()),
        (2, ", and ", ("clause", "end")),
        (2, " because ", ("clause", "end")),
        (3, " (", ("clause", "close", "end")),
    ]
    rules["asked end"] += [
        (12, "?", ()),
        (2, " because ", ("clause", "asked end")),
        (3, " (", ("clause", "close", "asked end")),
    ]
    rules["close"].append((1, ")", ()))

    forms = {form: tuple(_nouns(form)) for form in ("singular", "plural", "asked")}
    subjects = {f"{form} subject": nouns for form, nouns in forms.items()}
    subjects["subject"] = (*forms["singular"], *forms["plural"])
    for subject, nouns in subjects.items():
        rules[subject] += [(len(nouns), f"{word} ", (subject,)) for word in ADJECTIVES]
        rules[subject] += [(20, f"{noun} ", (f"described {kind}",)) for noun, kind in nouns]
    for noun, kind in subjects["subject"]:
        rules["other"].append((1, f"{noun} ", (f"verb {kind}",)))
        rules[f"verb {kind}"] = [(1, f"{_verb(word, kind)} ", ()) for word in SEE]

    for kind in KINDS:
        others = [(1, f"{_verb(word, kind)} ", ("object of " + kind[0],)) for word in SEE]
        alone = [(1, _verb(word, kind), ()) for word in SLEEP]
        rules[f"does {kind}"] += [*others, *alone]
        rules[f"described {kind}"] += [
            (6, "that the ", ("other", f"does {kind}")),
            (6, "near the ", ("place", f"does {kind}")),
            *rules[f"does {kind}"],
        ]
    for gender, own in SELF.items():
        rules[f"object of {gender}"] += [(1, "the ", ("thing",)), (1, own, ())]
    rules["thing"] += [(1, thing, ()) for thing in THINGS]
    rules["place"] += [(1, f"{place} ", ()) for place in PLACES]
    return {part: tuple(ways) for part, ways in rules.items()}


GRAMMAR: Mapping[str, tuple[Rule, ...]] = _grammar()
ALPHABET = tuple(
    sorted({character for ways in GRAMMAR.values() for _, word, _ in ways for character in word})
)


def text(seed: str, characters: int) -> str:
    """Write a text of so many characters; it begins with a line end and breaks off anywhere."""
    # Python promises that a seed gives these numbers in every version; none is a secret.
    chance = random.Random(seed).random  # noqa: S311
    bounds = {part: [*accumulate(rule[0] for rule in ways)] for part, ways in GRAMMAR.items()}
    words, written, parts = ["\n"], 1, [START]
    while written < characters:
        part = parts.pop()
        bound = bounds[part]
        _, word, following = GRAMMAR[part][bisect(bound, chance() * bound[-1])]
        words.append(word)
        written += len(word)
        parts += reversed(following)
    return "".join(words)[:characters]


def probabilities(text: str, before: Sequence[float]) -> Probabilities:
    """Return what the grammar expects after each character: [characters, ALPHABET].

    text    a part of what `text` may write
    before  the same up to the first line end, which tells where the grammar stands
    """
    rows, numbers = [np.asarray(before)], {}
    expected = np.zeros(len(text), dtype=np.int64)
    first = text.find("\n")
    parts, begun = [START], ""
    for place in range(first, len(text)) if first >= 0 else ():
        if place > first:
            begun += text[place]
            following = _words(parts[-1]).get(begun)
            if following is not None:
                parts[-1:] = reversed(following)
                begun = ""
        if (parts[-1], begun) not in numbers:
            numbers[parts[-1], begun] = len(rows)
            rows.append(_next(parts[-1], begun))
        expected[place] = numbers[parts[-1], begun]
    return np.stack(rows)[expected]


@cache
def _words(part: str) -> dict[str, tuple[str, ...]]:
    return {word: following for _, word, following in GRAMMAR[part]}


@cache
def _next(part: str, begun: str) -> Probabilities:
    """Return the probabilities of the character after what is begun of a word."""
    weights = np.zeros(len(ALPHABET))
    for weight, word, _ in GRAMMAR[part]:
        if word.startswith(begun):
            weights[ALPHABET.index(word[len(begun)])] += weight
    return weights / weights.sum()
