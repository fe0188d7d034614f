import gzip
import os
from math import hypot, sqrt
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnbench import Batch, DataError
from rnnbench.errors import OptionError
from rnnbench_metrics.mase import MeanAbsoluteScaledError
from rnnbench_metrics.rmse import RootMeanSquaredError
from rnnbench_tasks.forecasting import Forecasting

SHARED = os.environ.get("RNNBENCH_DATA")
recorded = pytest.mark.skipif(SHARED is None, reason="RNNBENCH_DATA names no folder of real data")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rmse(predictions, batch):
    return RootMeanSquaredError().measure(predictions, batch.targets, batch.mask)


def written(folder, *columns, names="abcdefg", first="", name="series.csv"):
    """Write columns of numbers as a CSV file."""
    lines = [",".join(names[: len(columns)])]
    lines += [",".join(map(str, row)) for row in zip(*columns, strict=True)]
    path = folder / name
    path.write_text(first + "\n".join(lines) + "\n")
    return str(path)


def walk(rows=200, seed=0):
    return np.random.default_rng(seed).normal(size=rows).cumsum().round(3)


def task(data, **chosen):
    return Forecasting(**{"data": data, "length": 8, **chosen})


def refused(data, **chosen):
    """Return what a task says of its data when a suite is planned."""
    with pytest.raises(DataError) as caught:
        task(data, **chosen).anchors  # noqa: B018  the access is the test
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(data))
    return str(caught.value).removeprefix(str(data))


# generated series


GENERATED = (
    Forecasting(),
    Forecasting(lag=1, length=2),
    Forecasting(lag=5, length=21, horizon=3),
    Forecasting(lag=3, length=30, horizon=7),
)
every_generated = pytest.mark.parametrize("task", GENERATED, ids=lambda task: str(task.chosen))


@every_generated
def test_generated_batches_have_the_declared_shapes(task):
    batch = task.batch(6, seeded())
    assert batch.inputs.shape == (task.length, 6, 1)
    assert batch.targets.shape == (task.length, 6, task.horizon)
    assert batch.inputs.dtype == batch.targets.dtype == torch.float32
    assert batch.mask.shape == (task.length, 6)
    assert len(task.held_out("valid", seeded())) == 512
    assert len(task.held_out("test", seeded())) == 2048


@every_generated
def test_the_second_half_of_a_sequence_counts(task):
    half = task.length // 2
    for batch in (task.batch(6, seeded()), task.held_out("valid", seeded())):
        assert not batch.mask[:half].any()
        assert batch.mask[half:].all()


@every_generated
def test_what_is_said_of_generated_series_is_what_is_measured(task):
    batch = task.batch(60_000, seeded(1))
    near = {"rel": 0.02}
    assert batch.inputs.mean().item() == pytest.approx(0, abs=0.02)
    assert batch.inputs.std().item() == pytest.approx(1, **near)
    anchors = task.anchors
    assert rmse(task.trivial(batch), batch) == pytest.approx(anchors.trivial, **near)
    assert rmse(task.oracle(batch), batch) == pytest.approx(anchors.oracle, **near)
    zeros = torch.zeros_like(batch.targets)
    assert rmse(zeros, batch) == pytest.approx(anchors.floors["persistence"], **near)
    # the mean of what the series are elsewhere, and any of those values
    series = task._series
    scale = series.deviation[0] / series.unit[0]
    mean = (-batch.inputs * scale).float().expand_as(batch.targets)
    assert rmse(mean, batch) == pytest.approx(anchors.floors["training mean"], **near)
    other = mean + batch.inputs.flatten()[torch.randperm(batch.inputs.numel())].view_as(
        batch.inputs
    ) * float(scale)
    assert rmse(other, batch) == pytest.approx(anchors.chance, rel=0.05)


