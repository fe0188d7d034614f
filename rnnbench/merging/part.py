"""A results folder as it is read to be joined with others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rnnbench.campaign import Campaign
from rnnbench.folder import read_manifest, read_studies, read_suite_facts, replaying
from rnnbench.member import Member
from rnnbench.store import Stored, read_identities, read_members
from rnnbench.study import Study


@dataclass(frozen=True)
class Part:
    """What one folder holds.

    suite    the suite with every default filled in
    members  what decides each stored result, by key
    strange  rows that no suite can ask for: their key is that of another version of rnnbench
    """

    folder: Path
    manifest: Mapping[str, Any]
    suite: Mapping[str, Any]
    studies: tuple[Study, ...]
    members: Mapping[str, Member]
    stored: Mapping[str, Stored]
    strange: int

    def name(self, key: str) -> str:
        """Say which trial or run a key is, as a reader knows it."""
        member = self.members[key]
        other = f"{member.architecture.cell} on {member.setting.task}, of another budget ({key})"
        return self._names.get(key, other)

    @cached_property
    def _names(self) -> dict[str, str]:
        names = {}
        with replaying(self.folder):
            asks = Campaign(self.studies, self.stored).asks
        for ask in asks:
            study = ask.study
            kind = "run" if ask.phase == "evaluation" else f"trial {ask.trial} ({ask.phase})"
            search = f", search {study.replicate}" if study.replicate else ""
            where = f"{study.architecture} on {study.setting}"
            names[ask.member.key] = f"{where}, {kind}, seed {ask.seed_index}{search}"
        return names


def read_part(folder: Path) -> Part:
    """Read a folder.

    Raises:
        InputError: it holds no results.
        StoreError: a file in it is damaged, or leads out of it.
    """
    members, stored = read_identities(folder), read_members(folder)
    known = {key: member for key, member in members.items() if member.key == key and key in stored}
    return Part(
        folder=folder,
        manifest=read_manifest(folder),
        suite=read_suite_facts(folder),
        studies=read_studies(folder),
        members=known,
        stored={key: stored[key] for key in known},
        strange=len(stored) - len(known),
    )
