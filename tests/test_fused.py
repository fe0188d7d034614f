"""A step that Inductor fuses, compared with the loop."""

import pytest
import torch
from kernel_cells import NoisyProduct

from rnnbench.errors import InputError
from rnnbench.recurrence import backend
from rnnbench.recurrence.backend import Chooser, shapes_of
from rnnbench.recurrence.fused import Fused
from rnnbench.recurrence.verify import mismatch, reference
from rnnbench_cells.peephole_lstm import PeepholeLSTM


@pytest.mark.parametrize("cell", [PeepholeLSTM, NoisyProduct], ids=lambda cell: cell.name)
def test_values_and_gradients_are_those_of_the_loop(cell):
    assert mismatch(Fused(cell()), reference(cell(), shapes_of(cell(), 3, 5))) == ""


class Grown(PeepholeLSTM):
    """Computes something else where it is batched."""

    def step(self, x, s, w):
        new = super().step(x, s, w)
        inside = torch._C._functorch.is_batchedtensor(x)
        return {name: tensor * (1.5 if inside else 1.0) for name, tensor in new.items()}


def test_a_fused_step_that_differs_from_the_loop_is_refused():
    chooser = Chooser(forced="fused")
    with pytest.raises(
        InputError, match=r"backend `fused` cannot run cell .* differs from the loop"
    ):
        chooser.choose(Grown(), [3], 5)


@pytest.mark.parametrize(("fails", "name"), [(False, "fused"), (True, "loop")])
def test_a_gpu_runs_what_equals_no_layer_of_torch_fused_where_that_works(fails, name, monkeypatch):
    # what would run on the GPU runs here
    def here(run, device):
        assert device == "cuda"
        if fails:
            raise RuntimeError("no compiler for this GPU\nsee above")
        return run

    monkeypatch.setattr(backend, "on_device", here)
    chosen = Chooser("cuda").choose(PeepholeLSTM(), [3], 5)
    assert chosen.name == name
    assert ("not fused, since RuntimeError: no compiler for this GPU" in chosen.reason) is fails
    assert "see above" not in chosen.reason
