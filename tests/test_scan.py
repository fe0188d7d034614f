import gzip
import os
from pathlib import Path

import pytest
import torch

from rnnbench import DataError
from rnnbench_metrics.exact_match import ExactMatch
from rnnbench_tasks.scan import Scan
from rnnbench_tasks.scan_file import read_commands
from rnnbench_tasks.scan_grammar import commands

REAL = Path(os.environ.get("RNNBENCH_DATA", "absent")) / "mt" / "scan"
real_data = pytest.mark.skipif(not REAL.is_dir(), reason="RNNBENCH_DATA names no folder with SCAN")
PARTS = ("train", "valid", "test")
SIZES = {"simple": (16_228, 500, 4_182), "length": (16_490, 500, 3_920)}
TASKS = {split: Scan(split=split) for split in SIZES}
both = pytest.mark.parametrize("split", SIZES)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def exact(said, batch):
    steps = torch.arange(len(batch.targets)).unsqueeze(1)
    mask = steps <= (batch.targets == batch.targets.max()).int().argmax(0)
    return ExactMatch().measure(said, batch.targets, mask)


def written(task, batch):
    """Return commands and actions as they are written."""
    sources = [
        " ".join(task.inputs.symbols[n] for n in column[:length])
        for column, length in zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
    ]
    return sources, [task.targets.text(column) for column in batch.targets.T.tolist()]


def lines(pairs):
    return "".join(f"IN: {source} OUT: {target}\n" for source, target in pairs)


def some(count, start=0):
    chosen = list(commands().items())[start : start + count]
    return [(" ".join(command), " ".join(actions)) for command, actions in chosen]


@pytest.fixture
def file(tmp_path):
    """Write a file and return its name."""

    def write(content, name="tasks.txt"):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return str(path)

    return write


def refused(**chosen):
    with pytest.raises(DataError) as error:
        Scan(**chosen).anchors  # noqa: B018  reading the data is the test
    message = str(error.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("command", "actions"),
    [
        ("jump", "I_JUMP"),
        ("turn left", "I_TURN_LEFT"),
        ("walk right", "I_TURN_RIGHT I_WALK"),
        ("turn opposite right", "I_TURN_RIGHT I_TURN_RIGHT"),
        ("run opposite left", "I_TURN_LEFT I_TURN_LEFT I_RUN"),
        ("turn around left", "I_TURN_LEFT I_TURN_LEFT I_TURN_LEFT I_TURN_LEFT"),
        ("look around right", " ".join(["I_TURN_RIGHT I_LOOK"] * 4)),
        ("walk left thrice", " ".join(["I_TURN_LEFT I_WALK"] * 3)),
        ("jump and run twice", "I_JUMP I_RUN I_RUN"),
        ("jump after run twice", "I_RUN I_RUN I_JUMP"),
    ],
)
def test_commands_mean_what_the_paper_says(command, actions):
    assert commands()[tuple(command.split())] == tuple(actions.split())


def test_the_language_has_as_many_commands_as_published():
    assert len(commands()) == 20_910
    assert max(map(len, commands())) == 9
    assert max(map(len, commands().values())) == 48
    assert len({word for command in commands() for word in command}) == 13
    assert len({action for actions in commands().values() for action in actions}) == 6


@real_data
@both
def test_the_language_is_that_of_the_published_files(split):
    train, test = (read_commands(REAL / f"tasks_{part}_{split}.txt.gz") for part in PARTS[::2])
    assert len(train) + len(test) == 20_910
    assert dict([*train, *test]) == commands()


@real_data
def test_the_length_split_is_the_published_one():
    task = TASKS["length"]
    published = read_commands(REAL / "tasks_test_length.txt.gz")
    assert set(task._written["test"]) == set(published)


@real_data
@both
def test_published_files_are_read_with_their_own_split(split):
    train, test = (str(REAL / f"tasks_{part}_{split}.txt.gz") for part in PARTS[::2])
    task = Scan(data=train, test=test)
    assert tuple(len(task._written[part]) for part in PARTS) == SIZES[split]
    assert task.anchors.oracle == 1.0
    assert task.anchors.floors["nearest"] < 0.04


@both
def test_parts_have_their_sizes_and_share_no_command(split):
    task = TASKS[split]
    parts = [set(task._written[part]) for part in PARTS]
    assert tuple(map(len, parts)) == SIZES[split]
    assert len(set.union(*parts)) == 20_910


def test_split_by_length_the_test_has_longer_answers_than_training_ever_shows():
    task = TASKS["length"]
    longest = {part: max(len(p.target) for p in task._written[part]) for part in PARTS}
    assert longest == {"train": 22, "valid": 22, "test": 48}
    assert min(len(pair.target) for pair in task._written["test"]) == 24


@both
def test_training_batches_have_the_declared_shapes(split):
    task = TASKS[split]
    batch = task.batch(64, seeded(0))
    assert batch.inputs.shape == (task.sequence_length, 64) == (9, 64)
    assert batch.targets.shape == (task.target_length, 64)
    assert task.target_length == {"simple": 49, "length": 23}[split]
    assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
    assert batch.mask is None and batch.references is None
    assert batch.lengths.min() >= 1
    assert (batch.targets[-1] == task.targets.end).all()


@both
def test_batches_say_what_was_written(split):
    task = TASKS[split]
    batch = task.batch(200, seeded(1))
    read = list(zip(*written(task, batch), strict=True))
    assert len(set(read)) == 200
    trained = {(" ".join(c), " ".join(a)) for c, a in task._written["train"]}
    assert set(read) <= trained


