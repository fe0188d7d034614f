"""Every elementwise rule against torch in float64: values and derivatives, through a kernel."""

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from rnnbench import Cell, Tensors, zeros
from rnnbench.errors import UnsupportedError
from rnnbench.recurrence.backend import system_library
from rnnbench.recurrence.elementwise import code, number
from rnnbench.recurrence.kernel import Kernel
from rnnbench.recurrence.trace import Shapes, trace

WIDTH = 21
"""Columns of each function: whole vectors of any size, and a rest."""

ULPS = 4
"""Units in the last place that a value or a derivative may err."""

SATURATED = 2.0**-127
"""What sigmoid may err at its ends, and x · sigmoid(x) by x times as much."""

VECTORISED = {
    "abs": torch.abs,
    "atan": torch.atan,
    "ceil": torch.ceil,
    "celu": functional.celu,
    "clamp": lambda a: a.clamp(-1, 0.5),
    "clamp_max": lambda a: a.clamp(max=0.5),
    "clamp_min": lambda a: a.clamp(min=0.5),
    "elu": functional.elu,
    "erf": torch.erf,
    "exp": torch.exp,
    "expm1": torch.expm1,
    "floor": torch.floor,
    "frac": torch.frac,
    "gelu": functional.gelu,
    "gelu_tanh": lambda a: functional.gelu(a, approximate="tanh"),
    "hardshrink": functional.hardshrink,
    "hardsigmoid": functional.hardsigmoid,
    "hardtanh": functional.hardtanh,
    "leaky_relu": functional.leaky_relu,
    "log": torch.log,
    "log10": torch.log10,
    "log1p": torch.log1p,
    "log2": torch.log2,
    "logit": torch.logit,
    "logsigmoid": functional.logsigmoid,
    "mask": lambda a: (a > 0).to(a.dtype) * a,
    "masked_fill": lambda a: a.masked_fill(a < 0.5, 0.25),
    "mish": functional.mish,
    "nan_to_num": torch.nan_to_num,
    "neg": torch.neg,
    "nonzero": lambda a: a.bool().to(a.dtype) + a,
    **{f"power {p}": lambda a, p=p: a**p for p in (-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4)},
    "reciprocal": torch.reciprocal,
    "relu": torch.relu,
    "relu6": functional.relu6,
    "round": torch.round,
    "rsqrt": torch.rsqrt,
    "selu": functional.selu,
    "sgn": torch.sgn,
    "sigmoid": torch.sigmoid,
    "signbit": lambda a: torch.where(torch.signbit(a), a, 2 * a),
    "sign": torch.sign,
    "silu": functional.silu,
    "softplus": functional.softplus,
    "softplus beta": lambda a: functional.softplus(a, 2.0),
    "softplus threshold": lambda a: functional.softplus(a, 20.0, 1.0),
    "softshrink": functional.softshrink,
    "softsign": functional.softsign,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "tanh": torch.tanh,
    "tanhshrink": functional.tanhshrink,
    "threshold": lambda a: functional.threshold(a, 0.125, 20.0),
    "trunc": torch.trunc,
    "truths": lambda a: a * ((a > 1) ^ (a < 2) | ~(a != 0) & torch.isfinite(a)),
    "where": lambda a: torch.where(a >= 1, a, 0.125),
}

FROM_LIBM = {
    "acos": torch.acos,
    "acosh": torch.acosh,
    "asin": torch.asin,
    "asinh": torch.asinh,
    "atanh": torch.atanh,
    "cosh": torch.cosh,
    "entr": torch.special.entr,
    "erfc": torch.erfc,
    "exp2": torch.exp2,
    "fmod": lambda a: torch.fmod(a, 1.5),
    "power 2.5": lambda a: a**2.5,
    "power of 2": lambda a: 2.0**a,
    "remainder": lambda a: torch.remainder(a, 1.5),
    "sinc": torch.sinc,
    "sinh": torch.sinh,
    "xlogy": lambda a: torch.xlogy(a, a),
}

