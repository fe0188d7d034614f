"""One value of a suite file: what it may be, and what is said when it is something else."""

from __future__ import annotations

import re
from typing import Any

from pydantic_core import PydanticCustomError

from rnnbench.options import Value
from rnnbench.suite.source import printable


def fault(message: str, *inside: str | int, key: bool = False) -> PydanticCustomError:
    """Return an error in our own words, at a place `inside` the value that is being checked."""
    return PydanticCustomError(
        "suite", "{message}", {"message": message, "inside": inside, "key": key}
    )


def word(text: str) -> str:
    """Return a name that can be shown on one line."""
    if not text.strip() or not text.isprintable():
        raise fault(f"a name has visible characters on one line, not {shown(text)}")
    return text


def slug(text: str) -> str:
    """Return a suite's name, which is also the name of its folder of results."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", text):
        raise fault(
            f"`suite` names a folder: up to 64 of a-z, 0-9, _ and -, the first a letter or a"
            f" digit, not {shown(text)}"
        )
    return text


def label(text: str) -> str:
    """Return an architecture's label, which tables and plots show."""
    if not 0 < len(text) <= 40 or text.strip() != text:
        raise fault(
            f"a label has 1 to 40 visible characters and no space around them,"
            f" not {shown(text)} ({len(text)} characters)",
            key=True,
        )
    return text


def scalar(value: Any) -> Value:
    """Return the value of a cell's option."""
    if not isinstance(value, bool | int | float | str):
        raise fault(f"an option takes a number, a word, true or false, not {shown(value)}")
    return value


def scalars(value: Any) -> tuple[Value, ...]:
    """Return the values of a task's option: one, or those of a list that makes settings."""
    if not isinstance(value, list):
        return (scalar(value),)
    if not value:
        raise fault("an empty list makes no setting; give at least one value")
    for index, item in enumerate(value):
        if not isinstance(item, bool | int | float | str):
            raise fault(
                f"a list of an option's values holds plain values, not {shown(item)}", index
            )
    return tuple(value)


def allowance(value: Any) -> int | float:
    """Return a number of members, or the share of them: "10%" is 0.1."""
    share = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?%", value) if isinstance(value, str) else None
    if share:
        value = float(share[1]) / 100
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and value >= 0:
            return value
        if 0 <= value <= 1:
            return value
    raise fault(
        f"`allow_failures` takes a share (10% or 0.1) or a number of members, not {shown(value)}"
    )


def updates(value: Any) -> int | dict[str, int]:
    """Return a training length, or one for each task."""
    expected = "takes a whole number, 1 or more"
    if isinstance(value, dict) and value:
        for task, updates in value.items():
            if type(updates) is not int or updates < 1:
                raise fault(f"`{task}` {expected}, not {shown(updates)}", task)
        return value
    if type(value) is not int or value < 1:
        raise fault(f"`updates` {expected}, or one for each task, not {shown(value)}")
    return value


def shown(value: object) -> str:
    """Return a value from the file as a message shows it."""
    if isinstance(value, dict | list):
        kind = "mapping" if isinstance(value, dict) else "list"
        return f"a {kind}" if value else f"an empty {kind}"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{printable(value)!r}" if isinstance(value, str) else str(value)
