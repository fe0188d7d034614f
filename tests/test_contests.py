"""Successive halving and Hyperband: rungs, who stays, and what a dropped trial leaves."""

import math
from collections import Counter
from dataclasses import replace

import pytest
from groups import member
from studies import score_of, study

from rnnbench.campaign import Campaign
from rnnbench.contests import Contest, Pruner, rungs, stay
from rnnbench.group.steps import Programs
from rnnbench.grouping import next_group
from rnnbench.judged import judged
from rnnbench.options import Choice
from rnnbench.registry import load_registry
from rnnbench.training import train_group

HALVING = Pruner("successive_halving", 3, 10)
REGISTRY = load_registry()


def test_halving_gives_all_trials_the_same_rungs_before_the_end():
    assert rungs(HALVING, 100, 2) == [(10, 30, 90)] * 2
    assert rungs(HALVING, 90, 1) == [(10, 30)]


def test_hyperband_gives_each_bracket_a_later_start_and_the_early_ones_more_trials():
    ladders = rungs(Pruner("hyperband", 3, 10), 90, 17)
    assert Counter(ladders) == {(10, 30): 9, (30,): 5, (): 3}
    # Li et al. 2018, table 1: for R = 81 and a factor of 3 the brackets begin with 81, 34, 15, 8, 5
    table = Counter(rungs(Pruner("hyperband", 3, 1), 81, 81 + 34 + 15 + 8 + 5))
    assert list(table.values()) == [81, 34, 15, 8, 5]


def test_the_best_share_stays_and_at_least_one():
    scored = [(0.5, 1.0), (0.1, 9.0), (0.3, 1.0), (0.1, 2.0), (0.9, 0.0), (0.3, 1.0), (0.2, 0.0)]
    assert stay(scored, 2) == [1, 3, 6]
    assert stay(scored, 3) == [1, 3]
    assert stay(scored[:1], 3) == [0]
    assert stay([(0.3, 1.0)] * 3, 2) == [0]


def contest(count, ladder=(2, 4), factor=2):
    """Members that differ in rate and seed, of one contest."""
    cell, task = REGISTRY.cells["gru"].cls, REGISTRY.tasks["adding_uniform"].cls(length=10)
    metrics = (("mean_squared_error", "1"),)
    entered = [
        replace(
            member(cell, task, index=index, learning_rate=0.001 * 3**index, hidden=5),
            metrics=metrics,
            contest=Contest(ladder, factor, "x"),
        )
        for index in range(count)
    ]
    return [replace(one, seed=replace(one.seed, role="tuning")) for one in entered]


@pytest.mark.parametrize("way", ["together", "in turn"])
def test_at_each_rung_the_worse_half_is_dropped_and_charged_what_it_used(way):
    members = [replace(one, way=way) for one in contest(4)]
    left = [finished for finished, _ in train_group(members, REGISTRY, Programs())]
    whole = [
        train_group([replace(one, contest=None)], REGISTRY, Programs())[0][0] for one in members
    ]
    assert Counter((one.status, one.updates) for one in left) == {
        ("pruned", 2): 2,
        ("pruned", 4): 1,
        ("ok", 6): 1,
    }
    for one, free in zip(left, whole, strict=True):
        known = {(p.update, p.metric): p.value for p in free.curve if p.split == "valid"}
        for point in one.curve:
            if (point.update, point.metric) in known and point.split == "valid":
                assert point.value == known[point.update, point.metric]
        assert one.valid_score is not None
    (best,) = (one for one in left if one.status == "ok")
    assert best.valid_score <= min(one.valid_score for one in left)
    reasons = {one.reason for one in left if one.updates == 2}
    assert reasons == {"2 of 4 trained on after update 2"}


def test_a_member_that_diverges_takes_no_place_at_a_rung():
    members = contest(4, ladder=(2,))
    members[0] = replace(
        members[0], recipe=replace(members[0].recipe, learning_rate=1e38, clip=None)
    )
    left = [finished.status for finished, _ in train_group(members, REGISTRY, Programs())]
    assert left[0] == "diverged"
    assert Counter(left) == {"diverged": 1, "pruned": 2, "ok": 1}


