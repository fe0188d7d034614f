from dataclasses import replace
from statistics import fmean

from studies import play, study

from rnnbench.member import Seed
from rnnbench.protocol import Ask, Progression


def keys(asks: list[Ask], phase: str) -> list[str]:
    return [ask.member.key for ask in asks if ask.phase == phase]


def test_a_study_searches_confirms_three_on_two_seeds_and_evaluates() -> None:
    asks, _ = play(study(trials=10, confirm=3, seeds=4))
    assert [len(keys(asks, phase)) for phase in ("search", "confirm", "evaluation")] == [10, 6, 4]
    assert {ask.seed_index for ask in asks if ask.phase == "confirm"} == {1, 2}


def test_tuning_and_evaluation_seeds_have_nothing_in_common() -> None:
    asks, _ = play(study())
    seeds = {
        role: {
            member.batch_seeds().of(update)
            for ask in asks
            if (member := ask.member).seed.role == role
            for update in (1, 2, 3)
        }
        for role in ("tuning", "evaluation")
    }
    assert len(seeds["tuning"]) == 9  # three seeds, three updates
    assert len(seeds["evaluation"]) == 12
    assert not seeds["tuning"] & seeds["evaluation"]


def test_the_frozen_choice_has_the_best_mean_over_its_three_seeds() -> None:
    asks, finished = play(study())
    frozen = {ask.trial for ask in asks if ask.frozen}
    assert len(frozen) == 1
    scores: dict[int | None, list[float]] = {}
    for ask in asks:
        if ask.phase != "evaluation":
            scores.setdefault(ask.trial, []).append(finished[ask.member.key].valid_score or 0.0)
    confirmed = {trial: fmean(values) for trial, values in scores.items() if len(values) == 3}
    assert len(confirmed) == 3
    assert min(confirmed, key=lambda trial: confirmed[trial]) in frozen
    best = next(iter(frozen))
    recipes = {a.member.recipe for a in asks if a.phase == "evaluation" or a.trial == best}
    assert len(recipes) == 1


def test_the_order_in_which_members_finish_changes_nothing() -> None:
    assert play(study()) == play(study(), backwards=True)


def test_raising_trials_by_two_keeps_the_first_ten_and_their_results() -> None:
    small, _ = play(study(trials=10))
    large, _ = play(study(trials=12))
    assert keys(large, "search")[:10] == keys(small, "search")
    assert len(keys(large, "search")) == 12


def test_a_half_finished_study_asks_for_the_same_as_an_unbroken_one() -> None:
    whole, finished = play(study())
    half = dict(list(finished.items())[:7])
    fresh = Progression(study())
    while missing := [a for a in fresh.asks(half) if a.member.key not in half]:
        half[missing[0].member.key] = finished[missing[0].member.key]
    assert fresh.asks(half) == whole


def test_a_diverged_trial_is_asked_for_once_and_never_chosen() -> None:
    calm, _ = play(study())
    best = next(ask for ask in calm if ask.frozen)
    asks, finished = play(study(), fail=frozenset({best.member.key}))
    assert finished[best.member.key].status == "diverged"
    assert keys(asks, "search").count(best.member.key) == 1
    assert best.trial not in {ask.trial for ask in asks if ask.frozen}


def test_where_every_trial_fails_the_runs_are_skipped_with_the_reason() -> None:
    everything = frozenset(ask.member.key for ask in play(study())[0])
    asks, _ = play(study(confirm=0), fail=everything | more_keys())
    assert {ask.skipped for ask in asks if ask.phase == "evaluation"} == {
        "no trial of the search succeeded"
    }


def more_keys() -> frozenset[str]:
    """Keys of the trials that TPE proposes once the first ones have failed."""
    failed: frozenset[str] = frozenset()
    while True:
        asks, _ = play(study(confirm=0), fail=failed)
        now = failed | {ask.member.key for ask in asks if ask.phase == "search"}
        if now == failed:
            return failed
        failed = now


def test_fixed_hyperparameters_are_evaluated_without_a_search() -> None:
    asks, _ = play(study(shared={}, own={}))
    assert [ask.phase for ask in asks] == ["evaluation"] * 4


def test_a_skipped_study_has_a_row_for_each_seed() -> None:
    asks = Progression(study(skipped="causal")).asks({})
    assert [(ask.phase, ask.skipped) for ask in asks] == [("evaluation", "causal")] * 4


def test_replicates_are_independent_searches_on_other_seeds() -> None:
    first, second = play(study(replicate=0))[0], play(study(replicate=1))[0]
    assert not {ask.member.key for ask in first} & {ask.member.key for ask in second}
    tuned = {(a.member.seed.replicate, a.member.batch_seeds().of(1)) for a in first + second}
    assert len({seed for _, seed in tuned}) == 2 * 7
    assert first[1].member.recipe != second[1].member.recipe


def test_labels_decide_nothing() -> None:
    mine, _ = play(study(architecture="lstm"))
    renamed, _ = play(study(architecture="another name"))
    assert [ask.member.key for ask in mine] == [ask.member.key for ask in renamed]


def test_architectures_share_their_data_and_not_their_weights() -> None:
    one, other = study().template, study(cell="gru").template
    assert one.batch_seeds().of(5) == other.batch_seeds().of(5)
    assert one.weights_seed != other.weights_seed
    run = replace(one, seed=Seed("evaluation", 0, 0))
    assert run.held_out_seed("test") != run.held_out_seed("valid")
    assert run.held_out_seed("valid") == one.held_out_seed("valid")
    wider = replace(one, architecture=replace(one.architecture, hidden=99))
    assert wider.weights_seed == one.weights_seed
    assert wider.key != one.key
