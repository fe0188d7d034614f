"""Options of cells and tasks, and the spaces a search draws them from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from rnnbench.errors import OptionError, UnknownNameError

Value = bool | int | float | str
"""A plain value, as a suite file can hold it."""


@dataclass(frozen=True)
class Between:
    """Any number from `low` to `high`, both included."""

    low: float
    high: float
    kind: Literal["between"] = "between"


@dataclass(frozen=True)
class LogBetween:
    """Any number from `low` to `high`, uniform in its logarithm; `low` is above 0."""

    low: float
    high: float
    kind: Literal["log"] = "log"


@dataclass(frozen=True)
class Choice:
    """One of the listed values."""

    values: tuple[Value, ...]
    kind: Literal["choice"] = "choice"


Space = Between | LogBetween | Choice
"""What one dimension of a search may be."""


def bounds(space: Space) -> tuple[Value, ...]:
    """Return the values that a space reaches farthest with: its ends, or all that are listed."""
    return space.values if isinstance(space, Choice) else (space.low, space.high)


@dataclass(frozen=True)
class Option:
    """One option of a cell or task: its default, the values it takes, where a search may look.

    A cell's option whose default is a float is numeric: it reaches `step` as a tensor beside the
    weights. Any other option is structural: it is an attribute of the cell and shapes the step.

    A task's option that is a `file` names a data file or folder; "" is none. The task finds its
    place on this machine in the attribute, whatever the suite wrote.
    """

    default: Value
    search: Space | None = None
    choices: tuple[Value, ...] = ()
    low: float | None = None
    high: float | None = None
    help: str = ""
    file: bool = False

    @property
    def numeric(self) -> bool:
        """Whether the option is a value inside `step` rather than a choice of equations."""
        return isinstance(self.default, float)

    def check(self, name: str, value: object) -> Value:
        """Return `value` as this option's type.

        Raises:
            OptionError: the value has another type, is no choice, or is out of range.
        """
        kind = type(self.default)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not kind:
            raise OptionError(f"option `{name}` takes {_ARTICLE[kind]}, not {value!r}")
        if self.choices and value not in self.choices:
            known = ", ".join(str(choice) for choice in self.choices)
            raise OptionError(f"option `{name}` takes one of {known}, not {value!r}")
        if isinstance(value, int | float) and not isinstance(value, bool):
            # written so that NaN fails too
            if self.low is not None and not value >= self.low:
                raise OptionError(f"option `{name}` is at least {self.low:g}, not {value!r}")
            if self.high is not None and not value <= self.high:
                raise OptionError(f"option `{name}` is at most {self.high:g}, not {value!r}")
        return value


_ARTICLE = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}


def resolve(
    owner: str, options: Mapping[str, Option], chosen: Mapping[str, object]
) -> dict[str, Value]:
    """Fill `chosen` up with defaults, in the order in which `options` declares them.

    Raises:
        UnknownNameError: `chosen` names an option that does not exist.
        OptionError: a value does not fit its option.
    """
    for name in chosen:
        if name not in options:
            raise UnknownNameError(f"option of {owner}", name, options)
    return {
        name: option.check(name, chosen.get(name, option.default))
        for name, option in options.items()
    }
