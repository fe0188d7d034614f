"""What the results will not be able to show, said beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rnnbench.contracts import AttentionMetric
from rnnbench.findings.wording import counted
from rnnbench.registry import Registry
from rnnbench.statistics import ALPHA, seeds_needed, smallest_p
from rnnbench.study import Study
from rnnbench.suite import Suite

LEARNING = ("tpe", "gp")
"""The samplers that learn from results."""


def foreseen(
    suite: Suite,
    studies: tuple[Study, ...],
    contrasts: Sequence[tuple[str, str]],
    spoken: bool,
) -> Iterator[str]:
    """Say beforehand what the results will not be able to show.

    spoken  whether a decoder has anything to say in them
    """
    if suite.source.tree["budget"][suite.chosen.name].get("settings"):
        yield f"budget {suite.chosen.name} has settings of its own; the suite's are not used"
    if not spoken and (suite.training.teacher_forcing < 1 or suite.evaluation.beam > 1):
        yield "teacher_forcing and beam are for decoders, and no setting has one"
    replicated = suite.search.replicates > 1
    units = suite.search.replicates if replicated else suite.chosen.seeds
    unit = "replicate" if replicated else "seed"
    there = {(study.architecture, study.setting) for study in studies if not study.skipped}
    family = sum(
        (one, setting) in there and (other, setting) in there
        for one, other in contrasts
        for setting in dict.fromkeys(study.setting for study in studies)
    )
    if family and smallest_p(units) * family > ALPHA:
        yield (
            f"{counted(units, unit)} cannot show a difference between two architectures on one "
            f"setting: an exact sign-flip test does not go below {smallest_p(units):.3g}, and "
            f"Holm's correction counts {counted(family, 'comparison')}; {seeds_needed(family)} "
            f"{unit}s could"
        )
    networks = [one for study in studies if not study.skipped for one in (study, *study.variants)]
    worst = max(networks, key=lambda study: abs(study.mismatch), default=None)
    if worst and abs(worst.mismatch) > 0.05:
        yield (
            f"sizes differ by up to {abs(worst.mismatch):.1%} ({worst.architecture} on "
            f"{worst.setting}): hidden sizes are whole numbers"
        )
    fixed = {study.architecture: study.search.fixed for study in studies}
    if all(fixed.values()):
        yield "no search: hyperparameters are fixed, and every run uses the suite's"
    elif any(fixed.values()):
        names = ", ".join(name for name, still in fixed.items() if still)
        yield f"unequal tuning: {names} have fixed hyperparameters while others are searched"
    if suite.search.pruner is not None and suite.search.generation == 1:
        yield (
            f"{suite.search.pruner.kind} drops nobody: a generation of one trial has nobody to be "
            "compared with; raise search.generation"
        )
    elif suite.search.pruner is not None:
        yield (
            f"{suite.search.pruner.kind} drops trials early: on tasks that are learnt late and at "
            "once, it drops those that would have learnt them"
        )
    learns = suite.search.sampler in LEARNING
    if learns and not all(fixed.values()) and suite.search.generation >= suite.chosen.trials > 1:
        yield (
            f"one generation holds all {suite.chosen.trials} trials, so {suite.search.sampler} "
            "never sees a result; lower search.generation"
        )


def forced(wanted: str, written: str) -> Iterator[str]:
    """Say that another backend is used than the suite asks for."""
    if wanted != written:
        yield f"RNNBENCH_BACKEND asks for backend `{wanted}`, whatever the suite says ({written})"


def unlooked(suite: Suite, studies: tuple[Study, ...], registry: Registry) -> Iterator[str]:
    """Say which metrics of attention nobody will be scored by."""
    looks = any(study.template.architecture.attention != "none" for study in studies)
    for name in suite.metrics:
        if issubclass(registry.metric(name).cls, AttentionMetric) and not looks:
            yield f"{name} scores attention, and no architecture has any"


def fallbacks(studies: tuple[Study, ...]) -> Iterator[str]:
    """Say once for each reason which architectures run without a kernel."""
    reasons: dict[str, str] = {}
    networks = [one for each in studies for one in (each, *each.variants)]
    for study in networks:
        # a network that reads no sequence has none of its cell
        cell = study.template.architecture.kind == "cell" and study.recurrent_parameters > 0
        if cell and not study.skipped and study.template.backend != "kernel":
            reason = f"{study.template.backend}: {study.backend_reason}"
            reasons.setdefault(study.architecture, reason)
    for reason in dict.fromkeys(reasons.values()):
        names = ", ".join(name for name, one in reasons.items() if one == reason)
        yield f"{names} on backend {reason}"
