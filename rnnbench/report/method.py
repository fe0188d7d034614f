"""What was done to the numbers, in a few sentences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rnnbench.findings.standings import replicated
from rnnbench.findings.summary import Summary
from rnnbench.findings.tuning import amount, trials, tuned
from rnnbench.findings.wording import counted
from rnnbench.results import Results
from rnnbench.statistics import EXACT_UP_TO


def method(results: Results, summary: Summary) -> tuple[str, ...]:
    """State the protocol and every rule that turned runs into the report's numbers."""
    manifest = results.manifest
    shares = "none, since the search is the unit" if replicated(results) else "Wilson intervals"
    contrasts = len(manifest["primary_contrasts"])
    return (
        f"{_tuning(manifest)} Test sets are fixed per setting. Seeds give all architectures the "
        "same data in the same order.",
        _unit(results),
        "Normalised score: (score − trivial) / (oracle − trivial). Where no oracle exists, the "
        "best value of the metric stands in for it; a setting that has neither, or whose trivial "
        "predictor is as good, is left out of the overall score and the order. Clipped below at 0: "
        "a user can always fall back on the trivial predictor.",
        "A failed run, and one worse than the trivial predictor, counts as the trivial predictor "
        "in every comparison and in the overall score. Means per setting are over finished runs "
        "and marked where some failed. Pairs that do not apply are skipped and never counted.",
        "Intervals are Student's t at 95 %, from three values on; shares of solved runs have "
        f"{shares}. Comparisons pair runs of the same seed: mean difference with its t "
        f"interval, and a two-sided sign-flip test, exact up to {EXACT_UP_TO} pairs, by 100,000 "
        "random sign patterns beyond. p values are corrected by Holm over the "
        f"{counted(contrasts, 'primary contrast')} on all settings, the overall rows over "
        "themselves. Better or worse needs the corrected test and the interval to agree.",
        f"Order and ties are decided by {summary.separation}. An architecture starts a lower "
        "group only if it is separated from every member of the group above.",
    )


def _tuning(manifest: Mapping[str, Any]) -> str:
    if not tuned(manifest):
        return (
            "There was no search: hyperparameters are those of the suite. Test data was read only "
            "after training."
        )
    fixed = not all(trials(manifest).values())
    return (
        f"Each architecture was tuned on each setting with {amount(manifest)} "
        f"({manifest['search']['sampler']}) on training and validation data"
        + ("; without trials its hyperparameters are those of the suite" if fixed else "")
        + "; the chosen configuration was frozen and trained again on fresh seeds, and only then "
        "was test data read."
    )


def _unit(results: Results) -> str:
    if replicated(results):
        return (
            "Searches were repeated, so the search is the unit: seeds are averaged within it first."
        )
    if not tuned(results.manifest):
        return (
            "Hyperparameters are fixed, so intervals show how training varies, not what tuning "
            "would change."
        )
    return (
        "There was one search per architecture and setting, so intervals show how training "
        "varies, not how a second search would end."
    )
