import pytest
from studies import SHARED

from rnnbench.options import Between, Choice, LogBetween
from rnnbench.search import Scored, Trial, draw, propose
from rnnbench.study import SearchSpace

GRID = {"a": Choice((1, 2)), "b": Choice((1, 2, 3))}


def search(sampler: str, trials: int, own: str = "lstm", fail: int = -1) -> list[Scored]:
    space = SearchSpace(sampler, 4, GRID if sampler == "grid" else SHARED, {"z": Between(0.0, 1.0)})
    defaults = {"a": 1, "b": 1} if sampler == "grid" else {"learning_rate": 0.001, "clip": 1}
    if sampler == "grid":
        space = SearchSpace(sampler, 4, GRID, {})
    else:
        defaults["z"] = 0.5
    names = {"setting": ["adding"], "study": ["adding", own]}
    history: list[Scored] = []
    for start in range(0, trials, 4):
        numbers = range(start, min(start + 4, trials))
        for trial in propose(space, names, defaults, "min", history[:start], numbers):
            score = None if trial.number == fail else float(sum(map(float, trial.values.values())))
            history.append(Scored(trial, score))
    return history


@pytest.mark.parametrize("sampler", ["tpe", "random", "grid", "qmc", "gp"])
def test_a_search_of_ten_trials_begins_one_of_fourteen(sampler: str) -> None:
    assert search(sampler, 14)[:10] == search(sampler, 10)


@pytest.mark.parametrize("sampler", ["tpe", "random", "qmc"])
def test_no_two_trials_of_a_continuous_space_are_equal(sampler: str) -> None:
    values = [tuple(one.trial.values.items()) for one in search(sampler, 14)]
    assert len(set(values)) == 14


def test_trial_0_is_the_defaults_and_every_third_is_random() -> None:
    origins = [one.trial.origin for one in search("tpe", 8)]
    assert origins == ["defaults", "tpe", "tpe", "random", "tpe", "tpe", "random", "tpe"]


def test_random_trials_are_alike_for_all_architectures_in_shared_dimensions_only() -> None:
    lstm, gru = search("tpe", 7, "lstm"), search("tpe", 7, "gru")
    for number in (3, 6):
        mine, other = lstm[number].trial.values, gru[number].trial.values
        assert mine["learning_rate"] == other["learning_rate"]
        assert mine["clip"] == other["clip"]
        assert mine["z"] != other["z"]
    assert lstm[1].trial.values != gru[1].trial.values


def test_a_later_generation_sees_the_earlier_scores_and_an_own_generation_does_not() -> None:
    calm, failed = search("tpe", 12), search("tpe", 12, fail=2)
    assert calm[:4] != failed[:4]  # the score itself
    assert [one.trial for one in calm[:4]] == [one.trial for one in failed[:4]]
    assert [one.trial for one in calm[4:]] != [one.trial for one in failed[4:]]


def test_a_grid_is_walked_in_order_and_begins_again() -> None:
    walked = [one.trial for one in search("grid", 12) if one.trial.origin == "grid"]
    points = [(trial.values["a"], trial.values["b"]) for trial in walked]
    assert points == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (1, 1), (1, 2)]


def test_draws_stay_in_their_space_and_follow_their_names() -> None:
    space = LogBetween(1e-4, 1e-2)
    values = [draw(space, "trial", number) for number in range(50)]
    assert all(1e-4 <= float(value) <= 1e-2 for value in values)
    assert len(set(values)) == 50
    assert draw(space, "trial", 7) == values[7]
    below = sum(float(value) < 1e-3 for value in values)
    assert 13 <= below <= 37  # half of a log-uniform draw, within 3.4 standard deviations


def test_a_trial_is_a_plain_record() -> None:
    assert Trial(0, "defaults", {"clip": 1}) == search_first()


def search_first() -> Trial:
    space = SearchSpace("tpe", 4, {"clip": SHARED["clip"]}, {})
    names = {"setting": ["a"], "study": ["a", "b"]}
    return propose(space, names, {"clip": 1}, "max", [], range(1))[0]
