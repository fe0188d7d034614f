"""How a cell is run: by a kernel where there is one, else by torch's layer, else by the loop."""

import pytest

from rnnbench.errors import InputError, UnknownNameError
from rnnbench.recurrence import Chooser, runner
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.peephole_lstm import PeepholeLSTM
from rnnbench_cells.rnn import RNN


def chosen(cell, **options):
    return Chooser(**options).choose(cell, (2,), 5)


def test_a_cell_that_becomes_a_kernel_runs_as_one_unless_another_backend_is_forced():
    assert chosen(LSTM()).name == "kernel"
    assert chosen(LSTM()).reason == "its step became a kernel that agrees with the loop"
    assert [chosen(LSTM(), forced=name).name for name in ("kernel", "torch", "loop")] == [
        "kernel",
        "torch",
        "loop",
    ]
    assert chosen(LSTM(), forced="loop").reason == "asked for"


def test_without_a_kernel_a_cell_runs_as_the_layer_of_torch_that_it_equals_else_in_the_loop():
    on_gpu = chosen(LSTM(), device="cuda")
    assert on_gpu.name == "torch"
    assert on_gpu.reason.startswith("equals torch's LSTM; no kernel, since kernels are for the CPU")
    assert chosen(PeepholeLSTM(), device="cuda").name == "loop"


@pytest.mark.parametrize(
    "cell", [PeepholeLSTM(), GRU(reset="before"), RNN(nonlinearity="identity")], ids=repr
)
def test_a_cell_without_an_equal_in_torch_is_not_forced_into_it(cell):
    for ask in (lambda: chosen(cell, forced="torch"), lambda: runner("torch", cell)):
        with pytest.raises(InputError, match=f"`torch` cannot run cell `{cell.name}`.*`loop`"):
            ask()


def test_a_misspelt_backend_is_named_with_those_there_are():
    for ask in (lambda: Chooser(forced="lop"), lambda: runner("lop", LSTM())):
        with pytest.raises(UnknownNameError, match="did you mean `loop`"):
            ask()
