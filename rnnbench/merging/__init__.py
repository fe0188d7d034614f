"""Results folders of one suite, from several machines, to one.

Where two folders hold the same member and agree, it counts once. Where they do not, both values are
named and nothing is joined until somebody says whose counts. The order of folders decides nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rnnbench.campaign import Campaign
from rnnbench.findings.wording import counted
from rnnbench.folder import replaying
from rnnbench.merging.differences import Difference, differences
from rnnbench.merging.part import Part, read_part
from rnnbench.merging.plans import joined_manifest, joined_studies
from rnnbench.store import Stored
from rnnbench.study import Study

__all__ = ["Clash", "Joined", "Part", "join", "read_part"]

FREE = (
    "seconds",
    "peak_bytes",
    "finished_at",
    "worker_host",
    "hardware_host",
    "traceback",
    "weights",
)
"""What two machines may leave differently."""

OF_THE_MACHINE = ("out_of_memory", "timeout", "crashed")
"""How a member ends that another machine may well finish."""


@dataclass(frozen=True)
class Clash:
    """A member of which two folders say different things: where, and what each says."""

    name: str
    one: Path
    other: Path
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Joined:
    """What folders are together.

    latest   the part that was begun last
    kept     each member with the part that it is taken from, by key
    clashes  members that differ; there is nothing to keep until somebody decides
    notes    what a user must know, line by line
    """

    latest: Part
    manifest: dict[str, Any]
    studies: tuple[Study, ...]
    kept: Mapping[str, tuple[Part, Stored]]
    clashes: tuple[Clash, ...]
    notes: tuple[str, ...]


def join(parts: Sequence[Part], command: str, prefer: Path | None = None) -> Joined:
    """Join parts of one suite; where members differ, those of the folder `prefer` count.

    Raises:
        InputError: the parts are not of one suite and budget.
    """
    ordered = sorted(parts, key=_age)
    studies = joined_studies(ordered)
    kept: dict[str, tuple[Part, Stored]] = {}
    clashes: list[Clash] = []
    notes, outvoted = Counter[str](), Counter[Path]()
    for key in dict.fromkeys(key for part in ordered for key in part.stored):
        owners = [part for part in ordered if key in part.stored]
        finished = [part for part in owners if not _machine(part.stored[key])] or owners
        for part in owners:
            if part not in finished:
                status = part.stored[key].finished.status.replace("_", " ")
                better = finished[-1].stored[key].finished.status
                name = finished[-1].name(key)
                notes[f"{name}: {status} in {part.folder}, {better} in {finished[-1].folder}"] += 1
        deciding = next((part for part in finished if part.folder == prefer), finished[-1])
        kept[key] = (deciding, deciding.stored[key])
        for part in finished:
            found = tuple(_apart(part.stored[key], deciding.stored[key]))
            if found and deciding.folder == prefer:
                outvoted[part.folder] += 1
            elif found:
                clashes.append(Clash(deciding.name(key), part.folder, deciding.folder, found))
            elif part.stored[key].made_by != deciding.stored[key].made_by:
                notes[_other_code(part, deciding, key)] += 1
    for folder, count in outvoted.items():
        notes[f"{counted(count, 'member')} of {folder} left out: {prefer} has others"] += 1
    for part in ordered:
        if part.strange:
            notes[
                f"{part.folder}: {counted(part.strange, 'row')} left behind, under keys that this "
                "version of rnnbench does not give, so that no suite can ask for them"
            ] += 1
    lines = (f"{note} ({count} members)" if count > 1 else note for note, count in notes.items())
    with replaying(ordered[-1].folder):
        facts = Campaign(studies, {key: one for key, (_, one) in kept.items()}).count.facts
    return Joined(
        latest=ordered[-1],
        manifest=joined_manifest(ordered, command) | facts,
        studies=studies,
        kept=kept,
        clashes=tuple(clashes),
        notes=tuple(lines),
    )


def _age(part: Part) -> tuple[str, str]:
    """Order parts by when they were begun, whatever order they are named in."""
    return str(part.manifest["started_at"]), json.dumps(part.manifest, sort_keys=True)


def _machine(stored: Stored) -> bool:
    return stored.finished.status in OF_THE_MACHINE


def _apart(one: Stored, other: Stored) -> list[Difference]:
    if _machine(one) and _machine(other):
        return []
    return list(differences(_plain(one), _plain(other)))


def _plain(stored: Stored) -> dict[str, Any]:
    """Return what must agree of a member, its scores and curves by name."""
    plain = {name: value for name, value in asdict(stored.finished).items() if name not in FREE}
    plain["scores"] = {f"{s['split']} {s['metric']}": s for s in plain["scores"]}
    plain["curve"] = {
        f"{p['split']} {p['metric']} after update {p['update']}": p["value"] for p in plain["curve"]
    }
    return plain


def _other_code(one: Part, other: Part, key: str) -> str:
    mine, theirs = one.stored[key].made_by, other.stored[key].made_by
    changed = [name for name in sorted({*mine, *theirs}) if mine.get(name) != theirs.get(name)]
    words = ", ".join(f"{name} ({_short(mine, name)}, {_short(theirs, name)})" for name in changed)
    return f"{one.folder} and {other.folder} have the same from other code: {words}"


def _short(made_by: Mapping[str, str], name: str) -> str:
    return made_by.get(name, "not recorded")[:20]
