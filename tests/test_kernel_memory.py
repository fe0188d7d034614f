"""A kernel reads what it is given however that lies in memory, and nothing beside it."""

from dataclasses import replace

import pytest
import torch
from kernel_cells import Zoneout
from kernel_runs import (
    LENGTHS,
    H,
    assert_same,
    by,
    kernel,
    of_some_cells,
    recording,
    sequences,
    with_lengths,
)
from kernel_runs import results as results_of

from rnnbench import Tensors
from rnnbench.errors import InputError
from rnnbench.recurrence import within
from rnnbench_cells.gru import GRU


def results(cell, given, hidden=H, **options):
    return results_of(by(kernel(cell, hidden=hidden)), given, **options)


@pytest.mark.parametrize("garbage", [float("nan"), float("inf"), 1e30])
@pytest.mark.parametrize("members", [None, 3])
@of_some_cells
def test_what_stands_in_the_padding_changes_no_bit(cell, members, garbage):
    clean = sequences(cell, members)
    padding = ~within(LENGTHS, 5).unsqueeze(-1)
    dirty = replace(clean, x=clean.x.masked_fill(padding, garbage))
    found = results(cell, dirty)
    assert_same(found, results(cell, clean))
    assert not found["outputs"].masked_select(padding).any()
    assert not found["d x"].masked_select(padding).any()


@pytest.fixture
def poisoned_memory():
    """Fill all fresh tensors with NaN."""
    torch.use_deterministic_algorithms(True)
    filled = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = True
    yield
    torch.utils.deterministic.fill_uninitialized_memory = filled
    torch.use_deterministic_algorithms(False)


@with_lengths
@of_some_cells
def test_no_memory_is_read_before_it_is_written(cell, lengths, poisoned_memory):
    assert torch.empty(1).isnan()
    found = results(cell, sequences(cell, lengths=lengths))
    assert all(tensor.isfinite().all() for tensor in found.values())


def apart(tensor):
    """Return a tensor of the same numbers in which no two neighbours touch."""
    return torch.stack([tensor, tensor + 1], -1)[..., 0]


@with_lengths
@pytest.mark.parametrize("members", [None, 3])
@of_some_cells
def test_how_tensors_lie_in_memory_changes_no_bit(cell, members, lengths):
    given = sequences(cell, members, lengths)
    scattered = given.of(apart)
    assert not scattered.x.is_contiguous()
    assert_same(results(cell, scattered), results(cell, given))


@with_lengths
def test_expanded_states_inputs_and_noise_are_read_as_what_they_show(lengths):
    cell = Zoneout()
    given = sequences(cell, lengths=lengths)
    expanded = replace(
        given,
        x=given.x[:1].expand_as(given.x),
        state=Tensors({name: s[:1].expand_as(s) for name, s in given.state.items()}),
        noise=Tensors({name: n[:, :1].expand_as(n) for name, n in given.noise.items()}),
    )
    made = by(kernel(cell))
    whole = expanded.of(lambda tensor: tensor.clone(memory_format=torch.contiguous_format))
    outputs, after = made(expanded)
    expected, last = made(whole)
    assert_same({"outputs": outputs, **after}, {"outputs": expected, **last})


@pytest.mark.parametrize("members", [None, 3])
@with_lengths
def test_gradients_of_outputs_may_lie_in_memory_as_they_like(members, lengths):
    given = recording(sequences(GRU(), members, lengths))
    leaves = list(given.leaves().values())
    outputs, after = by(kernel(GRU()))(given)
    made = [outputs, *after.values()]
    for slopes in (
        [torch.randn(tensor.shape) for tensor in made],
        [torch.ones(1).expand_as(tensor) for tensor in made],
    ):
        whole = [slope.clone(memory_format=torch.contiguous_format) for slope in slopes]
        found = [
            torch.autograd.grad(made, leaves, laid, retain_graph=True)
            for laid in (whole, slopes, [apart(slope) for slope in slopes])
        ]
        assert_same(enumerate(whole), enumerate(slopes))  # nobody has written to them
        for other in found[1:]:
            assert_same(enumerate(other), enumerate(found[0]))


def test_names_in_another_order_and_lengths_of_another_type_are_no_matter():
    cell = Zoneout()
    given = sequences(cell)

    def backwards(tensors):
        return Tensors(reversed(tensors.items()))

    turned = replace(
        given,
        state=backwards(given.state),
        weights=backwards(given.weights),
        noise=backwards(given.noise),
        lengths=LENGTHS.int(),
    )
    assert_same(results(cell, turned), results(cell, given))


WRONG = {
    "an input of float64": lambda g: replace(g, x=g.x.double()),
    "a state of float64": lambda g: replace(g, state=Tensors(g.state | {"c": g.state.c.double()})),
    "a weight of float64": lambda g: replace(
        g, weights=Tensors(g.weights | {"b": g.weights.b.double()})
    ),
    "too few inputs": lambda g: replace(g, x=g.x[..., 1:]),
    "a narrow state": lambda g: replace(g, state=Tensors(g.state | {"h": g.state.h[:, 1:]})),
    "a state of fewer sequences": lambda g: replace(
        g, state=Tensors(g.state | {"h": g.state.h[1:]})
    ),
    "a weight that is cut": lambda g: replace(
        g, weights=Tensors(g.weights | {"W": g.weights.W[1:]})
    ),
    "noise of fewer steps": lambda g: replace(
        g, noise=Tensors(g.noise | {"keep_h": g.noise.keep_h[1:]})
    ),
    "no noise": lambda g: replace(g, noise=Tensors()),
    "a missing weight": lambda g: replace(g, weights=Tensors({"W": g.weights.W})),
    "too few lengths": lambda g: replace(g, lengths=LENGTHS[1:]),
    "members of members": lambda g: g.of(lambda tensor: tensor.expand(2, 2, *tensor.shape)),
    "members of the input alone": lambda g: replace(g, x=g.x.expand(2, *g.x.shape)),
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_what_the_compiled_code_would_misread_is_refused(change):
    given = change(sequences(Zoneout()))
    with pytest.raises(InputError, match=r"kernel|lengths"):
        by(kernel(Zoneout()))(given)
