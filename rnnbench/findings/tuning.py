"""How much each architecture was tuned, and how far that lets a sentence reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnnbench.findings.standings import replicated
from rnnbench.findings.wording import counted
from rnnbench.results import Results


def trials(manifest: Mapping[str, Any]) -> dict[tuple[str, str], int]:
    """Return search trials per replicate by (architecture, setting), 0 where nothing is tuned."""
    return {
        (architecture, setting): int(count)
        for architecture, by_setting in manifest["search"]["trials"].items()
        for setting, count in by_setting.items()
    }


def tuned(manifest: Mapping[str, Any]) -> bool:
    """Whether any architecture was tuned on any setting."""
    return any(trials(manifest).values())


def amount(manifest: Mapping[str, Any]) -> str:
    """Write the number of trials: `9 trials`, `0 to 9 trials`, or `no search`."""
    counts = trials(manifest).values()
    if not any(counts):
        return "no search"
    if min(counts) < max(counts):
        return f"{min(counts):,} to {max(counts):,} trials"
    return counted(max(counts), "trial")


def scope(results: Results) -> str:
    """Say for which configurations a sentence holds."""
    if not tuned(results.manifest):
        return "for the fixed hyperparameters of the suite"
    if replicated(results):
        return f"over {results.manifest['search']['replicates']} independent searches each"
    return "for the configurations this search found"


def short_scope(results: Results) -> str:
    """Say the same in a few words, for sentences that come in numbers."""
    if not tuned(results.manifest):
        return "for fixed hyperparameters"
    if replicated(results):
        return f"over {results.manifest['search']['replicates']} searches each"
    return "for the configurations found"