CANCELLING = {
    "gelu": 2**-22, "gelu_tanh": 2**-22, "mish": 2**-23, "sigmoid": 2**-23, "silu": 2**-23,
    "tanh": 2**-23, "tanhshrink": 2**-23, "logaddexp2": 2**-23, "sinc": 2**-18,
}  # fmt: skip
"""What functions may err beyond that because they take differences, in themselves or in 1 − y²."""

TURNS = {"cos": torch.cos, "sin": torch.sin, "tan": torch.tan}

OF_TWO = {
    "add": torch.add,
    "addcmul": lambda a, b: torch.addcmul(a, a, b, value=0.5),
    "atan2": torch.atan2,
    "clamp from": lambda a, b: torch.clamp(a, min=b),
    "clamp to": lambda a, b: torch.clamp(a, max=b),
    "comparisons": lambda a, b: (
        ((a > b) & (a >= b) | (a < b) & (a <= b) | (a == b) & ~(a != b)) * a
    ),
    "copysign": torch.copysign,
    "div": torch.div,
    "div trunc": lambda a, b: torch.div(a, b, rounding_mode="trunc"),
    "fmax": torch.fmax,
    "fmin": torch.fmin,
    "hypot": torch.hypot,
    "lerp": lambda a, b: torch.lerp(a, b, 0.25),
    "logaddexp": torch.logaddexp,
    "logaddexp2": torch.logaddexp2,
    "logical": lambda a, b: (
        (torch.logical_and(a, b) ^ torch.logical_or(a, b) ^ torch.logical_xor(a, b)) * a
        + torch.logical_not(a) * b
    ),
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mul": torch.mul,
    "pow": torch.pow,
    "sub": lambda a, b: torch.sub(a, b, alpha=2),
    "where": lambda a, b: torch.where(a > b, a, b),
    "xlogy": torch.xlogy,
}


OF_TRUTHS = {
    "add": lambda p, q: p + q,
    "add to": lambda p, q: torch.add(p, q, alpha=True) + 1.5,
    "alike": lambda p, q: (p == q) & (p != 0.5) ^ (q <= p),
    "as numbers": lambda p, q: p.float() / q.float(),
    "as numbers of a double": lambda p, q: p.float() + q.float() - (p & q).float() / 2,
    "atan2": torch.atan2,
    "clamp": lambda p, q: p.clamp(0.25, 0.75) - q.clamp(max=0.5),
    "compared": lambda p, q: (p < q) + (p >= q) * 0.5 + (p > 0.5) * 0.25,
    "copysign": lambda p, q: torch.copysign(p, -0.5 * q),
    "div": lambda p, q: p / q,
    "div by a number": lambda p, q: p / 2 + 1 / q,
    "exp": lambda p, q: p.exp() + q.sigmoid(),
    "isinf": lambda p, q: torch.isinf(p) ^ torch.isnan(q) ^ torch.signbit(p) ^ torch.sign(q),
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mul": lambda p, q: p * q,
    "mul by numbers": lambda p, q: p * 0.5 + q * -2.0,
    "negative": lambda p, q: 1 / -p.float() - q.float(),
    "power": lambda p, q: p**2.5 + 2.0**q,
    "power -1": lambda p, q: p**-1.0 + q**-2.0,
    "power 1": lambda p, q: p**1.0 / q**1.0,
    "power 1, negative": lambda p, q: 1 / -(p**1.0) - q**3.0,
    "reciprocal": lambda p, q: p.reciprocal() + q,
    "remainder": lambda p, q: (p + 1.5) % 2.0 + torch.fmod(q, 0.75),
    "root": lambda p, q: p.sqrt() + q.rsqrt(),
    "where": lambda p, q: torch.where(p, q, p) + torch.where(q, 0.5, p.float()),
    "xlogy": torch.xlogy,
}
"""Functions of truth values, which C++ takes for whole numbers."""


class Elementwise(Cell):
    """State i of the next step is function i of its own columns of x."""

    name = "elementwise"
    reference = equations = "none"

    def weights(self, inputs, hidden):
        return {}

    def state(self, hidden):
        return {str(index): zeros(WIDTH) for index in range(len(self.functions))}

    def step(self, x, s, w):
        columns = iter(x.split(WIDTH, -1))
        arguments = [next(columns) for _ in range(len(self.functions) * self.arity)]
        return {
            str(index): function(*arguments[index * self.arity : (index + 1) * self.arity])
            for index, function in enumerate(self.functions)
        }


