"""YAML text to plain values that know where they stand, and error messages that point there."""

from __future__ import annotations

import copy
import difflib
import json
import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from rnnbench.errors import SuiteError, UnknownNameError

Place = tuple[str | int, ...]
"""Keys and indices from the root of the file to a value."""

MOST_BYTES = 1_000_000
DEEPEST = 32
LARGEST = 2**63
"""Whole numbers stay below this, so that tables and stores can hold them."""

EMPTY = "''"
"""How a message shows words of the command line that are none."""

_PLAIN = (ScalarEvent, SequenceStartEvent, MappingStartEvent)
_WIDTH = 100
_HIDDEN = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]|\r(?!\n)"
)
_WHOLE = re.compile(r"[-+]?[0-9]+")
_NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_HINTS = {
    "mapping values are not allowed": "a second `:` on this line, or a line indented too far;"
    " put text that holds `: ` in quotes",
    r"'\t' that cannot start": "a tab; use spaces",
    "that cannot start any token": "text that starts with this character needs quotes",
    "found unexpected end of stream": "quotes are opened here and never closed",
    "expected ',' or ']'": "a list that is not closed: `,` or `]` is expected",
    "expected ',' or '}'": "a mapping that is not closed: `,` or `}` is expected",
    "expected <block end>": "this line does not continue what stands above; align it",
    "expected the node content": "a value is expected here",
    "could not find expected ':'": "a key needs a `:` and a space after it",
}


@dataclass(frozen=True)
class Span:
    """Characters `start` to `end` of a text, the end not included."""

    start: int
    end: int


class _FaultError(Exception):
    """The text is wrong at a span; becomes a SuiteError once the file's name is known."""

    def __init__(self, start: int, end: int, message: str) -> None:
        super().__init__(message)
        self.span, self.message = Span(start, end), message


@dataclass(frozen=True)
class Source:
    """A file's text, its values, where each stands, and which were set on the command line."""

    name: str
    text: str
    tree: Any
    keys: Mapping[Place, Span]
    values: Mapping[Place, Span]
    overrides: Mapping[Place, str] = field(default_factory=dict)

    def error(self, place: Place, message: str, *, value: bool = False) -> SuiteError:
        """Return an error that points at the key at `place`, or at its value.

        What is not there is reported where it should have been: at the nearest key around it.
        """
        for size in range(len(place), -1, -1):
            if place[:size] in self.overrides:
                return SuiteError(f"{self.overrides[place[:size]]}: {message}")
        inside = [
            said for at, said in self.overrides.items() if place and at[: len(place)] == place
        ]
        if inside:
            message += f" (after {', '.join(inside)})"
        while place and place not in self.keys and place not in self.values:
            place, value = place[:-1], False
            if place and place not in self.keys and place not in self.values:
                said = [said for at, said in self.overrides.items() if at[: len(place)] == place]
                if said:  # the command line has put it there
                    return SuiteError(f"{', '.join(said)}: {message}")
        span = self.values[place]
        # an empty value stands where the next thing begins, so its key is shown instead
        if place in self.keys and (not value or span.start == span.end):
            span = self.keys[place]
        return SuiteError(located(self.name, self.text, span, message))

    def override(self, assignment: str, sections: Collection[str] = ()) -> Source:
        """Return the source with one value replaced: `budget.quick.updates=100`.

        The value is YAML. A key that is new is left for validation to judge, but what it stands in
        must exist or be one of the optional `sections`.

        Raises:
            SuiteError: the assignment has no `=`, its value is no YAML, or its path leads nowhere.
        """
        shown = f"--set {printable(assignment).strip() or EMPTY}"
        path, equals, text = assignment.partition("=")
        if not equals or not path.strip():
            raise SuiteError(f"{shown}: write a path, `=` and a value, as in match.parameters=2000")
        try:
            value = _read(text)[0]
        except _FaultError as fault:
            raise SuiteError(f"{shown}: {fault.message}") from None
        tree = copy.deepcopy(self.tree)
        try:
            place = _assign(tree, path.strip().split("."), value, sections)
        except LookupError as error:
            raise SuiteError(f"{shown}: {error.args[0]}") from None
        kept = {at: said for at, said in self.overrides.items() if at[: len(place)] != place}
        return replace(self, tree=tree, overrides={**kept, place: shown})