def test_the_unit_is_the_mean_absolute_change():
    for one in GENERATED:
        batch = one.batch(60_000, seeded(2))
        # a one-step target is a change; the last one of a sequence is beyond what is read
        changes = batch.targets[..., 0]
        assert changes.abs().mean().item() == pytest.approx(1, rel=0.02)


def test_the_seasonal_floor_is_that_of_the_value_a_season_before():
    one = Forecasting(lag=5, length=20, horizon=3)
    batch = one.batch(40_000, seeded(3))
    scale = (one._series.deviation / one._series.unit)[0]
    counted = torch.arange(10, 20)
    before = batch.inputs[counted[:, None] + torch.arange(1, 4) - 5, :, 0].transpose(1, 2)
    forecast = (before - batch.inputs[counted]) * scale
    measured = RootMeanSquaredError().measure(forecast.float(), batch.targets[counted], None)
    assert measured == pytest.approx(one.anchors.floors["seasonal naive"], rel=0.02)


def test_one_step_ahead_the_oracle_errs_by_a_standard_deviation_of_the_innovations():
    one = Forecasting(lag=8)
    assert one.anchors.oracle * one._series.unit[0] == pytest.approx(1.0)
    # two steps ahead by e_{t+2} + 0.8 e_{t+1}
    two = Forecasting(lag=8, horizon=2)
    expected = sqrt((1 + (1 + 0.8**2)) / 2)
    assert two.anchors.oracle * two._series.unit[0] == pytest.approx(expected)
    # beyond a season, by what is known of no season: (1 + 1.8²) of lag 1
    far = Forecasting(lag=1, length=4, horizon=2)
    assert far.anchors.oracle * far._series.unit[0] == pytest.approx(hypot(1, 1, 1.8) / sqrt(2))


@every_generated
def test_the_oracle_reads_no_targets(task):
    batch = task.batch(50, seeded(4))
    blind = Batch(batch.inputs, torch.full_like(batch.targets, torch.nan), mask=batch.mask)
    assert torch.equal(task.oracle(blind), task.oracle(batch))


def test_the_oracle_reads_no_later_value():
    one = Forecasting(lag=4, length=16, horizon=2)
    batch = one.batch(5, seeded())
    cut = batch.inputs.clone()
    cut[10:] += 1
    there, spoilt = one.oracle(batch), one.oracle(Batch(cut, batch.targets))
    assert torch.allclose(there[:10], spoilt[:10])
    assert not torch.allclose(there[10:], spoilt[10:])