def through_a_kernel(functions, *points: Tensor) -> list[list[Tensor]]:
    """Return each function's values and derivatives [points], computed in one kernel."""
    arity, count = len(points), len(functions)
    cell = type("Made", (Elementwise,), {"functions": functions, "arity": arity})()
    states = {str(index): WIDTH for index in range(count)}
    shapes = Shapes(count * arity * WIDTH, {}, states, {})
    kernel = Kernel(cell, trace(cell, shapes), system_library())
    rows = [point.reshape(-1, WIDTH) for point in points]
    x = torch.cat(rows * count, -1).unsqueeze(0).requires_grad_()
    state = Tensors({name: torch.zeros(len(rows[0]), WIDTH) for name in states})
    _, after = kernel(x, state, Tensors(), None)
    torch.stack([tensor.sum() for tensor in after.values()]).sum().backward()
    slopes = x.grad.view(-1, count, arity, WIDTH).unbind(1)
    return [
        [value.detach().flatten(), *(part.flatten() for part in slope.unbind(1))]
        for value, slope in zip(after.values(), slopes, strict=True)
    ]


def in_torch(function, *points: Tensor) -> list[Tensor]:
    """Return a function's values and derivatives at points, in their precision."""
    leaves = [point.clone().requires_grad_() for point in points]
    value = function(*leaves)
    slopes = torch.autograd.grad(value.sum(), leaves, allow_unused=True)
    filled = (
        torch.zeros_like(leaf) if slope is None else slope
        for slope, leaf in zip(slopes, leaves, strict=True)
    )
    return [value.detach(), *filled]


def right(got: Tensor, exact: Tensor, single: Tensor, tolerated: Tensor) -> Tensor:
    """Return where a result is within ULPS, or errs no more than twice what torch's float32 does.

    What is not finite must not be so in torch's float32 either.
    """
    rounded = exact.float()
    ulp = torch.from_numpy(np.spacing(rounded.abs().clamp(max=1e38).numpy())).double()
    error, own = (got.double() - exact).abs(), (single.double() - exact).abs()
    near = error <= ULPS * ulp + tolerated + 2 * own.nan_to_num(0, 0, 0)
    same = (got == single) | (got == rounded)
    broken = ~got.isfinite() & ~single.isfinite() & (got.isnan() | single.isnan())
    return torch.where(got.isfinite() & rounded.isfinite(), near, same | broken)


def wrong(functions, *points: Tensor) -> list[str]:
    """Return where a kernel differs from torch, a line each."""
    results = through_a_kernel(list(functions.values()), *points)
    size = 1 + sum(point.double().abs().nan_to_num(0, 0, 0) for point in points)
    lines = []
    for (name, function), result in zip(functions.items(), results, strict=True):
        exact = in_torch(function, *(point.double() for point in points))
        single = in_torch(function, *points)
        tolerated = SATURATED * size + CANCELLING.get(name, 0.0)
        for order, (got, true, own) in enumerate(zip(result, exact, single, strict=True)):
            # a value that is not a number tells enough, whatever its derivative is
            told = single[0].isnan() & (order > 0)
            bad = ~(right(got, true, own, tolerated) | told)
            for at in bad.nonzero().flatten().tolist()[:3]:
                where = ", ".join(str(float(point[at])) for point in points)
                what = f"derivative {order}" if order else "value"
                lines.append(
                    f"{what} of {name} at {where}: {float(got[at])}, not {float(true[at])}, "
                    f"where torch says {float(own[at])}"
                )
    return lines


def whole_vectors(numbers) -> Tensor:
    """Return numbers in float32, with zeros up to a whole number of rows."""
    listed = torch.from_numpy(np.asarray(numbers, np.float32))
    return functional.pad(listed, (0, -len(listed) % WIDTH))


