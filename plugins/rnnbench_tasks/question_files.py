"""Read questions about pictures: a JSON list of questions, their answers and their pictures."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import rnnbench

EXPECTED = "expected a list of [question, answer, picture]"


class Question(NamedTuple):
    """What is asked about a picture: words and marks, lower-cased; its answer; the picture."""

    words: tuple[str, ...]
    answer: str
    picture: str


def answer_type(answer: str) -> str:
    """Return what type of answer it is, as Antol et al. 2015 tell them apart."""
    if answer in ("yes", "no"):
        return "yes/no"
    return "number" if answer.isdecimal() else "other"


def beginning(words: Sequence[str]) -> str:
    """Return what kind of question it is by its first two words."""
    return " ".join(words[:2])


def read_questions(path: Path) -> list[Question]:
    """Read a file, compressed or not, as easy-VQA has it: [["is it red?", "yes", 0], …].

    Questions and answers are texts, an answer may also be a whole number; a picture is the number
    of a row in an array or the name of an image file without its ending.

    Raises:
        DataError: it is no JSON, or no list; a row is not of this form, or there is none.
    """
    try:
        rows = json.loads(rnnbench.read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise rnnbench.DataError(f"{path}{line}: is no JSON ({error}); {EXPECTED}") from None
    if not isinstance(rows, list):
        raise rnnbench.DataError(f"{path}: is a JSON {type(rows).__name__}; {EXPECTED}")
    if not rows:
        raise rnnbench.DataError(f"{path}: there are no questions in it; {EXPECTED}")
    return [_question(path, number, row) for number, row in enumerate(rows, 1)]


def _question(path: Path, number: int, row: object) -> Question:
    place = f"{path}: question {number} (counted from 1)"
    if not isinstance(row, list) or len(row) != 3:
        raise rnnbench.DataError(f"{place} is {_short(row)}; expected [question, answer, picture]")
    asked, answer, picture = row
    if not isinstance(asked, str) or not asked.strip():
        raise rnnbench.DataError(f"{place} is {_short(row)}, without words; expected a text first")
    if not _is_name(answer):
        raise rnnbench.DataError(
            f"{place}, {_short(asked)}, has the answer {_short(answer)}; expected a text or a "
            "whole number: leave questions without an answer out"
        )
    if not _is_name(picture):
        raise rnnbench.DataError(
            f"{place}, {_short(asked)}, is about the picture {_short(picture)}; expected a number, "
            "or the name of an image file without its ending"
        )
    text, told, name = (
        unicodedata.normalize("NFC", str(each)).strip() for each in (asked, answer, picture)
    )
    return Question(tuple(rnnbench.symbols(text.lower(), "word")), told.lower(), name)


def _is_name(value: object) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: object) -> str:
    written = json.dumps(value, ensure_ascii=False)
    return written if len(written) <= 60 else f"{written[:57]}…"
