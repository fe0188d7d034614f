"""Read sentences of tagged words from CoNLL-U files, or from lines of a word, a tab and its tag."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import rnnbench

COLUMNS = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
"""The columns of CoNLL-U, https://universaldependencies.org/format.html."""

TAGS = ("UPOS", "XPOS", "FEATS", "DEPREL")
"""The columns that can be asked for."""

# Columns that CoNLL-U never leaves unspecified; in the others `_` is a tag like any other.
_REQUIRED = ("UPOS", "DEPREL")
_RANGE_OR_EMPTY_NODE = re.compile(r"\d+-\d+|\d+\.\d+")

_Line = tuple[int, str]


class Sentence(NamedTuple):
    """Words, and as many tags."""

    words: tuple[str, ...]
    tags: tuple[str, ...]


def read_sentences(path: Path, column: str, encoding: str = "utf-8") -> list[Sentence]:
    """Return the sentences of a file, each of at least one word.

    Multiword ranges (`1-2`) and empty nodes (`1.1`) are no words, comments alone are no sentence. A
    file whose first word stands in two columns is read as words and tags, whatever `column` says.

    Raises:
        DataError: the file cannot be read, or a line is not what its format says.
    """
    blocks = list(_blocks(rnnbench.read_text(path, encoding)))
    first = next((line for block in blocks for _, line in block if not line.startswith("#")), "")
    pairs = first.count("\t") == 1
    read = _pair_words if pairs else _conllu_words
    sentences = []
    for block in blocks:
        words = [line for line in block if not _is_comment(line[1], pairs)]
        if not words:
            continue
        found = list(read(path, words, column))
        if not found:
            raise rnnbench.DataError(
                f"{path}:{block[0][0]}: a sentence without words; "
                "remove its comments, or write a word a line below them"
            )
        forms, tags = zip(*found, strict=True)
        sentences.append(Sentence(forms, tags))
    if not sentences:
        raise rnnbench.DataError(f"{path}: comments and no sentence; expected a word a line")
    return sentences


def _blocks(text: str) -> Iterator[list[_Line]]:
    """Yield the lines between blank ones, with their numbers."""
    lines = enumerate(text.split("\n"), start=1)
    for blank, block in groupby(lines, key=lambda line: not line[1].strip()):
        if not blank:
            yield list(block)


def _is_comment(line: str, pairs: bool) -> bool:
    """Whether a line is a comment; in two columns `#` may begin a word."""
    return line.startswith("#") and not (pairs and "\t" in line)


def _pair_words(path: Path, lines: Iterable[_Line], column: str) -> Iterator[tuple[str, str]]:
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != 2:
            raise rnnbench.DataError(
                f"{path}:{number}: {_columns(cells)}; expected a word, a tab and its tag, "
                "as in the lines before"
            )
        yield _filled(path, number, "word", cells[0]), _filled(path, number, column, cells[1])


def _conllu_words(path: Path, lines: Iterable[_Line], column: str) -> Iterator[tuple[str, str]]:
    expected = 1
    for number, line in lines:
        cells = line.split("\t")
        if len(cells) != len(COLUMNS):
            raise rnnbench.DataError(
                f"{path}:{number}: {_columns(cells)}; expected the 10 of CoNLL-U, separated by "
                "tabs, or a file of 2: a word and its tag"
            )
        row = dict(zip(COLUMNS, cells, strict=True))
        if _RANGE_OR_EMPTY_NODE.fullmatch(row["ID"]):
            continue
        if row["ID"] != str(expected):
            raise rnnbench.DataError(
                f"{path}:{number}: the word's ID is `{row['ID']}`; expected {expected}: words are "
                "counted from 1, and a blank line ends a sentence"
            )
        expected += 1
        tag = _filled(path, number, column, row[column])
        if tag == "_" and column in _REQUIRED:
            raise rnnbench.DataError(
                f"{path}:{number}: no {column} for `{row['FORM']}`, only `_`; "
                "choose another `column`, or a file in which every word has one"
            )
        yield _filled(path, number, "FORM", row["FORM"]), tag


def _columns(cells: list[str]) -> str:
    return "1 column" if len(cells) == 1 else f"{len(cells)} columns"


def _filled(path: Path, number: int, column: str, cell: str) -> str:
    """Return a cell's content."""
    if not cell.strip():
        raise rnnbench.DataError(
            f"{path}:{number}: the {column} is empty; every word needs a form and a tag"
        )
    return cell.strip()
