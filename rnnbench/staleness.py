"""Members that other code made than is installed: found, named, and counted as the user says."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rnnbench.campaign import Campaign
from rnnbench.errors import StaleError
from rnnbench.protocol import Ask
from rnnbench.store import Store, Stored
from rnnbench.study import Study

MOST_NAMED = 12
"""So many pairs of an architecture and a setting are named, the others counted."""

ACCEPTED = "accepted "
"""Stands before the name of code that a user let a member count for, beside what made it."""

_VERSIONS = ("rnnbench", "torch", "compiler")
"""What a reader can tell apart by its name; the rest are hashes."""


@dataclass(frozen=True)
class Selector:
    """Which members are meant: `values` of architecture, task and setting; all where it is empty.

    `text` is what the user wrote.
    """

    text: str
    values: Mapping[str, frozenset[str]]

    def names(self, study: Study) -> bool:
        """Whether a study's members are meant."""
        has = {
            "architecture": study.architecture,
            "task": study.template.setting.task,
            "setting": study.setting,
        }
        return all(has[key] in values for key, values in self.values.items())


@dataclass(frozen=True)
class Stale:
    """What members made by other code count for.

    Those that a selector of `refresh` names train again. The rest counts as made by this code where
    it is accepted, and is refused where it is not.
    """

    refresh: tuple[Selector, ...] = ()
    accept: bool = False

    def refreshes(self, ask: Ask) -> bool:
        """Whether a member trains again."""
        return any(selector.names(ask.study) for selector in self.refresh)


REFUSE = Stale()


@dataclass(frozen=True)
class Old:
    """A stored member that other code made, and by name what that was and what there is now."""

    ask: Ask
    changed: Mapping[str, tuple[str, str]]


def made_by(ask: Ask, versions: Mapping[str, str]) -> dict[str, str]:
    """Name the code that makes a member's numbers: versions and source hashes."""
    study = ask.built
    metrics = {
        f"metric {name}": study.metric_sources[name]
        for name, _ in ask.member.metrics
        if name in study.metric_sources
    }
    return {
        "rnnbench": versions["rnnbench"],
        "torch": versions["torch"],
        "cell": study.cell_source,
        "task": study.task_source,
        **metrics,
        **({"compiler": study.compiler} if study.compiler else {}),
    }


def stale(
    campaign: Campaign, stored: Mapping[str, Stored], versions: Mapping[str, str]
) -> list[Old]:
    """Return the stored members that count and that other code made than is installed now."""
    result = []
    for ask in campaign.asks:
        key = ask.member.key
        if key not in campaign.finished or ask.skipped:
            continue
        code = stored[key].made_by
        changed = {
            name: (code.get(name, "unknown"), now)
            for name, now in made_by(ask, versions).items()
            if now not in (code.get(name), code.get(ACCEPTED + name))
        }
        if changed:
            result.append(Old(ask, changed))
    return result


def settle_stale(old: Sequence[Old], store: Store, stale_rows: Stale) -> set[str]:
    """Forget, accept or refuse members that other code made; return the keys of those forgotten.

    Raises:
        StaleError: some are neither to be trained again nor accepted; nothing was changed.
    """
    rest = [one for one in old if not stale_rows.refreshes(one.ask)]
    if rest and not stale_rows.accept:
        raise StaleError(_refusal(rest))
    stored = store.read()
    store.accept(
        {
            one.ask.member.key: {
                **stored[one.ask.member.key].made_by,
                **{ACCEPTED + name: now for name, (_, now) in one.changed.items()},
            }
            for one in rest
        }
    )
    forgotten = {one.ask.member.key for one in old} - {one.ask.member.key for one in rest}
    store.forget(forgotten)
    return forgotten


def _refusal(old: Sequence[Old]) -> str:
    changed = dict.fromkeys(
        _change(name, *pair) for one in old for name, pair in one.changed.items()
    )
    by_task = all(one.changed.keys() == {"task"} for one in old)
    key = "task" if by_task else "architecture"
    parts = dict.fromkeys(
        one.ask.study.template.setting.task if by_task else one.ask.study.architecture
        for one in old
    )
    words = [f"--refresh {shlex.quote(f'{key}={part}')}" for part in parts]
    some = f" (or some of them: {', '.join(words[:4])})" if len(words) > 1 else ""
    return "\n".join(
        [
            f"the store holds {counted({one.ask.member.key for one in old})} that other code made "
            f"than is installed: {', '.join(changed)}",
            *places(old),
            f"Train them again: {words[0] if len(words) == 1 else '--refresh all'}{some}. "
            "Keep them: --accept-stale. Both: what --refresh names trains again, the rest is kept",
        ]
    )


def places(old: Sequence[Old]) -> list[str]:
    """Return a line for each architecture and setting with stale members."""
    places: dict[tuple[str, str], list[Old]] = {}
    for one in old:
        places.setdefault((one.ask.study.architecture, one.ask.study.setting), []).append(one)
    lines = []
    for (architecture, setting), every in places.items():
        runs = sum(one.ask.phase == "evaluation" for one in every)
        counts = ((len(every) - runs, "trial"), (runs, "run"))
        many = ", ".join(f"{n} {word}{'s' * (n != 1)}" for n, word in counts if n)
        what = dict.fromkeys(_change(name, *p) for one in every for name, p in one.changed.items())
        lines.append(f"  {architecture} on {setting}: {many}; {', '.join(what)}")
    left = len(lines) - MOST_NAMED
    return lines[:MOST_NAMED] + ([f"  and {left} more such lines"] if left > 0 else [])


def _change(name: str, before: str, now: str) -> str:
    return f"{name} {before} → {now}" if name in _VERSIONS else f"{name} changed"


def counted(keys: Iterable[str]) -> str:
    """Count members by their keys: `1 member`, `5 members`."""
    number = len(set(keys))
    return f"{number} member{'s' * (number != 1)}"
