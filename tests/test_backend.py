"""How a cell is run: by a kernel where there is one, else by torch's layer, else by the loop."""

import random
import re

import pytest
import torch
from studies import template

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import InputError, PluginError, UnknownNameError
from rnnbench.initial import orthogonal, uniform, zeros
from rnnbench.recurrence import Chooser, runner
from rnnbench.recurrence.backend import system_compiler, system_library
from rnnbench.registry import load_registry
from rnnbench.training import train
from rnnbench_cells.gru import GRU
from rnnbench_cells.lstm import LSTM
from rnnbench_cells.peephole_lstm import PeepholeLSTM
from rnnbench_cells.rnn import RNN


def chosen(cell, inputs=(2,), **options):
    return Chooser(**options).choose(cell, inputs, 5)


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
    assert on_gpu.reason == (
        "equals torch's LSTM; no kernel, since kernels are for the CPU and this runs on cuda"
    )
    assert chosen(PeepholeLSTM(), device="cuda").name == "loop"


@pytest.mark.parametrize(
    "options", [{"forced": "torch"}, {"forced": "loop"}, {"device": "cuda"}], ids=str
)
def test_nothing_is_built_that_will_not_be_run(options):
    built = []
    chosen(LSTM(), library=built.append, **options)
    assert built == []


@pytest.mark.parametrize(
    "cell",
    [PeepholeLSTM(), GRU(reset="before"), RNN(nonlinearity="identity")],
    ids=lambda cell: type(cell).__name__,
)
def test_a_cell_without_an_equal_in_torch_is_not_forced_into_it(cell):
    for ask in (lambda: chosen(cell, forced="torch"), lambda: runner("torch", cell)):
        with pytest.raises(InputError, match=f"`torch` cannot run cell `{cell.name}`.*`loop`"):
            ask()


def test_a_misspelt_backend_is_named_with_those_there_are():
    for ask in (lambda: Chooser(forced="lop"), lambda: runner("lop", LSTM())):
        with pytest.raises(UnknownNameError, match="did you mean `loop`"):
            ask()


# what the author wrote


class Elman(Cell):
    name = "elman"
    reference = "none"
    equations = "h_t = tanh(W x_t + U h_{t−1} + b)"

    def weights(self, inputs, hidden):
        return {"W": uniform(hidden, inputs), "U": orthogonal(hidden, hidden), "b": zeros(hidden)}

    def state(self, hidden):
        return {"h": zeros(hidden)}

    def new(self, x, s, w):
        return torch.tanh(x @ w.W.T + s.h @ w.U.T + w.b)


class Reducing(Elman):
    def step(self, x, s, w):
        h = self.new(x, s, w)
        return {"h": h / (1 + h.amax(-1, keepdim=True))}


class Branching(Elman):
    def step(self, x, s, w):
        h = self.new(x, s, w)
        if h.sum() > 0:
            h = h / 2
        return {"h": h}


class Halving(Elman):
    def step(self, x, s, w):
        return {"h": self.new(x, s, w).half().float()}


class Hooking(Elman):
    """A gradient of its own, which the trace cannot see."""

    def step(self, x, s, w):
        h = self.new(x, s, w)
        if h.requires_grad:
            h.register_hook(lambda gradient: gradient / 2)
        return {"h": h}


class Counting(Elman):
    """Another step for a batch of five."""

    def step(self, x, s, w):
        return {"h": self.new(x, s, w) / (2 if len(x) == 5 else 1)}


class NarrowOnly(Elman):
    def step(self, x, s, w):
        h = self.new(x, s, w)
        return {"h": h if x.shape[-1] < 4 else h.sort(-1).values}


