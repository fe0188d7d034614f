"""Trainings that are cut short: to be gone on with, or because their time is up."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from groups import five, member, numbers

from rnnbench.checkpoints import Checkpoints
from rnnbench.contests import Contest
from rnnbench.course import Pace
from rnnbench.errors import UnwantedError
from rnnbench.group.steps import Programs
from rnnbench.member import Member
from rnnbench.registry import load_registry
from rnnbench.training import Left, train_group

REGISTRY = load_registry()


def after(updates: int) -> Callable[[], bool]:
    """Say that nobody waits any more once so many updates have been made."""
    count = iter(range(updates + 1))
    return lambda: next(count) == updates


def interrupted(members: Sequence[Member], updates: int, folder: Path) -> list[Left]:
    """Train, leaving a checkpoint after each update; stop after so many, and go on."""
    pace = Pace(checkpoints=Checkpoints(folder, 0.0), unwanted=after(updates))
    with pytest.raises(UnwantedError):
        train_group(members, REGISTRY, Programs(), pace=pace)
    assert len(list(folder.iterdir())) == len(members)
    pace = Pace(checkpoints=Checkpoints(folder, 1e9))
    return train_group(members, REGISTRY, Programs(), pace=pace)


def made(name: str, of: str, updates: int = 12, **options: object) -> list[Member]:
    """Five members on a task, scored by its first metric; the last but one diverges."""
    task = REGISTRY.tasks[of].cls(**options.pop("options", {}))
    members = five(REGISTRY.cells[name].cls, task, updates=updates, points=3, **options)
    return [replace(one, metrics=((task.metrics[0], "1"),)) for one in members]


CASES = {
    "adam": made("lstm", "temporal_order", options={"length": 20}),
    "in turn": made("gru", "temporal_order", options={"length": 20}, way="in turn"),
    "sgd": made("rnn", "adding_uniform", options={"length": 9}, optimizer="sgd", momentum=0.9),
    "rmsprop": made("gru", "adding_uniform", options={"length": 9}, optimizer="rmsprop"),
    "dropout": made("lstm", "adding_uniform", options={"length": 9}, layers=2, dropout=0.3),
    "chunks": made("lstm", "char_lm", updates=9, chunk=13),
    "half told": made(
        "gru",
        "reverse",
        options={"shortest": 3, "longest": 6},
        attention="dot",
        teacher_forcing=0.5,
        teacher_schedule="linear",
    ),
    "hard attention": made("lstm", "captioning", options={"objects": 1}, attention="hard"),
}


@pytest.mark.parametrize("stop", [5, 8])
@pytest.mark.parametrize("case", CASES)
def test_a_training_that_was_cut_off_goes_on_to_the_same_bits(
    case: str, stop: int, tmp_path: Path
) -> None:
    members = CASES[case]
    whole = [numbers(left) for left in train_group(members, REGISTRY, Programs())]
    again = [numbers(left) for left in interrupted(members, stop, tmp_path)]
    assert repr(again) == repr(whole)
    assert {one.status for one, _ in whole} == {"ok", "diverged"}


def test_members_go_on_in_other_groups_than_they_began_in(tmp_path: Path) -> None:
    members = CASES["dropout"]
    whole = [numbers(left) for left in train_group(members, REGISTRY, Programs())]
    for part, stop in ((members[:2], 5), (members[2:4], 8)):
        pace = Pace(checkpoints=Checkpoints(tmp_path, 0.0), unwanted=after(stop))
        with pytest.raises(UnwantedError):
            train_group(part, REGISTRY, Programs(), pace=pace)
    order = [3, 1, 4, 0, 2]
    mixed = [members[place] for place in order]
    found = train_group(mixed, REGISTRY, Programs(), pace=Pace(checkpoints=Checkpoints(tmp_path)))
    assert repr([numbers(left) for left in found]) == repr([whole[place] for place in order])


@pytest.mark.parametrize("stop", [1, 3, 5])
def test_a_contest_goes_on_with_whom_it_has_dropped(stop: int, tmp_path: Path) -> None:
    members = [
        replace(one, contest=Contest((2, 4), 2, "x"), seed=replace(one.seed, role="tuning"))
        for one in made("gru", "adding_uniform", updates=6, options={"length": 9})
    ]
    whole = [numbers(left) for left in train_group(members, REGISTRY, Programs())]
    assert {one.status for one, _ in whole} == {"ok", "pruned", "diverged"}
    assert repr([numbers(left) for left in interrupted(members, stop, tmp_path)]) == repr(whole)


def test_a_contest_whose_checkpoints_do_not_fit_together_begins_anew(tmp_path: Path) -> None:
    members = [
        replace(one, contest=Contest((2, 4), 2, "x"), seed=replace(one.seed, role="tuning"))
        for one in made("gru", "adding_uniform", updates=6, options={"length": 9})
    ]
    whole = [numbers(left) for left in train_group(members, REGISTRY, Programs())]
    pace = Pace(checkpoints=Checkpoints(tmp_path, 0.0), unwanted=after(3))
    with pytest.raises(UnwantedError):
        train_group(members, REGISTRY, Programs(), pace=pace)
    (tmp_path / f"{members[0].key}.safetensors").unlink()
    again = train_group(members, REGISTRY, Programs(), pace=Pace(checkpoints=Checkpoints(tmp_path)))
    assert repr([numbers(left) for left in again]) == repr(whole)


def test_a_contest_does_not_go_on_from_what_its_members_left_alone(tmp_path: Path) -> None:
    members = [
        replace(one, contest=Contest((2, 4), 2, "x"), seed=replace(one.seed, role="tuning"))
        for one in made("gru", "adding_uniform", updates=6, options={"length": 9})
    ][:3]
    whole = [numbers(left) for left in train_group(members, REGISTRY, Programs())]
    pace = Pace(checkpoints=Checkpoints(tmp_path, 0.0))
    for one in members:
        train_group([one], REGISTRY, Programs(), pace=pace)
    again = train_group(members, REGISTRY, Programs(), pace=pace)
    assert repr([numbers(left) for left in again]) == repr(whole)


def test_who_was_late_begins_anew_under_another_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = Checkpoints(tmp_path, 0.0)
    members = CASES["sgd"][:2]
    with monkeypatch.context() as patch:
        patch.setattr("rnnbench.course.time.perf_counter", Clock())
        pace = Pace(12.0, checkpoints)
        [(late, _)] = train_group(members[:1], REGISTRY, Programs(), pace=pace)
        assert late.status == "timeout"
    found = train_group(members, REGISTRY, Programs(), pace=Pace(600.0, checkpoints))
    assert [one.status for one, _ in found] == ["ok", "ok"]


def test_a_short_training_leaves_no_checkpoint(tmp_path: Path) -> None:
    train_group(CASES["sgd"], REGISTRY, Programs(), pace=Pace(checkpoints=Checkpoints(tmp_path)))
    assert list(tmp_path.iterdir()) == []


class Clock:
    """A clock that goes on by a second whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def test_a_member_whose_time_is_up_is_stopped_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, task = REGISTRY.cells["gru"].cls, REGISTRY.tasks["adding_uniform"].cls(length=9)
    one = replace(member(cell, task, updates=100, points=4), metrics=(("mean_squared_error", "1"),))
    monkeypatch.setattr("rnnbench.course.time.perf_counter", Clock())
    [(finished, weights)] = train_group([one], REGISTRY, Programs(), pace=Pace(limit=30.0))
    assert (finished.status, weights) == ("timeout", None)
    assert 25 <= finished.updates < 50
    assert finished.failed_update == finished.updates
    assert finished.reason == f"stopped after update {finished.updates}: the time limit is 30 s"
    assert finished.seconds["train"] + finished.seconds["evaluate"] > 30
    assert {point.update for point in finished.curve} == {25}
    assert finished.valid_score is None


