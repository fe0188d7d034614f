"""Drawn sequences and the rows that docstrings show are what the papers define."""

import subprocess
import sys
from itertools import combinations, product

import pytest
import torch

from rnnbench import Batch
from rnnbench_tasks.adding import AddingHalves, AddingUniform
from rnnbench_tasks.copy_memory import CopyMemory
from rnnbench_tasks.sequential_digits import SequentialDigits
from rnnbench_tasks.temporal_order import TemporalOrder

both_adding = pytest.mark.parametrize(
    "task", (AddingUniform, AddingHalves), ids=lambda task: task.name
)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def sequences(batch):
    return {sequence.numpy().tobytes() for sequence in batch.inputs.transpose(0, 1).contiguous()}


def row(task, label):
    """Return the words that follow `label` in the docstring's row."""
    lines = [line.split() for line in task.__doc__.splitlines()]
    (words,) = [line[1:] for line in lines if line[:1] == [label]]
    return words


@both_adding
def test_adding_marks_two_steps_and_asks_for_their_sum(task):
    drawn = task(length=9).batch(2000, seeded(0))
    values, markers = drawn.inputs.double().unbind(-1)
    assert set(markers.unique().tolist()) == {0.0, 1.0}
    assert (markers.sum(0) == 2).all()
    assert 0 <= values.min() < 0.001
    assert 0.999 < values.max() < 1
    assert torch.allclose((values * markers).sum(0), drawn.targets[:, 0].double(), atol=1e-6)


def test_adding_uniform_marks_all_pairs_of_steps_alike():
    markers = AddingUniform(length=4).batch(60_000, seeded(0)).inputs[..., 1]
    pairs = markers.T.nonzero()[:, 1].view(-1, 2)
    found, counts = pairs.unique(dim=0, return_counts=True)
    assert found.tolist() == [list(pair) for pair in combinations(range(4), 2)]
    # five standard deviations of a count that is binomial in 60 000 draws of 1/6
    assert (counts - 10_000).abs().max() < 5 * (60_000 * 5 / 36) ** 0.5


@pytest.mark.parametrize("length", [6, 7])
def test_adding_halves_marks_one_step_of_each_half(length):
    markers = AddingHalves(length=length).batch(60_000, seeded(0)).inputs[..., 1]
    pairs = markers.T.nonzero()[:, 1].view(-1, 2)
    found, counts = pairs.unique(dim=0, return_counts=True)
    assert found.tolist() == [list(pair) for pair in product(range(3), range(3, length))]
    share = 1 / len(found)
    assert (counts - 60_000 * share).abs().max() < 5 * (60_000 * share * (1 - share)) ** 0.5


@pytest.mark.parametrize("length", [1, 2, 30])
def test_copying_lays_out_symbols_blanks_marker_blanks(length):
    drawn = CopyMemory(length=length).batch(3000, seeded(0))
    symbols, blanks, marker, rest = drawn.inputs.split([10, length - 1, 1, 10])
    assert symbols.unique().tolist() == list(range(1, 9))
    # five standard deviations of a count that is binomial in 30 000 draws of 1/8
    assert (symbols.flatten().bincount()[1:] - 3750).abs().max() < 5 * (30_000 * 7 / 64) ** 0.5
    assert (blanks == 0).all()
    assert (marker == 9).all()
    assert (rest == 0).all()
    assert (drawn.targets[:-10] == 0).all()
    assert torch.equal(drawn.targets[-10:], symbols)


@pytest.mark.parametrize(("split", "size", "odd"), [("valid", 512, 0), ("test", 2048, 1)])
def test_held_out_symbols_of_copying_differ_by_parity_and_stay_uniform(split, size, odd):
    drawn = CopyMemory(length=20).held_out(split, seeded(0))
    assert len(drawn) == size
    assert (drawn.inputs[:10].sum(0) % 2 == odd).all()
    assert torch.equal(drawn.targets[-10:], drawn.inputs[:10])
    last = drawn.inputs[9].bincount(minlength=9)
    assert last[0] == 0
    assert (last[1:] - size / 8).abs().max() < 5 * (size * 7 / 64) ** 0.5


