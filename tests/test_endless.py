"""What is drawn without end, dealt into parts by hash."""

import pytest
import torch

from rnnbench_tasks import endless

PARTS = ("train", "valid", "test")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def unchanged(columns):
    return columns


def test_everything_belongs_to_one_part_and_eight_tenths_to_training():
    numbers = torch.arange(-1, 100_000).unsqueeze(0)
    masks = torch.stack([endless.belongs(numbers, part) for part in PARTS])
    assert (masks.sum(0) == 1).all()
    shares = masks.double().mean(1).tolist()
    assert shares == pytest.approx([0.8, 0.1, 0.1], abs=0.003)


def test_the_order_of_values_decides_too():
    one = torch.cartesian_prod(torch.arange(50), torch.arange(50)).T
    in_test = endless.belongs(one, "test")
    assert not torch.equal(in_test, endless.belongs(one.flip(0), "test"))
    assert in_test.double().mean().item() == pytest.approx(0.1, abs=0.02)


def test_what_belongs_where_is_the_same_for_ever():
    numbers = torch.arange(60).view(2, 30)
    assert endless.belongs(numbers, "test").nonzero().flatten().tolist() == [2, 25]


def test_values_of_minus_one_behind_change_nothing():
    numbers = torch.randint(10, (5, 200), generator=seeded(0))
    longer = torch.cat([numbers, torch.full((3, 200), -1)])
    for part in PARTS:
        assert torch.equal(endless.belongs(numbers, part), endless.belongs(longer, part))


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_drawn_until_it_has_as_many_as_asked_for(part):
    generator = seeded(3)
    drawn = endless.take(
        part, 100, lambda n: torch.randint(1000, (2, n), generator=generator), unchanged
    )
    assert drawn.shape == (2, 100)
    assert endless.belongs(drawn, part).all()


def test_the_key_decides_where_something_belongs():
    generator = seeded(3)
    drawn = endless.take(
        "test", 50, lambda n: torch.randint(1000, (2, n), generator=generator), lambda c: c[:1]
    )
    assert endless.belongs(drawn[:1], "test").all()
    assert not endless.belongs(drawn, "test").all()


def test_repetitions_are_dropped():
    columns = torch.tensor([[3, 3, 1, 3, 2], [0, 0, 1, 0, 1]])
    assert endless.different(columns, 2).tolist() == [[3, 1], [0, 1]]
    assert endless.different(columns, 5).tolist() == [[3, 1, 2], [0, 1, 1]]