def read_source(path: Path) -> Source:
    """Read a YAML file of plain values: no tags, no aliases, no second document.

    Raises:
        SuiteError: there is no such file, or it is not such YAML; the text names line and column.
    """
    name = printable(str(path), width=1000)
    try:
        if path.is_dir():
            inside = ", ".join(sorted(printable(file.name) for file in path.glob("*.yaml"))[:10])
            raise SuiteError(f"{name}: a folder, not a suite file; in it: {inside or 'no .yaml'}")
        if not path.exists():
            raise SuiteError(f"{name}: there is no such file{_siblings(path)}")
        if not path.is_file():
            raise SuiteError(f"{name}: not a regular file")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SuiteError(f"{name}: cannot be read: {reason}") from None
    if len(data) > MOST_BYTES:
        raise SuiteError(f"{name}: larger than {MOST_BYTES:,} bytes; that is no suite")
    return parse(name, _decoded(name, data))


def parse(name: str, text: str) -> Source:
    """Read YAML text; `name` is what messages call it.

    Raises:
        SuiteError: the text is not YAML of plain values.
    """
    try:
        tree, keys, values = _read(text)
    except _FaultError as fault:
        raise SuiteError(located(name, text, fault.span, fault.message)) from None
    return Source(name, text, tree, keys, values)


