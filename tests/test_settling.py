"""What stored members still count for, replayed without training."""

from collections import Counter
from dataclasses import replace

import pytest
from studies import play, score_of, study

from rnnbench.campaign import Campaign
from rnnbench.contests import Pruner
from rnnbench.errors import StaleError, UnknownNameError
from rnnbench.member import FAILURES, Finished
from rnnbench.settling import settle, statuses
from rnnbench.staleness import REFUSE, Selector, Stale, made_by
from rnnbench.store import Store

VERSIONS = {"rnnbench": "1", "torch": "2"}
ALL = Stale((Selector("all", {}),))
ACCEPT = Stale(accept=True)


def fill(store: Store, one, failed=frozenset(), keep=None) -> int:
    """Keep what a finished study left; return how many members. `keep` is how many, if not all."""
    asks, finished = play(one, fail=frozenset(failed))
    for ask in asks[:keep]:
        if not ask.skipped:
            store.commit(ask.member, finished[ask.member.key], made_by(ask, VERSIONS), None)
    return len(asks[:keep])


def key_of(one, trial: int) -> str:
    return next(ask.member.key for ask in play(one)[0] if ask.trial == trial)


def naming(**values: str) -> Stale:
    text = ",".join(f"{key}={value}" for key, value in values.items())
    return Stale((Selector(text, {key: frozenset([value]) for key, value in values.items()}),))


def carried_out(campaign: Campaign) -> list:
    """Let every missing member succeed; return which there were."""
    trained = []
    while missing := list(campaign.missing()):
        for ask in missing:
            campaign.end(ask.member.key, score_of(ask))
        trained += missing
    return trained


# Retrying.


def test_the_statuses_of_failures_can_be_named() -> None:
    assert statuses(["failed"]) == FAILURES
    assert statuses(["timeout,crashed", "error"]) == {"timeout", "crashed", "error"}
    assert statuses([]) == frozenset()
    with pytest.raises(UnknownNameError, match="unknown status for --retry `time`; did you mean"):
        statuses(["time"])
    with pytest.raises(UnknownNameError):
        statuses(["ok"])


def test_failed_members_stay_failed_until_they_are_retried(tmp_path) -> None:
    one, said = study(), []
    with Store(tmp_path) as store:
        fill(store, one, [key_of(one, 0)])
        assert settle((one,), store, VERSIONS).count.failed == 1
        again = settle((one,), store, VERSIONS, retry=FAILURES, say=said.append)
        [missing] = again.missing()
        assert missing.trial == 0
        assert said == ["--retry: 1 member to train again (1 diverged)"]
        # until it has trained, what is stored stays
        assert settle((one,), store, VERSIONS).count.failed == 1


def test_other_failures_than_those_named_are_not_retried(tmp_path) -> None:
    one, said = study(), []
    with Store(tmp_path) as store:
        fill(store, one, [key_of(one, 0)])
        again = settle((one,), store, VERSIONS, retry=frozenset({"timeout"}), say=said.append)
        assert list(again.missing()) == []
        assert again.count.failed == 1
    assert said == ["--retry: no member is timeout; nothing to train again"]


def test_what_follows_from_a_new_outcome_trains_until_the_study_is_whole_again(tmp_path) -> None:
    one = study(trials=10, confirm=3, seeds=4)
    fresh = {ask.member.key for ask in play(one)[0]}
    with Store(tmp_path) as store:
        fill(store, one, [key_of(one, 2)])
        campaign = settle((one,), store, VERSIONS, retry=FAILURES)
        trained = carried_out(campaign)
    assert trained[0].trial == 2
    assert {ask.member.key for ask in campaign.asks} == fresh
    assert fresh <= campaign.finished.keys()
    assert (campaign.count.failed, campaign.count.untouched) == (0, 0)
    assert sum(campaign.count.left.values()) == 0


def test_a_search_that_failed_altogether_is_retried_up_to_its_runs(tmp_path) -> None:
    one = study(trials=2, confirm=0, seeds=3)
    with Store(tmp_path) as store:
        fill(store, one, [key_of(one, 0), key_of(one, 1)])
        trained = carried_out(settle((one,), store, VERSIONS, retry=FAILURES))
    assert Counter(ask.phase for ask in trained) == {"search": 2, "evaluation": 3}


