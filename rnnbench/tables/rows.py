"""One member of a table: what asked for it and what it left, and which one it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pandas import DataFrame

from rnnbench.member import Finished
from rnnbench.protocol import Ask
from rnnbench.store import Stored


@dataclass(frozen=True)
class Row:
    """A member that a study asks for; `stored` is None where it is skipped."""

    ask: Ask
    stored: Stored | None

    @property
    def finished(self) -> Finished:
        """What it left."""
        if self.stored is None:
            return Finished("skipped", self.ask.skipped)
        return self.stored.finished

    @property
    def traceback(self) -> str | None:
        """The file that receives what was raised, if anything was: its path below the results."""
        return f"tracebacks/{self.ask.member.key}.txt" if self.finished.traceback else None


PLACE = {
    "architecture": "string",
    "setting": "string",
    "task": "string",
    "cell": "string",
    "replicate": "Int64",
}
"""The columns that say what a row is of."""


def frame(
    columns: Mapping[str, str],
    rows: Iterable[Mapping[str, object]],
    options: Mapping[str, str] | None = None,
) -> DataFrame:
    """Make a table with these columns and types, whatever rows there are."""
    types: dict[str, str] = {}
    for name, kind in columns.items():
        if name == "layers":  # a cell's own options stand after the shared hyperparameters
            types |= {f"option_{option}": kind for option, kind in (options or {}).items()}
        types[name] = kind
    return DataFrame(list(rows), columns=list(types)).astype(types)


def place(ask: Ask) -> dict[str, object]:
    """Say what a row is of."""
    study = ask.study
    return {
        "architecture": study.architecture,
        "setting": study.setting,
        "task": study.template.setting.task,
        "cell": study.template.architecture.cell,
        "replicate": study.replicate,
    }


def of(ask: Ask) -> dict[str, object]:
    """Say which member a row is of."""
    return {**place(ask), "seed_index": ask.seed_index, "key": ask.member.key}
