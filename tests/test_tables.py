import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from studies import of_four_networks, play, study

from rnnbench.findings.comparisons import Comparison
from rnnbench.member import Finished, Point, Score
from rnnbench.results import Results, write_tables
from rnnbench.store import Stored
from rnnbench.tables import tabulate

TABLES = ("trials", "runs", "scores", "curves")
MADE_BY = {"rnnbench": "0.1", "torch": "2", "cell": "c", "task": "t"}
FREE = ("_seconds", "_bytes", "_at", "_host")


def stored(one, seconds=1.0, host="a", fail=frozenset()) -> dict[str, Stored]:
    """Play a study and fill in what training would have left behind."""
    asks, finished = play(one, fail)
    result = {}
    for ask in asks:
        if ask.skipped or finished[ask.member.key].status != "ok":
            continue
        done = replace(
            finished[ask.member.key],
            curve=(Point(10, "train", "loss", 0.3), Point(10, "valid", "loss", 0.2)),
            scores=(
                Score("test", "loss", 0.25, "min"),
                Score("test", "mean_squared_error", 0.5, "min"),
                Score("test", "solved", 0.0, "max"),
                Score("test", "updates_to_solve", 10.0, "min", censored=True),
                Score("valid", "loss", 0.2, "min"),
            )
            if ask.phase == "evaluation"
            else (),
            seconds={"train": seconds, "evaluate": seconds / 2, "update": seconds / 10},
            finished_at=f"2026-01-01T00:00:{seconds:02.0f}+00:00",
            worker_host=host,
            hardware_host=f"CPU of {host}",
        )
        result[ask.member.key] = Stored(done, MADE_BY)
    result |= {key: Stored(one, MADE_BY) for key, one in finished.items() if one.status != "ok"}
    return result


def tables(*studies, **arguments) -> Results:
    kept = {key: one for each in studies for key, one in stored(each, **arguments).items()}
    sizes = {study.architecture: {study.setting: study.size} for study in studies}
    return tabulate({"sizes": sizes}, studies, kept)


def test_there_is_a_row_for_each_trial_run_score_and_point():
    made = tables(study(trials=10, confirm=3, seeds=4))
    assert made.trials.phase.value_counts().to_dict() == {"search": 10, "confirm": 6}
    assert len(made.runs) == 4
    assert len(made.scores) == 4 * 5
    assert len(made.curves) == 2 * (10 + 6 + 4)


def test_one_configuration_is_frozen_and_it_is_the_one_that_runs():
    made = tables(study())
    frozen = made.trials[made.trials.frozen]
    assert frozen.trial.nunique() == 1
    assert set(made.runs.trial) == set(frozen.trial)
    assert set(made.runs.hp_learning_rate) == set(frozen.hp_learning_rate)


def test_a_run_shows_its_test_scores_and_a_trial_its_validation_score():
    made = tables(study())
    run, trial = made.runs.iloc[0], made.trials.iloc[0]
    assert (run.score, run.loss) == (0.5, 0.25)
    assert (bool(run.solved), run.updates_to_solve, bool(run.censored)) == (False, 10.0, True)
    assert run.valid_score != run.score
    # the default learning rate and forget bias, as `score_of` counts them
    assert trial.score == pytest.approx(0.009 + 0.01)


def test_a_skipped_study_has_a_row_for_each_run_it_would_have_made():
    made = tables(study(skipped="lstm is bidirectional and copy_memory is causal", seeds=3))
    assert made.runs.status.tolist() == ["skipped"] * 3
    assert made.runs.reason.unique().tolist() == ["lstm is bidirectional and copy_memory is causal"]
    assert made.runs.seed_index.tolist() == [0, 1, 2]
    assert made.runs[["score", "solved", "finished_at"]].replace("", pd.NA).isna().all(axis=None)
    assert len(made.trials) == len(made.scores) == 0


def test_a_failed_member_keeps_its_row_without_a_score():
    one = study()
    first = play(one)[0][0].member.key
    made = tables(one, fail=frozenset({first}))
    row = made.trials.set_index("key").loc[first]
    assert (row.status, row.failed_update) == ("diverged", 3)
    assert pd.isna(row.score)


def test_what_was_raised_has_a_file_that_its_row_names(tmp_path):
    one = study(trials=2, confirm=0, seeds=1)
    [first, *_] = play(one)[0]
    raised = Finished("error", "ValueError: no", "Traceback …\nValueError: no\n", "ValueError")
    made = tabulate({"sizes": {}}, [one], {first.member.key: Stored(raised, MADE_BY)})
    [row] = made.trials.to_dict("records")
    assert (row["exception"], row["traceback"]) == (
        "ValueError",
        f"tracebacks/{first.member.key}.txt",
    )
    write_tables(made, tmp_path)
    assert (tmp_path / row["traceback"]).read_text() == raised.traceback
    ok = tables(one).trials
    assert ok.exception.isna().all()
    assert ok.traceback.isna().all()


def test_a_row_says_which_code_scored_it():
    one = study(trials=1, confirm=0, seeds=1)
    by = MADE_BY | {"metric b": "2", "metric a": "1", "compiler": "g++ 13"}
    kept = {key: replace(each, made_by=by) for key, each in stored(one).items()}
    [run] = tabulate({"sizes": {}}, [one], kept).runs.to_dict("records")
    assert (run["metric_sources"], run["compiler"]) == ("a 1; b 2", "g++ 13")