def grid() -> Tensor:
    """Return zeros, denormals, infinities, NaN, and all sizes with the boundaries of rules."""
    tiny, largest = np.finfo(np.float32).tiny, np.finfo(np.float32).max
    edges = np.float32([0.125, 0.35, 0.4142, 0.5, 0.625, 0.92, 1, 1.5708, 2, 2.4142, 3, 6, 20])
    edges = np.append(edges, np.float32([87, 88.3, 88.72, 89, 103.9, 104]))
    sizes = np.concatenate(
        [
            edges,
            np.nextafter(edges, np.float32(0)),
            np.nextafter(edges, np.float32(np.inf)),
            np.logspace(-44, 38, 300),
            np.linspace(0, 12, 600),
            np.linspace(12, 120, 300),
            [0, 2**-149, tiny / 2, tiny, largest, np.inf],
        ]
    )
    return whole_vectors(np.concatenate([sizes, -sizes, [np.nan]]))


def pairs() -> tuple[Tensor, Tensor]:
    """Return every pair out of special numbers and others; many are ties."""
    numbers = [0, -0.0, 0.5, -0.5, 1, -1, 2, -2, 3.75, 88, -100, 1e-30, -1e30, 1e-42]
    numbers += [np.inf, -np.inf, np.nan, *np.random.default_rng(0).normal(0, 3, 25)]
    left, right = np.meshgrid(numbers, numbers)
    return whole_vectors(left.flatten()), whole_vectors(right.flatten())


def test_functions_that_become_vector_code_err_by_a_few_ulps_at_most():
    assert wrong(VECTORISED, grid()) == []


def test_functions_of_the_c_library_err_by_a_few_ulps_at_most():
    assert wrong(FROM_LIBM, grid()) == []


def test_turns_are_exact_to_a_few_ulps_up_to_angles_of_1e8_and_bounded_beyond():
    angles = np.concatenate([np.linspace(-400, 400, 8000), np.logspace(-40, 8, 2000)])
    assert wrong(TURNS, whole_vectors(angles)) == []
    far = whole_vectors(np.logspace(9, 38, 100))
    for value, slope in through_a_kernel([torch.sin, torch.cos], far):
        assert bool((value.abs() <= 1).all())
        assert bool((slope.abs() <= 1).all())


def test_functions_of_two_numbers_err_by_a_few_ulps_and_share_ties_as_torch_does():
    assert wrong(OF_TWO, *pairs()) == []


def test_truths_are_computed_with_as_numbers():
    functions = {
        name: lambda a, b, f=function: 0.125 * a + f(a > 0, b > 0)
        for name, function in OF_TRUTHS.items()
    }
    assert wrong(functions, *pairs()) == []


def test_an_operation_without_a_rule_is_refused_by_name():
    with pytest.raises(UnsupportedError, match="uses `lgamma`, which has no rule in C\\+\\+"):
        code("lgamma", ["x"], {})
    with pytest.raises(UnsupportedError, match="uses `unfold`"):
        code("unfold", ["x", [2]], {})
    with pytest.raises(UnsupportedError, match="rounding_mode='floor'"):
        code("div", ["x", "y"], {"rounding_mode": "floor"})


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("round", {"decimals": 2}, r"uses `round\(decimals=2\)`, which has no rule"),
        ("mul", {"alpha": 2}, r"uses `mul\(alpha=2\)`"),
        ("div", {"rounding_mode": "trunc", "alpha": 2}, r"uses `div\(alpha=2\)`"),
    ],
)
def test_an_option_without_a_rule_is_refused_by_name(name, options, said):
    with pytest.raises(UnsupportedError, match=said):
        code(name, ["x", "y"], options)


def test_options_that_are_left_out_or_say_only_where_a_result_is_kept_change_nothing():
    plain = code("div", ["x", "y"], {})
    assert code("div", ["x", "y"], {"rounding_mode": None}) == plain
    device = {"device": torch.device("cpu"), "layout": torch.strided, "pin_memory": False}
    assert code("clone", ["x"], {"memory_format": torch.preserve_format, **device}) == "x"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1, "0.1f"),
        (-0.5, "(-0.5f)"),
        (-0.0, "(-0.0f)"),
        (3, "3.0f"),
        (True, "1.0f"),
        (float("inf"), "INFINITY"),
        (-float("inf"), "(-INFINITY)"),
        (float("nan"), "NAN"),
    ],
)
def test_numbers_are_written_so_that_signs_do_not_run_together(value, text):
    assert number(value) == text