def located(name: str, text: str, span: Span, message: str) -> str:
    """Return `name:line:column: message`, the line, and carets under the span's first line."""
    start = text.rfind("\n", 0, span.start) + 1
    end = text.find("\n", span.start)
    line = text[start : end if end >= 0 else None].rstrip("\r")
    number, column = text.count("\n", 0, start) + 1, span.start - start
    carets = max(1, min(span.end - span.start, len(line.rstrip()) - column))
    offset = max(0, column - _WIDTH // 2) if len(line) > _WIDTH else 0
    shown = "".join(" " if c == "\t" else c if c.isprintable() else "�" for c in line)
    shown = ("…" if offset else "") + shown[offset : offset + _WIDTH]
    indent = column - offset + bool(offset)
    carets = max(1, min(carets, len(shown) - indent))
    gutter = " " * len(str(number))
    return (
        f"{name}:{number}:{column + 1}: {message}\n"
        f"  {number} | {shown}\n"
        f"  {gutter} | {' ' * indent}{'^' * carets}"
    )


def printable(text: str, width: int = 60) -> str:
    """Return text for a message: on one line, nothing invisible, cut to `width` characters."""
    shown = "".join(c if c.isprintable() else "�" for c in text)
    return shown if len(shown) <= width else shown[: width - 1] + "…"


def _siblings(path: Path) -> str:
    """Name the suites beside a missing file, close names first."""
    names = sorted(file.name for file in path.parent.glob("*.yaml"))
    close = difflib.get_close_matches(path.with_suffix(".yaml").name, names, n=3)
    if close:
        return "; did you mean " + " or ".join(f"`{path.parent / name}`" for name in close) + "?"
    return f"; in that folder: {', '.join(names[:10])}" if names else ""


def _decoded(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # the decoder counts from behind a byte order mark
        at = error.start + len(data) - len(error.object)
        text = data.decode("utf-8-sig", errors="replace")
        start = len(data[:at].decode("utf-8-sig"))
        message = f"byte {at} (0x{data[at]:02x}) is not UTF-8; save the file as UTF-8"
        raise SuiteError(located(name, text, Span(start, start + 1), message)) from None


def _read(text: str) -> tuple[Any, dict[Place, Span], dict[Place, Span]]:
    """Return the tree, the spans of its keys, and the spans of its values."""
    hidden = _HIDDEN.search(text)
    if hidden:
        message = f"the character U+{ord(hidden[0]):04X} is not allowed; remove it"
        raise _FaultError(hidden.start(), hidden.end(), message)
    reader = _Reader(YAML(typ="safe", pure=True).parse(text))
    try:
        tree = reader.document()
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = str(error.problem or error.context)
        opened = error.context_mark
        unclosed = opened and mark and opened.line < mark.line and "expected ',' or" in problem
        if unclosed or (opened and "unexpected end of stream" in problem):
            mark = opened
        reason = next((hint for part, hint in _HINTS.items() if part in problem), problem)
        at = mark.index if mark else 0
        raise _FaultError(at, at + 1, f"not YAML: {reason}") from None
    except (ValueError, OverflowError):
        at = reader.reached
        raise _FaultError(at, at + 1, "not YAML: an escape that stands for no character") from None
    return tree, reader.keys, reader.values


class _Reader:
    """Turns the parser's events into values, and refuses what a suite has no use for.

    Events come one by one, so nothing behind the first refusal is ever read.
    """

    def __init__(self, events: Iterator[Event]) -> None:
        self.events = events
        self.keys: dict[Place, Span] = {}
        self.values: dict[Place, Span] = {(): Span(0, 0)}
        self.reached = 0

    def document(self) -> Any:
        tree = None
        documents = 0
        for event in self.events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents == 2:
                    at = event.start_mark.index
                    raise _FaultError(at, at + 3, "a second document; a suite is a single one")
                tree = self.value(self.next(), ())
        return tree

    def next(self) -> Event:
        event = next(self.events)
        self.reached = event.end_mark.index
        return event

    def value(self, event: Event, place: Place) -> Any:
        span = Span(event.start_mark.index, event.end_mark.index)
        self.values[place] = span
        if not isinstance(event, _PLAIN) or event.anchor is not None:
            raise _fault(span, "anchors (&) and aliases (*) are refused; write the value out")
        if event.tag is not None:
            tag = printable(str(event.tag).replace("tag:yaml.org,2002:", "!!"))
            raise _fault(span, f"the tag `{tag}` is refused; a suite holds plain values only")
        if isinstance(event, ScalarEvent):
            return _scalar(event, span)
        if len(place) >= DEEPEST:
            raise _fault(span, f"nested deeper than {DEEPEST} levels; no part of a suite is")
        built = self.mapping if isinstance(event, MappingStartEvent) else self.sequence
        tree, end = built(place)
        self.values[place] = Span(span.start, end)
        return tree

    def sequence(self, place: Place) -> tuple[list[Any], int]:
        items: list[Any] = []
        while not isinstance(event := self.next(), SequenceEndEvent):
            items.append(self.value(event, (*place, len(items))))
        return items, event.end_mark.index

    def mapping(self, place: Place) -> tuple[dict[str, Any], int]:
        items: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := self.next(), MappingEndEvent):
            span = Span(event.start_mark.index, event.end_mark.index)
            if isinstance(event, MappingStartEvent | SequenceStartEvent):
                raise _fault(span, "a list or mapping cannot be a key; write a word and `:`")
            key = self.value(event, place)
            if not isinstance(key, str):
                raise _fault(span, f"the key {json.dumps(key)} is no text; write it in quotes")
            if not key.isprintable():
                raise _fault(span, "a key is visible characters on one line")
            at = (*place, key)
            if key in items:
                message = f"duplicate key `{printable(key)}`; first on line {lines[key]}"
                raise _fault(span, message)
            self.keys[at] = span
            lines[key] = event.start_mark.line + 1
            items[key] = self.value(self.next(), at)
        return items, event.end_mark.index


def _fault(span: Span, message: str) -> _FaultError:
    return _FaultError(span.start, span.end, message)


def _scalar(event: ScalarEvent, span: Span) -> bool | int | float | str | None:
    """Return what the text means in YAML 1.2's core schema, without octal and hexadecimal."""
    text: str = event.value
    if not event.implicit[0]:  # quoted
        hidden = _HIDDEN.search(text)
        if hidden:
            raise _fault(span, f"the character U+{ord(hidden[0]):04X} is not allowed; remove it")
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise _fault(span, f"`{text}` is not a finite number; write a number")
    if _WHOLE.fullmatch(text):
        if len(text) > 20 or abs(int(text)) >= LARGEST:
            raise _fault(span, f"`{printable(text, 24)}` is too large a whole number")
        return int(text)
    if _NUMBER.fullmatch(text):
        number = float(text)
        if not math.isfinite(number):
            raise _fault(span, f"`{printable(text, 24)}` is too large a number")
        return number
    return text


def _assign(tree: Any, path: list[str], value: Any, sections: Collection[str]) -> Place:
    """Put `value` into the tree at a dotted path and return its place.

    Raises:
        LookupError: the path leads nowhere; its text is for the user.
    """
    place: Place = ()
    while True:
        around = ".".join(map(str, place)) or "the suite"
        key: str | int
        if isinstance(tree, dict):
            key, path = _next_key(tree, path)
            if path and key not in tree and key in sections:
                tree[key] = {}
            if path and key not in tree:
                raise LookupError(str(UnknownNameError(f"key of {around}", key, tree)))
        elif isinstance(tree, list):
            first, path = path[0], path[1:]
            if not first.isdecimal() or int(first) >= len(tree):
                raise LookupError(
                    f"`{around}` is a list; after it comes 0 to {len(tree) - 1}, not `{first}`"
                )
            key = int(first)
        else:
            raise LookupError(f"`{around}` is {json.dumps(tree)}, which has no `{path[0]}`")
        place = (*place, key)
        if not path:
            tree[key] = value
            return place
        tree = tree[key]


def _next_key(tree: Mapping[str, Any], path: list[str]) -> tuple[str, list[str]]:
    """Return the next key and the rest of the path; a key that is there may hold dots."""
    for size in range(1, len(path) + 1):
        key = ".".join(path[:size])
        if key in tree:
            return key, path[size:]
    return path[0], path[1:]
