"""What a pointwise operation of torch is in C++, for one element."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from rnnbench.errors import UnsupportedError


def number(value: float) -> str:
    """Return a number as C++ writes it in float32."""
    value = float(value)
    if math.isnan(value):
        return "NAN"
    text = "INFINITY" if math.isinf(value) else f"{abs(value)!r}f"
    return f"(-{text})" if math.copysign(1, value) < 0 else text


def code(name: str, args: Sequence[Any], options: Mapping[str, Any]) -> str:
    """Return the C++ expression of a pointwise operation.

    name     as in `aten`, `sigmoid`
    args     C++ names for tensors, numbers for Python values, None where left out

    Raises:
        UnsupportedError: there is no rule for it, or for one of its options.
    """
    if any(isinstance(arg, (list, tuple)) for arg in args):
        raise _unknown(name)
    for option, value in options.items():
        if value is not None and option not in (*_INERT, *_READ.get(name, ())):
            raise _unknown(f"{name}({option}={value!r})")
    given = [arg if isinstance(arg, str) or arg is None else number(arg) for arg in args]
    if name in ("add", "sub") and "alpha" in options:
        given[1] = f"({number(options['alpha'])} * {given[1]})"
    if name == "div" and options.get("rounding_mode") == "floor":
        raise _unknown("div(rounding_mode='floor')")
    if name == "div" and options.get("rounding_mode") == "trunc":
        return f"truncf({given[0]} / {given[1]})"
    if name == "softshrink":
        return _SOFTSHRINK.format(given[0], *(given[1:] or [number(0.5)]))
    if name in ("clamp", "clamp_min", "clamp_max"):
        low, high = (given[1], None) if name != "clamp_max" else (None, given[1])
        if name == "clamp":
            low = given[1] if len(given) > 1 else _limit(options.get("min"))
            high = given[2] if len(given) > 2 else _limit(options.get("max"))
        return _clamped(given[0], low, high)
    if name == "pow" and args[1] in _POWERS:
        return _POWERS[args[1]].format(given[0])
    if name == "_to_copy" and "dtype" in options:
        # in C++ a truth value is a whole number, and so are its negative and its quotients
        truth = options["dtype"] == torch.bool
        return _CODE["ne"].format(given[0], "0") if truth else f"float({given[0]})"
    if name not in _CODE:
        raise _unknown(name)
    return _CODE[name].format(*given)


_READ = {
    "add": ("alpha",), "sub": ("alpha",), "div": ("rounding_mode",), "clamp": ("min", "max"),
}  # fmt: skip
"""Options that change what an operation computes."""

_INERT = ("dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking")
"""Options that say how a result is kept; that its type is one of a kernel's, others look after."""


def _unknown(name: str) -> UnsupportedError:
    return UnsupportedError(f"its step, or its derivative, uses `{name}`, which has no rule in C++")


def _limit(value: Any) -> str | None:
    return None if value is None else number(value)


def _clamped(value: str | None, low: str | None, high: str | None) -> str:
    # comparisons with NaN are false, so that it stays; so does a limit that is one
    if low is not None:
        value = f"({value} < {low} || {low} != {low} ? {low} : {value})"
    if high is not None:
        value = f"({value} > {high} || {high} != {high} ? {high} : {value})"
    return str(value)


_CODE = {
    "abs": "fabsf({0})",
    "acos": "acosf({0})",
    "acosh": "acoshf({0})",
    "add": "({0} + {1})",
    "alias": "{0}",
    "asin": "asinf({0})",
    "asinh": "asinhf({0})",
    "atan": "atan_({0})",
    "atan2": "atan2f({0}, {1})",
    "atanh": "atanhf({0})",
    "bitwise_and": "({0} && {1})",
    "bitwise_not": "(!{0})",
    "bitwise_or": "({0} || {1})",
    "bitwise_xor": "({0} != {1})",
    "ceil": "ceilf({0})",
    "clone": "{0}",
    "copy": "{1}",
    "copysign": "copysignf({0}, {1})",
    "cos": "cos_({0})",
    "cosh": "coshf({0})",
    "detach": "{0}",
    "div": "(float({0}) / {1})",
    "eq": "({0} == {1})",
    "erf": "erf_({0})",
    "erfc": "erfcf({0})",
    "exp": "exp_({0})",
    "exp2": "exp2f({0})",
    "expm1": "expm1_({0})",
    "fill": "{1}",
    "floor": "floorf({0})",
    "fmax": "({0} > {1} || {1} != {1} ? {0} : {1})",
    "fmin": "({0} < {1} || {1} != {1} ? {0} : {1})",
    "fmod": "fmodf({0}, {1})",
    "ge": "({0} >= {1})",
    "gt": "({0} > {1})",
    "hardshrink_backward": "({1} >= -{2} && {1} <= {2} ? 0.f : {0})",
    "hypot": "hypotf({0}, {1})",
    "isinf": "(fabsf({0}) == INFINITY)",
    "isnan": "({0} != {0})",
    "le": "({0} <= {1})",
    "lift_fresh_copy": "{0}",
    "log": "log_({0})",
    "log10": "(log_({0}) * 0.4342944819f)",
    "log1p": "log1p_({0})",
    "log2": "(log_({0}) * 1.4426950409f)",
    "logical_and": "({0} && {1})",
    "logical_not": "(!{0})",
    "logical_or": "({0} || {1})",
    "logical_xor": "(!{0} != !{1})",
    "lt": "({0} < {1})",
    "maximum": "({0} > {1} || {0} != {0} ? {0} : {1})",
    "minimum": "({0} < {1} || {0} != {0} ? {0} : {1})",
    "mul": "({0} * {1})",
    "ne": "({0} != {1})",
    "neg": "(-{0})",
    "pow": "powf({0}, {1})",
    "reciprocal": "(1.f / {0})",
    "relu": "({0} < 0.f ? 0.f : {0})",
    "remainder": "remainder_({0}, {1})",
    "round": "rintf({0})",
    "rsqrt": "(1.f / sqrtf({0}))",
    "sigmoid": "sigmoid_({0})",
    "sign": "({0} > 0.f ? 1.f : ({0} < 0.f ? -1.f : 0.f))",
    "signbit": "std::signbit({0})",
    "sin": "sin_({0})",
    "sinh": "sinhf({0})",
    "softplus": "softplus_({0})",
    "softshrink_backward": "({1} >= -{2} && {1} <= {2} ? 0.f : {0})",
    "sqrt": "sqrtf({0})",
    "sub": "({0} - {1})",
    "tan": "tan_({0})",
    "tanh": "tanh_({0})",
    "trunc": "truncf({0})",
    "where": "({0} ? {1} : {2})",
    "_to_copy": "{0}",
}

# a difference, so that NaN stays
_SOFTSHRINK = "({0} > {1} ? {0} - {1} : ({0} < -{1} ? {0} + {1} : {0} - {0}))"

_POWERS = {
    -2: "(1.f / ({0} * {0}))",
    -1.5: "(1.f / ({0} * sqrtf({0})))",
    -1: "(1.f / {0})",
    -0.5: "(1.f / sqrtf({0}))",
    0: "1.f",
    0.5: "sqrtf({0})",
    1: "float({0})",
    1.5: "({0} * sqrtf({0}))",
    2: "({0} * {0})",
    3: "({0} * {0} * {0})",
    4: "(({0} * {0}) * ({0} * {0}))",
}
