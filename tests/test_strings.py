"""Copying, reversing and sorting random strings."""

import pytest
import torch

from rnnbench.errors import DataError, OptionError
from rnnbench_tasks.copy_sequence import CopySequence
from rnnbench_tasks.reverse import Reverse
from rnnbench_tasks.sort import Sort

RULES = {
    Reverse: lambda string: string[::-1],
    Sort: lambda string: "".join(sorted(string)),
    CopySequence: lambda string: string,
}
TASKS = (
    Reverse(),
    Sort(),
    CopySequence(),
    CopySequence(times=3),
    Reverse(shortest=1, longest=12, symbols=2),
    Sort(symbols=36, shortest=7, longest=7),
    Reverse(longest=12, test_longest=30, embedding=8),
)
every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.name}-{task.chosen}")
every_rule = pytest.mark.parametrize("cls", RULES, ids=lambda cls: cls.name)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def exact(task, said, targets):
    """Score by rows, in words."""
    text = task.targets.text
    rows = zip(said.T.tolist(), targets.T.tolist(), strict=True)
    return sum(text(one) == text(other) for one, other in rows) / targets.shape[1]


def sources(task, batch):
    return [
        "".join(task.inputs.symbols[number] for number in column[:length])
        for column, length in zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
    ]


def answers(task, batch):
    return [task.targets.text(column) for column in batch.targets.T.tolist()]


@every_task
def test_training_batches_have_the_declared_shapes(task):
    for seed in range(3):
        batch = task.batch(64, seeded(seed))
        assert batch.inputs.shape == (task.sequence_length, 64)
        assert batch.targets.shape == (task.target_length, 64)
        assert batch.lengths.shape == (64,)
        assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
        assert 0 <= batch.inputs.min() <= batch.inputs.max() < task.inputs.vocabulary
        assert 0 <= batch.targets.min() <= batch.targets.max() < task.targets.count
        assert len(task.inputs.symbols) == task.inputs.vocabulary


@every_task
@pytest.mark.parametrize("part", ["train", "valid", "test"])
def test_answers_follow_the_rule_and_close_with_end(task, part):
    batch = task.batch(64, seeded(1)) if part == "train" else task.held_out(part, seeded(1))
    times = getattr(task, "times", 1)
    expected = [RULES[type(task)](text) * times for text in sources(task, batch)]
    assert answers(task, batch) == expected
    assert (batch.targets[-1] == task.targets.end).all()


@every_task
def test_lengths_run_from_the_shortest_to_the_longest(task):
    batch = task.batch(1000, seeded(2))
    assert batch.lengths.min() == task.shortest
    assert batch.lengths.max() == task.longest
    counts = batch.lengths.bincount()[task.shortest :].double() / 1000
    assert counts.max() - counts.min() < 0.1


@every_task
def test_no_string_is_in_two_parts(task):
    train = set(sources(task, task.batch(5000, seeded(3))))
    valid, test = (set(sources(task, task.held_out(s, seeded(4)))) for s in ("valid", "test"))
    assert not train & valid
    assert not train & test
    assert not valid & test
    assert len(test) > 500


@pytest.mark.parametrize("longest", [20, 3])
def test_no_held_out_string_comes_twice(longest):
    task = Reverse(shortest=1, longest=longest)
    for split in ("valid", "test"):
        strings = sources(task, task.held_out(split, seeded(0)))
        assert len(strings) == len(set(strings))


def test_notes_say_where_fewer_different_strings_are_held_out_than_wanted():
    few, many = Reverse(shortest=1, longest=3), Reverse()
    counts = {split: len(few.held_out(split, seeded(0))) for split in ("valid", "test")}
    assert 80 < counts["test"] < 140
    assert [note.partition(" pairs ")[0] for note in few.notes] == [
        f"{counts['valid']} different validation",
        f"{counts['test']} different test",
    ]
    assert [len(many.held_out(split, seeded(0))) for split in ("valid", "test")] == [256, 768]
    assert many.notes == ()


