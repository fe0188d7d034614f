import dataclasses
import math

import pandas as pd
import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from rnnbench.findings.comparisons import compare
from rnnbench.findings.frozen import edges
from rnnbench.findings.ranking import order
from rnnbench.findings.summary import summarise
from rnnbench.findings.wording import estimate, listed, number, space
from rnnbench.statistics import Interval

COPY = "copy_memory(length=20)"


def summary(**changes):
    results = synthetic.results(**changes)
    return summarise(results, compare(results))


def gain(amount, spread=0.0):
    """Scores of gru and lstm that differ by `amount`, which varies over seeds by `spread`."""
    return lambda name, _, __, seed: 0.6 + (name == "gru") * (amount + spread * (seed % 2 * 2 - 1))


# The verdict's templates, one by one.


def test_enough_seeds_and_a_clear_difference_give_a_leader():
    found = summary(seeds=6, scores=gain(0.0875))
    assert found.kind == "SEPARATED"
    assert found.verdict == (
        "gru leads, +0.100 on the normalised score (95 % interval +0.100 to +0.100) above lstm, "
        "the next, with p = 0.0312 after Holm's correction, "
        "for the configurations this search found."
    )


def test_five_seeds_are_ahead_at_most_and_the_reader_learns_why():
    found = summary(scores=gain(0.0875))
    assert found.kind == "AHEAD"
    assert found.verdict == (
        "gru is ahead of lstm, the next, by +0.100 on the normalised score "
        "(95 % interval +0.100 to +0.100), for the configurations this search found, "
        "but 5 seeds cannot make that significant."
    )
    assert found.limits[0] == (
        "Too few seeds for a significance claim: 5 seeds cannot give p below 0.0625; "
        "6 are needed before Holm's correction."
    )


def test_a_difference_within_its_interval_is_a_tie():
    found = summary(seeds=6, scores=gain(0.0, spread=0.1))
    assert found.kind == "TIED"
    assert found.verdict.startswith("All tie; these data cannot order them (difference ")
    assert {row.rank for row in found.rows} == {"1–2"}
    assert {row.group for row in found.rows} == {"A"}


@pytest.mark.parametrize("seeds", [5, 7])
def test_nobody_leads_while_a_noisy_third_may_be_as_good_as_the_first(seeds):
    means = {"gru": 0.9, "lstm": 0.8, "tanh": 0.7}
    swing = {"gru": 0.001, "lstm": 0.001, "tanh": 0.3}
    found = summary(
        architectures=tuple(means),
        seeds=seeds,
        scores=lambda name, _, __, seed: means[name] + swing[name] * (seed % 2 * 2 - 1),
    )
    assert next(row.rank for row in found.rows) != "1"
    assert found.ranking.separated("gru", "lstm")
    assert found.kind == "TIED"
    assert found.verdict.startswith("No single leader: these data cannot tell gru from tanh (")


def test_two_seeds_cannot_tell():
    found = summary(seeds=2, scores=gain(0.0875))
    assert found.kind == "UNDERPOWERED"
    assert found.verdict == (
        "Too few seeds to tell: gru scores +0.100 on the normalised score above lstm "
        "with 2 seeds, and an interval needs 3; this is for the configurations this search found."
    )


def test_nobody_leads_at_the_level_of_the_trivial_predictor():
    assert summary(scores=lambda *_: 0.1).kind == "NOTHING_LEARNED"
    assert not any(e.best for row in summary(scores=lambda *_: 0.1).rows for e in row.entries)


def test_where_all_runs_failed_there_is_nothing_to_compare():
    found = summary(failed={("gru", COPY): 5, ("lstm", COPY): 5})
    assert (found.kind, found.verdict) == ("FAILED", "Nothing to compare: all 10 runs failed.")
    assert {row.rank for row in found.rows} == {"–"}
    assert found.limits == ()


@pytest.mark.parametrize("keep", [0, 5])
def test_one_side_alone_is_not_ranked(keep):
    found = summary(keep=keep, interrupted=True)
    assert found.kind == "UNRANKED"
    assert found.banner.startswith("Partial results. The run was interrupted: ")


def test_an_architecture_without_runs_on_a_setting_is_marked():
    results = synthetic.results(settings=(("copy_memory", 20), ("adding_uniform", 10)))
    lost = (results.runs["architecture"] == "gru") & (results.runs["setting"] == COPY)
    found = summarise(dataclasses.replace(results, runs=results.runs[~lost]), compare(results))
    assert {row.architecture: row.note for row in found.rows} == {
        "gru": f"no runs on {COPY}",
        "lstm": "",
    }