@pytest.mark.parametrize(
    ("cell", "said", "line"),
    [
        (Reducing(), "reduces over features", "return {"),
        (Branching(), "reads a tensor's value into Python", "if h.sum() > 0:"),
        (Halving(), "torch.float16", "return {"),
        (Hooking(), "its kernel differs from the loop by", ""),
        (Counting(), "its kernel differs from the loop by", ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Cell) else "",
)
def test_a_cell_that_cannot_become_a_kernel_runs_in_the_loop_and_says_why_and_where(
    cell, said, line
):
    backend = chosen(cell)
    assert backend.name == "loop"
    assert backend.reason.startswith("no kernel, since its ")
    assert said in backend.reason
    if line:
        number = type(cell).step.__code__.co_firstlineno
        assert any(f"test_backend.py:{number + 1 + n}: " in backend.reason for n in range(3))
        assert line in backend.reason
    with pytest.raises(
        InputError, match=r"backend `kernel` cannot run cell `elman`: its "
    ) as error:
        chosen(cell, forced="kernel")
    assert said in str(error.value)


def test_every_width_that_a_cell_reads_must_have_a_kernel():
    assert chosen(NarrowOnly(), (2, 3)).name == "kernel"
    assert chosen(NarrowOnly(), (2, 5)).name == "loop"


class Detaching(Elman):
    def step(self, x, s, w):
        return {"h": self.new(x, s, w) + s.h.detach()}


class SwitchingOff(Elman):
    def step(self, x, s, w):
        with torch.no_grad():
            old = s.h / 2
        return {"h": self.new(x, s, w) + old}


class Drawing(Elman):
    def step(self, x, s, w):
        return {"h": self.new(x, s, w) + torch.randn_like(s.h)}


class Tossing(Elman):
    def step(self, x, s, w):
        return {"h": self.new(x, s, w) * random.random()}


class Ageing(Elman):
    age = 0

    def step(self, x, s, w):
        self.age += 1
        return {"h": self.new(x, s, w) / self.age}


class AgeingAndBranching(Ageing):
    def step(self, x, s, w):
        h = super().step(x, s, w)["h"]
        return {"h": h if h.sum() > 0 else h / 2}


@pytest.mark.parametrize("forced", [None, "loop", "kernel"])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize(
    ("cell", "said", "offset"),
    [
        (Detaching(), "detaches a tensor inside `step`", 1),
        (SwitchingOff(), "switches gradients off inside `step`", 2),
        (Drawing(), "draws random numbers inside `step`", 1),
        (Tossing(), "draws random numbers from `random` inside `step`", 0),
        (Ageing(), "changes `self.age` inside `step`", 0),
        (AgeingAndBranching(), "changes `self.age` inside `step`", 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Cell) else "",
)
def test_what_would_be_silently_wrong_is_an_error_on_every_device_and_backend(
    cell, said, offset, device, forced
):
    with pytest.raises(PluginError, match=said) as error:
        chosen(cell, device=device, forced=forced)
    line = type(cell).step.__code__.co_firstlineno + offset
    assert f"test_backend.py:{line}" in str(error.value)
    assert "\n" not in str(error.value)


# what the machine lacks


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A machine without a compiler and with an empty cache."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "bin").mkdir()
    system_compiler.cache_clear()
    yield tmp_path
    system_compiler.cache_clear()


def failing_compiler(folder):
    """Put a compiler there that answers questions, and fails on every source."""
    compiler = folder / "bin" / "g++"
    compiler.write_text(
        '#!/bin/sh\ncase "$*" in *--version*|*-dM*) exit 0;; esac\n'
        "echo 'kernel.cpp:3:1: error: no such luck' >&2; exit 1\n"
    )
    compiler.chmod(0o755)


@pytest.mark.usefixtures("system")
def test_without_a_compiler_there_is_no_kernel():
    reason = "no kernel, since no C++ compiler: g++, clang++, c++ not found on PATH"
    assert (chosen(PeepholeLSTM()).name, chosen(PeepholeLSTM()).reason) == ("loop", reason)
    assert chosen(LSTM()).name == "torch"
    assert chosen(LSTM()).reason == f"equals torch's LSTM; {reason}"
    with pytest.raises(InputError, match="`kernel` cannot run cell `lstm`: no C"):
        chosen(LSTM(), forced="kernel")


def test_a_compiler_that_fails_is_a_reason_and_was_announced(system):
    failing_compiler(system)
    announced = []
    backend = chosen(PeepholeLSTM(), compiling=lambda: announced.append("once"))
    assert backend.name == "loop"
    assert backend.reason.endswith("failed: kernel.cpp:3:1: error: no such luck")
    assert announced == ["once"]


def test_what_is_in_the_cache_is_not_announced():
    chosen(LSTM())

    def compiling():
        raise AssertionError

    assert chosen(LSTM(), compiling=compiling).name == "kernel"


def test_a_cache_that_others_can_write_to_is_a_reason(system):
    failing_compiler(system)
    folder = system / "cache" / "rnnbench" / "kernels"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    backend = chosen(PeepholeLSTM())
    assert backend.name == "loop"
    assert f"from {folder}: others may write to it" in backend.reason


def test_what_fails_while_a_kernel_is_made_does_not_stop_the_cell():
    def library(source):
        raise TypeError("a mistake")

    backend = chosen(PeepholeLSTM(), library=library)
    assert backend.name == "loop"
    assert re.fullmatch(
        r"no kernel, since rnnbench fails to make one: TypeError: a mistake, at "
        r"test_backend.py:\d+, which is a fault of rnnbench's",
        backend.reason,
    )


def test_a_chooser_makes_and_checks_a_kernel_once():
    built = []

    def library(source):
        built.append(source)
        return system_library()(source)

    chooser = Chooser(library=library)
    for _ in range(3):
        chooser.choose(LSTM(), (2, 2), 5)
    assert len(built) == 2  # the cell's own code, and what all kernels share
    chooser.choose(LSTM(), (2,), 6)
    assert len(built) == 4


def test_values_of_numeric_options_build_and_check_nothing_new():
    made = []

    def counting(source):
        made.append(source)
        return system_library()(source)

    chooser = Chooser(library=counting)
    first = chooser.choose(LSTM(forget_bias=0.0), [2], 7)
    count = len(made)
    assert chooser.choose(LSTM(forget_bias=3.0), [2], 7) == first
    assert (len(made), count) == (2, 2)
    run = [runner("kernel", LSTM(forget_bias=bias), library=counting) for bias in (0.0, 3.0)]
    outputs = []
    for each, bias in zip(run, (0.0, 3.0), strict=True):
        cell = LSTM()
        weights = {name: w.draw(torch.Generator()) for name, w in cell.weights(2, 7).items()}
        weights["forget_bias"] = torch.tensor(bias)
        state = {name: torch.zeros(3, 7) for name in cell.state(7)}
        x = torch.ones(4, 3, 2)
        outputs.append(each(x, Tensors(state), Tensors(weights), None)[0])
    assert len(made) == 4
    assert not torch.equal(*outputs)


def test_a_kernels_compiler_is_named_and_no_others():
    assert chosen(GRU(), forced="kernel").compiler == str(system_compiler())
    assert chosen(GRU()).compiler == str(system_compiler())
    assert chosen(GRU(), forced="loop").compiler == ""
    assert chosen(GRU(), device="cuda").compiler == ""


@pytest.mark.usefixtures("system")
def test_a_worker_that_cannot_build_the_kernel_that_was_chosen_takes_no_other_backend():
    finished, weights = train(template(backend="kernel"), load_registry())
    assert (finished.status, finished.updates, weights) == ("error", 0, None)
    assert finished.reason.startswith(
        "InputError: backend `kernel` cannot run cell `lstm`: no C++ compiler"
    )