def test_time_is_shared_by_who_trains_together(monkeypatch: pytest.MonkeyPatch) -> None:
    cell, task = REGISTRY.cells["gru"].cls, REGISTRY.tasks["adding_uniform"].cls(length=9)
    several = [
        replace(one, metrics=(("mean_squared_error", "1"),))
        for one in (member(cell, task, updates=40, points=1, index=index) for index in range(4))
    ]
    monkeypatch.setattr("rnnbench.course.time.perf_counter", Clock())
    pace = Pace(limit=30.0)
    assert {one.status for one, _ in train_group(several, REGISTRY, Programs(), pace=pace)} == {
        "ok"
    }
    [(alone, _)] = train_group(several[:1], REGISTRY, Programs(), pace=pace)
    assert alone.status == "timeout"


def test_the_time_before_a_checkpoint_counts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = CASES["sgd"][:1]
    checkpoints = Checkpoints(tmp_path, 0.0)
    monkeypatch.setattr("rnnbench.course.time.perf_counter", Clock())
    with pytest.raises(UnwantedError):
        train_group(one, REGISTRY, Programs(), pace=Pace(30.0, checkpoints, unwanted=after(3)))
    [(finished, _)] = train_group(one, REGISTRY, Programs(), pace=Pace(15.0, checkpoints))
    assert finished.status == "timeout"
    [(fresh, _)] = train_group(one, REGISTRY, Programs(), pace=Pace(60.0))
    assert fresh.status == "ok"


def test_a_training_goes_on_where_checkpoints_cannot_be_kept(tmp_path: Path) -> None:
    (tmp_path / "full").write_text("in the way")
    said: list[str] = []
    pace = Pace(checkpoints=Checkpoints(tmp_path / "full", 0.0), tell=said.append)
    whole = [numbers(left) for left in train_group(CASES["adam"], REGISTRY, Programs())]
    left = train_group(CASES["adam"], REGISTRY, Programs(), pace=pace)
    assert repr([numbers(one) for one in left]) == repr(whole)
    assert all(line.startswith("no checkpoint can be kept: ") for line in said)
    assert "safetensors cannot be written: " in said[0]