def test_the_default_strings_differ_from_seed_to_seed_and_are_the_same_for_one():
    one, same, other = (Reverse().batch(32, seeded(seed)).inputs for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


@every_task
def test_anchors_are_what_the_predictors_measure(task):
    test = task.held_out("test", seeded(0))
    said = task.trivial(test)
    assert said.shape == test.targets.shape
    assert exact(task, said, test.targets) == pytest.approx(task.anchors.trivial, abs=1e-12)
    assert exact(task, task.oracle(test), test.targets) == task.anchors.oracle == 1.0
    assert 0 < task.anchors.chance < 0.01
    assert task.anchors.solved == 0.99


def test_anchors_are_measured_once():
    task = Reverse()
    assert task.anchors is task.anchors


@every_task
def test_predictors_fit_any_batch_that_is_asked_about(task):
    test = task.held_out("test", seeded(5)).choose(torch.tensor([0, 2]), task.pattern)
    assert task.oracle(test).shape == task.trivial(test).shape == test.targets.shape
    batch = task.batch(8, seeded(5))
    assert torch.equal(task.oracle(batch), batch.targets)


def test_a_guess_is_right_by_chance_as_often_as_said():
    task = Reverse(shortest=1, longest=3, symbols=10)
    test = task.held_out("test", seeded(0))
    guess = torch.randint(11, (4, len(test) * 3000), generator=seeded(1))
    right = exact(task, guess, test.targets.repeat(1, 3000))
    assert right == pytest.approx(task.anchors.chance, rel=0.2)


def test_tests_can_be_longer_than_what_is_trained_on():
    task = Reverse(shortest=5, longest=10, test_longest=40)
    lengths = {split: task.held_out(split, seeded(0)).lengths for split in ("valid", "test")}
    assert (lengths["valid"].min(), lengths["valid"].max()) == (5, 10)
    assert (lengths["test"].min(), lengths["test"].max()) == (11, 40)
    assert task.held_out("test", seeded(0)).targets.shape[0] == 41
    assert (task.sequence_length, task.target_length) == (10, 11)


def test_one_string_duplicated():
    task = CopySequence(shortest=4, longest=6, times=2)
    batch = task.batch(16, seeded(0))
    assert task.target_length == 13
    assert all(text[: len(text) // 2] * 2 == text for text in answers(task, batch))


@every_rule
@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"shortest": 9, "longest": 8}, "`shortest` is 9 and `longest` 8"),
        ({"longest": 20, "test_longest": 20}, "`test_longest` is 20 and `longest` 20"),
        ({"longest": 20, "test_longest": 3}, "`test_longest` is 3 and `longest` 20"),
        ({"symbols": 2, "shortest": 1, "longest": 9}, "2 symbols make 512 strings"),
    ],
)
def test_lengths_that_contradict_each_other_are_refused_on_one_line(cls, chosen, said):
    for ask in (
        lambda task: task.sequence_length,
        lambda task: task.target_length,
        lambda task: task.anchors,
        lambda task: task.batch(2, seeded(0)),
        lambda task: task.held_out("test", seeded(0)),
    ):
        with pytest.raises(DataError, match=said) as caught:
            ask(cls(**chosen))
        assert "\n" not in str(caught.value)


@every_rule
@pytest.mark.parametrize("chosen", [{"symbols": 37}, {"symbols": 1}, {"shortest": 0}])
def test_values_out_of_range_are_refused(cls, chosen):
    with pytest.raises(OptionError):
        cls(**chosen)


@every_rule
def test_an_embedding_serves_both_sides(cls):
    assert cls().inputs.embedding is cls().targets.embedding is None
    assert cls(embedding=16).inputs.embedding == cls(embedding=16).targets.embedding == 16


def test_paths_without_attention():
    assert Reverse(shortest=10, longest=20).shortest_path(False) == 29
    assert Reverse(shortest=10, longest=20).shortest_path(True) == 15
    assert CopySequence(shortest=10, longest=20).shortest_path(False) == 15
    assert Sort(shortest=5, longest=15).shortest_path(False) == 19
