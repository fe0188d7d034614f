"""Check what a plugin's class declares before anything runs, so that a mistake is told by name."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from reprlib import repr as short
from typing import Any, Literal, get_args

from rnnbench.contracts import AnyMetric, Cell, Layer, Pattern, Task
from rnnbench.direction import Direction
from rnnbench.errors import OptionError, PluginError
from rnnbench.options import Between, Choice, LogBetween, Option

Kind = Literal["cell", "layer", "task", "metric"]
"""What a plugin can provide."""

_CONTRACTS: dict[Kind, tuple[type, ...]] = {
    "cell": (Cell,),
    "layer": (Layer,),
    "task": (Task,),
    "metric": get_args(AnyMetric),
}
_TEXTS: dict[Kind, tuple[str, ...]] = {
    "cell": ("version", "reference", "equations"),
    "layer": ("version", "reference", "equations"),
    "task": ("version", "reference"),
    "metric": ("version",),
}


def check_class(kind: Kind, given: object) -> type[Any]:
    """Return `given` if it is a class that keeps the contract of its kind.

    Nothing of the class is executed; `rnnbench.testing` checks what it computes.

    Raises:
        PluginError: saying which class breaks what, and what was expected.
    """
    bases = _CONTRACTS[kind]
    wanted = " or ".join(base.__name__ for base in bases)
    if not isinstance(given, type):
        hint = "; provide the class itself" if isinstance(given, bases) else ""
        raise PluginError(f"provides {short(given)}, which is no class of {wanted}{hint}")
    cls: type[Any] = given
    if not issubclass(cls, bases):
        raise PluginError(f"provides class {cls.__name__}, which is no {wanted}")
    missing = ", ".join(f"`{name}`" for name in sorted(getattr(cls, "__abstractmethods__", ())))
    if missing:
        raise PluginError(f"{kind} {cls.__name__} does not define {missing}")
    _check_name(kind, cls)
    _check_texts(kind, cls)
    if kind == "cell":
        _check_cell(cls)
    elif kind == "layer":
        _check_layer(cls)
    elif kind == "task":
        _check_task(cls)
    else:
        _check_metric(cls)
    return cls


def _check_name(kind: Kind, cls: type[Any]) -> None:
    name = getattr(cls, "name", None)
    if name is None:
        raise PluginError(f"{kind} {cls.__name__} has no `name`")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        raise PluginError(
            f"{kind} {cls.__name__} has the name {short(name)}; "
            "a name is letters, digits and _, and starts with a letter"
        )


def _check_texts(kind: Kind, cls: type[Any]) -> None:
    for attribute in _TEXTS[kind]:
        value = getattr(cls, attribute, None)
        if value is None or value == "":
            raise PluginError(f"{kind} `{cls.name}` has no `{attribute}`")
        if not isinstance(value, str):
            _refuse(kind, cls, attribute, "text in quotes")


def _check_card(kind: Kind, cls: type[Any]) -> None:
    card = cls.card
    if not isinstance(card, Mapping) or not all(
        isinstance(text, str) for entry in card.items() for text in entry
    ):
        _refuse(kind, cls, "card", "a dict from words to text")


def _check_layer(cls: type[Any]) -> None:
    _check_card("layer", cls)
    if not isinstance(cls.causal, bool):
        _refuse("layer", cls, "causal", "True or False")
    patterns = get_args(Pattern)
    if (
        not isinstance(cls.patterns, tuple)
        or not cls.patterns
        or not all(one in patterns for one in cls.patterns)
    ):
        _refuse("layer", cls, "patterns", f"a tuple out of {', '.join(patterns)}")
    _check_constructor("layer", cls, Layer)
    _check_options("layer", cls, Layer)


def _check_cell(cls: type[Any]) -> None:
    _check_card("cell", cls)
    if not (cls.output is None or isinstance(cls.output, str)):
        _refuse("cell", cls, "output", "the name of a state")
    _check_constructor("cell", cls, Cell)
    _check_options("cell", cls, Cell)


def _check_task(cls: type[Any]) -> None:
    patterns = get_args(Pattern)
    if getattr(cls, "pattern", None) not in patterns:
        _refuse("task", cls, "pattern", f"one of {', '.join(patterns)}")
    if not isinstance(getattr(cls, "causal", None), bool):
        _refuse("task", cls, "causal", "True or False")
    metrics = getattr(cls, "metrics", None)
    if (
        not isinstance(metrics, tuple)
        or not metrics
        or not all(isinstance(metric, str) for metric in metrics)
    ):
        _refuse("task", cls, "metrics", "a tuple of metric names, the deciding one first")
    if cls.loss_over_steps not in ("mean", "sum"):
        _refuse("task", cls, "loss_over_steps", "one of mean, sum")
    _check_constructor("task", cls, Task)
    _check_options("task", cls, Task)


def _check_metric(cls: type[Any]) -> None:
    directions = get_args(Direction)
    if getattr(cls, "direction", None) not in directions:
        _refuse("metric", cls, "direction", f"one of {', '.join(directions)}")
    for end in ("low", "high"):
        value = getattr(cls, end)
        if not (value is None or (type(value) in (int, float) and not math.isnan(value))):
            _refuse("metric", cls, end, "a number, or None for no bound")
    if cls.low is not None and cls.high is not None and not cls.low < cls.high:
        raise PluginError(f"metric `{cls.name}` ranges from {cls.low} to {cls.high}")


def _check_constructor(kind: Kind, cls: type[Any], base: type[Any]) -> None:
    if cls.__init__ is not base.__init__:
        raise PluginError(f"{kind} `{cls.name}` defines `__init__`; declare `options` instead")


def _check_options(kind: Kind, cls: type[Any], base: type[Any]) -> None:
    if not isinstance(cls.options, Mapping):
        _refuse(kind, cls, "options", "a dict from names to Option")
    for name, option in cls.options.items():
        owner = f"option {short(name)} of {kind} `{cls.name}`"
        if not isinstance(name, str) or not name.isidentifier():
            raise PluginError(f"{owner}: a name is letters, digits and _")
        if hasattr(base, name) or name == "chosen":
            raise PluginError(f"{owner} hides what every {kind} calls `{name}`; rename it")
        if not isinstance(option, Option):
            raise PluginError(f"{owner} is {short(option)}, not an Option")
        if type(option.default) not in (bool, int, float, str):
            raise PluginError(f"{owner} has the default {short(option.default)}, no plain value")
        if isinstance(option.default, float) and not math.isfinite(option.default):
            raise PluginError(f"{owner} has the default {option.default}, no finite number")
        try:
            for value in (option.default, *option.choices, *_ends(owner, option)):
                option.check(name, value)
        except OptionError as error:
            raise PluginError(f"{kind} `{cls.name}` contradicts itself: {error}") from error


def _ends(owner: str, option: Option) -> tuple[object, ...]:
    """Return the values that bound what a search may choose."""
    space = option.search
    if space is None:
        return ()
    if isinstance(space, Choice):
        if not space.values:
            raise PluginError(f"{owner} is searched among no values")
        return tuple(space.values)
    if not isinstance(space, Between | LogBetween):
        raise PluginError(f"{owner} is searched in {short(space)}, no Between, LogBetween, Choice")
    if not space.low < space.high or (isinstance(space, LogBetween) and not space.low > 0):
        raise PluginError(f"{owner} is searched in {space}, which holds nothing")
    return (space.low, space.high)


def _refuse(kind: Kind, cls: type[Any], attribute: str, expected: str) -> None:
    if not hasattr(cls, attribute):
        raise PluginError(f"{kind} `{cls.name}` has no `{attribute}`; it is {expected}")
    found = short(getattr(cls, attribute))
    raise PluginError(f"{kind} `{cls.name}` has {attribute} = {found}; it is {expected}")
