"""A check before training: a wrong kernel is refused, a right one never is."""

import itertools
import random
import re

import pytest
import torch

from rnnbench.contracts import Cell, Noise, Tensors
from rnnbench.errors import PluginError, UnsupportedError
from rnnbench.initial import orthogonal, uniform, zeros
from rnnbench.options import Option
from rnnbench.recurrence.backend import shapes_of, system_library
from rnnbench.recurrence.kernel import Kernel
from rnnbench.recurrence.trace import trace
from rnnbench.recurrence.verify import SEEDS, mismatch, reference, reference_on
from rnnbench.registry import load_registry


class Elman(Cell):
    name = "elman"
    reference = "none"
    equations = "h_t = tanh(W x_t + U h_{t−1} + b)"

    def weights(self, inputs, hidden):
        return {"W": uniform(hidden, inputs), "U": orthogonal(hidden, hidden), "b": zeros(hidden)}

    def state(self, hidden):
        return {"h": zeros(hidden)}

    def step(self, x, s, w):
        return {"h": torch.tanh(x @ w.W.T + s.h @ w.U.T + w.b)}


class Leaky(Elman):
    """Two options whose default is zero, one of them bounded by it, and noise."""

    options = {"shift": Option(0.0), "leak": Option(0.0, low=-1.0, high=0.0)}

    def noise(self, hidden):
        return {"shake": Noise("normal", hidden, strength="leak")}

    def step(self, x, s, w):
        new = torch.tanh(x @ w.W.T + s.h @ w.U.T + w.b + w.shift + w.shake)
        return {"h": new + w.leak * s.h}


BUILT_IN = load_registry().cells
STRUCTURES = [
    (name, dict(zip(structural, values, strict=True)))
    for name, component in BUILT_IN.items()
    # `init` shapes no step
    for structural in [
        [n for n, o in component.cls.options.items() if not o.numeric and n != "init"]
    ]
    for values in itertools.product(*(component.cls.options[n].choices for n in structural))
]


def kernel_of(cell, inputs=2, hidden=5, library=None):
    shapes = shapes_of(cell, inputs, hidden)
    return Kernel(cell, trace(cell, shapes), library or system_library())


def refusal(cell, kernel):
    return mismatch(kernel, reference(cell, kernel.shapes))


@pytest.mark.parametrize("hidden", [1, 2, 5, 17, 64])
@pytest.mark.parametrize(("name", "options"), STRUCTURES, ids=str)
def test_a_right_kernel_is_not_refused(name, options, hidden):
    cell = BUILT_IN[name].cls(**options)
    for inputs in {2, hidden}:
        kernel = kernel_of(cell, inputs, hidden)
        for seed in SEEDS:
            assert mismatch(kernel, reference_on(seed, cell, kernel.shapes)) == ""


class Altered:
    """A kernel that is called with other arguments, or returns other values, than it should."""

    def __init__(self, kernel, before=lambda *given: given, after=lambda outputs: outputs):
        self.shapes, self._kernel = kernel.shapes, kernel
        self._before, self._after = before, after

    def __call__(self, *given):
        outputs, state = self._kernel(*self._before(*given))
        return self._after(outputs), state


def weight(name, change):
    """Change one weight on its way into the kernel."""
    return lambda x, state, w, *rest: (x, state, Tensors(w | {name: change(w[name])}), *rest)


class Poison(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, dy):
        return dy * float("nan")