@given(st.integers(3, 7), st.floats(0, 0.3), st.floats(0, 0.3))
def test_no_sentence_claims_more_than_the_corrected_test_and_interval_show(seeds, amount, spread):
    found = summary(seeds=seeds, scores=gain(amount, spread))
    separated = found.ranking.by_test and found.ranking.separated("gru", "lstm")
    assert ("leads" in found.verdict) == separated
    assert "best" not in found.verdict
    assert "win" not in found.verdict


# The order.


@given(
    st.lists(st.lists(st.floats(0, 1), min_size=8, max_size=8), min_size=2, max_size=5),
    st.integers(0, 4),
)
def test_a_copy_of_an_architecture_is_in_its_group(columns, which):
    scores = {
        f"a{i}": {(0, seed): score for seed, score in enumerate(column)}
        for i, column in enumerate(columns)
    }
    original = f"a{which % len(columns)}"
    places = {p.architecture: p for p in order({**scores, "copy": scores[original]}, ["s"]).places}
    assert not order({**scores, "copy": scores[original]}, ["s"]).separated(original, "copy")
    assert places["copy"].rank_low == places[original].rank_low
    assert places["copy"].rank_high == places[original].rank_high


def test_a_worse_group_starts_only_below_every_member_of_the_one_above():
    # c is below a by 0.2 for sure, but b swings so much that it cannot be told from either.
    scores = {
        "a": dict.fromkeys([(0, s) for s in range(5)], 0.9),
        "b": {(0, s): 0.8 + 0.3 * (s % 2 * 2 - 1) for s in range(5)},
        "c": dict.fromkeys([(0, s) for s in range(5)], 0.7),
    }
    places = {p.architecture: p for p in order(scores, ["s"]).places}
    assert {p.group for p in places.values()} == {0}
    assert (places["a"].rank_low, places["a"].rank_high) == (1, 2)
    assert (places["b"].rank_low, places["b"].rank_high) == (1, 3)
    assert (places["c"].rank_low, places["c"].rank_high) == (2, 3)


def test_which_rule_separates_is_said():
    assert "95 % t interval" in summary(seeds=5).separation
    assert "5 seeds are too few" in summary(seeds=5).separation
    assert "sign-flip tests" in summary(seeds=6).separation
    assert "1 search" not in summary(seeds=5).separation


def test_an_architecture_that_skips_a_setting_has_no_rank_and_a_labelled_mean():
    found = summary(
        settings=(("copy_memory", 20), ("adding_uniform", 50)),
        skipped={("gru", COPY): "gru is bidirectional and copy_memory is causal"},
    )
    row = found.rows[-1]
    assert (row.architecture, row.rank) == ("gru", "–")
    assert row.note == (
        "not ranked: mean over its own 1 of 2 settings "
        "(gru is bidirectional and copy_memory is causal)"
    )
    assert row.entries[0].skipped
    assert row.runs == 5


def test_a_partial_run_is_ranked_on_the_settings_that_all_have():
    found = summary(
        architectures=("gru", "lstm"),
        settings=(("copy_memory", 20), ("adding_uniform", 50)),
        keep=15,
    )
    assert found.ranking.settings == (COPY,)
    assert found.rows[0].rank == "1"


def unbounded(**changes):
    """Results whose first setting is a loss without oracle: it has no best score."""
    results = synthetic.results(
        settings=(("adding_uniform", 50), ("copy_memory", 20)), seeds=6, **changes
    )
    entry = next(iter(results.manifest["settings"].values()))
    entry["oracle"] = entry["best"] = None
    return results


def test_a_setting_without_a_best_score_has_no_part_in_the_order():
    results = unbounded(
        scores=lambda name, setting, *_: (
            (0.1 if name == "lstm" else 0.11)
            if setting.startswith("adding")
            else (0.9125 if name == "gru" else 0.825)
        )
    )
    found = summarise(results, compare(results))
    assert found.ranking.settings == (COPY,)
    assert found.verdict.startswith("gru leads, +0.100 on the normalised score")
    assert (
        "adding_uniform(length=50) is left out of the overall score and the order: no oracle, "
        "and a metric without a best value." in found.limits
    )
    assert "on 1 setting" in found.limits[-1]
    assert found.comparisons[-1].note == "1 of 2 settings"
    # In its own units it is compared all the same.
    (own,) = [row for row in found.comparisons if row.setting.startswith("adding")]
    assert own.difference == pytest.approx(-0.01)
    assert [e.best for row in found.rows for e in row.entries] == [False, True, True, False]


