from dataclasses import replace

import pytest
from studies import play, score_of, study

from rnnbench.campaign import Campaign
from rnnbench.contests import Pruner
from rnnbench.errors import StaleError
from rnnbench.executor import Done
from rnnbench.member import Finished, Point
from rnnbench.runner import Ended, Launched, Returned, carry_out
from rnnbench.settling import settle
from rnnbench.staleness import made_by
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


def passed(member) -> Finished:
    """What a member leaves that trains by itself: the nearer its rate to 0.01, the better."""
    value = abs(member.recipe.learning_rate - 0.01)
    rungs = () if member.contest is None else member.contest.rungs
    curve = tuple(
        Point(update, "valid", name, value)
        for update in (*rungs, 10)
        for name in ("loss", "mean_squared_error")
    )
    return Finished("ok", valid_score=value, valid_loss=value, updates=10, curve=curve)


class OneWorker:
    """An executor whose worker dies with every group that holds a deadly member."""

    def __init__(self, deadly):
        self.deadly, self.free, self.submitted = deadly, 1, []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, members):
        self.free = 0
        self.submitted.append([member.key for member in members])
        dead = self.deadly & set(self.submitted[-1])
        number = len(self.submitted)
        self.done = [
            Done(
                one.key,
                Finished("crashed") if dead else passed(one),
                None,
                len(members),
                lost=bool(dead),
                flight=number,
            )
            for one in members
        ]

    def wait(self, timeout):
        self.free = 1
        return self.done

    def forget(self, key):
        pass

    def news(self):
        return []


@pytest.mark.parametrize("pruner", [None, Pruner("successive_halving", 2, 2)])
def test_a_worker_that_dies_with_a_group_costs_no_member_but_the_deadly_one(
    pruner, tmp_path, monkeypatch
) -> None:
    base = study(trials=8, confirm=0, seeds=1)
    base = replace(
        base,
        template=replace(base.template, way="together"),
        member_bytes=1,
        search=replace(base.search, pruner=pruner, generation=8),
    )
    deadly = [ask.member.key for ask in Campaign((base,), {}).missing()][3]
    executor, events = OneWorker({deadly}), []
    with Store(tmp_path) as store:
        sizes, keep = [], store.keep
        monkeypatch.setattr(store, "keep", lambda ended: sizes.append(len(ended)) or keep(ended))
        campaign = settle((base,), store, VERSIONS)
        carry_out(
            campaign,
            store,
            executor,
            VERSIONS,
            memory=2**30,
            notify=events.append,
            tick=lambda: None,
            stopping=lambda: False,
        )
        kept = {key: one.finished.status for key, one in store.read().items()}
    assert list(campaign.missing()) == []
    # what a contest leaves is kept as a whole, or not at all
    assert pruner is None or sizes == [8, 1]
    sizes = [len(group) for group in executor.submitted]
    # halves, until the deadly one is alone, three times; a contest goes one by one; and a run
    tried = [8, 4, 4, 2, 2, 1, 1, 1, 1] if pruner is None else [8] + [1] * 10
    assert sorted(sizes) == sorted([*tried, 1])
    assert executor.submitted.count([deadly]) == 3
    assert [key for key, status in kept.items() if status == "crashed"] == [deadly]
    dropped = sum(status == "pruned" for status in kept.values())
    # of seven that reached it three passed the first rung, one the second; without one, all
    assert dropped == (0 if pruner is None else 6)
    running = set()
    for event in events:
        key = event.ask.member.key
        (running.add if isinstance(event, Launched) else running.discard)(key)
        assert isinstance(event, Launched | Returned | Ended)
    assert running == set()


def test_stale_members_that_come_up_in_a_run_stop_it_when_all_is_kept(tmp_path) -> None:
    one = study(trials=4, confirm=0, seeds=2, own={})
    new = VERSIONS | {"torch": "3"}
    executor = OneWorker(set())
    with Store(tmp_path) as store:
        fill(store, one)
        searched = [ask.member.key for ask in Campaign((one,), {}).missing()]
        store.forget(searched)
        campaign = settle((one,), store, new)
        with pytest.raises(StaleError, match="torch 2 → 3"):
            carry_out(
                campaign,
                store,
                executor,
                new,
                memory=2**30,
                notify=lambda _: None,
                tick=lambda: None,
                stopping=lambda: False,
            )
        assert set(searched) <= store.read().keys()
