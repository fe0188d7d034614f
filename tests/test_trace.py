"""Steps that do not become kernels: what is said of them, and at which of the author's lines."""

import inspect
import random
import warnings
from functools import cached_property

import numpy as np
import pytest
import torch
from torch import nn, sigmoid, tanh
from torch.nn import functional
from ways import IN, ONE, H, Written, affine, kernel_of, way

from rnnbench import Tensors
from rnnbench.errors import PluginError, UnsupportedError
from rnnbench.options import Option
from rnnbench.recurrence.backend import shapes_of
from rnnbench.recurrence.trace import trace
from rnnbench.recurrence.verify import mismatch, reference


class StraightThrough(torch.autograd.Function):
    """A step whose gradient is that of a line."""

    @staticmethod
    def forward(ctx, a):
        return (a > 0).to(a.dtype)

    @staticmethod
    def backward(ctx, gradient):
        return gradient


class WithSetup(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(a):
        return torch.sign(a)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass

    @staticmethod
    def backward(ctx, gradient):
        return gradient


REFUSED = {
    "softmax": (
        lambda x, s, w: functional.softmax(affine(x, s, w), -1),
        "uses `softmax`: it compares features",
    ),
    "the largest feature": (
        lambda x, s, w: affine(x, s, w) / (1 + s.h.amax(-1, keepdim=True)),
        "uses `amax`: it reduces over features",
    ),
    "sorted features": (lambda x, s, w: affine(x, s, w).sort(-1).values, "uses `sort`: "),
    "running sums": (
        lambda x, s, w: affine(x, s, w).cumsum(-1),
        "uses `cumsum`: .* multiply with a triangular matrix",
    ),
    "a function without a rule": (lambda x, s, w: torch.lgamma(affine(x, s, w)), "no rule in C"),
    "padding": (lambda x, s, w: tanh(functional.pad(s.h[:, 1:], (1, 0)) + x @ w.W.T), "use cat"),
    "bilinear": (
        lambda x, s, w: tanh(functional.bilinear(s.h, s.h, w.U.expand(H, H, H))),
        r"write \(x @ A\) \* \(h @ B\)",
    ),
    "data times data": (
        lambda x, s, w: affine(x, s, w) * (s.h @ s.h.T).sum(1, keepdim=True),
        "of data with data: one side must depend on weights",
    ),
    "a scaled product": (
        lambda x, s, w: torch.addmm(w.b, s.h, w.U, beta=0.5) + x @ w.W.T,
        "alpha or beta",
    ),
    "a weight for each of two heads": (
        lambda x, s, w: torch.bmm(s.h.view(-1, 2, 3).transpose(0, 1), w.U.view(2, 3, H)).sum(0),
        "write one product for each weight|a weight for each",
    ),
    "many pieces": (
        lambda x, s, w: (
            torch.stack([affine(x, s, w)] * 4, -1).flatten(1)[:, : 4 * H] @ w.U.repeat(4, 1)
        ),
        "into .* pieces .* permute",
    ),
    "features picked by their values": (
        lambda x, s, w: affine(x, s, w) * s.h[s.h > 0].sum(),
        "picks features by what they hold; use torch.where",
    ),
    "an order made by a weight": (
        lambda x, s, w: affine(x, s, w)[:, w.b.argsort()],
        "picks features by what they hold",
    ),
    "the mean of the batch": (
        lambda x, s, w: affine(x, s, w) - s.h.mean(0, keepdim=True),
        "mixes the sequences of a batch with `mean`",
    ),
    "the mean of all": (lambda x, s, w: affine(x, s, w) - s.h.mean(), "mixes the sequences"),
    "a norm over the batch": (lambda x, s, w: affine(x, s, w) / s.h.norm(), "norm|mixes"),
    "rows rolled": (lambda x, s, w: affine(x, s, w) + s.h.roll(1, 0), "mixes the sequences"),
    "one row for all": (lambda x, s, w: affine(x, s, w) + s.h[:1], "mixes .* with `slice`"),
    "a row against a column": (
        lambda x, s, w: (
            affine(x, s, w) * (s.h.sum(-1, keepdim=True) * s.h.sum(-1)).mean(-1, keepdim=True)
        ),
        "mixes the sequences of a batch",
    ),
    "numbers that count the batch": (
        lambda x, s, w: affine(x, s, w) + torch.arange(len(x))[:, None],
        "differ between the sequences of a batch",
    ),
    "a branch on data": (
        lambda x, s, w: affine(x, s, w) if s.h.sum() > 0 else s.h,
        "reads a tensor's value into Python .*; use torch.where",
    ),
    "a branch on a weight": (
        lambda x, s, w: affine(x, s, w) if w.b[0] > 0 else s.h,
        "reads a tensor's value into Python",
    ),
    "float64": (lambda x, s, w: affine(x, s, w).double().tanh().to(x.dtype), "makes torch.float64"),
    "float16": (lambda x, s, w: affine(x, s, w).half().tanh().to(x.dtype), "makes torch.float16"),
    "bfloat16": (lambda x, s, w: affine(x, s, w).bfloat16().to(x.dtype), "makes torch.bfloat16"),
    "integers": (lambda x, s, w: affine(x, s, w) + (4 * s.h).long() / 4, "makes torch.int64"),
    "complex numbers": (lambda x, s, w: (affine(x, s, w) * 1j).exp().real, "makes torch.complex64"),
    "a function with a gradient of its own": (
        lambda x, s, w: StraightThrough.apply(affine(x, s, w)) + s.h,
        "calls a torch.autograd.Function, whose gradient is its own",
    ),
    "a function with a gradient of its own, set up apart": (
        lambda x, s, w: WithSetup.apply(affine(x, s, w)) + s.h,
        "calls a torch.autograd.Function, whose gradient is its own",
    ),
}
"""What runs, but in the loop."""


def without_gradients(x, s, w):
    with torch.no_grad():
        a = sigmoid(s.h)
    return affine(x, s, w) * a


def in_inference(x, s, w):
    with torch.inference_mode():
        a = sigmoid(s.h)
    return affine(x, s, w) * a


def switched(x, s, w):
    torch.set_grad_enabled(False)
    return tanh(x @ w.W.T + s.h @ w.U)


@torch.no_grad()
def hidden_helper(h):
    return h * 2


def writing_a_column(x, s, w):
    s.h[:, 0] = 1
    return affine(x, s, w)


def writing_a_weight(x, s, w):
    w.b.mul_(0.9)
    return affine(x, s, w)


def through_an_argument(x, s, w):
    return torch.add(affine(x, s, w), 1, out=s.h)


ERRORS = {
    "item": (lambda x, s, w: affine(x, s, w) * s.h.mean().item(), "loses its gradient"),
    "float": (lambda x, s, w: affine(x, s, w) * float(w.b[0]), "loses its gradient"),
    "a list": (lambda x, s, w: affine(x, s, w) * max(w.b.tolist()), "loses its gradient"),
    "detach": (lambda x, s, w: affine(x, s, w) + s.h.detach(), "detaches a tensor"),
    "torch.detach": (lambda x, s, w: affine(x, s, w) + torch.detach(s.h), "detaches a tensor"),
    "data": (lambda x, s, w: affine(x, s, w) + s.h.data, "detaches a tensor"),
    "a copy by torch.tensor": (lambda x, s, w: s.h + torch.tensor(s.h), "detaches a tensor"),
    "a copy by new_tensor": (lambda x, s, w: s.h + x.new_tensor(s.h), "detaches a tensor"),
    "torch.tensor by name": (lambda x, s, w: s.h + torch.tensor(data=s.h), "detaches a tensor"),
    "new_tensor by name": (lambda x, s, w: s.h + x.new_tensor(data=s.h), "detaches a tensor"),
    "a tensor that requires a gradient of its own": (
        lambda x, s, w: s.h + torch.tensor(s.h, requires_grad=True),
        "detaches a tensor",
    ),
    "torch.asarray": (
        lambda x, s, w: s.h + torch.asarray(s.h, requires_grad=False),
        "detaches a tensor",
    ),
    "torch.asarray by name": (
        lambda x, s, w: s.h + torch.asarray(obj=s.h, requires_grad=False),
        "detaches a tensor",
    ),
    "a list of a state's numbers": (
        lambda x, s, w: affine(x, s, w) * torch.tensor([s.h[0, 0], 1]).sum(),
        "detaches a tensor",
    ),
    "as_tensor of a list": (
        lambda x, s, w: affine(x, s, w) * torch.as_tensor([s.h[0, 0]]),
        "detaches a tensor",
    ),
    "linspace": (
        lambda x, s, w: affine(x, s, w) * torch.linspace(s.h[0, 0], 1, H),
        "detaches a tensor",
    ),
    "no_grad": (without_gradients, "switches gradients off"),
    "no_grad on a helper": (
        lambda x, s, w: affine(x, s, w) + hidden_helper(s.h),
        "switches gradients off",
    ),
    "inference_mode": (in_inference, "switches gradients off"),
    "set_grad_enabled": (switched, "switches gradients off"),
    "randn_like": (lambda x, s, w: s.h + torch.randn_like(s.h), "draws random numbers"),
    "rand of a size": (
        lambda x, s, w: s.h * (torch.rand(len(x), H) > 0.5),
        "draws random numbers",
    ),
    "a generator": (
        lambda x, s, w: s.h + torch.rand(H, generator=torch.Generator()),
        "draws random numbers",
    ),
    "dropout": (
        lambda x, s, w: functional.dropout(affine(x, s, w), 0.5),
        "declare them with `noise`",
    ),
    "nn.Dropout": (lambda x, s, w: nn.Dropout()(affine(x, s, w)), "draws random numbers"),
    "rrelu": (lambda x, s, w: functional.rrelu(affine(x, s, w), training=True), "draws random"),
    "bernoulli_": (lambda x, s, w: affine(x, s, w) * s.h.clone().bernoulli_(0.5), "draws random"),
    "a module with weights": (
        lambda x, s, w: nn.Linear(H, H)(s.h),
        "makes weights inside `step`.*declare them with `weights`",
    ),
    "nn.GRUCell": (lambda x, s, w: nn.GRUCell(IN, H)(x, s.h), "makes weights|draws random"),
    "writing into the state": (
        lambda x, s, w: affine(x, s, w) + s.h.add_(1),
        "writes into x, a state",
    ),
    "writing into x": (lambda x, s, w: affine(x.mul_(2), s, w), "writes into x"),
    "relu in place": (lambda x, s, w: functional.relu(s.h, inplace=True), "make a new tensor"),
    "writing a column": (writing_a_column, "writes into"),
    "writing into a weight": (writing_a_weight, "writes into"),
    "out=": (through_an_argument, "its step fails with RuntimeError: add"),
    "a misspelt weight": (
        lambda x, s, w: x @ w.V,
        "its step fails with AttributeError: no tensor `V`; there are W, U, b",
    ),
    "a misspelt name": (lambda x, s, w: afine(x, s, w), "fails with NameError: name 'afine'"),  # noqa: F821
    "an error of the author's": (lambda x, s, w: [affine(x, s, w)][1], "fails with IndexError"),
    "shapes that do not fit": (lambda x, s, w: x @ w.U, "cannot be multiplied"),
    "a batch that is a width by chance": (
        lambda x, s, w: affine(x, s, w) * w.U,
        "must match the size",
    ),
    "numpy": (
        lambda x, s, w: affine(x, s, w) * float(np.tanh(x.numpy()).mean()),
        "fails with RuntimeError: Can't call numpy",
    ),
}
"""What no backend may run."""

WITHOUT_A_LINE = {
    "other states": (lambda x, s, w: {"c": s.h}, "declares the states h, but its step returns c"),
    "another width": (lambda x, s, w: affine(x, s, w)[:, :5], "returns `h` as"),
    "a tuple": (lambda x, s, w: (s.h,), "its step returns tuple, not the new states by name"),
    "a state of float64": (
        lambda x, s, w: tanh(x @ w.W.T).double(),
        "returns `h` as torch.float64, given torch.float32; the harness chooses the precision",
    ),
    "a mask for a state": (lambda x, s, w: {"h": s.h > 0}, "returns `h` as torch.bool"),
    "what is changed before its gradient": (
        lambda x, s, w: sigmoid(affine(x, s, w)).mul_(2),
        "the gradient of its step fails .* modified by an inplace operation",
    ),
    "what has no gradient": (
        lambda x, s, w: affine(x, s, w) // 0.3,
        "the gradient of its step fails .*floor_divide is not implemented",
    ),
}

CALLS = [0]


def counting(x, s, w):
    CALLS[0] += 1
    return affine(x, s, w) / CALLS[0]


HIDDEN = {
    "random of Python": lambda x, s, w: affine(x, s, w) * random.random(),
    "random of numpy": lambda x, s, w: affine(x, s, w) * float(np.random.rand()),
    "a counter": counting,
}


def late(self, x, s, w):
    """Change after many calls, which no check waits for."""
    self.calls = getattr(self, "calls", 0) + 1
    return {"h": affine(x, s, w) * (1.0 if self.calls < 200 else 0.0)}


def lately(self, x, s, w):
    type(self).calls = getattr(self, "calls", 0) + 1
    return {"h": affine(x, s, w)}


def listing(self, x, s, w):
    self.seen = [*getattr(self, "seen", []), 1]
    return {"h": affine(x, s, w)}


SELDOM = {
    "a counter of the cell": (
        late,
        r"changes `self.calls` inside `step`, at test_trace.py:\d+: carry .* as a state",
    ),
    "a counter of its class": (lately, r"changes `self.calls` inside"),
    "a list that grows": (listing, r"changes `self.seen` inside"),
    "a rare draw of numpy": (
        lambda self, x, s, w: {"h": affine(x, s, w) * (1 if np.random.rand() > 1e-9 else 2)},
        r"random numbers from `numpy.random` .*declare",
    ),
    "a rare draw of Python": (
        lambda self, x, s, w: {"h": affine(x, s, w) * (1 if random.random() > 1e-9 else 2)},
        r"random numbers from `random` .*declare",
    ),
}
"""What is hidden and shows in no number of a check."""


@pytest.mark.parametrize(("step", "said"), SELDOM.values(), ids=SELDOM)
def test_what_is_hidden_is_an_error_even_if_it_changes_nothing_yet(step, said):
    cell = type(
        "Seldom", (Written,), {"inputs": IN, "states": {"h": H}, "shapes": ONE, "step": step}
    )
    with pytest.raises(PluginError, match=said):
        kernel_of(cell())


def test_what_is_made_once_and_stays_is_no_memory():
    class Caching(Written):
        inputs, states, shapes = IN, {"h": H}, ONE

        @cached_property
        def mask(self):
            return torch.ones(H)

        def step(self, x, s, w):
            return {"h": affine(x, s, w) * self.mask}

    assert kernel_of(Caching()).shapes.states == {"h": H}


def lines_of(step) -> list[str]:
    """Return `file:line: code` of every line of a step, and of what it calls here."""
    steps = [step, hidden_helper.__wrapped__, StraightThrough.forward, WithSetup.forward]
    return [
        f"test_trace.py:{first + number}: {code.strip()}"
        for lines, first in map(inspect.getsourcelines, steps)
        for number, code in enumerate(lines)
    ]


def assert_short_with_line(message: str, step) -> None:
    assert "\n" not in message
    found = [line for line in lines_of(step) if f"at {line}" in message]
    assert found, message
    assert len(message) - len(found[0]) < 200


@pytest.mark.parametrize(("step", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_become_a_kernel_says_where_and_why(step, said):
    with pytest.raises(UnsupportedError, match=said) as error:
        kernel_of(way(step))
    assert_short_with_line(str(error.value), step)


@pytest.mark.parametrize(("step", "said"), ERRORS.values(), ids=ERRORS)
def test_what_would_train_wrongly_or_not_at_all_is_an_error_with_its_line(step, said):
    with pytest.raises(PluginError, match=said) as error:
        kernel_of(way(step))
    assert "cell `written`" in str(error.value)
    assert_short_with_line(str(error.value), step)
    assert torch.is_grad_enabled()


MAKING = {
    "torch.tensor": lambda x, s, w: affine(x, s, w) * torch.tensor(0.5),
    "torch.tensor by name": lambda x, s, w: affine(x, s, w) * torch.tensor(data=0.5),
    "new_tensor": lambda x, s, w: affine(x, s, w) * x.new_tensor(0.5),
    "new_tensor by name": lambda x, s, w: affine(x, s, w) * x.new_tensor(data=0.5),
    "new_tensor of a list": lambda x, s, w: affine(x, s, w) * x.new_tensor([0.5] * H),
    "linspace": lambda x, s, w: affine(x, s, w) * torch.linspace(0, 1, H),
    "as_tensor": lambda x, s, w: torch.as_tensor(affine(x, s, w)),
    "asarray": lambda x, s, w: affine(x, s, w) * torch.asarray([0.5] * H),
    "zeros_like": lambda x, s, w: affine(x, s, w) + torch.zeros_like(s.h),
    "type_as": lambda x, s, w: affine(x, s, w) * torch.ones(H).type_as(s.h),
    "vmap": lambda x, s, w: torch.vmap(lambda row: row * w.b)(affine(x, s, w)),
    "a mask": lambda x, s, w: affine(x, s, w) * (s.h > 0),
    "the sign": lambda x, s, w: affine(x, s, w) * torch.sign(s.h).round(),
}
"""Tensors without a gradient that are made where none is lost."""


@pytest.mark.parametrize("step", MAKING.values(), ids=MAKING)
def test_what_loses_no_gradient_is_accepted(step):
    cell = way(step)
    assert trace(cell, shapes_of(cell, IN, H)).shapes.states == {"h": H}


@pytest.mark.parametrize(("step", "said"), WITHOUT_A_LINE.values(), ids=WITHOUT_A_LINE)
def test_what_a_step_returns_is_an_error_where_it_is_wrong(step, said):
    with pytest.raises(PluginError, match=said) as error:
        kernel_of(way(step))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 260


def test_a_numeric_option_that_is_read_as_what_was_chosen_is_an_error():
    class Chosen(Written):
        inputs, shapes, states = IN, ONE, {"h": H}
        options = {"leak": Option(0.5), "kind": Option("a", choices=("a", "b"))}

        def step(self, x, s, w):
            assert self.chosen["kind"] == "b"
            return {"h": affine(x, s, w) * self.chosen["leak"]}

    with pytest.raises(PluginError, match=r"reads `self.chosen\['leak'\]`.* is read as `w.leak`"):
        kernel_of(Chosen(kind="b"))


@pytest.mark.parametrize("step", HIDDEN.values(), ids=HIDDEN)
def test_what_is_hidden_from_torch_is_found_by_running_it_twice(step):
    cell = way(step)
    with pytest.raises(PluginError, match="hidden random numbers or a memory of its own"):
        reference(cell, shapes_of(cell, IN, H))


def leaky(step):
    """Keep half of each state: a decorator that does not say what it wraps."""

    def stepped(self, x, s, w):
        return {name: 0.5 * s[name] + 0.5 * new for name, new in step(self, x, s, w).items()}

    return stepped


class Decorated(Written):
    @leaky
    def step(self, x, s, w):
        return {"h": affine(x, s, w).sort(-1).values}


class Inherited(Decorated):
    pass


class OnTop(Decorated):
    def step(self, x, s, w):
        new = super().step(x, s, w)["h"]
        return {"h": new + 1}


class WithHelper(Written):
    def sorted(self, h):
        return h.sort(-1).values

    def step(self, x, s, w):
        return {"h": self.sorted(affine(x, s, w))}


@pytest.mark.parametrize(
    "cell", [Decorated(), Inherited(), OnTop(), WithHelper()], ids=lambda cell: type(cell).__name__
)
def test_the_line_is_the_authors_innermost_one_wherever_it_was_called_from(cell):
    with pytest.raises(UnsupportedError, match=r"at test_trace.py:\d+: return .*sort"):
        kernel_of(cell)


def two_roundings(x, s, w):
    a = torch.div(affine(x, s, w), 0.5, rounding_mode="trunc")
    b = torch.div(affine(x, s, w), 0.25, rounding_mode="floor")
    return a + b


def a_rounding_of_two_gates(x, s, w):
    a = torch.div(s.h, 0.5, rounding_mode="trunc")
    b, c = torch.div(torch.cat([affine(x, s, w), s.h], -1), 0.25, rounding_mode="floor").chunk(2, 1)
    return a + b * c


@pytest.mark.parametrize("step", [two_roundings, a_rounding_of_two_gates])
def test_the_line_is_that_with_the_option_that_is_refused(step):
    with pytest.raises(UnsupportedError, match=r"at test_trace.py:\d+: b.*rounding_mode=.floor"):
        kernel_of(way(step))


def test_a_batch_size_in_the_arithmetic_makes_a_kernel_that_is_refused():
    cell = way(lambda x, s, w: affine(x, s, w) / len(x))
    differs = mismatch(kernel_of(cell), reference(cell, shapes_of(cell, IN, H)))
    assert "its kernel differs from the loop" in differs


def test_warnings_of_a_step_are_left_to_its_training():
    def warning(x, s, w):
        warnings.warn("steep", stacklevel=1)
        return affine(x, s, w) * (2 if s.h[0, 0] > 0 else 1)

    with pytest.raises(UnsupportedError, match="reads a tensor's value"):
        kernel_of(way(warning))


def test_a_norm_has_no_gradient_at_zero_as_in_torch():
    functions = [
        lambda a: a.norm(dim=-1, keepdim=True),
        lambda a: a / (1 + torch.linalg.vector_norm(a, dim=-1, keepdim=True)),
        lambda a: functional.normalize(a, dim=-1),
        lambda a: functional.layer_norm(a, (H,)),
        lambda a: functional.rms_norm(a, (H,), eps=1e-5),
    ]
    for function in functions:
        cell = way(lambda x, s, w, f=function: s.h + f(x), inputs=H)
        x = torch.cat([torch.zeros(1, 1, H), torch.ones(1, 1, H)], 1)
        mine, torchs = x.clone().requires_grad_(), x.clone().requires_grad_()
        outputs, _ = kernel_of(cell)(
            mine,
            Tensors(h=torch.zeros(2, H)),
            Tensors({name: torch.zeros(shape) for name, shape in ONE.items()}),
            None,
        )
        expected = torch.zeros(H) + function(torchs[0])
        weights = torch.arange(2.0 * H).reshape(2, H)
        (outputs[0] * weights).sum().backward()
        (expected * weights).sum().backward()
        torch.testing.assert_close(outputs[0], expected)
        torch.testing.assert_close(mine.grad, torchs.grad, atol=1e-4, rtol=1e-4)