def test_what_is_merely_missing_stays_so(tmp_path) -> None:
    begun, whole = study(), study(architecture="gru", cell="gru")
    absent = study(architecture="rnn", cell="rnn")
    failed = key_of(begun, 1)
    with Store(tmp_path) as store:
        fill(store, begun, [failed], keep=3)
        fill(store, whole)
        campaign = settle((begun, whole, absent), store, VERSIONS, retry=FAILURES)
        everything = campaign.count.expected + campaign.count.untouched
        assert [ask.member.key for ask in carried_out(campaign)] == [failed]
        assert sum(campaign.count.left.values()) == 0
        assert campaign.count.untouched == everything - 3 - 20
        # read again from the store, as a run does where it finds other code, it is the same
        campaign.reread(store.read())
        campaign.end(failed, Finished("ok", valid_score=1.0, valid_loss=1.0))
        assert list(campaign.missing()) == []


def test_who_met_a_failed_trial_in_a_contest_meets_it_again_and_counts_once(tmp_path) -> None:
    one = study(trials=8, confirm=0, seeds=2)
    one = replace(one, search=replace(one.search, pruner=Pruner("successive_halving", 2, 2)))
    said = []
    with Store(tmp_path) as store:
        members = fill(store, one, [key_of(one, 1)])
        campaign = settle((one,), store, VERSIONS, retry=FAILURES, say=said.append)
        assert {ask.trial for ask in campaign.missing()} == {0, 1, 2, 3}
        carried_out(campaign)
    assert (campaign.count.done, campaign.count.failed) == (members, 0)
    assert said == [
        "--retry: 1 member to train again (1 diverged), and 3 others that their contests drop or "
        "keep"
    ]


def test_what_is_refreshed_trains_beside_what_is_retried(tmp_path) -> None:
    one, other = study(), study(architecture="gru", cell="gru")
    with Store(tmp_path) as store:
        fill(store, one, [key_of(one, 0)])
        fill(store, other)
        changed = replace(other, cell_source="new")
        decided = naming(architecture="gru")
        campaign = settle((one, changed), store, VERSIONS, retry=FAILURES, stale_rows=decided)
        missing = Counter(ask.study.architecture for ask in campaign.missing())
    assert missing == {"lstm": 1, "gru": 4}


# Changed code.


@pytest.mark.parametrize("part", ["torch", "rnnbench"])
def test_other_versions_stop_the_run_and_name_what_they_made(tmp_path, part: str) -> None:
    now = VERSIONS | {part: "3"}
    with Store(tmp_path) as store:
        members = fill(store, study())
        with pytest.raises(StaleError) as error:
            settle((study(),), store, now)
        assert settle((study(),), store, now, stale_rows=ACCEPT).count.done == members
        assert settle((study(),), store, now).count.done == members
    text = f"{part} {VERSIONS[part]} → 3"
    assert str(error.value).splitlines() == [
        f"the store holds 20 members that other code made than is installed: {text}",
        f"  lstm on adding_uniform(length=10): 16 trials, 4 runs; {text}",
        "Train them again: --refresh architecture=lstm. Keep them: --accept-stale. Both: what "
        "--refresh names trains again, the rest is kept",
    ]


def test_what_is_accepted_still_says_what_made_it(tmp_path) -> None:
    changed = replace(study(), cell_source="new")
    with Store(tmp_path) as store:
        fill(store, study())
        settle((changed,), store, VERSIONS, stale_rows=ACCEPT)
        assert {one.made_by["cell"] for one in store.read().values()} == {"c"}
        settle((changed,), store, VERSIONS)
        with pytest.raises(StaleError):
            settle((replace(study(), cell_source="newer"),), store, VERSIONS)


