import xml.etree.ElementTree as ElementTree

import matplotlib.figure
import pandas as pd
import pytest
import synthetic

from rnnbench.plots import Figure, Omitted, draw_all
from rnnbench.plots.canvas import draw_anchors, plain
from rnnbench.plots.palette import look

LENGTHS = (("copy_memory", 20), ("copy_memory", 40))


def draw(folder, **changes):
    results = synthetic.results(**changes)
    return {figure.id: figure for figure in draw_all(results, folder)}


def test_every_figure_is_svg_png_and_the_data_drawn(tmp_path):
    figures = draw(tmp_path, settings=LENGTHS, spoken=True)
    assert list(figures) == [
        "score_by_length",
        "score_by_target_length",
        "learning_curves",
        "best_so_far",
        "score_by_parameters",
    ]
    for figure in figures.values():
        assert isinstance(figure, Figure)
        ElementTree.parse(figure.svg_path)
        assert figure.png_path.read_bytes().startswith(b"\x89PNG")
        assert list(pd.read_csv(figure.csv_path)) == [
            "setting", "architecture", "x", "mean", "low", "high", "n",
        ]  # fmt: skip


def test_every_caption_names_its_interval_or_says_there_is_none(tmp_path):
    for sampler in ("tpe", "random"):
        for figure in draw(tmp_path, settings=LENGTHS, sampler=sampler, spoken=True).values():
            assert "95 % t interval over" in figure.caption or "no interval" in figure.caption


def test_drawing_again_gives_the_same_bytes(tmp_path):
    draw(tmp_path / "a", settings=LENGTHS)
    draw(tmp_path / "b", settings=LENGTHS)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(names) == 12
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_length_figure_holds_the_mean_of_survivors_and_its_interval(tmp_path):
    figure = draw(
        tmp_path,
        settings=LENGTHS,
        seeds=4,
        scores=lambda _, __, ___, seed: seed / 10,
        failed={("gru", "copy_memory(length=40)"): 1},
    )["score_by_length"]
    data = pd.read_csv(figure.csv_path).set_index(["architecture", "x"])
    point = data.loc[("gru", 40)]
    assert (point["mean"], point["n"]) == (pytest.approx(0.2), 3)
    assert point["low"] == pytest.approx(0.2 - 4.302653 * 0.1 / 3**0.5)


def test_the_figure_of_answers_holds_the_mean_at_each_length_and_its_interval(tmp_path):
    figure = draw(
        tmp_path,
        settings=LENGTHS[:1],
        seeds=4,
        scores=lambda _, __, ___, seed: 0.5 + seed / 10,
        spoken=True,
    )["score_by_target_length"]
    data = pd.read_csv(figure.csv_path)
    gru = data[data["architecture"] == "gru"]
    assert gru["x"].tolist() == [1.5, 3, 6]
    assert gru["mean"].tolist() == pytest.approx([0.65, 0.55, 0.45])
    assert (gru["high"] - gru["low"]).tolist() == pytest.approx([0.41085] * 3, rel=1e-4)
    assert gru["n"].tolist() == [4, 4, 4]


def test_a_figure_that_would_say_nothing_is_left_out_with_its_reason(tmp_path):
    stale = tmp_path / "score_by_length.svg"
    stale.write_text("from an earlier report")
    figures = draw(tmp_path, trials=0, parameters={"gru": 5000, "lstm": 5000})
    assert figures["score_by_length"] == Omitted(
        "score_by_length", "Score against length", "every task was run at one length only"
    )
    assert not stale.exists()
    assert figures["best_so_far"].reason == "there was no search"
    assert figures["score_by_parameters"].reason == "every network has 5,000 parameters"


def test_nothing_finished_leaves_figures_out_and_raises_nothing(tmp_path):
    failed = {(a, f"copy_memory(length={n})"): 5 for a in ("gru", "lstm") for n in (20, 40)}
    figures = draw(tmp_path, settings=LENGTHS, failed=failed, trials=1)
    assert {figure.reason for figure in figures.values()} == {
        "no run on a task with several lengths has finished",
        "no run was scored on targets that are sequences",
        "no evaluation run has left a validation curve",
        "each search made one trial only",
        "no run has finished",
    }


def test_random_trials_give_the_expected_best_and_others_the_course_of_the_search(tmp_path):
    random = draw(tmp_path, sampler="random")["best_so_far"]
    assert random.caption.startswith("Expected best validation score of n random trials")
    # Trial 0 is the defaults, not a draw.
    assert pd.read_csv(random.csv_path)["x"].max() == 8
    course = draw(tmp_path, sampler="tpe")["best_so_far"]
    assert course.caption.startswith("Best validation score up to each trial")
    assert pd.read_csv(course.csv_path)["x"].max() == 9


def test_a_failed_trial_counts_as_the_trivial_predictor(tmp_path):
    results = synthetic.results(("lstm",), trials=2)
    results.trials.loc[0, ["status", "score"]] = ["diverged", pd.NA]
    figures = {figure.id: figure for figure in draw_all(results, tmp_path)}
    assert pd.read_csv(figures["best_so_far"].csv_path)["mean"].iloc[0] == 0.125


def test_learning_curves_are_thinned(tmp_path):
    results = synthetic.results(("lstm",))
    results.curves["update"] = range(len(results.curves))
    figure = {one.id: one for one in draw_all(results, tmp_path)}["learning_curves"]
    assert pd.read_csv(figure.csv_path)["x"].nunique() == 150


def test_twenty_architectures_all_look_different():
    assert len({look(i) for i in range(20)}) == 20


def test_names_that_a_font_or_tex_could_stumble_over_are_drawn(tmp_path):
    names = (synthetic.HOSTILE, "_門$\\frac{$", "lstm")
    figures = draw(tmp_path, architectures=names, settings=LENGTHS, spoken=True)
    assert all(isinstance(figure, Figure) for figure in figures.values())
    assert plain("a門\nb") == "a□□b"
    assert plain("x" * 30) == "x" * 21 + "…"


def test_a_trivial_score_that_depends_on_length_is_drawn_at_each_length():
    axes = matplotlib.figure.Figure().add_subplot()
    setting = {"trivial": 0.5, "best": 0.0, "direction": "min", "metric": "cross_entropy"}
    values = pd.DataFrame({"mean": [0.4], "low": [0.3], "high": [0.6]})
    draw_anchors(axes, setting, values, {30.0: 0.7, 80.0: 0.26})
    [line] = axes.get_lines()
    assert list(line.get_xdata()) == [30.0, 80.0]
    assert list(line.get_ydata()) == [0.7, 0.26]
    low, high = axes.get_ylim()
    assert low < 0 < 0.7 < high


def test_where_every_score_is_the_trivial_one_figures_are_drawn_without_a_warning(tmp_path):
    results = synthetic.results(scores=lambda *_: 1.0)
    for setting in results.manifest["settings"].values():
        setting.update(trivial=1.0, best=1.0, oracle=1.0)
    for table in (results.curves, results.trials):
        table[table.columns.intersection(["value", "score", "mean"])] = 1.0
    # warnings are errors
    assert any(isinstance(figure, Figure) for figure in draw_all(results, tmp_path))
