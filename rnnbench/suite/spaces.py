"""Search spaces as a suite file writes them: `{log: [0.001, 0.1]}` to records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rnnbench.errors import UnknownNameError
from rnnbench.hyperparameters import COUNTS, FLAGS, LIMITS, SHARED, WORDS
from rnnbench.options import Between, Choice, LogBetween, Space
from rnnbench.suite.values import fault, shown


def optimizers(written: str, space: Mapping[str, Space]) -> tuple[str, ...]:
    """Return the optimisers that may be used: what is written, or what is searched."""
    searched = space.get("optimizer")
    return tuple(map(str, searched.values)) if isinstance(searched, Choice) else (written,)


def _space(name: str, value: Any) -> Space:
    kinds = ("log", "between", "choice")
    example = "{log: [0.001, 0.1]}, {between: [0, 5]} or {choice: [1, 2, 4]}"
    if not isinstance(value, dict) or len(value) != 1:
        raise fault(f"`{name}` takes one of {example}, not {shown(value)}", name)
    [(kind, values)] = value.items()
    if kind not in kinds:
        raise fault(str(UnknownNameError("kind of space", kind, kinds)), name, kind, key=True)
    if not isinstance(values, list) or not values:
        raise fault(f"`{kind}` takes a list, as in {example}, not {shown(values)}", name, kind)
    numbers = [item for item in values if isinstance(item, int | float)]
    if kind == "choice":
        for index, item in enumerate(values):
            if not isinstance(item, bool | int | float | str):
                message = f"a choice is a number, a word, true or false, not {shown(item)}"
                raise fault(message, name, kind, index)
            if item in values[:index]:
                raise fault(f"{shown(item)} is listed twice", name, kind, index)
        return Choice(tuple(values))
    if len(values) != 2 or len(numbers) != 2 or any(isinstance(n, bool) for n in numbers):
        raise fault(f"`{kind}` takes two numbers, [lowest, highest]", name, kind)
    low, high = numbers
    if not low < high:
        message = f"the lowest comes first and differs from the highest, not [{low}, {high}]"
        raise fault(message, name, kind)
    if kind == "log" and low <= 0:
        raise fault(f"a logarithm needs a lowest above 0, not {low}", name, kind, 0)
    return LogBetween(low, high) if kind == "log" else Between(low, high)


def spaces(value: Any) -> dict[str, Space]:
    """Return the dimensions of a search by name."""
    if not isinstance(value, dict):
        raise fault(f"a space is a mapping from a name to what it may be, not {shown(value)}")
    return {name: _space(name, space) for name, space in value.items()}


def shared(value: Any) -> dict[str, Space]:
    """Return the space that all architectures share; its numbers are floats."""
    if isinstance(value, dict):
        for name in value:
            if name == "batch":
                message = "batch size belongs to the budget, not to the search; set training.batch"
                raise fault(message, name, key=True)
            if name not in SHARED:
                message = str(UnknownNameError("dimension of the search", name, SHARED))
                raise fault(message, name, key=True)
    return {name: _trained(name, space) for name, space in spaces(value).items()}


def _trained(name: str, space: Space) -> Space:
    """Return the space of a training hyperparameter, within that hyperparameter's limits."""
    if name in WORDS:
        if not isinstance(space, Choice) or set(space.values) - set(WORDS[name]):
            raise fault(f"`{name}` takes a choice of {', '.join(WORDS[name])}", name)
        return space
    if name in FLAGS:
        if not isinstance(space, Choice) or any(type(v) is not bool for v in space.values):
            raise fault(f"`{name}` takes a choice of true and false", name)
        return space
    if name in COUNTS:
        if not isinstance(space, Choice) or any(type(v) is not int or v < 1 for v in space.values):
            raise fault(f"`{name}` takes a choice of whole numbers, 1 or more", name)
        return space
    limits, lowest, highest = LIMITS[name]
    ends = space.values if isinstance(space, Choice) else (space.low, space.high)
    numbers = [float(n) for n in ends if isinstance(n, int | float) and not isinstance(n, bool)]
    for index, end in enumerate(ends):
        if isinstance(end, bool | str) or not lowest <= end <= highest:
            raise fault(f"`{name}` is a number {limits}, not {shown(end)}", name, space.kind, index)
    if isinstance(space, Choice):
        return Choice(tuple(numbers))
    return replace(space, low=numbers[0], high=numbers[1])


def own(value: Any) -> bool | dict[str, Space]:
    """Return the dimensions that one architecture adds; True for all that its cell offers."""
    if isinstance(value, bool):
        return value
    if not isinstance(value, dict):
        raise fault(
            "`search` of an architecture takes true (all of its cell's spaces), or its own"
            f" dimensions as in {{forget_bias: {{between: [0, 5]}}}}, not {shown(value)}"
        )
    for name in value:
        if name in (*SHARED, "batch"):
            message = f"`{name}` is shared by all architectures; it belongs in search.space"
            raise fault(message, name, key=True)
    return spaces(value)