def test_a_selector_refreshes_what_it_names_and_the_rest_is_named_or_accepted(tmp_path) -> None:
    studies = [study(), study(architecture="gru", cell="gru")]
    with Store(tmp_path) as store:
        members = sum(fill(store, one) for one in studies)
        now = [replace(one, cell_source="new") for one in studies]
        with pytest.raises(StaleError, match=r"^the store holds 20 .*\n  lstm on [^\n]*\nTrain"):
            settle(now, store, VERSIONS, stale_rows=naming(architecture="gru"))
        assert len(store.read()) == members
        campaign = settle(
            now, store, VERSIONS, stale_rows=replace(naming(architecture="gru"), accept=True)
        )
    assert campaign.count.done == 20
    assert {ask.study.architecture for ask in campaign.missing()} == {"gru"}


@pytest.mark.parametrize(
    ("values", "named"),
    [
        ({"architecture": "lstm"}, True),
        ({"architecture": "gru"}, False),
        ({"task": "adding_uniform", "setting": "adding_uniform(length=10)"}, True),
        ({"architecture": "lstm", "task": "copy_memory"}, False),
        ({}, True),
    ],
)
def test_a_selector_names_what_fits_all_of_it(values, named) -> None:
    sets = {key: frozenset([value]) for key, value in values.items()}
    assert Selector("", sets).names(study()) is named


def test_a_selector_that_names_nothing_stale_says_so_and_what_is(tmp_path) -> None:
    said: list[str] = []
    with Store(tmp_path) as store:
        fill(store, study())
        settle((study(),), store, VERSIONS, stale_rows=ALL, say=said.append)
        assert said == ["--refresh all names nothing that other code made"]
        changed = replace(study(), task_source="new")
        with pytest.raises(StaleError, match="--refresh task=adding_uniform"):
            decided = naming(architecture="gru")
            settle((changed,), store, VERSIONS, stale_rows=decided, say=said.append)
        settle(
            (changed,), store, VERSIONS, stale_rows=replace(decided, accept=True), say=said.append
        )
    line = "--refresh architecture=gru names nothing that other code made"
    assert said[1:] == [
        line,
        f"{line}; stale is:\n  lstm on adding_uniform(length=10): 16 trials, 4 runs; task changed",
    ]


def test_a_large_refusal_is_cut_and_counted(tmp_path) -> None:
    studies = [replace(study(architecture=f"a{n}"), cell_source="new") for n in range(15)]
    with Store(tmp_path) as store:
        fill(store, study())
        with pytest.raises(StaleError) as error:
            settle(studies, store, VERSIONS, stale_rows=REFUSE)
    lines = str(error.value).splitlines()
    assert len(lines) == 1 + 12 + 1 + 1
    assert lines[-2] == "  and 3 more such lines"
    assert "--refresh all (or some of them: --refresh architecture=a0, " in lines[-1]


def test_refreshing_trains_stale_members_again(tmp_path) -> None:
    with Store(tmp_path) as store:
        fill(store, study())
        campaign = settle((study(),), store, VERSIONS | {"torch": "3"}, stale_rows=ALL)
        assert campaign.count.done == 0


def test_rows_that_the_suite_does_not_ask_for_are_left_alone(tmp_path) -> None:
    other = study(architecture="gru", cell="gru")
    with Store(tmp_path) as store:
        members = fill(store, study()) + fill(store, other)
        settle((study(),), store, VERSIONS | {"torch": "3"}, stale_rows=ALL)
        assert len(store.read()) == members - 20


def test_a_changed_metric_makes_what_it_scored_stale(tmp_path) -> None:
    changed = replace(study(), metric_sources={"mean_squared_error": "other", "solved": "s"})
    with Store(tmp_path) as store:
        fill(store, study())
        with pytest.raises(StaleError, match="metric mean_squared_error changed"):
            settle((changed,), store, VERSIONS)


def test_a_kernel_of_another_compiler_is_stale(tmp_path) -> None:
    old, new = (replace(study(), compiler=f"g++ {number}") for number in (12, 13))
    with Store(tmp_path) as store:
        for ask in play(old)[0]:
            store.commit(ask.member, score_of(ask), made_by(ask, VERSIONS), None)
        assert list(settle((old,), store, VERSIONS).missing()) == []
        with pytest.raises(StaleError, match=r"compiler g\+\+ 12 → g\+\+ 13"):
            settle((new,), store, VERSIONS)