def swapped(tensor):
    """Swap the blocks of two gates: [..., 4 · hidden, n]."""
    first, second, *rest = tensor.chunk(4, -2)
    return torch.cat([second, first, *rest], -2)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(weight("W", swapped), id="a swapped gate"),
        pytest.param(weight("b", torch.detach), id="a dropped gradient of a bias"),
        pytest.param(weight("U", lambda u: 2 * u.detach() - u), id="the sign of a gradient"),
        pytest.param(weight("forget_bias", torch.detach), id="a dropped gradient of an option"),
        pytest.param(weight("b", Poison.apply), id="a gradient that is no number"),
        pytest.param(
            weight("forget_bias", lambda f: f.flip(0) if f.dim() else f), id="another's option"
        ),
        pytest.param(lambda x, s, w, _, n: (x, s, w, None, n), id="lengths passed over"),
        pytest.param(lambda x, s, w, ends, n: (x, s, w, ends.flip(0), n), id="another's length"),
        pytest.param(lambda x, *rest: (x.detach(), *rest), id="a dropped gradient of the inputs"),
        pytest.param(
            lambda x, s, *rest: (x, Tensors(s | {"c": s["c"].detach()}), *rest),
            id="a dropped gradient of a first state",
        ),
    ],
)
def test_a_wrong_kernel_is_refused(before):
    cell = BUILT_IN["lstm"].cls()
    right = kernel_of(cell)
    assert refusal(cell, Altered(right)) == ""
    assert "its kernel differs from the loop by" in refusal(cell, Altered(right, before))


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda outputs: not torch.is_grad_enabled(), id="without gradients"),
        pytest.param(lambda outputs: outputs.dim() == 3, id="for one member alone"),
        pytest.param(
            lambda outputs: outputs.dim() == 4 and torch.is_grad_enabled(),
            id="for members together",
        ),
    ],
)
def test_a_kernel_that_is_wrong_in_one_of_its_ways_is_refused(wrong):
    cell = Elman()
    kernel = Altered(
        kernel_of(cell), after=lambda outputs: outputs * 1.0003 if wrong(outputs) else outputs
    )
    assert refusal(cell, kernel) != ""


@pytest.mark.parametrize("name", ["shift", "leak"])
def test_another_members_option_is_noticed_where_the_default_is_zero(name):
    cell = Leaky()

    def other(option):
        """The value of the other member, with the gradient of its own."""
        return (option.flip(0) - option).detach() + option if option.dim() else option

    right = kernel_of(cell)
    assert refusal(cell, Altered(right)) == ""
    assert refusal(cell, Altered(right, weight(name, other))) != ""


def test_noise_that_a_kernel_does_not_read_is_noticed():
    cell = Leaky()
    deaf = Altered(
        kernel_of(cell),
        lambda *given: (
            *given[:4],
            Tensors({name: torch.zeros_like(drawn) for name, drawn in given[4].items()}),
        ),
    )
    assert refusal(cell, deaf) != ""


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        pytest.param(r"\(1\.0f - (v\d+)\)", r"(1.0f + \1)", id="the sign in a derivative"),
        pytest.param(r"tanh_\(i(\d)", r"sigmoid_(i\1", id="another function"),
        pytest.param(r"in\[1\](.*)in\[1\]", r"in[3]\1in[3]", id="another operand"),
    ],
)
def test_a_change_in_the_code_of_a_kernel_is_refused(pattern, replacement):
    def library(source):
        head, name, code = source.partition("forward_0")
        if not name:  # what all kernels share
            return system_library()(source)
        changed = re.sub(pattern, replacement, code, count=1)
        assert changed != code
        return system_library()(head + name + changed)

    cell = BUILT_IN["lstm"].cls()
    assert refusal(cell, kernel_of(cell)) == ""
    assert "its kernel differs from the loop by" in refusal(cell, kernel_of(cell, library=library))


def test_a_kernel_that_is_wrong_on_one_draw_is_refused():
    cell = Elman()
    right = kernel_of(cell)
    drawn = reference(cell, right.shapes).given.x[0, 0, 0]

    def before(x, *rest):
        return (x * 1.1 if torch.equal(x.flatten()[: len(drawn)], drawn) else x, *rest)

    assert refusal(cell, Altered(right, before)).startswith("its kernel differs from the loop by")