@both
@pytest.mark.parametrize("part", ["valid", "test"])
def test_held_out_parts_are_whole(split, part):
    task = TASKS[split]
    sources, answers = written(task, task.held_out(part, seeded(0)))
    expected = [(" ".join(c), " ".join(a)) for c, a in task._written[part]]
    assert list(zip(sources, answers, strict=True)) == expected


def test_what_is_read_and_said_is_made_once():
    task = TASKS["simple"]
    assert task.inputs is task.inputs and task.targets is task.targets


def test_a_seed_decides_the_batch():
    first, same, other = (TASKS["simple"].batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, other.inputs)


@both
def test_anchors_are_what_the_predictors_measure(split):
    task = TASKS[split]
    test = task.held_out("test", seeded(0))
    assert exact(task.oracle(test), test) == task.anchors.oracle == 1.0
    assert exact(task.trivial(test), test) == task.anchors.trivial < 0.001
    assert task.anchors.chance < 1e-4
    assert set(task.anchors.floors) == {"nearest"}
    assert task.anchors.floors["nearest"] < 0.03


def test_the_nearest_command_answers_where_another_order_means_the_same(file):
    train = file(lines([("walk and walk left", "W L W"), ("run", "R"), ("run left", "L R")] * 2))
    test = file(lines([("walk left and walk", "W L W"), ("run right", "L R")]), "test.txt")
    task = Scan(data=train, test=test)
    task._written["train"] += task._written.pop("valid")
    task._written["valid"] = task._written["train"][:1]
    assert task.anchors.floors["nearest"] == 0.5


def test_predictions_fit_a_batch_of_any_length():
    task = TASKS["length"]
    short = task.batch(5, seeded(0))
    assert exact(task.oracle(short), short) == 1.0
    for said in (task.oracle(short), task.trivial(short)):
        assert said.shape == short.targets.shape and said.dtype == torch.int64


@both
def test_paths_lead_over_the_command_and_its_actions(split):
    task = TASKS[split]
    train = task._written["train"]
    forwards = sum(len(c) - 1 + len(a) for c, a in train) / len(train)
    assert task.shortest_path(False) == pytest.approx(forwards)
    assert task.shortest_path(True) < forwards


def test_one_file_is_split_by_rule(file):
    whole = file(lines(some(20_910)), "tasks.txt.gz")
    task = Scan(data=whole, split="length")
    assert set(task._written["test"]) == set(TASKS["length"]._written["test"])
    assert task.targets.unknown == 0
    assert task.targets.symbols[0] == "<unk>"
    few = Scan(data=file(lines(some(50) * 3)))
    parts = [set(few._written[part]) for part in PARTS]
    assert [len(part) for part in parts] == [38, 2, 10]
    assert len(set.union(*parts)) == 50


def test_what_training_does_not_have_is_told_and_counted(file):
    train = file(lines(some(40)))
    strange = [("walk backwards", "I_WALK I_SLIDE"), *some(1)]
    task = Scan(data=train, test=file(lines(strange), "test.txt"))
    notes = " | ".join(task.notes)
    assert "33.33% of the test words are unknown" in notes
    assert "33.33% of the test actions are unknown" in notes
    assert task.leaks == ("1 of 2 test commands are also in the training file",)
    assert task.anchors.oracle is None
    held = task.held_out("test", seeded(0))
    assert held.inputs[1, 0] == 0 and held.targets[1, 0] == task.targets.unknown


def test_a_file_with_other_answers_has_no_oracle(file):
    swapped = [(source, target[::-1].lower()) for source, target in some(40)]
    assert Scan(data=file(lines(swapped))).anchors.oracle is None


def test_a_file_smaller_than_a_batch_is_drawn_from_again(file):
    task = Scan(data=file(lines(some(5))))
    assert len(task.batch(32, seeded(0))) == 32


@pytest.mark.parametrize(
    ("content", "line", "reason"),
    [
        ("IN: walk OUT: I_WALK\nwalk\tI_WALK\n", 2, "expected `IN: … OUT: …`"),
        ("IN: walk OUT: I_WALK\n\nIN: run\n", 3, "expected `IN: … OUT: …`"),
        ("IN: OUT: I_WALK\n", 1, "0 words after `IN:`"),
        ("IN: walk OUT:\n", 1, "0 words after `OUT:`"),
        (f"IN: walk OUT: {'I_WALK ' * 50_000}\n", 1, "50,000 words after `OUT:`"),
    ],
)
def test_lines_that_are_no_commands_are_named(file, content, line, reason):
    message = refused(data=file(content))
    assert f"tasks.txt:{line}: " in message
    assert reason in message


def test_files_that_cannot_be_used_say_why(file):
    good = lines(some(30))
    assert "the file is empty" in refused(data=file(" \n"))
    cut = gzip.compress(good.encode())[:-20]
    assert "damaged or cut off" in refused(data=file(cut, "cut.txt"))
    assert "not utf-8" in refused(data=file("IN: gehe zurück OUT: GEH\n".encode("latin-1")))
    assert "1 different commands to deal into training and test" in refused(
        data=file("IN: walk OUT: I_WALK\n")
    )
    one = file("IN: walk OUT: I_WALK\n")
    message = refused(data=one, test=file(good, "test.txt"))
    assert "1 different commands to deal into training and validation" in message
    assert "no command has more than 22 actions" in refused(data=file(good), split="length")
    assert "set `data`" in refused(test=file(good))
    assert "cannot be read" in refused(data="absent.txt")
