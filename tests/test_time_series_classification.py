import gzip
import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from rnnbench import Batch, DataError
from rnnbench.errors import OptionError
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_tasks.time_series_classification import TimeSeriesClassification

HEADER = "# made by hand\n@problemName Toy\n@timeStamps false\n@classLabel true up down\n@data\n"
# ten cases of each class: a ramp that rises or falls, and a dimension that only counts
CASES = "".join(
    f"{','.join(str(sign * step + n) for step in range(3 + n % 2))}:1,1,{n}{tail}:{label}\n"
    for n in range(10)
    for tail in ("", ",2")[n % 2 : n % 2 + 1]
    for sign, label in ((1, "up"), (-1, "down"))
)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def write(path, text):
    path.write_text(text)
    return str(path)


def read(tmp_path, text, **chosen):
    """The task on a file of this text, its data read."""
    task = TimeSeriesClassification(data=write(tmp_path / "train.ts", text), **chosen)
    assert task.anchors
    return task


def accuracy(logits, batch):
    return Accuracy().measure(logits, batch.targets, None)


def sequences(batch):
    return {sequence.numpy().tobytes() for sequence in batch.inputs.transpose(0, 1).contiguous()}


def directions(batch):
    """Who knows the rule: which of two neighbouring sensors turns ahead, in each half."""
    inputs, rows = batch.inputs, torch.arange(len(batch))
    turn = (inputs[:-1, :, :-1] * inputs[1:, :, 1:] - inputs[1:, :, :-1] * inputs[:-1, :, 1:]).sum(
        -1
    )
    turned = torch.cat([turn.new_zeros(1, len(batch)), turn]).cumsum(0)
    first = turned[(batch.lengths // 2), rows]
    second = turned[batch.lengths - 1, rows] - first
    number = (first < 0) + 2 * (second < 0).long()
    return torch.nn.functional.one_hot(number, 4).float()


def test_drawn_series_have_the_declared_shapes_and_lengths():
    task = TimeSeriesClassification(length=40)
    batch = task.batch(500, seeded(0))
    assert batch.inputs.shape == (task.sequence_length, 500, task.inputs.width) == (40, 500, 3)
    assert batch.inputs.dtype == torch.float32
    assert batch.lengths.dtype == batch.targets.dtype == torch.int64
    assert batch.lengths.unique().tolist() == list(range(20, 41))
    assert batch.targets.unique().tolist() == [0, 1, 2, 3]
    after = torch.arange(40).unsqueeze(1) >= batch.lengths
    assert (batch.inputs[after] == 0).all()


def test_a_seed_decides_the_drawn_batch_and_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    task = TimeSeriesClassification()
    first, same, other = (task.batch(8, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, other.inputs)
    valid, test = task.held_out("valid", seeded(1)), task.held_out("test", seeded(2))
    assert not sequences(valid) & sequences(test)
    assert (len(valid), len(test)) == (512, 2048)
    assert task.anchors
    assert torch.equal(before, torch.random.get_rng_state())


def test_who_knows_how_waves_are_made_solves_them_and_summaries_do_not():
    task = TimeSeriesClassification()
    test = task.held_out("test", seeded(3))
    assert accuracy(directions(test), test) >= task.anchors.solved
    (neighbour,) = task.anchors.floors.values()
    # five standard errors of a guess
    assert neighbour == pytest.approx(0.25, abs=5 * (0.25 * 0.75 / 2048) ** 0.5)
    assert accuracy(task.trivial(test), test) == task.anchors.trivial == task.anchors.chance == 0.25


def test_noise_hides_the_waves():
    noisy = TimeSeriesClassification(noise=3.0).held_out("test", seeded(3))
    assert accuracy(directions(noisy), noisy) < 0.6


def test_the_path_of_the_farther_wave_is_where_its_energy_is():
    task = TimeSeriesClassification(noise=0.0)
    drawn = task.batch(4000, seeded(0))
    energy = drawn.inputs.square().sum(-1)
    steps = torch.arange(80).unsqueeze(1)
    late = steps > (drawn.lengths - 1) / 2
    middles = [(energy * half * steps).sum(0) / (energy * half).sum(0) for half in (~late, late)]
    ahead = drawn.lengths - 1 - middles[0]
    assert task.shortest_path(False) == pytest.approx(ahead.mean().item(), abs=0.5)
    both = torch.maximum(middles[0], drawn.lengths - 1 - middles[1])
    assert task.shortest_path(True) == pytest.approx(both.mean().item(), abs=0.5)


def test_the_row_shown_is_one():
    lines = [line.split() for line in TimeSeriesClassification.__doc__.splitlines()]
    labels = ("sensor_1", "sensor_2", "sensor_3", "target")
    rows = {
        line[0]: [float(word) for word in line[1:]] for line in lines if line and line[0] in labels
    }
    inputs = torch.tensor([rows[f"sensor_{n}"] for n in (1, 2, 3)]).T.unsqueeze(1)
    drawn = TimeSeriesClassification(length=40, noise=0.0).batch(100, seeded(0))
    near = (drawn.inputs[:20] * 10 - inputs).abs().amax((0, 2))
    assert near.min() <= 0.5
    assert drawn.targets[near.argmin()] == rows["target"][0]


def test_a_file_alone_is_dealt_class_by_class(tmp_path):
    task = read(tmp_path, HEADER + CASES)
    train, valid, test = (
        task.batch(16, seeded(0)),
        task.held_out("valid", seeded(0)),
        task.held_out("test", seeded(0)),
    )
    for part, each in ((train, 8), (valid, 1), (test, 1)):
        assert part.targets.bincount().tolist() == [each, each]
    assert len(sequences(train) | sequences(valid) | sequences(test)) == 20
    assert task.notes == ("16 cases for training, 2 for validation, 2 for the test, of 2 classes",)
    assert task.sequence_length == 4
    assert set(train.lengths.tolist()) == {3, 4}


def test_training_values_are_standardised_dimension_by_dimension(tmp_path):
    train = read(tmp_path, HEADER + CASES).batch(16, seeded(0))
    valid = torch.cat([train.inputs[:length, n] for n, length in enumerate(train.lengths)])
    assert torch.allclose(valid.mean(0), torch.zeros(2), atol=1e-6)
    assert torch.allclose(valid.std(0, correction=0), torch.ones(2), atol=1e-6)


def test_a_test_file_is_the_test_part_and_is_scaled_as_training_is(tmp_path):
    test = write(tmp_path / "test.ts", HEADER + "1000,1000:0,0:up\n")
    task = read(tmp_path, HEADER + CASES, test=test)
    batch = task.held_out("test", seeded(0))
    assert batch.lengths.tolist() == [2]
    assert batch.inputs[0, 0, 0] > 100
    assert task.held_out("valid", seeded(0)).targets.bincount().tolist() == [2, 2]


def test_cases_that_come_again_in_another_part_are_counted(tmp_path):
    test = write(tmp_path / "test.ts", HEADER + CASES)
    once = read(tmp_path, HEADER + CASES, test=test)
    assert once.leaks == (
        "16 of 20 test cases are also in the training part",
        "4 of 20 test cases are also in the validation part",
    )
    twice = read(tmp_path, HEADER + CASES + CASES, test=test)
    assert [note.partition(" of ")[2] for note in twice.leaks] == [
        "8 validation cases are also in the training part",
        "20 test cases are also in the training part",
        "20 test cases are also in the validation part",
    ]


def test_a_batch_larger_than_the_training_part_is_drawn_with_replacement(tmp_path):
    task = read(tmp_path, HEADER + CASES)
    large = task.batch(64, seeded(0))
    assert large.inputs.shape == (4, 64, 2)
    assert len(sequences(large)) <= 16
    assert len(sequences(task.batch(16, seeded(0)))) == 16


def test_a_label_that_training_lacks_is_a_class_of_its_own(tmp_path):
    header = HEADER.replace("up down", "up down left")
    test = write(tmp_path / "test.ts", header + "1,2,3:0,0,0:left\n1,2,3:0,0,1:up\n")
    task = read(tmp_path, header + CASES, test=test)
    assert task.targets.count == 3
    assert task.anchors.chance == 0.5
    assert task.held_out("test", seeded(0)).targets.tolist() == [2, 1]
    assert "1 held-out cases have a label that training has not; they count as wrong" in task.notes


def test_long_cases_lose_their_end(tmp_path):
    task = read(tmp_path, HEADER + CASES, limit=3)
    assert task.sequence_length == 3
    assert "10 of 20 cases are longer than 3 steps and lost their end" in task.notes
    batch = task.batch(16, seeded(0))
    assert batch.lengths.tolist() == [3] * 16
    # the second dimension is 1, 1, n and for some 2, which is what they lose
    assert torch.equal(batch.inputs[0, :, 1], batch.inputs[1, :, 1])


def test_held_out_cases_may_be_longer_than_training_where_the_limit_allows(tmp_path):
    test = write(tmp_path / "test.ts", HEADER + "1,2,3,4,5,6:1,2,3,4,5,6:up\n")
    assert read(tmp_path, HEADER + CASES, test=test).sequence_length == 4
    task = read(tmp_path, HEADER + CASES, test=test, limit=100)
    assert task.sequence_length == 6
    assert task.batch(2, seeded(0)).inputs.shape == (6, 2, 2)


def test_cases_of_fifty_thousand_steps_are_read_and_noted(tmp_path):
    long = ",".join("1" for _ in range(50_000))
    text = HEADER + "".join(f"{n},{long}:{label}\n" for n in range(4) for label in ("up", "down"))
    task = read(tmp_path, text)
    assert task.sequence_length == 50_001
    assert "series of 50001 steps are long to train on; `limit` cuts them" in task.notes
    assert read(tmp_path, text, limit=10).sequence_length == 10


def test_missing_values_are_interpolated_on_demand(tmp_path):
    gaps = CASES.replace("0,1,2:1,1,0:up", "?,1,?:NaN,4,2:up", 1)
    assert gaps != CASES
    with pytest.raises(
        DataError, match=r"train.ts:6: dimension 1, value 1 is missing .*interpolate"
    ):
        read(tmp_path, HEADER + gaps)
    filled = read(tmp_path, HEADER + gaps, missing="interpolate")
    assert "3 missing values were interpolated" in filled.notes
    plain = read(tmp_path, HEADER + CASES.replace("0,1,2:1,1,0:up", "1,1,1:4,4,2:up", 1))
    assert torch.equal(filled.batch(16, seeded(0)).inputs, plain.batch(16, seeded(0)).inputs)


def test_a_constant_dimension_is_no_division_by_zero(tmp_path):
    text = HEADER + "".join(f"0.1,0.1:{n},{n}:{c}\n" for n in range(4) for c in ("up", "down"))
    task = read(tmp_path, text)
    assert (task.batch(4, seeded(0)).inputs[..., 0].abs() < 1e-6).all()
    assert math.isfinite(task.anchors.solved)


def test_comments_blank_lines_and_windows_line_ends_are_read(tmp_path):
    plain = read(tmp_path, HEADER + CASES).batch(4, seeded(0))
    text = ("\ufeff" + HEADER + "\n# a comment\n" + CASES + "\n").replace("\n", "\r\n")
    (tmp_path / "train.ts").write_bytes(gzip.compress(text.encode()))
    task = TimeSeriesClassification(data=str(tmp_path / "train.ts"))
    assert torch.equal(task.batch(4, seeded(0)).inputs, plain.inputs)


def test_a_class_may_be_spelled_otherwise_than_in_the_header(tmp_path):
    plain = read(tmp_path, HEADER.replace("up down", "1 2") + numbered("1", "2"))
    other = read(
        tmp_path, "% made by hand\n" + HEADER.replace("up down", "1,2") + numbered("1.0", "2")
    )
    assert other.targets == plain.targets
    for task in (plain, other):
        assert sorted(task.batch(6, seeded(0)).targets.unique().tolist()) == [0, 1]
    assert torch.equal(other.batch(6, seeded(0)).targets, plain.batch(6, seeded(0)).targets)


def numbered(up, down):
    return CASES.replace(":up", f":{up}").replace(":down", f":{down}")


ONE = "1,2:3,4:up\n"
BAD = {
    "no header": ("1,2:3,4:up\n", r"train.ts:1: found `1,2:3,4:up` before .* \.ts file"),
    "csv": ("a,b,label\n1,2,up\n", r"train.ts:1: found `a,b,label`"),
    "no data line": ("@problemName Toy\n", r"train.ts: no line `@data`"),
    "no cases": (HEADER, r"train.ts: no case follows `@data`"),
    "nothing": ("", r"train.ts: the file is empty"),
    "time stamps": (
        HEADER.replace("@timeStamps false", "@timeStamps true") + "(0,1),(1,2):up\n",
        r"train.ts:3: @timeStamps true: the file has \(time, value\) pairs; write the values",
    ),
    "undeclared time stamps": (
        HEADER + "(0,1),(1,2):up\n",
        r"train.ts:6: the file has \(time, value\) pairs",
    ),
    "regression": ("@targetlabel true\n@data\n1,2:0.5\n", r"train.ts:1: .* numbers as targets"),
    "no classes": (
        "@classLabel false\n@data\n1,2\n",
        r"train.ts:1: @classLabel false: the file has no classes",
    ),
    "one class": (HEADER + ONE * 9, r"train.ts: all cases are of class `up`; two are needed"),
    "too few": (HEADER + ONE + "1,2:3,4:down\n", r"train.ts: no class has the 3 examples"),
    "no label": (HEADER + ONE + "1,2,3\n", r"train.ts:7: no `:` and so no class"),
    "missing label": (HEADER + "1,2:3,4:?\n", r"train.ts:6: `\?` is no class; expected one of up"),
    "forgotten label": (HEADER + "1,2:3,4\n", r"train.ts:6: `3,4` is no class; expected one of"),
    "unknown label": (HEADER + "1,2:3,4:left\n", r"train.ts:6: `left` is no class"),
    "dimensions": (
        HEADER + ONE + "1,2:up\n",
        r"train.ts:7: 1 dimensions, but the first case has 2",
    ),
    "lengths": (HEADER + "1,2:3,4,5:up\n", r"train.ts:6: dimension 2 has 3 values, the first 2"),
    "length 0": (HEADER + ONE + ":3:up\n", r"train.ts:7: dimension 1 has no values; drop the case"),
    "word": (HEADER + "1,2:3,x:up\n", r"train.ts:6: dimension 2, value 2: `x` is no number"),
    "empty cell": (HEADER + "1,,2:3,4,5:up\n", r"train.ts:6: dimension 1, value 2: `` is no"),
    "infinite": (HEADER + "1,inf:3,4:up\n", r"train.ts:6: dimension 1, value 2: `inf` is beyond"),
    "huge": (HEADER + "1,-1e300:3,4:up\n", r"train.ts:6: dimension 1, value 2: `-1e300` is beyond"),
    "NaN": (HEADER + "1,nan:3,4:up\n", r"train.ts:6: dimension 1, value 2 is missing"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_named_with_its_line(tmp_path, name):
    text, message = BAD[name]
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_dimension_without_any_value_cannot_be_interpolated(tmp_path):
    with pytest.raises(DataError, match=r"train.ts:6: dimension 2 has missing values only"):
        read(tmp_path, HEADER + "1,2:?,?:up\n", missing="interpolate")


def test_a_cut_gzip_file_or_one_in_another_encoding_is_named(tmp_path):
    path = tmp_path / "train.ts"
    path.write_bytes(gzip.compress((HEADER + CASES).encode())[:-20])
    task = TimeSeriesClassification(data=str(path))
    with pytest.raises(DataError, match=r"train.ts: the gzip file is damaged or cut off"):
        _ = task.anchors
    path.write_bytes(("# Größe\n" + HEADER + CASES).encode("latin-1"))
    with pytest.raises(DataError, match=r"train.ts:1: byte 0xf6 is not utf-8; set `encoding`"):
        _ = TimeSeriesClassification(data=str(path)).anchors
    assert TimeSeriesClassification(data=str(path), encoding="latin-1").anchors


def test_a_test_file_of_other_dimensions_or_without_training_is_refused(tmp_path):
    test = write(tmp_path / "test.ts", HEADER + "1,2:up\n")
    with pytest.raises(DataError, match=r"test.ts: 1 dimensions, but .*train.ts has 2"):
        read(tmp_path, HEADER + CASES, test=test)
    with pytest.raises(DataError, match=r"test.ts: `test` without `data`"):
        _ = TimeSeriesClassification(test=test).sequence_length


@pytest.mark.parametrize("chosen", [{"length": 39}, {"noise": -1.0}, {"missing": "drop"}])
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        TimeSeriesClassification(**chosen)


def archive(name):
    """The official training and test file of a set, where there is one on this machine."""
    folder = os.environ.get("RNNBENCH_DATA")
    if not folder:
        pytest.skip("RNNBENCH_DATA does not name a folder of data")
    paths = [Path(folder) / "timeseries" / f"{name}_{part}.ts.gz" for part in ("TRAIN", "TEST")]
    if not all(path.exists() for path in paths):
        pytest.skip(f"{folder} has no {name}")
    return TimeSeriesClassification(data=str(paths[0]), test=str(paths[1]))


@pytest.mark.parametrize(
    ("name", "counts", "shape", "neighbour"),
    [
        ("JapaneseVowels", (216, 54, 370), (26, 12, 9), 0.959),
        ("BasicMotions", (32, 8, 40), (100, 6, 4), 0.875),
        # each series has mean 0 and deviation 1, so that only the first and last value tell
        ("GunPoint", (40, 10, 150), (150, 1, 2), 0.573),
    ],
)
def test_official_files_have_their_sizes_and_floors(name, counts, shape, neighbour):
    # neighbours are of our training part, four fifths of the official one
    task = archive(name)
    train, valid, test = counts
    sizes = f"{train} cases for training, {valid} for validation, {test} for the test"
    assert task.notes[0].startswith(sizes)
    assert (task.sequence_length, task.inputs.width, task.targets.count) == shape
    assert task.anchors.solved == pytest.approx(neighbour, abs=5e-4)
    batch = task.held_out("test", seeded(0))
    assert accuracy(task.trivial(batch), batch) == task.anchors.trivial
    assert np.isfinite(batch.inputs.numpy()).all()


def test_the_oracle_is_unknown():
    task = TimeSeriesClassification()
    assert task.anchors.oracle is None
    assert task.oracle(Batch(torch.zeros(1, 1, 3), torch.zeros(1).long())) is None