@pytest.mark.parametrize("length", [20, 57])
def test_temporal_order_hides_two_letters_in_their_windows(length):
    drawn = TemporalOrder(length=length).batch(20_000, seeded(0))
    sequences = drawn.inputs.T
    places = (sequences < 2).nonzero()[:, 1].view(-1, 2)
    w, half = length // 10, length // 2
    assert places[:, 0].unique().tolist() == list(range(w, 2 * w))
    assert places[:, 1].unique().tolist() == list(range(half, half + w))
    assert sequences[sequences >= 2].unique().tolist() == [2, 3, 4, 5]
    letters = sequences.gather(1, places)
    assert torch.equal(drawn.targets, letters[:, 0] + 2 * letters[:, 1])
    assert (drawn.targets.bincount() - 5000).abs().max() < 5 * (20_000 * 3 / 16) ** 0.5


def test_digits_are_all_scans_once_in_stratified_parts():
    task = SequentialDigits()
    parts = [
        task.batch(1085, seeded(0)),
        task.held_out("valid", seeded(0)),
        task.held_out("test", seeded(0)),
    ]
    assert [len(part) for part in parts] == [1085, 357, 355]
    assert len(set.union(*(sequences(part) for part in parts))) == 1797
    counts = torch.stack([part.targets.bincount() for part in parts])
    wanted = torch.tensor([[0.6], [0.2], [0.2]]) * counts.sum(0)
    assert (counts - wanted).abs().max() < 2


def test_digits_are_drawn_without_replacement_from_the_training_part():
    task = SequentialDigits()
    everything = sequences(task.batch(1085, seeded(1)))
    drawn = sequences(task.batch(500, seeded(2)))
    assert len(drawn) == 500
    assert drawn < everything
    with pytest.raises(ValueError, match="1086 asks for more than the 1085 training scans"):
        task.batch(1086, seeded(0))


def test_pixels_and_rows_are_the_same_scans():
    pixels, rows = (
        SequentialDigits(order=order).batch(9, seeded(0)) for order in ("pixels", "rows")
    )
    assert torch.equal(pixels.inputs[..., 0].T, rows.inputs.transpose(0, 1).flatten(1))
    assert torch.equal(pixels.targets, rows.targets)
    assert 0.0 == pixels.inputs.min() < pixels.inputs.max() == 1.0


def test_listing_the_digits_does_not_import_scikit_learn():
    code = "import sys, rnnbench_tasks.sequential_digits; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@both_adding
def test_the_row_shown_for_adding_is_one(task):
    values = torch.tensor([float(word) for word in row(task, "value")])
    markers = torch.tensor([float(word == "1") for word in row(task, "marker")])
    shown = Batch(torch.stack((values, markers), -1).unsqueeze(1), torch.zeros(1, 1))
    assert len(shown.inputs) == 8
    assert markers.sum() == 2
    if task is AddingHalves:
        assert markers[:4].sum() == 1
    target = float(row(task, "target")[0])
    assert task(length=8).oracle(shown).item() == pytest.approx(target, abs=1e-6)


def test_the_row_shown_for_copying_is_one():
    task = CopyMemory(length=4)
    inputs, targets = (
        torch.tensor([int(word) for word in row(CopyMemory, label)]).unsqueeze(1)
        for label in ("input", "target")
    )
    drawn = task.batch(1, seeded(0))
    assert torch.equal(inputs[10:], drawn.inputs[10:])
    assert torch.equal(task.oracle(Batch(inputs, targets)).argmax(-1), targets)


def test_the_row_shown_for_temporal_order_is_one():
    tokens = torch.tensor(["ABcdef".index(word) for word in row(TemporalOrder, "input")])
    places = (tokens < 2).nonzero()[:, 0].tolist()
    assert len(tokens) == 20
    assert places[0] in (2, 3)
    assert places[1] in (10, 11)
    logits = TemporalOrder(length=20).oracle(Batch(tokens.unsqueeze(1), torch.zeros(1)))
    assert [str(logits.argmax().item())] == row(TemporalOrder, "target")


def test_the_scan_shown_for_the_digits_is_one_of_training():
    lines = SequentialDigits.__doc__.splitlines()
    start = next(i for i, line in enumerate(lines) if line.split()[:1] == ["input"])
    shown = [
        [float(word) for word in line.replace("input", "").split()]
        for line in lines[start : start + 8]
    ]
    train = SequentialDigits(order="rows").batch(1085, seeded(0))
    same = (train.inputs * 16 == torch.tensor(shown).unsqueeze(1)).flatten(2).all(-1).all(0)
    assert train.targets[same].tolist() == [int(row(SequentialDigits, "target")[0])]