def test_without_any_best_score_there_is_no_order_and_the_reader_learns_why():
    results = unbounded()
    results.manifest["settings"][COPY]["best"] = None
    found = summarise(results, compare(results))
    assert found.kind == "UNRANKED"
    assert found.verdict.endswith(
        "no setting counts for an overall score (no oracle, and a metric without a best value)."
    )
    assert {row.note for row in found.rows} == {
        "not ranked: no setting of its own has a normalised score"
    }


def test_where_the_trivial_predictor_is_perfect_there_is_nothing_to_order():
    results = synthetic.results(settings=(("adding_uniform", 50), ("copy_memory", 20)), seeds=6)
    results.manifest["settings"][COPY]["trivial"] = 1.0
    found = summarise(results, compare(results))
    assert found.ranking.settings == ("adding_uniform(length=50)",)
    assert (
        f"{COPY} is left out of the overall score and the order: the trivial predictor is perfect "
        "there." in found.limits
    )
    assert not any(e.among_best for row in found.rows for e in row.entries if e.setting == COPY)
    results.manifest["settings"]["adding_uniform(length=50)"]["trivial"] = 0.0
    found = summarise(results, compare(results))
    assert found.verdict == (
        "No order to give: no setting counts for an overall score "
        "(the trivial predictor is perfect there)."
    )
    assert all(math.isnan(row.overall.estimate) for row in found.rows)


def test_a_small_test_part_and_what_training_knows_of_it_are_doubted():
    results = synthetic.results()
    entry = results.manifest["settings"][COPY]
    entry |= {"test": {"count": 30, "of": "sequence", "worth": 1 / 30}, "leaks": ["9 are known"]}
    found = texts(summarise(results, compare(results)), False)
    assert f"{COPY}: the test part has 30 sequences: one is worth 0.033 of accuracy" in found
    assert f"{COPY}: 9 are known" in found
    entry |= {"test": {"count": 30, "of": "target", "worth": None}, "leaks": []}
    found = texts(summarise(results, compare(results)), False)
    assert f"{COPY}: the test part has 30 targets" in found
    entry["test"]["count"] = 100
    assert not any(COPY in text for text in texts(summarise(results, compare(results)), False))


# Cells of the table.


def entry(found, architecture):
    (row,) = [row for row in found.rows if row.architecture == architecture]
    return row.entries[0]


def test_the_mean_is_over_survivors_and_failures_are_counted():
    found = entry(summary(seeds=4, scores=lambda *_: 0.5, failed={("gru", COPY): 1}), "gru")
    assert (found.score.estimate, found.ok, found.runs, found.failed) == (0.5, 3, 4, 1)
    assert entry(summary(failed={("gru", COPY): 5}), "gru").among_best is False


def test_solved_runs_are_out_of_all_runs():
    found = entry(summary(seeds=4, scores=lambda *_: 1.0, failed={("gru", COPY): 1}), "gru")
    assert found.solved_count == 3
    assert found.solved.estimate == 0.75
    assert 0 < found.solved.low < 0.75 < found.solved.high < 1


def test_failures_pull_down_who_is_best_though_survivors_look_good():
    found = summary(
        scores=lambda name, *_: 0.95 if name == "gru" else 0.8, failed={("gru", COPY): 4}
    )
    assert entry(found, "gru").score.estimate == 0.95
    assert not entry(found, "gru").best
    assert entry(found, "lstm").best


def test_what_cannot_be_told_from_the_best_is_marked():
    tied = summary(scores=gain(0.01, spread=0.1))
    assert entry(tied, "lstm").among_best
    clear = summary(scores=gain(0.1))
    assert not entry(clear, "lstm").among_best


# Trust.


def texts(found, ok):
    return [check.text for check in found.checks if check.ok is ok]


def test_a_sound_run_passes_its_checks():
    found = summary(seeds=6)
    assert texts(found, ok=False) == []
    assert "same tuning: 9 trials each" in texts(found, ok=True)
    assert "same size: 5,000 parameters (within 0.3 %)" in texts(found, ok=True)


def test_what_deserves_doubt_comes_first():
    found = summary(
        quick=True, failed={("gru", COPY): 1}, keep=9, parameters={"gru": 6000, "lstm": 5000}
    )
    doubts = texts(found, ok=False)
    assert doubts == [
        "quick budget: a try-out, not evidence",
        "27 of 28 trials and runs present",
        "1 of 9 runs failed, counted as 0",
        "4 seeds; 6 needed to test every pair",
        "sizes differ from 5,000 parameters by up to 20 %",
    ]
    assert [check.ok for check in found.checks] == sorted(check.ok for check in found.checks)


