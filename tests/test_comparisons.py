import dataclasses
import math

import pandas as pd
import pytest
import synthetic

from rnnbench.findings.comparisons import OVERALL, compare, read

COPY = "copy_memory(length=20)"
ADDING = "adding_uniform(length=50)"


def only(results, setting=COPY):
    (row,) = [row for row in read(compare(results)) if row.setting == setting]
    return row


def test_pairs_are_runs_of_the_same_seed():
    # gru is 0.1, 0.2, 0.3 above lstm, while both vary widely from seed to seed.
    lstm = [0.2, 0.5, 0.4]
    row = only(
        synthetic.results(
            seeds=3,
            scores=lambda name, _, __, seed: lstm[seed] + (name == "gru") * (seed + 1) / 10,
        )
    )
    assert (row.architecture, row.reference, row.n) == ("gru", "lstm", 3)
    assert row.difference == pytest.approx(0.2)
    # t(0.975, 2) = 4.302653, standard error 0.1 / √3
    assert (row.low, row.high) == pytest.approx((0.2 - 0.2484138, 0.2 + 0.2484138))
    assert row.p == row.smallest_p == 0.25


def test_a_lower_error_is_a_positive_difference():
    row = only(
        synthetic.results(
            settings=(("adding_uniform", 50),),
            scores=lambda name, *_: 0.01 if name == "gru" else 0.03,
        ),
        ADDING,
    )
    assert row.difference == pytest.approx(0.02)
    assert row.raw == pytest.approx(-0.02)


@pytest.mark.parametrize(
    ("seeds", "gain", "verdict"),
    [
        (5, 0.1, "too few seeds"),
        (6, 0.1, "better"),
        (6, -0.1, "worse"),
        (6, 0.0, "not separated"),
    ],
)
def test_a_verdict_needs_seeds_enough_to_reach_it(seeds, gain, verdict):
    row = only(
        synthetic.results(
            seeds=seeds,
            scores=lambda name, _, __, seed: 0.6 + seed / 100 + gain * (name == "gru"),
        )
    )
    assert row.verdict == verdict


def test_holm_counts_the_contrasts_of_all_settings():
    results = synthetic.results(
        ("gru", "lstm", "tanh"),
        (("copy_memory", 20), ("temporal_order", 20)),
        seeds=7,
        scores=lambda name, *_: 0.5 + 0.1 * (name == "gru") - 0.1 * (name == "tanh"),
    )
    rows = read(compare(results))
    single = [row for row in rows if row.setting != OVERALL]
    assert {row.family for row in single} == {4}
    assert {row.p_holm for row in single} == {4 * 2 / 128}
    # Seven seeds pass for the two overall contrasts, but not for four.
    assert {row.verdict for row in single} == {"too few seeds"}
    assert {row.verdict for row in rows if row.setting == OVERALL} == {"better", "worse"}


def test_a_failed_run_counts_as_the_trivial_predictor_and_is_marked():
    row = only(
        synthetic.results(seeds=3, scores=lambda *_: 0.525, failed={("gru", COPY): 1}),
    )
    assert row.difference == pytest.approx(-0.4 / 3)
    assert (row.failed, row.runs, row.failed_reference) == (1, 3, 0)


def test_worse_than_trivial_counts_as_trivial_so_that_failing_never_pays():
    row = only(
        synthetic.results(
            seeds=3,
            settings=(("adding_uniform", 50),),
            scores=lambda *_: 0.9,
            failed={("gru", ADDING): 3},
        ),
        ADDING,
    )
    assert row.difference == 0.0


def test_the_overall_row_averages_normalised_scores():
    # gru: MSE 0 of trivial 1/6 is 1.0; accuracy trivial is 0.0: mean 0.5. lstm the other way, 0.25.
    scores = {
        ("gru", ADDING): 0.0,
        ("gru", COPY): 0.125,
        ("lstm", ADDING): 1 / 6,
        ("lstm", COPY): 0.5625,
    }
    row = only(
        synthetic.results(
            settings=(("adding_uniform", 50), ("copy_memory", 20)),
            scores=lambda name, setting, *_: scores[name, setting],
        ),
        OVERALL,
    )
    assert row.difference == pytest.approx(0.25)
    assert row.n == 5


def test_without_an_oracle_the_best_value_of_the_metric_stands_in():
    row = only(
        synthetic.results(
            settings=(("sequential_digits", 64),),
            scores=lambda name, *_: 0.55 if name == "gru" else 0.1,
        ),
        OVERALL,
    )
    assert row.difference == pytest.approx(0.5)


def test_with_replicates_the_search_is_the_unit():
    row = only(
        synthetic.results(
            seeds=4,
            replicates=3,
            scores=lambda name, _, search, seed: 0.5 + (name == "gru") * search / 10 + seed / 100,
        )
    )
    assert row.n == 3
    assert row.difference == pytest.approx(0.1)


def test_a_pair_that_does_not_apply_has_no_data_and_says_why():
    results = synthetic.results(
        settings=(("copy_memory", 20), ("adding_uniform", 50)),
        skipped={("gru", COPY): "gru looks ahead"},
    )
    row = only(results)
    assert (row.verdict, row.n, row.note) == ("no data", 0, "gru looks ahead")
    assert math.isnan(row.p_holm)
    assert only(results, OVERALL).note == "1 of 2 settings"
    assert only(results, ADDING).family == 1


def test_two_sides_that_finished_nothing_do_not_tie():
    row = only(synthetic.results(failed={("gru", COPY): 5, ("lstm", COPY): 5}))
    assert row.verdict == "no data"


def test_only_seeds_that_both_have_are_compared():
    # 5 runs of gru, 2 of lstm.
    assert only(synthetic.results(keep=7)).n == 2


def test_the_table_keeps_its_columns_when_nothing_is_compared():
    results = synthetic.results(("lstm",))
    assert list(compare(results).columns) == list(compare(synthetic.results()).columns)


def test_runs_skipped_because_their_search_failed_count_as_failed():
    results = synthetic.results(skipped={("gru", COPY): "no trial of the search succeeded"})
    tried = results.trials.iloc[:1].assign(architecture="gru", status="diverged")
    results = dataclasses.replace(results, trials=pd.concat([results.trials, tried]))
    row = only(results)
    assert (row.n, row.runs, row.failed, row.note) == (5, 5, 5, "")
    assert row.difference < 0
