from dataclasses import asdict, replace

import pytest
from studies import play, study

from rnnbench.best import best_run
from rnnbench.errors import InputError, UnknownNameError
from rnnbench.member import Score
from rnnbench.store import Stored

SETTING = "adding_uniform(length=10)"
ONE = study(trials=4, confirm=0, seeds=3)
ASKS, FINISHED = play(ONE)
RUNS = [ask for ask in ASKS if ask.phase == "evaluation"]


def kept(scores=(0.3, 0.1, 0.2), statuses=("ok", "ok", "ok")) -> dict[str, Stored]:
    """The study with these validation scores of its three runs; test scores go the other way."""
    finished = dict(FINISHED)
    for ask, score, status in zip(RUNS, scores, statuses, strict=True):
        finished[ask.member.key] = replace(
            finished[ask.member.key],
            status=status,
            valid_score=score,
            scores=(
                Score("test", "mean_squared_error", 1 - score, "min"),
                Score("test", "updates_to_solve", 10, "min", censored=True),
            ),
            weights=f"{ask.seed_index}.safetensors",
        )
    return {key: Stored(one, {}) for key, one in finished.items()}


def test_the_best_run_is_the_one_with_the_best_validation_score():
    found = best_run([ONE], kept(), "lstm", SETTING)
    assert found.member == RUNS[1].member
    assert found.finished.weights == "1.safetensors"


def test_where_larger_is_better_it_is_the_largest():
    upward = replace(ONE, direction="max")
    asks, finished = play(upward)
    runs = [ask for ask in asks if ask.phase == "evaluation"]
    for ask, score in zip(runs, (0.2, 0.9, 0.4), strict=True):
        finished[ask.member.key] = replace(finished[ask.member.key], valid_score=score)
    stored = {key: Stored(one, {}) for key, one in finished.items()}
    assert best_run([upward], stored, "lstm", SETTING).member == runs[1].member


def test_a_seed_can_be_asked_for():
    assert best_run([ONE], kept(), "lstm", SETTING, seed=2).member == RUNS[2].member


def test_runs_that_failed_are_passed_over():
    stored = kept(statuses=("ok", "diverged", "ok"))
    assert best_run([ONE], stored, "lstm", SETTING).member == RUNS[2].member
    with pytest.raises(InputError, match="no run with seed 1 has succeeded"):
        best_run([ONE], stored, "lstm", SETTING, seed=1)
    with pytest.raises(InputError, match="no run has succeeded"):
        best_run([ONE], kept(statuses=("diverged",) * 3), "lstm", SETTING)


def test_the_configuration_holds_what_it_takes_to_train_again():
    found = best_run([ONE], kept(), "lstm", SETTING)
    shown = found.configuration
    assert shown["key"] == found.member.key
    assert shown["architecture"] == "lstm"
    assert shown["setting"] == SETTING
    assert shown["scores"] == {"test_mean_squared_error": 0.9}
    assert shown["member"] == asdict(found.member)
    assert shown["weights"] == "1.safetensors"


def test_what_is_not_there_is_named():
    with pytest.raises(UnknownNameError, match="unknown architecture `lsmt`; did you mean `lstm`"):
        best_run([ONE], kept(), "lsmt", SETTING)
    with pytest.raises(UnknownNameError, match="unknown setting `x`"):
        best_run([ONE], kept(), "lstm", "x")
    with pytest.raises(InputError, match="has no replicate 1"):
        best_run([ONE], kept(), "lstm", SETTING, replicate=1)
    with pytest.raises(InputError, match="no run has succeeded"):
        best_run([ONE], {}, "lstm", SETTING)


def test_a_skipped_study_has_no_run():
    with pytest.raises(InputError, match="no run has succeeded"):
        best_run([study(skipped="why")], {}, "lstm", SETTING)


def test_what_is_alone_need_not_be_named_and_of_several_all_are_listed():
    assert best_run([ONE], kept()).member == RUNS[1].member
    others = [ONE, replace(ONE, setting="b(x=1, y=2)"), replace(ONE, architecture="gru")]
    with pytest.raises(InputError) as caught:
        best_run(others, kept(), "lstm")
    settings = "--setting, one of `adding_uniform(length=10)`, `b(x=1, y=2)`"
    assert str(caught.value) == f"say which: {settings}"
    with pytest.raises(InputError) as caught:
        best_run(others, kept())
    assert str(caught.value) == f"say which: --architecture, one of `lstm`, `gru`; and {settings}"