def test_no_search_and_unclean_code_are_said():
    results = synthetic.results(trials=0)
    results.manifest["git"]["dirty"] = True
    found = summarise(results, compare(results))
    assert "no search: fixed hyperparameters, said openly" in texts(found, ok=True)
    assert "uncommitted changes on top of 0123456789ab" in texts(found, ok=False)


def test_a_run_from_a_package_names_its_version():
    results = synthetic.results()
    results.manifest["git"] = None
    found = summarise(results, compare(results))
    assert "rnnbench 0.1.0 from a package" in texts(found, ok=True)


def test_unequal_tuning_is_a_doubt():
    results = synthetic.results()
    results.manifest["search"]["trials"]["gru"][COPY] = 0
    found = summarise(results, compare(results))
    assert "unequal tuning: 0 to 9 trials" in texts(found, ok=False)


@pytest.mark.parametrize(
    ("changes", "long", "short"),
    [
        ({}, "for the configurations this search found", "for the configurations found"),
        ({"trials": 0}, "for the fixed hyperparameters of the suite", "for fixed hyperparameters"),
        ({"replicates": 4}, "over 4 independent searches each", "over 4 searches each"),
    ],
)
@pytest.mark.parametrize("spread", [0.0, 0.3])
def test_every_sentence_says_how_far_it_reaches(changes, long, short, spread):
    found = summary(scores=gain(0.05, spread), **changes)
    assert long in found.verdict
    assert f"This holds {long}, " in found.limits[-1]
    assert all(sentence.endswith(f", {short}.") for sentence in found.against_reference)


def test_rows_of_different_versions_are_named():
    results = synthetic.results()
    results.runs.loc[0, "torch_version"] = "2.12.0"
    assert "rows from torch 2.12.0 and 2.13.0" in texts(summarise(results, compare(results)), False)


def test_times_of_unlike_hardware_are_not_compared_and_that_is_said():
    results = synthetic.results()
    assert "times" not in " ".join(texts(summarise(results, compare(results)), False))
    results.runs.loc[0, "hardware_host"] = "GPU of 2027"
    said = "trained on CPU of 2026 and GPU of 2027: times are not compared between them"
    assert said in texts(summarise(results, compare(results)), False)


@pytest.mark.parametrize(("rate", "found"), [(3e-2, 1), (1.2e-4, 1), (2e-4, 0), (3e-3, 0)])
def test_an_optimum_at_an_end_of_a_logarithmic_range_is_found(rate, found):
    results = synthetic.results(("lstm",))
    results.trials["hp_learning_rate"] = rate
    assert len(edges(results)) == found


def test_an_optimum_of_a_cells_own_option_is_found():
    results = synthetic.results()
    results.trials["hp_learning_rate"] = 3e-3
    results.trials["option_forget_bias"] = 5.0
    own = {"forget_bias": {"kind": "between", "low": 0.0, "high": 5.0}}
    results.manifest["search"]["own"] = {"lstm": own}
    found = [(edge.architecture, edge.name, edge.space) for edge in edges(results)]
    assert found == [("lstm", "forget_bias", "0 … 5")]


@pytest.mark.parametrize(
    ("values", "chosen", "found"),
    [
        ([0.5, 1.0, 5.0], 0.5, ["one of 0.5, 1, 5"]),
        ([5.0, 0.5, 1.0], 5.0, ["one of 5, 0.5, 1"]),
        ([0.5, 1.0, 5.0], 1.0, []),
        ([0.5, 1.0], 1.0, []),
        (["adam", "sgd"], 1.0, []),
        ([True, False], 1.0, []),
    ],
)
def test_the_least_and_greatest_of_a_choice_of_numbers_are_edges(values, chosen, found):
    results = synthetic.results(("lstm",))
    results.trials["hp_clip"] = chosen
    results.trials["hp_learning_rate"] = 3e-3
    results.manifest["search"]["space"]["clip"] = {"kind": "choice", "values": values}
    assert [edge.space for edge in edges(results)] == found


@pytest.mark.parametrize(
    ("name", "space", "chosen", "found"),
    [
        ("momentum", {"kind": "between", "low": 0.0, "high": 0.9}, 0.0, 0),
        ("momentum", {"kind": "between", "low": 0.0, "high": 0.9}, 0.9, 1),
        ("momentum", {"kind": "between", "low": 0.5, "high": 0.9}, 0.5, 1),
        ("momentum", {"kind": "choice", "values": [0, 0.5, 0.9]}, 0.0, 0),
        ("chunk", {"kind": "choice", "values": [1, 5, 25]}, 1.0, 0),
        ("chunk", {"kind": "choice", "values": [5, 25, 50]}, 5.0, 1),
    ],
)
def test_where_nothing_can_lie_beyond_there_is_no_edge(name, space, chosen, found):
    results = synthetic.results(("lstm",))
    results.trials[f"hp_{name}"] = chosen
    results.manifest["search"]["space"] = {name: space}
    assert len(edges(results)) == found