def fitted(one, window):
    """Return what least squares over the last `window` values leave of the error."""
    train, test = one.batch(4000, seeded(5)), one.batch(4000, seeded(6))

    def rows(batch):
        steps = torch.arange(one.length // 2, one.length)
        seen = [batch.inputs[steps - k, :, 0] for k in range(window)]
        flat = torch.stack([*seen, torch.ones_like(seen[0])], -1).flatten(0, 1).double()
        return flat, batch.targets[steps].flatten(0, 1).double()

    solution = torch.linalg.lstsq(*rows(train)).solution
    seen, asked = rows(test)
    return (seen @ solution - asked).square().mean().sqrt().item()


def test_a_window_must_reach_the_lag_and_one_value_more():
    one = Forecasting(lag=6, length=24)
    oracle, floors = one.anchors.oracle, one.anchors.floors
    assert fitted(one, 7) == pytest.approx(oracle, rel=0.01)
    assert fitted(one, 6) > 1.3 * oracle
    assert fitted(one, 5) > 2.5 * oracle
    assert fitted(one, 5) > floors["seasonal naive"]


def test_solved_leaves_a_tenth_of_what_naive_forecasts_leave():
    for one in GENERATED:
        anchors = one.anchors
        best = min(anchors.floors.values())
        assert anchors.solved**2 == pytest.approx(0.9 * anchors.oracle**2 + 0.1 * best**2)
        assert anchors.oracle < anchors.solved < best <= anchors.trivial < anchors.chance


def test_a_seed_decides_the_series_and_parts_share_none():
    one = Forecasting(length=20)
    first, same, other = (one.batch(16, seeded(seed)).inputs for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
    valid, test = (one.held_out(part, seeded(n)) for n, part in enumerate(("valid", "test")))
    assert not set(valid.inputs[0].flatten().tolist()) & set(test.inputs[0].flatten().tolist())


def test_a_lag_beyond_what_every_forecast_has_read_is_refused():
    Forecasting(lag=10, length=20).anchors  # noqa: B018
    with pytest.raises(DataError, match="set `length` to at least 22"):
        Forecasting(lag=11, length=20).anchors  # noqa: B018


@pytest.mark.parametrize("chosen", [{"columns": "a"}, {"target": "a"}, {"season": 7}])
def test_options_of_a_file_are_refused_without_one(chosen):
    with pytest.raises(DataError, match="describe a file"):
        Forecasting(**chosen).anchors  # noqa: B018


@pytest.mark.parametrize(
    "chosen", [{"length": 1}, {"horizon": 0}, {"lag": 0}, {"season": -1}, {"missing": "drop"}]
)
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        Forecasting(**chosen)


# files


def test_rows_are_parted_in_time(tmp_path):
    values = np.arange(200.0) ** 1.5
    one = task(written(tmp_path, values), horizon=3)
    series = one._series
    assert one.notes[0] == "rows in the order of time: 140 train, 20 valid, 40 test"
    assert series.level[0] == pytest.approx(values[:140].mean())
    assert series.deviation[0] == pytest.approx(values[:140].std())
    assert series.unit[0] == pytest.approx(np.diff(values[:140]).mean())
    drawn = one.batch(130, seeded())
    read = drawn.inputs[..., 0].double() * series.deviation[0] + series.level[0]
    ends = read + drawn.targets[..., 2].double() * series.unit[0]
    # 140 rows have 130 windows of 8 + 3
    assert read.min().item() == pytest.approx(0, abs=1e-3)
    assert ends.max().item() == pytest.approx(values[139], rel=1e-6)
    assert len(drawn.inputs[0].unique()) == 130


@pytest.mark.parametrize("part", ["valid", "test"])
@pytest.mark.parametrize("horizon", [1, 2, 6])
@pytest.mark.parametrize("length", [2, 7, 8, 60])
def test_each_forecast_of_a_part_counts_once(tmp_path, part, horizon, length):
    values = np.arange(200.0) ** 2
    one = task(written(tmp_path, values), horizon=horizon, length=length)
    batch, series = one.held_out(part, seeded()), one._series
    read = batch.inputs[..., 0].double() * series.deviation[0] + series.level[0]
    rows = read[batch.mask].sqrt().round().long().tolist()
    start, end = (140, 160) if part == "valid" else (160, 200)
    assert sorted(rows) == list(range(start - 1, end - horizon))
    assert not batch.mask[: length // 2].any()
    for ahead in range(1, horizon + 1):
        there = read + batch.targets[..., ahead - 1].double() * series.unit[0]
        reached = there[batch.mask].clamp(min=0).sqrt().round().long()
        assert reached.tolist() == [row + ahead for row in rows]


def test_targets_are_series_by_series_one_step_ahead_and_then_two(tmp_path):
    a, b, c = walk(seed=1), walk(seed=2) * 100, walk(seed=3)
    one = task(written(tmp_path, a, b, c), horizon=2, target="c, b")
    assert one.inputs.width == 3
    assert one.targets.width == 4
    assert one._series.names == ("c", "b")
    batch, series = one.held_out("test", seeded()), one._series
    row = 159
    place = int(batch.mask[:, 0].nonzero()[0, 0])
    got = batch.targets[place, 0].double().numpy() * np.tile(series.unit, 2)
    expected = [c[row + 1] - c[row], b[row + 1] - b[row], c[row + 2] - c[row], b[row + 2] - b[row]]
    assert got == pytest.approx(expected, rel=1e-4)
    seen = batch.inputs[place, 0].double().numpy() * series.deviation + series.level
    assert seen == pytest.approx([a[row], b[row], c[row]], rel=1e-4)


@pytest.mark.parametrize("horizon", [1, 5])
@pytest.mark.parametrize("season", [0, 4, 7])
def test_floors_of_a_file_are_those_of_naive_forecasts(tmp_path, horizon, season):
    x = walk(200) + 5 * np.sin(np.arange(200) * np.pi / 2)
    one = task(written(tmp_path, x), horizon=horizon, season=season)
    unit = np.abs(np.diff(x[:140])).mean()
    errors = {"persistence": [], "seasonal naive": [], "training mean": []}
    for origin in range(159, 200 - horizon):
        for row in range(origin + 1, origin + horizon + 1):
            errors["persistence"].append(x[row] - x[origin])
            errors["training mean"].append(x[row] - x[:140].mean())
            if season:
                known = next(r for r in range(row - season, -1, -season) if r <= origin)
                errors["seasonal naive"].append(x[row] - x[known])
    expected = {name: np.sqrt(np.mean(np.square(e))) / unit for name, e in errors.items() if e}
    assert one.anchors.floors == pytest.approx(expected)
    assert one.anchors.solved == min(one.anchors.floors.values())
    assert one.anchors.oracle is None
    assert one.oracle(one.batch(2, seeded())) is None


@pytest.mark.parametrize(
    ("series", "named"),
    [
        (walk(), "persistence"),
        # of noise without memory the mean is the better forecast
        (np.random.default_rng(1).normal(size=200), "training mean"),
    ],
)
def test_the_trivial_forecast_measures_its_anchor(tmp_path, series, named):
    one = task(written(tmp_path, series, series[::-1]), horizon=2)
    batch = one.held_out("test", seeded())
    assert rmse(one.trivial(batch), batch) == pytest.approx(one.anchors.trivial, rel=1e-5)
    assert one.anchors.trivial == one.anchors.floors[named]
    assert one.trivial(batch).dtype == torch.float32


def test_mase_of_persistence_in_training_is_one(tmp_path):
    x = walk()
    one = task(written(tmp_path, x), length=139)
    batch = one.batch(1, seeded())
    zeros = torch.zeros_like(batch.targets)
    everything = MeanAbsoluteScaledError().measure(zeros, batch.targets, None)
    assert everything == pytest.approx(1, rel=1e-5)


def test_large_values_keep_their_small_changes(tmp_path):
    x = 1e9 + np.arange(200) % 3
    batch = task(written(tmp_path, x)).held_out("test", seeded())
    # changes of 1, 1, −2: their mean absolute value is 4/3, up to where training ends
    assert batch.targets.unique().numpy() == pytest.approx([-1.5, 0.75], rel=0.02)


def test_a_batch_larger_than_training_repeats_windows(tmp_path):
    one = task(written(tmp_path, walk(20)), length=8)
    assert len(one.batch(6, seeded()).inputs[0].unique()) == 6
    assert len(one.batch(50, seeded())) == 50


def test_dates_and_row_numbers_are_left_out(tmp_path):
    path = tmp_path / "dated.csv"
    rows = [f'{n},"2020-01-{n % 28 + 1:02}",{value}' for n, value in enumerate(walk())]
    path.write_text("\n".join([',"day", value ', *rows]))
    one = task(str(path))
    assert one._series.columns.names == ("value",)
    assert one.notes[-1] == "day: left out, as it holds no numbers"


def test_other_separators_encodings_and_compression_are_read(tmp_path):
    values = walk()
    lines = "\r\n".join(["Länge;x", *(f"{value};1" for value in values)])
    path = tmp_path / "latin.csv.gz"
    path.write_bytes(gzip.compress(lines.encode("latin-1")))
    one = task(str(path), encoding="latin-1", columns="Länge")
    assert one._series.values[:, 0].tolist() == values.tolist()


@pytest.mark.parametrize("gap", ["", "?", "NaN", "NA", " "])
def test_missing_values_are_an_error_or_the_last_before_them(tmp_path, gap):
    values = [*map(str, np.arange(200) % 7)]
    values[3:5] = [gap, gap]
    values[-1] = gap
    data = written(tmp_path, values, values[::-1])
    told = refused(data)
    assert told.startswith(":5: column `a` has no value")
    assert "missing: last" in told
    one = task(data, missing="last")
    assert one._series.values[2:6, 0].tolist() == [2, 2, 2, 5]
    assert one._series.values[-2:, 0].tolist() == [2, 2]
    # before the first value stands that one
    assert one._series.values[:2, 1].tolist() == [2, 2]
    assert "a: 3 missing values are read as the last before them" in one.notes


GAPS = (range(0, 2), range(60, 66), range(136, 145), range(158, 163), range(180, 181))


@pytest.mark.parametrize("horizon", [1, 3])
def test_no_forecast_of_a_missing_value_counts_and_none_other_is_left_out(tmp_path, horizon):
    x, other = walk(), walk(seed=1)
    missing = np.isin(np.arange(200), [row for gap in GAPS for row in gap])
    holed = ["NA" if gap else value for gap, value in zip(missing, x, strict=True)]
    # a gap in what is only read leaves nothing out
    read_only = ["NA" if row % 5 else value for row, value in enumerate(other)]
    one = task(written(tmp_path, holed, read_only), missing="last", horizon=horizon, target="a")
    series = one._series
    for part, (start, end) in (("valid", (140, 160)), ("test", (160, 200))):
        every = range(start - 1, end - horizon)
        expected = [row for row in every if not missing[row + 1 : row + 1 + horizon].any()]
        assert series.origins(part).tolist() == expected
        batch = one.held_out(part, seeded())
        assert int(batch.mask.sum()) == len(expected)
        title = {"valid": "validation", "test": "test"}[part]
        left = len(every) - len(expected)
        assert f"{left} {title} forecasts of missing values do not count" in one.notes
        last = [x[: row + 1][~missing[: row + 1]][-1] for row in expected]
        for ahead in range(1, horizon + 1):
            changes = batch.targets[..., ahead - 1].T[batch.mask.T].double() * series.unit[0]
            there = [x[row + ahead] for row in expected]
            assert changes.tolist() == pytest.approx(np.subtract(there, last), abs=1e-4)
        assert rmse(torch.zeros_like(batch.targets), batch) == pytest.approx(
            series.floors(part)["persistence"], rel=1e-5
        )
    batch = one.batch(100, seeded())
    assert batch.mask.any(0).all()
    assert not batch.mask[: one.length // 2].any()


def test_what_comes_after_a_gap_changes_nothing_before_it(tmp_path):
    x, other = walk(), walk()
    other[145:] += 100
    inputs = []
    for name, values in (("x.csv", x), ("other.csv", other)):
        holed = ["NA" if 135 <= row < 145 else value for row, value in enumerate(values)]
        one = task(written(tmp_path, holed, name=name), missing="last")
        batch = one.batch(128, seeded())
        inputs.append((batch.inputs, batch.targets, one._series.values[:145]))
    for mine, theirs in zip(*inputs, strict=True):
        assert np.array_equal(mine, theirs)


def test_gaps_do_not_count_for_the_scales(tmp_path):
    x = np.arange(200.0) % 10
    holed = ["NA" if row % 10 in (3, 4) else value for row, value in enumerate(x)]
    series = task(written(tmp_path, holed), missing="last")._series
    known = x[:140][[row % 10 not in (3, 4) for row in range(140)]]
    assert series.level[0] == pytest.approx(known.mean())
    assert series.deviation[0] == pytest.approx(known.std())
    # six changes of 1 within ten rows, and one of 9 between tens
    assert series.unit[0] == pytest.approx((14 * 6 + 13 * 9) / (14 * 6 + 13))


def test_gaps_that_leave_nothing_to_learn_are_refused(tmp_path):
    gone, kept = ["NA" if row < 140 else row % 7 for row in range(200)], walk()
    told = refused(written(tmp_path, kept, gone), missing="last")
    assert told.startswith(": column `b` has no value in the training part, the first 140 rows")
    gone = ["NA" if 140 <= row < 160 else row % 7 for row in range(200)]
    told = refused(written(tmp_path, kept, gone), missing="last")
    assert "no forecast in the part valid counts" in told
    assert task(written(tmp_path, kept, gone), missing="last", target="a").anchors.trivial > 0
    every_other = ["NA" if row % 2 else value for row, value in enumerate(kept)]
    told = refused(written(tmp_path, every_other), missing="last")
    assert told.startswith(": column `a` never changes from row to row")


def test_what_is_wrong_with_a_file_is_said_on_one_line(tmp_path):
    good = walk().tolist()
    text = [*map(str, good)]
    text[9] = "mild"
    data = written(tmp_path, good, text)
    assert refused(data).startswith(":11: column `b` has 'mild', which is no finite number")
    assert task(data, columns="a").inputs.width == 1
    assert refused(data, columns="a,c").startswith(":1: no column `c`; there are a, b")
    assert refused(data, columns="a", target="b").startswith(":1: `target` names `b`")
    assert refused(written(tmp_path, good, good, names="xx")) == (
        ":1: column `x` is there twice; rename one"
    )
    text[9] = "inf"
    assert ":11: column `b` has 'inf'" in refused(written(tmp_path, good, text))
    text[9] = "1_0"
    assert ":11: column `b` has '1_0'" in refused(written(tmp_path, good, text))
    text[9] = "1e308"
    assert ":11: column `b` has '1e308'" in refused(written(tmp_path, good, text))
    text[9] = "1,5"
    told = refused(written(tmp_path, good, text))
    assert told.startswith(":11: 3 cells where the first row has 2")
    words = ["word"] * 200
    assert "no column holds numbers; the columns are a" in refused(written(tmp_path, words))
    assert "column `a` holds no number" in refused(written(tmp_path, words, good), columns="a")
    assert "column `a` holds no number" in refused(
        written(tmp_path, ["?"] * 200, good), columns="a", missing="last"
    )
    told = refused(written(tmp_path, good, good), columns="a;b")
    assert "cells are separated by a comma: if not, set `separator` to tab or semicolon" in told
    told = refused(written(tmp_path, good, good), columns="a", separator="semicolon")
    assert told.startswith(":1: no column `a`; there are a,b (cells are separated by a semicolon")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('a,b\n1,"x\n2,3\n', ":2: unexpected end of data; close every quote"),
        ("1,2\n3,4\n5,6\n", ":1: the first line holds numbers"),
        ("d;v\n1;2,5\n2;3,5\n", ": column `v` holds numbers with decimal commas"),
    ],
)
def test_what_would_be_read_as_something_else_is_refused(tmp_path, text, message):
    path = tmp_path / "odd.csv"
    path.write_text(text)
    assert refused(str(path)).startswith(message)


def test_odd_line_ends_within_a_cell_end_no_line(tmp_path):
    path = tmp_path / "odd.csv"
    lines = "".join(f"{value},one\u2028two\n" for value in walk())
    path.write_text("a,remark\n" + lines, encoding="utf-8")
    assert task(str(path)).inputs.width == 1


def test_a_file_that_is_no_table_is_refused(tmp_path):
    path = tmp_path / "broken.csv"
    path.write_text("")
    assert refused(str(path)) == ": the file is empty"
    path.write_text("a\n")
    assert "no column holds numbers" in refused(str(path))
    path.write_bytes("a\n1\nü\n".encode("latin-1"))
    assert refused(str(path)).startswith(":3: byte 0xfc is not utf-8")
    path.write_bytes(gzip.compress(("a\n" + "1\n2\n" * 5000).encode())[:-20])
    assert "damaged or cut off" in refused(str(path))
    path.write_text('a,b\n1,2\n"3,4\n5,6\n')
    assert refused(str(path)).startswith(":3: unexpected end of data")
    path.write_text("a\n" + "1" * 200_000)
    assert refused(str(path)).startswith(":2: a cell has more than 131,072 characters")
    assert "cannot be read" in refused(str(tmp_path / "absent.csv"))


def test_too_few_rows_are_refused(tmp_path):
    # 9 of 13 rows are for training, which is one window of 8 and the value after it
    assert task(written(tmp_path, walk(13))).batch(2, seeded()).inputs.shape == (8, 2, 1)
    assert "12 rows are too few: train has 8 of them and needs 9" in refused(
        written(tmp_path, walk(12))
    )
    assert "valid has 10 of them and needs 11" in refused(written(tmp_path, walk(100)), horizon=11)
    assert "train has 70 of them and needs 80" in refused(written(tmp_path, walk(100)), season=80)


def test_a_series_that_never_changes_can_be_read_but_not_predicted(tmp_path):
    still = np.where(np.arange(200) < 150, 3.3, 4.0)
    data = written(tmp_path, walk(), still)
    told = refused(data)
    assert (
        "column `b` never changes from row to row in the training part, the first 140 rows" in told
    )
    batch = task(data, target="a").held_out("test", seeded())
    assert batch.inputs.isfinite().all()
    assert refused(written(tmp_path, still)).startswith(": column `a` never changes")


def test_fifty_thousand_rows_are_read_in_good_time(tmp_path):
    one = task(written(tmp_path, walk(50_000), walk(50_000)), length=48)
    assert one.held_out("test", seeded()).mask.sum() == 10_000
    assert one.anchors.trivial > 0


def test_the_path_is_how_far_back_the_rule_looks(tmp_path):
    assert Forecasting(lag=5).shortest_path(False) == 5
    data = written(tmp_path, walk())
    assert task(data, length=40).shortest_path(False) == 20
    assert task(data, length=40, season=12).shortest_path(True) == 11
    assert task(data, length=8, season=12).shortest_path(False) == 4


def test_the_docstring_shows_what_is_asked():
    lines = [line.split() for line in Forecasting.__doc__.splitlines()]
    read, target = (
        [int(word.replace("−", "-")) for word in line[1:]]
        for name in ("read", "target")
        for line in lines
        if line[:1] == [name]
    )
    assert len(target) == len(read) - len(read) // 2
    assert target[:-1] == np.diff(read)[len(read) // 2 :].tolist()


# real data


@recorded
@pytest.mark.parametrize(
    ("file", "persistence", "digits"),
    [
        ("airline-passengers.csv", 52.49, 2),
        ("monthly-sunspots.csv", 20.09, 2),
        ("daily-min-temperatures.csv", 2.481, 3),
    ],
)
def test_persistence_in_the_files_own_units_is_what_is_known_of_it(file, persistence, digits):
    one = Forecasting(data=str(Path(SHARED) / "timeseries" / file))
    error = one.anchors.floors["persistence"] * one._series.unit[0]
    assert round(error, digits) == persistence
    batch = one.held_out("test", seeded())
    measured = rmse(torch.zeros_like(batch.targets), batch) * one._series.unit[0]
    assert round(measured, digits) == persistence


@recorded
def test_seven_series_of_a_transformer_are_read():
    one = Forecasting(data=str(Path(SHARED) / "timeseries/ETTh1.csv.gz"), season=24, horizon=2)
    assert (one.inputs.width, one.targets.width) == (7, 14)
    assert one._series.names == ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")
    assert one.held_out("test", seeded()).mask.sum() == 3484 - 1
    assert one.notes[0] == "rows in the order of time: 12194 train, 1742 valid, 3484 test"
    assert one.anchors.solved == one.anchors.floors["persistence"]
