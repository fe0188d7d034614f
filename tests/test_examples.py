import pytest
import torch

from rnnbench.contracts import Batch
from rnnbench.errors import DataError
from rnnbench.examples import deal, pad

SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}


@pytest.mark.parametrize("count", [3, 10, 11, 1000])
def test_every_number_is_dealt_once(count):
    parts = deal(count, SHARES)
    assert sorted(number for part in parts.values() for number in part) == list(range(count))
    assert all(part == sorted(part) for part in parts.values())


def test_parts_have_their_shares_and_the_deal_is_always_the_same():
    parts = deal(1000, SHARES)
    assert [len(part) for part in parts.values()] == [800, 100, 100]
    assert deal(10, SHARES) == {
        "train": [0, 1, 2, 3, 4, 7, 8, 9],
        "valid": [6],
        "test": [5],
    }


def test_no_part_is_left_empty():
    assert [len(part) for part in deal(4, {"a": 0.98, "b": 0.01, "c": 0.01}).values()] == [2, 1, 1]


def test_fewer_numbers_than_parts_are_refused():
    with pytest.raises(ValueError, match="2 examples cannot be dealt into 3 parts"):
        deal(2, SHARES)


def test_sequences_are_laid_side_by_side_and_cut():
    padded, lengths = pad([torch.tensor([1, 2, 3]), torch.tensor([4])], 2)
    assert padded.tolist() == [[1, 4], [2, 0]]
    assert lengths.tolist() == [2, 1]


def test_vectors_are_padded_with_zeros_of_their_type():
    padded, _ = pad([torch.ones(2, 3), torch.ones(1, 3)], 4)
    assert padded.shape == (4, 2, 3)
    assert padded.dtype == torch.float32
    assert padded.sum() == 9


def in_memory(count, pattern="many-to-one"):
    every_step = pattern == "many-to-many"
    numbers = torch.arange(count).expand(3, count)
    return Batch(
        numbers.unsqueeze(-1).float(),
        numbers if every_step else numbers[0],
        torch.arange(count) + 1,
        numbers % 2 == 0 if every_step else None,
    )


@pytest.mark.parametrize("pattern", ["many-to-one", "many-to-many"])
def test_sequences_are_chosen_with_all_that_belongs_to_them(pattern):
    chosen = in_memory(5, pattern).choose(torch.tensor([3, 0]), pattern)
    assert chosen.inputs[..., 0].tolist() == [[3, 0]] * 3
    assert chosen.lengths.tolist() == [4, 1]
    if pattern == "many-to-many":
        assert chosen.targets.tolist() == [[3, 0]] * 3
        assert chosen.mask.tolist() == [[False, True]] * 3
    else:
        assert chosen.targets.tolist() == [3, 0]


def test_different_sequences_are_drawn_while_there_are_enough():
    generator = torch.Generator().manual_seed(0)
    drawn = in_memory(6).draw(6, generator, "many-to-one")
    assert sorted(drawn.targets.tolist()) == list(range(6))
    again = in_memory(6).draw(6, torch.Generator().manual_seed(0), "many-to-one")
    assert torch.equal(drawn.targets, again.targets)
    assert len(in_memory(2).draw(5, generator, "many-to-one")) == 5


def test_what_takes_gigabytes_is_refused_with_the_cure():
    long = torch.zeros(1, dtype=torch.int64).expand(50_000)
    with pytest.raises(
        DataError, match=r"10,000 sequences, each padded to 50,000 steps, take 3\.7"
    ):
        pad([long] * 10_000, 50_000)
