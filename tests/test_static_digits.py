import subprocess
import sys

import pluggy
import pytest
import torch

from rnnbench import hookspecs
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_tasks import scans, static_digits
from rnnbench_tasks.sequential_digits import SequentialDigits
from rnnbench_tasks.static_digits import StaticDigits

TASK = StaticDigits()


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def images(batch):
    return {scan.numpy().tobytes() for scan in batch.inputs[0]}


def accuracy(predictions, batch):
    return Accuracy().measure(predictions, batch.targets, batch.mask)


def test_the_module_provides_its_task():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(static_digits)
    manager.check_pending()
    assert manager.hook.rnnbench_provide_tasks() == [[StaticDigits]]


def test_one_step_holds_a_scan_and_one_target_its_digit():
    batch = TASK.batch(32, seeded(0))
    assert batch.inputs.shape == (1, 32, 64) == (TASK.sequence_length, 32, TASK.inputs.width)
    assert batch.inputs.dtype == torch.float32
    assert (batch.inputs.min(), batch.inputs.max()) == (0, 1)
    assert batch.targets.shape == (32,)
    assert batch.targets.dtype == torch.int64
    assert (batch.lengths, batch.mask) == (None, None)
    assert TASK.trivial(batch).shape == (32, TASK.targets.count)
    assert TASK.trivial(batch).dtype == torch.float32


def test_the_scan_in_the_docstring_is_the_first_one():
    words = StaticDigits.__doc__.partition("input ")[2].partition("\n\n")[0].split()
    assert words[-2:] == ["target", "0"]
    first = torch.tensor([int(word) for word in words[:-2]]) / 16
    train = TASK.batch(1085, seeded(0))
    (place,) = (train.inputs[0] == first).all(1).nonzero()[:, 0].tolist()
    assert train.targets[place] == 0


@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_scans_and_parts_are_those_of_sequential_digits(split):
    rows = SequentialDigits(order="rows").held_out(split, seeded(0))
    at_once = TASK.held_out(split, seeded(1))
    assert torch.equal(at_once.inputs[0], rows.inputs.transpose(0, 1).flatten(1))
    assert torch.equal(at_once.targets, rows.targets)


def test_parts_share_no_scan():
    train, valid, test = (
        images(TASK.batch(1085, seeded(0))),
        images(TASK.held_out("valid", seeded(0))),
        images(TASK.held_out("test", seeded(0))),
    )
    assert [len(train), len(valid), len(test)] == [1085, 357, 355]
    assert len(train | valid | test) == 1797


def test_a_batch_holds_different_scans_by_its_seed():
    first, same, other = (TASK.batch(500, seeded(seed)) for seed in (1, 1, 2))
    assert len(images(first)) == 500
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, other.inputs)


def test_a_batch_larger_than_the_training_part_is_refused():
    with pytest.raises(ValueError, match="1086 asks for more than the 1085"):
        TASK.batch(1086, seeded(0))


def test_anchors_are_what_predictors_measure():
    test = TASK.held_out("test", seeded(0))
    assert accuracy(TASK.trivial(test), test) == TASK.anchors.trivial == 36 / 355
    guesses = torch.rand(100, 355, 10, generator=seeded(1))
    mean = sum(accuracy(guess, test) for guess in guesses) / 100
    assert mean == pytest.approx(TASK.anchors.chance, abs=5 * (0.09 / 35_500) ** 0.5)
    assert TASK.anchors.oracle is TASK.oracle(test) is None


def test_floors_are_what_naive_readers_measure():
    train, test = TASK.batch(1085, seeded(0)), TASK.held_out("test", seeded(0))
    seen, asked = train.inputs[0].double(), test.inputs[0].double()
    means = torch.stack([seen[train.targets == digit].mean(0) for digit in range(10)])
    nearest = train.targets[torch.cdist(asked, seen).argmin(1)]
    assert TASK.anchors.floors == {
        "nearest mean scan": pytest.approx(accuracy(-torch.cdist(asked, means), test)),
        "1-NN": pytest.approx((nearest == test.targets).double().mean().item()),
    }
    assert TASK.anchors.floors["1-NN"] == pytest.approx(0.980, abs=5e-4)
    assert TASK.anchors.solved == max(TASK.anchors.floors.values())


def test_the_sequential_digits_have_the_same_floors():
    assert SequentialDigits().anchors.floors == TASK.anchors.floors


def test_nothing_travels_any_steps():
    assert [TASK.shortest_path(False), TASK.shortest_path(True)] == [0, 0]


def test_importing_the_task_reads_no_scan():
    code = "import sys, rnnbench_tasks.static_digits; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_scans_are_read_once():
    assert scans.parts() is scans.parts()
