"""What `--only` keeps, or `--refresh` names, to the values kept for each key.

As in `architecture=lstm,task=adding_uniform`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from rnnbench.errors import SuiteError, UnknownNameError
from rnnbench.suite.source import EMPTY, printable

_ASSIGNMENT = re.compile(r"\s*(\w+)\s*=\s*(.*?)\s*", re.DOTALL)
_COMMA = re.compile(r",(?![^()]*\))")


def read_selection(
    only: Sequence[str], known: Mapping[str, Sequence[str]], option: str = "--only"
) -> dict[str, frozenset[str]]:
    """Return the values kept for each key that is mentioned; `known` lists keys and their values.

    `option` is where the words were said.

    Values of one key add up, over commas and over repetitions: `architecture=gru,lstm`. A comma
    inside round brackets belongs to a setting's name.

    Raises:
        SuiteError: a key or value does not exist.
    """
    kept: dict[str, set[str]] = {}
    for text in only:
        shown = f"{option} {printable(text).strip() or EMPTY}"
        key = ""
        for part in _parts(text, known):
            assignment = _ASSIGNMENT.fullmatch(part)
            value = part.strip()
            if assignment and not (key and value in known[key]):
                key, value = assignment[1], assignment[2]
                if key not in known:
                    unknown = UnknownNameError("key", printable(key), known)
                    raise SuiteError(f"{shown}: {unknown}")
            elif not key:
                keys = ", ".join(known)
                raise SuiteError(f"{shown}: write key=value; the keys are {keys}")
            if value not in known[key]:
                unknown = UnknownNameError(key, printable(value), known[key])
                raise SuiteError(f"{shown}: {unknown}")
            kept.setdefault(key, set()).add(value)
    return {key: frozenset(values) for key, values in kept.items()}


def _parts(text: str, known: Mapping[str, Sequence[str]]) -> list[str]:
    """Split at commas, unless all behind the first `=` is one value: a label may hold commas."""
    key, _, value = text.partition("=")
    if value.strip() in known.get(key.strip(), ()):
        return [text]
    return _COMMA.split(text)
