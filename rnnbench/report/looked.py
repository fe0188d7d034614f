"""Where attention looked, as tables whose cells are shades."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rnnbench.results import Results

SHADES = 10
"""How many shades there are beside none."""


@dataclass(frozen=True)
class Picture:
    """Where one answer was looked for: for each symbol said a row of shades, one a symbol read."""

    read: Sequence[str]
    rows: Sequence[tuple[str, Sequence[int]]]


@dataclass(frozen=True)
class Looked:
    """The pictures of one architecture on one setting."""

    architecture: str
    setting: str
    pictures: Sequence[Picture]


def looked(results: Results) -> list[Looked]:
    """Return where the attention of each architecture that has one looked."""
    table = results.alignments
    if table.empty:
        return []
    found = []
    for (setting, architecture), every in table.groupby(["setting", "architecture"], sort=False):
        rows = every[every["replicate"] == every["replicate"].min()]
        pictures = []
        for _, one in rows.groupby("sequence", sort=True):
            weights = one.pivot_table(index="said_step", columns="read_step", values="weight")
            read = one.drop_duplicates("read_step").sort_values("read_step")["read"]
            said = one.drop_duplicates("said_step").sort_values("said_step")["said"]
            shades = (weights.to_numpy(float) * SHADES).round().astype(int)
            lines = [(str(word), row.tolist()) for word, row in zip(said, shades, strict=True)]
            pictures.append(Picture([str(word) for word in read], lines))
        found.append(Looked(str(architecture), str(setting), pictures))
    return found
