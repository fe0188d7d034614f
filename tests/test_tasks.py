from itertools import combinations, product
from math import log

import numpy as np
import pluggy
import pytest
import torch

from rnnbench import Batch, Classes, Reals, hookspecs
from rnnbench.errors import OptionError
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_metrics.cross_entropy import CrossEntropy
from rnnbench_metrics.mean_squared_error import MeanSquaredError
from rnnbench_tasks import adding, copy_memory, sequential_digits, temporal_order
from rnnbench_tasks.adding import AddingHalves, AddingUniform
from rnnbench_tasks.copy_memory import CopyMemory
from rnnbench_tasks.sequential_digits import SequentialDigits
from rnnbench_tasks.temporal_order import TemporalOrder

MODULES = (adding, copy_memory, sequential_digits, temporal_order)
METRICS = {metric.name: metric() for metric in (Accuracy, CrossEntropy, MeanSquaredError)}
TASKS = (
    AddingUniform(length=20),
    AddingHalves(length=21),
    CopyMemory(length=20),
    TemporalOrder(length=50),
    SequentialDigits(),
    SequentialDigits(order="rows"),
)
ADDING = (AddingUniform, AddingHalves)
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name}-{task.chosen}")
both_adding = pytest.mark.parametrize("task", ADDING, ids=lambda task: task.name)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def measured(task, predictions, batch):
    """Score with the task's first metric."""
    return METRICS[task.metrics[0]].measure(predictions, batch.targets, batch.mask)


def sequences(batch):
    return {sequence.numpy().tobytes() for sequence in batch.inputs.transpose(0, 1).contiguous()}


def test_every_module_provides_its_tasks_through_the_hook():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for module in MODULES:
        manager.register(module)
    manager.check_pending()
    provided = {task for found in manager.hook.rnnbench_provide_tasks() for task in found}
    assert provided == {type(task) for task in TASKS}


@every_task
def test_batches_have_the_declared_shapes(task):
    batch = task.batch(6, seeded(0))
    width = (task.inputs.width,) if isinstance(task.inputs, Reals) else ()
    assert len(batch) == 6
    assert batch.inputs.shape == (task.sequence_length, 6, *width)
    assert batch.inputs.dtype == (torch.float32 if width else torch.int64)
    steps = (task.sequence_length,) if task.pattern == "many-to-many" else ()
    if isinstance(task.targets, Classes):
        assert batch.targets.shape == (*steps, 6)
        assert batch.targets.dtype == torch.int64
        assert 0 <= batch.targets.min() <= batch.targets.max() < task.targets.count
    else:
        assert batch.targets.shape == (*steps, 6, task.targets.width)
        assert batch.targets.dtype == torch.float32


@every_task
def test_predictors_are_shaped_like_a_network(task):
    batch = task.batch(6, seeded(0))
    classes = isinstance(task.targets, Classes)
    width = task.targets.count if classes else task.targets.width
    shape = (*batch.targets.shape, width) if classes else batch.targets.shape
    assert task.trivial(batch).shape == shape
    assert task.trivial(batch).dtype == torch.float32
    if task.anchors.oracle is not None:
        assert task.oracle(batch).shape == shape
        assert task.oracle(batch).dtype == torch.float32


