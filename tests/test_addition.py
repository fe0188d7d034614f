"""Sums of numbers written in digits."""

import numpy as np
import pytest
import torch

from rnnbench.errors import DataError, OptionError
from rnnbench_tasks.addition import Addition

TASKS = (
    Addition(),
    Addition(reverse=True, embedding=8),
    Addition(digits=2),
    Addition(digits=9, fewest=9),
    Addition(digits=4, fewest=2, reverse=True),
)
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: str(task.chosen))


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def sums(task, batch):
    """Read a batch as a person would: (one, other, said)."""
    read = []
    for column, length, target in zip(
        batch.inputs.T.tolist(), batch.lengths.tolist(), batch.targets.T.tolist(), strict=True
    ):
        text = "".join(task.inputs.symbols[number] for number in column[:length])
        one, other = (text[::-1] if task.reverse else text).split("+")
        read.append((one, other, task.targets.text(target)))
    return read


def exact(said, batch):
    return (said == batch.targets).all(0).double().mean().item()


@every_task
def test_training_batches_have_the_declared_shapes(task):
    for seed in range(3):
        batch = task.batch(64, seeded(seed))
        assert batch.inputs.shape == (task.sequence_length, 64)
        assert batch.targets.shape == (task.target_length, 64)
        assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
        assert batch.inputs.max() < task.inputs.vocabulary == len(task.inputs.symbols)
        assert (batch.targets[-1] == task.targets.end).all()


@every_task
@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_every_answer_is_the_sum(task, part):
    batch = task.batch(500, seeded(1)) if part == "train" else task.held_out(part, seeded(1))
    for one, other, said in sums(task, batch):
        assert str(int(one) + int(other)) == said
        assert (str(int(one)), str(int(other))) == (one, other), "no zeros in front"


@every_task
def test_numbers_have_as_many_digits_as_were_asked_for_all_counts_alike(task):
    read = sums(task, task.batch(2000, seeded(2)))
    counts = np.bincount([len(number) for one, other, _ in read for number in (one, other)])
    assert counts.nonzero()[0].tolist() == list(range(task.fewest, task.digits + 1))
    shares = counts[task.fewest :] / counts.sum()
    assert shares == pytest.approx(np.full(len(shares), 1 / len(shares)), abs=0.06)


def test_numbers_are_uniform_among_those_with_as_many_digits():
    read = sums(Addition(digits=2), Addition(digits=2).batch(20_000, seeded(0)))
    ones = np.bincount([int(one) for one, _, _ in read if len(one) == 1], minlength=10)
    assert ones.min() > 0.7 * ones.mean()
    assert {one for one, _, _ in read if len(one) == 2} == set(map(str, range(10, 100)))


@every_task
def test_no_sum_is_in_two_parts_in_either_order(task):
    parts = {
        "train": task.batch(20_000, seeded(3)),
        "valid": task.held_out("valid", seeded(4)),
        "test": task.held_out("test", seeded(5)),
    }
    known = {
        part: {frozenset((one, other)) for one, other, _ in sums(task, batch)}
        for part, batch in parts.items()
    }
    assert not known["train"] & known["valid"]
    assert not known["train"] & known["test"]
    assert not known["valid"] & known["test"]


def test_held_out_sums_are_different():
    read = sums(Addition(digits=4), Addition(digits=4).held_out("test", seeded(0)))
    assert len(set(read)) == len(read) == 768


@every_task
def test_anchors_are_what_the_predictors_measure(task):
    test = task.held_out("test", seeded(0))
    assert exact(task.trivial(test), test) == task.anchors.trivial < 0.05
    assert exact(task.oracle(test), test) == task.anchors.oracle == 1.0
    assert exact(task.without_carry(test), test) == task.anchors.floors["no_carry"]
    assert 0 < task.anchors.chance < 0.01


def test_the_naive_adder_is_right_where_nothing_is_carried():
    task = Addition()
    test = task.held_out("test", seeded(1))
    said = task.without_carry(test)
    for place, (one, other, answer) in enumerate(sums(task, test)):
        pairs = zip(one[::-1], other[::-1], strict=False)
        carries = any(int(a) + int(b) > 9 for a, b in pairs)
        assert (task.targets.text(said[:, place].tolist()) == answer) == (not carries)


def test_the_trivial_predictor_says_a_common_sum():
    task = Addition(digits=2)
    said = task.trivial(task.batch(1, seeded(0)))[:, 0].tolist()
    answers = [answer for _, _, answer in sums(task, task.batch(20_000, seeded(1)))]
    most = max(map(answers.count, set(answers)))
    assert answers.count(task.targets.text(said)) > 0.8 * most


def test_a_reversed_source_has_the_same_answers():
    plain, turned = (Addition(reverse=reverse).batch(32, seeded(0)) for reverse in (False, True))
    assert torch.equal(plain.targets, turned.targets)
    assert not torch.equal(plain.inputs, turned.inputs)


def test_paths_of_numbers_of_nine_digits():
    plain, turned = (Addition(digits=9, fewest=9, reverse=r) for r in (False, True))
    answer = plain.shortest_path(False) - 10
    assert 9 < answer < 10
    assert turned.shortest_path(False) == answer + 18
    assert plain.shortest_path(True) == turned.shortest_path(True) == answer + 8


def test_more_digits_at_least_than_at_most_are_refused_on_one_line():
    for ask in (
        lambda task: task.sequence_length,
        lambda task: task.anchors,
        lambda task: task.batch(2, seeded(0)),
    ):
        with pytest.raises(DataError, match="`fewest` is 4 and `digits` 3") as caught:
            ask(Addition(fewest=4))
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("chosen", [{"digits": 1}, {"digits": 10}, {"fewest": 0}])
def test_values_out_of_range_are_refused(chosen):
    with pytest.raises(OptionError):
        Addition(**chosen)
