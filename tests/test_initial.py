import torch
from torch import Generator

from rnnbench.initial import constant, identity, orthogonal, uniform, zeros


def seeded(seed=0):
    return Generator().manual_seed(seed)


def test_constants_zeros_and_identities_hold_what_they_say():
    assert constant(1.5, 2, 3).draw(seeded()).tolist() == [[1.5] * 3] * 2
    assert zeros(2).draw(seeded()).tolist() == [0.0, 0.0]
    assert identity(2, 0.5).draw(seeded()).tolist() == [[0.5, 0.0], [0.0, 0.5]]


def test_uniform_stays_within_one_over_the_root_of_its_columns_and_reaches_for_it():
    drawn = uniform(500, 16).draw(seeded())
    assert drawn.shape == (500, 16)
    assert 0.249 < drawn.abs().max() <= 0.25
    assert abs(drawn.mean()) < 0.005
    assert 0.99 < uniform(1000, bound=1.0).draw(seeded()).abs().max() <= 1.0


def test_orthogonal_fills_each_gate_with_a_matrix_of_its_own():
    gates = orthogonal(12, 4, gain=2.0).draw(seeded()).split(4)
    for gate in gates:
        torch.testing.assert_close(gate @ gate.T, 4 * torch.eye(4))
    assert not torch.allclose(gates[0], gates[1])


def test_a_last_block_that_is_not_square_has_orthonormal_rows():
    block = orthogonal(7, 5).draw(seeded())[5:]
    torch.testing.assert_close(block @ block.T, torch.eye(2))


def test_values_come_from_the_generator_and_from_nothing_else():
    for initial in (uniform(3, 3), orthogonal(3, 3)):
        torch.manual_seed(1)
        first = initial.draw(seeded(5))
        torch.manual_seed(2)
        assert torch.equal(first, initial.draw(seeded(5)))
        assert not torch.equal(first, initial.draw(seeded(6)))


def test_all_values_are_float32():
    for initial in (constant(1, 2), zeros(2), uniform(2), orthogonal(2, 2), identity(2)):
        assert initial.draw(seeded()).dtype == torch.float32


def test_schemes_are_named_for_identity_cards():
    assert constant(1.0, 4).scheme == "constant 1"
    assert uniform(4).scheme == "uniform ±1/√columns"
    assert uniform(4, bound=0.05).scheme == "uniform ±0.05"
    assert orthogonal(4, 4).scheme == "orthogonal blocks, gain 1"
    assert identity(4).scheme == "1 × identity"