@every_task
def test_a_seed_decides_the_batch_and_another_seed_another(task):
    first, same, other = (task.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert torch.equal(first.targets, same.targets)
    assert not torch.equal(first.inputs, other.inputs)


@every_task
def test_the_global_generators_are_left_alone(task):
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    type(task)(**task.chosen).batch(16, seeded(0))
    task.held_out("valid", seeded(0))
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


@every_task
def test_validation_and_test_share_no_sequence(task):
    valid, test = task.held_out("valid", seeded(1)), task.held_out("test", seeded(2))
    assert len(valid) >= 350
    assert len(test) >= 350
    assert not sequences(valid) & sequences(test)


@every_task
def test_the_oracle_measures_its_anchor_without_reading_targets(task):
    batch = task.held_out("test", seeded(3))
    if task.anchors.oracle is None:
        assert task.oracle(batch) is None
        return
    blind = Batch(batch.inputs, torch.zeros_like(batch.targets))
    assert measured(task, task.oracle(blind), batch) == task.anchors.oracle


@every_task
def test_solved_lies_between_the_trivial_predictor_and_perfection(task):
    anchors, larger = task.anchors, METRICS[task.metrics[0]].direction == "max"
    sign, best = (1, 1.0) if larger else (-1, 0.0)
    ladder = [anchors.chance, anchors.trivial, anchors.solved, best]
    assert sorted(ladder, key=lambda score: sign * score) == ladder
    assert anchors.trivial != anchors.solved != best


@both_adding
def test_adding_anchors_are_what_predictors_measure(task):
    task = task(length=10)
    drawn, guesses = task.batch(100_000, seeded(0)), task.batch(100_000, seeded(1))
    # five standard errors: the squared errors have variances 7/180 and 17/90
    trivial = measured(task, task.trivial(drawn), drawn)
    assert trivial == pytest.approx(1 / 6, abs=5 * (7 / 180 / 100_000) ** 0.5)
    chance = measured(task, guesses.targets, drawn)
    assert chance == pytest.approx(1 / 3, abs=5 * (17 / 90 / 100_000) ** 0.5)
    assert (task.anchors.trivial, task.anchors.chance) == (1 / 6, 1 / 3)


@both_adding
def test_knowing_one_number_does_not_solve_adding(task):
    task = task(length=10)
    drawn = task.batch(100_000, seeded(0))
    values, markers = drawn.inputs.unbind(-1)
    one = values.gather(0, markers.argmax(0, keepdim=True)).T + 0.5
    assert measured(task, one, drawn) == pytest.approx(1 / 12, abs=0.002)
    assert task.anchors.solved < 1 / 12 / 10


@pytest.mark.parametrize(("length", "published"), [(20, 0.5199), (100, 0.1733), (1000, 0.020387)])
def test_the_memoryless_predictor_measures_the_published_baseline_of_copying(length, published):
    task = CopyMemory(length=length)
    drawn = task.batch(50, seeded(0))
    assert measured(task, task.trivial(drawn), drawn) == pytest.approx(published, rel=2e-4)
    assert measured(task, task.trivial(drawn), drawn) == pytest.approx(task.anchors.trivial)
    nothing = torch.zeros_like(task.trivial(drawn))
    assert measured(task, nothing, drawn) == pytest.approx(log(9)) == task.anchors.chance


def test_temporal_order_anchors_are_what_predictors_measure():
    task, size = TemporalOrder(length=20), 20_000
    drawn = task.batch(size, seeded(0))
    error = 5 * (0.25 * 0.75 / size) ** 0.5
    guesses = torch.rand(size, 4, generator=seeded(1))
    assert measured(task, guesses, drawn) == pytest.approx(task.anchors.chance, abs=error)
    assert measured(task, task.trivial(drawn), drawn) == pytest.approx(
        task.anchors.trivial, abs=error
    )
    loss = CrossEntropy().measure(task.trivial(drawn), drawn.targets, None)
    assert loss == pytest.approx(log(4))


def test_digits_anchors_are_what_predictors_measure():
    task = SequentialDigits()
    drawn = task.held_out("test", seeded(0))
    assert measured(task, task.trivial(drawn), drawn) == task.anchors.trivial == 36 / 355
    repeated = Batch(drawn.inputs.repeat(1, 100, 1), drawn.targets.repeat(100))
    guesses = torch.rand(len(repeated), 10, generator=seeded(1))
    assert measured(task, guesses, repeated) == pytest.approx(0.1, abs=5 * (0.09 / 35_500) ** 0.5)


def test_the_nearest_mean_scan_reaches_what_the_digits_count_as_solved():
    task = SequentialDigits(order="rows")
    train = task.batch(1085, seeded(0))
    means = torch.stack([train.inputs[:, train.targets == digit].mean(1) for digit in range(10)])
    for split, expected in (("valid", 0.902), ("test", 0.915)):
        scans = task.held_out(split, seeded(0))
        near = -torch.cdist(scans.inputs.transpose(0, 1).flatten(1), means.flatten(1))
        assert measured(task, near, scans) == pytest.approx(expected, abs=5e-4)
        assert measured(task, near, scans) >= task.anchors.solved


def mean_path(pairs, length, bidirectional):
    """Average, over placings, how far the farther of two places is from its read-out."""

    def steps(place):
        forward, backward = length - 1 - place, place
        return min(forward, backward) if bidirectional else forward

    return sum(max(map(steps, pair)) for pair in pairs) / len(pairs)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("length", [4, 5, 20, 27, 50, 101])
def test_shortest_paths_are_exact_means_over_all_placings(length, bidirectional):
    half, w = length // 2, length // 10
    placings = {
        AddingUniform: list(combinations(range(length), 2)),
        AddingHalves: list(product(range(half), range(half, length))),
    }
    if length >= TemporalOrder.options["length"].low:
        placings[TemporalOrder] = list(product(range(w, 2 * w), range(half, half + w)))
    for task, pairs in placings.items():
        expected = mean_path(pairs, length, bidirectional)
        assert task(length=length).shortest_path(bidirectional) == pytest.approx(expected)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("task", TASKS[:2] + TASKS[3:4], ids=lambda task: task.name)
def test_shortest_paths_are_those_of_drawn_sequences(task, bidirectional):
    inputs = task.batch(4000, seeded(0)).inputs
    relevant = inputs < 2 if task.name == "temporal_order" else inputs[..., 1] == 1
    pairs = relevant.T.nonzero()[:, 1].view(-1, 2).tolist()
    drawn = mean_path(pairs, task.sequence_length, bidirectional)
    # five standard errors of a mean over places that spread over less than the sequence
    error = 5 * task.sequence_length / (12 * 4000) ** 0.5
    assert task.shortest_path(bidirectional) == pytest.approx(drawn, abs=error)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_copied_symbol_travels_from_its_step_to_its_answer(bidirectional):
    task = CopyMemory(length=7)
    drawn = task.batch(20, seeded(0))
    path = int(task.shortest_path(bidirectional))
    assert path == 17
    assert torch.equal(drawn.inputs[:10], drawn.targets[path : path + 10])


def test_every_step_of_a_digit_counts_for_its_path():
    pixels, rows = SequentialDigits(), SequentialDigits(order="rows")
    assert [pixels.shortest_path(False), pixels.shortest_path(True)] == [63, 31]
    assert [rows.shortest_path(False), rows.shortest_path(True)] == [7, 3]


@pytest.mark.parametrize(
    ("task", "chosen"),
    [
        (AddingUniform, {"length": 3}),
        (AddingHalves, {"length": 3}),
        (CopyMemory, {"length": 0}),
        (TemporalOrder, {"length": 19}),
        (SequentialDigits, {"order": "columns"}),
    ],
)
def test_settings_that_make_no_sense_are_refused(task, chosen):
    with pytest.raises(OptionError):
        task(**chosen)