def test_a_draw_on_which_rounding_decides_is_passed_over():
    tie = float(reference(Elman(), shapes_of(Elman(), 2, 5)).given.x.detach()[0, 0, 0, 0])

    class Switched(Elman):
        def step(self, x, s, w):
            return {"h": super().step(x, s, w)["h"] * torch.where(x[:, :1] > tie, 1.0, 0.5)}

    cell = Switched()
    shapes = shapes_of(cell, 2, 5)
    assert reference_on(SEEDS[0], cell, shapes).silence != ""
    assert torch.equal(
        reference(cell, shapes).given.x, reference_on(SEEDS[1], cell, shapes).given.x
    )
    assert refusal(cell, kernel_of(cell)) == ""


def test_a_gradient_that_rounds_badly_does_not_hide_an_error_in_another():
    class Cancelling(Elman):
        """The gradient of `shift` is a difference of two sums ten thousand times as large."""

        options = {"shift": Option(0.0, low=0.0, high=0.0)}

        def step(self, x, s, w):
            new = super().step(x, s, w)["h"]
            return {"h": new + w.shift * (1e4 * new) - w.shift * (1e4 * new + new)}

    cell = Cancelling()
    right = kernel_of(cell)
    expected = reference(cell, right.shapes)
    errors = dict(zip(expected.names, expected.errors, strict=True))
    assert errors["the gradient of `shift`"] > 100 * errors["the gradient of `b`"]
    assert refusal(cell, right) == ""
    slightly = Altered(right, weight("b", lambda b: b + 1e-3 * (b - b.detach())))
    assert "the gradient of `b`" in refusal(cell, slightly)


# what a step hides


class Shaken(Elman):
    def step(self, x, s, w):
        return {"h": super().step(x, s, w)["h"] * random.random()}


class Counting(Elman):
    """Changes a little with each call, in a way that float32 does not see."""

    calls = 0

    def step(self, x, s, w):
        self.calls += 1
        return {"h": super().step(x, s, w)["h"] * (1 + 1e-9 * self.calls)}


class Settling(Counting):
    """Comes to rest after ten calls."""

    def step(self, x, s, w):
        self.calls += 1
        return {"h": Elman.step(self, x, s, w)["h"] * min(1.0, 0.1 * self.calls)}


class Remembering(Elman):
    last: object = 0.0

    def step(self, x, s, w):
        self.last = torch.tanh(x @ w.W.T + s.h @ w.U.T + w.b + self.last)
        return {"h": self.last}


class Single(Counting):
    """Runs in float32 only, and counts."""

    def step(self, x, s, w):
        self.calls += 1
        return {"h": torch.tanh(x @ torch.ones(2, 5) + s.h) * (1 + self.calls)}


@pytest.mark.parametrize("cell", [Shaken, Counting, Settling, Remembering, Single])
def test_hidden_random_numbers_and_memories_are_errors(cell):
    line = cell.step.__code__.co_firstlineno
    with pytest.raises(PluginError, match=rf"its step at test_verify.py:{line} has hidden random"):
        reference(cell(), shapes_of(cell(), 2, 5))


def test_a_memory_that_has_come_to_rest_is_still_noticed():
    cell = Settling()
    for _ in range(3):
        with pytest.raises(PluginError):
            reference(cell, shapes_of(cell, 2, 5))


# what cannot be checked


class Pinned(Elman):
    def step(self, x, s, w):
        return {"h": torch.tanh(x @ torch.ones(2, 5) + s.h)}


class Rooted(Elman):
    def step(self, x, s, w):
        return {"h": torch.sqrt(super().step(x, s, w)["h"])}


class Wild(Elman):
    def step(self, x, s, w):
        return {"h": torch.sin(1e6 * super().step(x, s, w)["h"])}


def test_a_step_that_does_not_run_in_float64_cannot_be_checked():
    with pytest.raises(UnsupportedError, match="its step does not run in float64"):
        reference(Pinned(), shapes_of(Pinned(), 2, 5))


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (Rooted(), "its step makes infinities or NaN out of inputs and states around zero"),
        (Wild(), "rounding alone changes "),
    ],
    ids=lambda value: value.name if isinstance(value, Cell) else "",
)
def test_numbers_that_tell_nothing_are_no_check(cell, reason):
    assert refusal(cell, kernel_of(cell)).startswith(reason)