def told(left):
    """What a contest leaves, without what it took, and with no NaN, which equals nothing."""
    blank = {"seconds": {}, "peak_bytes": None, "finished_at": ""}
    blank |= {"worker_host": "", "hardware_host": ""}
    return [
        replace(
            finished,
            **blank,
            curve=tuple(point for point in finished.curve if math.isfinite(point.value)),
        )
        for finished, _ in left
    ]


def alone(members):
    return told([train_group([one], REGISTRY, Programs())[0] for one in members])


@pytest.mark.parametrize("ladder", [(2, 4), (3,), (1, 2, 5)])
def test_members_that_trained_alone_are_judged_as_their_contest_would_have(ladder):
    members = contest(5, ladder)
    members[1] = replace(members[1], recipe=replace(members[1].recipe, learning_rate=1e38, clip=0))
    expected = told(train_group(members, REGISTRY, Programs()))
    assert {"pruned", "diverged", "ok"} == {one.status for one in expected}
    by_themselves = alone(members)
    assert "pruned" not in {one.status for one in by_themselves}
    held = members[0].contest
    assert judged(by_themselves, held, "mean_squared_error", "min") == expected
    # what was dropped before is dropped again
    mixed = [*expected[:2], *by_themselves[2:]]
    assert judged(mixed, held, "mean_squared_error", "min") == expected


def test_a_member_that_fails_takes_no_place_and_the_others_are_dropped_all_the_same():
    members = contest(4)
    wrong = replace(members[1], recipe=replace(members[1].recipe, clip="much"))
    left = told(train_group([members[0], wrong, *members[2:]], REGISTRY, Programs()))
    assert left[1].status == "error"
    others = [members[0], *members[2:]]
    expected = told(train_group(others, REGISTRY, Programs()))
    assert [left[0], *left[2:]] == expected
    assert "pruned" in {one.status for one in expected}


def searched(**options):
    base = study(trials=8, confirm=1, seeds=2, **options)
    base = replace(base, member_bytes=1)
    return replace(
        base, search=replace(base.search, pruner=replace(HALVING, min_updates=2), generation=8)
    )


def test_the_trials_of_a_generation_are_a_contest_and_start_as_one_group():
    campaign = Campaign((searched(),), {})
    missing = list(campaign.missing())
    contests = {ask.member.contest for ask in missing}
    assert [contest.rungs for contest in contests] == [(2, 6)]
    assert next_group(missing, campaign.asks, 4, 8) == missing
    # what had finished before a kill is held again, so that the same are dropped
    campaign.end(missing[0].member.key, score_of(missing[0]))
    rest = list(campaign.missing())
    assert next_group(rest, campaign.asks, 4, 8) == missing


def test_a_contest_that_takes_too_much_memory_starts_one_by_one():
    campaign = Campaign((searched(),), {})
    missing = list(campaign.missing())
    assert next_group(missing, campaign.asks, 4, 7) == missing[:1]


def test_a_configuration_of_two_contests_is_confirmed_once():
    base = searched()
    twice = replace(
        base,
        budget=replace(base.budget, confirm=2),
        search=replace(
            base.search,
            sampler="random",
            generation=4,
            shared={"learning_rate": Choice((0.001, 0.01))},
            own={},
        ),
    )
    campaign = Campaign((twice,), {})
    while searching := [ask for ask in campaign.missing() if ask.phase == "search"]:
        for ask in searching:
            campaign.end(ask.member.key, score_of(ask))
    confirmed = [ask.member.recipe.learning_rate for ask in campaign.missing()]
    assert Counter(confirmed) == {0.001: 2, 0.01: 2}


def test_other_peers_or_rungs_are_another_member():
    one = contest(1)[0]
    others = [replace(one.contest, **change) for change in ({"peers": "y"}, {"rungs": (3,)})]
    assert len({one.key, *(replace(one, contest=other).key for other in others)}) == 3


def test_a_pruned_trial_is_never_frozen_and_informs_the_sampler():
    campaign = Campaign((searched(),), {})
    missing = list(campaign.missing())
    for place, ask in enumerate(missing):
        done = score_of(ask)
        if place:
            done = replace(done, status="pruned", updates=10, valid_score=1e9)
        campaign.end(ask.member.key, done)
    confirmed = list(campaign.missing())
    assert {ask.trial for ask in confirmed} == {0}
    assert all(ask.member.contest is None for ask in confirmed)
    assert campaign.count.failed == 0
