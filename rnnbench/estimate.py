"""How long a plan will take: measured on a few updates of each study, or known from the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from statistics import fmean

import torch

from rnnbench.campaign import Campaign
from rnnbench.devices import hardware_of
from rnnbench.group.steps import Programs
from rnnbench.member import Finished
from rnnbench.registry import Registry
from rnnbench.study import Study
from rnnbench.tasks import Tasks
from rnnbench.training import train_group

PROBED_UPDATES = 4
"""Enough to see what an update costs."""

PROBED_MEMBERS = 8
"""Members of a group that is measured, where they train together."""


def member_seconds(study: Study, seconds: Mapping[str, float], points: int) -> float:
    """Return what a member of the study takes, given what `points` evaluations took."""
    recipe = study.template.recipe
    updating = seconds["update"] * recipe.updates
    return updating + seconds["evaluate"] / max(points, 1) * min(recipe.points, recipe.updates)


def measured(study: Study, registry: Registry, tasks: Tasks | None = None) -> float | None:
    """Train a few updates of a study's defaults; return what a member takes, None if it fails."""
    template, programs = study.template, Programs()
    torch.set_num_threads(1)
    recipe = replace(template.recipe, updates=PROBED_UPDATES, points=1)
    several = 1 if template.way == "in turn" else min(PROBED_MEMBERS, study.budget.seeds)
    members = [
        replace(template, recipe=recipe, seed=replace(template.seed, index=index))
        for index in range(several)
    ]
    # the first time pays for warming up
    train_group(members, registry, programs, tasks)
    finished = [finished for finished, _ in train_group(members, registry, programs, tasks)]
    if not all("update" in one.seconds for one in finished):
        return None
    return fmean(member_seconds(study, one.seconds, 1) for one in finished)


def known(study: Study, campaign: Campaign) -> float | None:
    """Return what the study's members that finished on this hardware took on average, if any."""
    here = hardware_of(study.template.device)
    done = [
        finished
        for ask in campaign.asks
        if ask.study == study
        and (finished := campaign.finished.get(ask.member.key))
        and finished.hardware_host in ("", here)  # it was not always recorded
    ]
    return _mean(done, study)


def _mean(done: list[Finished], study: Study) -> float | None:
    points = study.template.recipe.points
    took = [member_seconds(study, one.seconds, points) for one in done if one.status == "ok"]
    return fmean(took) if took else None
