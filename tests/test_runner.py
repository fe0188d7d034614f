from dataclasses import replace

import pytest
from studies import play, score_of, study

from rnnbench.campaign import Campaign
from rnnbench.errors import StaleError
from rnnbench.member import Finished
from rnnbench.runner import made_by, settle
from rnnbench.store import Store

VERSIONS = {"rnnbench": "1", "torch": "2"}


def fill(store: Store, one, fail: int = -1) -> int:
    """Keep a whole study as finished; the trial `fail` as diverged. Return how many members."""
    failed = frozenset(a.member.key for a in play(one)[0][:1]) if fail == 0 else frozenset()
    asks, finished = play(one, fail=failed)
    for ask in asks:
        store.commit(ask.member, finished[ask.member.key], made_by(ask, VERSIONS), None)
    return len(asks)


def test_a_finished_campaign_misses_nothing(tmp_path) -> None:
    with Store(tmp_path) as store:
        members = fill(store, study())
        campaign = settle((study(),), store, VERSIONS)
    assert list(campaign.missing()) == []
    assert (campaign.count.done, campaign.count.expected) == (members, members)


def test_a_fresh_campaign_misses_its_first_generation_and_expects_all() -> None:
    campaign = Campaign((study(trials=10, confirm=3, seeds=4),), {})
    assert len(list(campaign.missing())) == 4
    assert campaign.count.expected == 10 + 3 * 2 + 4
    first = next(campaign.missing())
    assert first not in list(campaign.missing(flying=[first.member.key]))


def test_two_labels_of_one_architecture_train_once() -> None:
    campaign = Campaign((study(architecture="a"), study(architecture="b")), {})
    missing = list(campaign.missing())
    assert len(missing) == 4
    campaign.end(missing[0].member.key, score_of(missing[0]))
    assert campaign.count.done == 2


def test_skipped_studies_are_not_counted() -> None:
    campaign = Campaign((study(skipped="causal"),), {})
    assert campaign.count.expected == 0
    assert list(campaign.missing()) == []


def test_failed_members_stay_failed_until_they_are_retried(tmp_path) -> None:
    with Store(tmp_path) as store:
        fill(store, study(), fail=0)
        assert settle((study(),), store, VERSIONS).count.failed == 1
        again = settle((study(),), store, VERSIONS, retry_failed=True)
        [missing] = again.missing()
        assert missing.trial == 0


@pytest.mark.parametrize("part", ["torch", "rnnbench"])
def test_other_versions_stop_the_run_and_name_what_they_made(tmp_path, part: str) -> None:
    now = VERSIONS | {part: "3"}
    with Store(tmp_path) as store:
        members = fill(store, study())
        with pytest.raises(StaleError, match=f"{members} stored members .* {part} changed"):
            settle((study(),), store, now)
        assert settle((study(),), store, now, stale_rows="accept").count.done == members
        assert settle((study(),), store, now).count.done == members


def test_refreshing_trains_stale_members_again(tmp_path) -> None:
    with Store(tmp_path) as store:
        fill(store, study())
        campaign = settle((study(),), store, VERSIONS | {"torch": "3"}, stale_rows="refresh")
        assert campaign.count.done == 0


def test_rows_that_the_suite_does_not_ask_for_are_left_alone(tmp_path) -> None:
    other = study(architecture="gru", cell="gru")
    with Store(tmp_path) as store:
        members = fill(store, study()) + fill(store, other)
        settle((study(),), store, VERSIONS | {"torch": "3"}, stale_rows="refresh")
        assert len(store.read()) == members - 20
        assert Finished("ok") != next(iter(store.read().values())).finished


def test_a_changed_metric_makes_what_it_scored_stale(tmp_path) -> None:
    changed = replace(study(), metric_sources={"mean_squared_error": "other", "solved": "s"})
    with Store(tmp_path) as store:
        fill(store, study())
        with pytest.raises(StaleError, match="metric mean_squared_error changed"):
            settle((changed,), store, VERSIONS)


def test_runs_that_a_failed_search_leaves_undone_count_as_failed() -> None:
    one = study(trials=2, seeds=4)
    campaign = Campaign((one,), {})
    for ask in list(campaign.missing()):
        campaign.end(ask.member.key, Finished("diverged"))
    assert {ask.skipped for ask in campaign.asks if ask.phase == "evaluation"} == {
        "no trial of the search succeeded"
    }
    count = campaign.count
    assert (count.failed, count.done, count.expected) == (2 + 4, 2 + 4, 2 + 4)


def test_a_kernel_of_another_compiler_is_stale(tmp_path) -> None:
    old, new = (replace(study(), compiler=f"g++ {number}") for number in (12, 13))
    with Store(tmp_path) as store:
        fill(store, old)
        assert list(settle((old,), store, VERSIONS).missing()) == []
        with pytest.raises(StaleError, match="compiler changed"):
            settle((new,), store, VERSIONS)