def test_rows_are_there_as_soon_as_members_are_finished_and_no_others():
    one = study(trials=4, confirm=0, seeds=2)
    kept = dict(list(stored(one).items())[:3])
    made = tabulate({}, [one], kept)
    assert (len(made.trials), len(made.runs)) == (3, 0)


def test_members_that_this_suite_does_not_ask_for_stay_out():
    one = study(trials=4, confirm=0, seeds=2)
    made = tabulate({}, [one], stored(one) | stored(study(cell="gru")))
    assert len(made.trials) == 4


def test_an_option_that_a_cell_does_not_have_is_empty():
    plain = study(architecture="tanh", cell="rnn", own={})
    net = replace(plain.template.architecture, numeric={})
    plain = replace(plain, template=replace(plain.template, architecture=net))
    lstm = study()
    kept = {ask.member.key: Stored(Finished("ok"), {}) for ask in play(lstm)[0][:1]}
    kept[plain.member(plain.defaults, "tuning", 0).key] = Stored(Finished("ok"), {})
    made = tabulate({}, [lstm, plain], kept).trials.set_index("architecture")
    assert made.loc["lstm", "option_forget_bias"] == 1.0
    assert pd.isna(made.loc["tanh", "option_forget_bias"])


def test_types_do_not_depend_on_which_rows_there_are():
    full, empty = tables(study()), tabulate({}, [study()], {})
    for name in TABLES:
        assert getattr(empty, name).empty
        assert getattr(full, name).dtypes.equals(getattr(empty, name).dtypes), name


def test_only_columns_that_say_so_differ_between_two_runs():
    first = tables(study(), seconds=1.0, host="here")
    second = tables(study(), seconds=2.0, host="there")
    differing = set()
    for name in TABLES:
        one, other = getattr(first, name), getattr(second, name)
        differing |= {column for column in one if not one[column].equals(other[column])}
    assert differing == {
        "train_seconds",
        "evaluate_seconds",
        "update_seconds",
        "finished_at",
        "worker_host",
        "hardware_host",
    }
    assert all(column.endswith(FREE) for column in differing)


def test_written_tables_read_back_the_same(tmp_path):
    made = tables(study())
    write_tables(made, tmp_path)
    for name in TABLES:
        table = getattr(made, name)
        pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / f"{name}.parquet"), table)
        read = pd.read_csv(tmp_path / f"{name}.csv")
        assert list(read) == list(table)
        numbers = table.select_dtypes("number")
        pd.testing.assert_frame_equal(
            read[list(numbers)].astype(numbers.dtypes.to_dict()), numbers, check_exact=True
        )


def explained() -> dict[str, set[str]]:
    """The columns that the first cell of each table row in the page names, section by section."""
    page = (Path(__file__).parents[1] / "results" / "README.md").read_text()
    sections = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    return {
        section.split("\n", 1)[0]: {
            name
            for line in section.splitlines()
            if line.startswith("| `")
            for name in re.findall(r"`([^`]+)`", line.split("|")[1])
        }
        for section in sections
    }


def general(columns) -> set[str]:
    return {re.sub(r"^(hp|option)_.*", r"\1_<name>", column) for column in columns}


def test_every_column_is_explained_and_every_explained_column_exists():
    page, made = explained(), tables(study())
    assert general(made.trials) == page["trials"]
    dropped = {"phase", "origin", "frozen"}  # as the page says above the table of runs
    assert (
        "without `phase`, `origin` and `frozen`"
        in (Path(__file__).parents[1] / "results" / "README.md").read_text()
    )
    assert general(made.runs) == (page["trials"] - dropped) | page["runs"]
    assert set(made.scores) == page["scores"]
    assert set(made.curves) == page["curves"]
    assert set(Comparison.__dataclass_fields__) == page["comparisons"]


def test_every_status_is_explained():
    page = explained()["Words"]
    assert page == {
        "ok", "diverged", "out_of_memory", "timeout", "crashed", "error", "skipped", "pruned",
    }  # fmt: skip


def test_where_networks_are_searched_the_size_is_that_of_the_frozen_one():
    one = of_four_networks(trials=9)
    planned = {one.architecture: {one.setting: one.size, "another": {"parameters": 7}}}
    made = tabulate({"sizes": planned}, [one], stored(one))
    run = made.runs.iloc[0]
    sizes = made.manifest["sizes"][one.architecture]
    assert sizes[one.setting]["parameters"] == run.parameters
    assert sizes[one.setting]["hidden"] == run.hidden
    assert sizes["another"] == {"parameters": 7}
    assert planned[one.architecture][one.setting] == one.size


def test_each_row_says_what_network_it_was():
    one = of_four_networks(trials=12)
    trials = tables(one).trials
    assert set(zip(trials.layers, trials.option_init, trials.parameters, strict=True)) == {
        (1, "uniform", 100),
        (2, "uniform", 102),
        (1, "orthogonal", 101),
        (2, "orthogonal", 102),
    }
    assert trials.option_forget_bias.dtype == "Float64"