def test_the_bounds_of_an_option_are_no_edge():
    results = synthetic.results(("lstm",))
    results.trials["option_leak"] = 1.0
    results.manifest["search"]["space"] = {}
    own = {"leak": {"kind": "between", "low": 0.1, "high": 1.0}}
    results.manifest["search"]["own"] = {"lstm": own}
    assert len(edges(results)) == 1
    results.manifest["architectures"]["lstm"]["bounds"] = {"leak": [0.0, 1.0]}
    assert edges(results) == ()


def test_a_space_is_written_as_readers_know_it():
    assert space({"kind": "log", "low": 0.001, "high": 0.03}) == "log 0.001 … 0.03"
    assert space({"kind": "between", "low": 0.0, "high": 5.0}) == "0 … 5"
    assert space({"kind": "choice", "values": ["adam", 2, True]}) == "one of adam, 2, True"


# Words.


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.9994, "0.999"), (0.00995, "0.010"), (0.0069, "0.0069"), (-0.25, "−0.250"), (0, "0.000"),
     (0.00012, "0.00012"), (2e-6, "2.0e−06"), (float("nan"), "–")],
)  # fmt: skip
def test_numbers_keep_the_digits_that_count(value, text):
    assert number(value) == text


def test_an_estimate_and_its_half_width_have_the_same_digits():
    assert estimate(Interval(0.8932, 0.8845, 0.9019, 5)) == "0.893 ± 0.009"
    assert estimate(Interval(0.00098, -0.00172, 0.00368, 5)) == "0.0010 ± 0.0027"
    assert estimate(Interval(0.5, float("nan"), float("nan"), 2)) == "0.500"


def test_long_lists_are_cut():
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert listed(["a", "b", "c"], at_most=2) == "a, b and 1 more"


def test_a_summary_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary().verdict = "mine is best"


def test_where_every_run_failed_none_solved_the_task():
    found = entry(summary(failed={("gru", COPY): 5}), "gru")
    assert (found.solved_count, found.solved.n) == (0, 5)


def with_timeouts(seeds, **changes):
    """Results where the runs with these seeds were cut, by architecture."""
    results = synthetic.results(architectures=("gru", "lstm"), seeds=5, trials=5, **changes)
    for architecture, which in seeds.items():
        mine = (results.runs["architecture"] == architecture) & results.runs["seed_index"].isin(
            which
        )
        results.runs.loc[mine, ["status", "score"]] = ["timeout", pd.NA]
    return results


def said_of_limits(results, ok):
    found = summarise(results, compare(results)).checks
    return [check.text for check in found if check.ok is ok and "time limits" in check.text]


def test_who_was_cut_by_a_time_limit_more_often_is_doubted():
    results = with_timeouts({"gru": [0, 1, 2], "lstm": [4]})
    results.trials.loc[results.trials["architecture"] == "gru", "status"] = "timeout"
    assert said_of_limits(results, ok=False) == [
        "time limits cut gru 8 of 10 times and lstm 1 of 10 times (trials and runs): comparisons "
        "favour the quick; raise budget.standard.time_limit, then --retry timeout"
    ]


def test_time_limits_that_cut_all_alike_are_only_noted():
    results = with_timeouts({"gru": [0], "lstm": [3]})
    said = "time limits cut all architectures alike: 10 % of trials and runs"
    assert (said_of_limits(results, ok=True), said_of_limits(results, ok=False)) == ([said], [])
    assert said_of_limits(with_timeouts({}), ok=True) == []


def test_equal_sums_on_different_settings_are_not_alike():
    settings = (("copy_memory", 20), ("copy_memory", 40))
    results = with_timeouts({}, settings=settings)
    runs = results.runs
    for architecture, setting in (("gru", COPY), ("lstm", "copy_memory(length=40)")):
        mine = (runs["architecture"] == architecture) & (runs["setting"] == setting)
        runs.loc[mine, "status"] = "timeout"
    assert len(said_of_limits(results, ok=False)) == 1


def test_rows_of_one_cell_from_several_states_of_its_code_are_doubted():
    results = synthetic.results()
    results.runs.loc[0, "cell_source"] = "other"
    found = [check.text for check in summarise(results, compare(results)).checks if not check.ok]
    assert "rows from several states of the code of cell gru" in found
