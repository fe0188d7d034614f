"""A text to numbered symbols: one part to train on, and streams to be scored on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

import rnnbench
from rnnbench_tasks import prose

HELLO = "hello"

TRAINING = 500_000
HELD_OUT: Mapping[rnnbench.Split, int] = {"valid": 16, "test": 48}
STREAM = 1024
"""How many symbols of a stream are scored; of a file, about so many."""

Numbers = npt.NDArray[np.int64]
Streams = Mapping[rnnbench.Split, Sequence[Sequence[str]]]


@dataclass(frozen=True)
class Corpus:
    """Symbols as numbers.

    vocabulary  what the numbers stand for
    train       [symbols], one text
    held_out    of each split the streams, each [symbols] and at least 2 long
    notes       what a reader must know
    """

    vocabulary: rnnbench.Vocabulary
    train: Numbers
    held_out: Mapping[rnnbench.Split, Sequence[Numbers]]
    notes: tuple[str, ...]


def hello() -> Corpus:
    """Return the lecture's four symbols and its one sequence; no symbol is unknown."""
    note = "training, validation and test are one and the same word: the score is of memorising"
    vocabulary = rnnbench.Vocabulary(tuple(dict.fromkeys(HELLO)))
    return _numbered(vocabulary, HELLO, {"valid": [HELLO], "test": [HELLO]}, note)


def generated(unit: str, most: int, length: int) -> Corpus:
    """Return the text of `prose`, the same on every machine; each stream begins a line.

    All its characters are known, and kept; of words `most`, the unknown one among them; 0: all.

    Raises:
        DataError: the text has not more than `length` symbols.
    """
    train = rnnbench.symbols(prose.text("train", TRAINING), unit)
    if len(train) <= length:
        raise rnnbench.DataError(
            f"the generated text has {len(train)} {unit}s; make `length`, {length}, smaller"
        )
    streams: Streams = {
        split: [
            rnnbench.symbols(prose.text(f"{split} {number}", STREAM + 1), unit)
            for number in range(count)
        ]
        for split, count in HELD_OUT.items()
    }
    closed = unit == "character"
    vocabulary = rnnbench.Vocabulary(prose.ALPHABET) if closed else _vocabulary(train, most)
    note = f"a generated text: {len(train):,} {unit}s for training; for validation and the test "
    note += f"{HELD_OUT['valid']} and {HELD_OUT['test']} streams of {STREAM:,} characters"
    return _numbered(vocabulary, train, streams, note, unit)


def read(path: Path, encoding: str, unit: str, most: int, length: int) -> Corpus:
    """Cut a text file into 90 % to train on, 5 % to validate and 5 % to test on, in this order.

    most    the most symbols of the vocabulary, the unknown one among them; 0: all
    length  the training part has to be longer

    Raises:
        DataError: the file cannot be read, is no text, is too short, or repeats one symbol.
    """
    whole = rnnbench.symbols(rnnbench.read_text(path, encoding), unit)
    first, second = int(len(whole) * 0.9), int(len(whole) * 0.95)
    train, valid, test = whole[:first], whole[first:second], whole[second:]
    if len(train) <= length or min(len(valid), len(test)) < 2:
        raise rnnbench.DataError(
            f"{path}: {len(whole)} {unit}s are too few; expected more than {length} in the first "
            "90 % and at least 2 in each half of the rest: take a longer text or a smaller `length`"
        )
    vocabulary = _vocabulary(train, most)
    if len(set(vocabulary.encode(train))) < 2:
        raise rnnbench.DataError(
            f"{path}: the first 90 % hold one kind of {unit} only; expected at least two: "
            "take another text or a larger `vocabulary`"
        )
    note = f"cut in order: the first {len(train):,} {unit}s are for training, the next "
    note += f"{len(valid):,} for validation, the last {len(test):,} for the test"
    streams: Streams = {"valid": _streams(valid), "test": _streams(test)}
    return _numbered(vocabulary, train, streams, note, unit)


def _vocabulary(train: Sequence[str], most: int) -> rnnbench.Vocabulary:
    return rnnbench.Vocabulary.of([train], most or None)


def _streams(part: Sequence[str]) -> list[Sequence[str]]:
    """Cut a part into streams of about `STREAM` symbols, equally long but for one symbol."""
    count = max(1, round(len(part) / STREAM))
    ends = [len(part) * number // count for number in range(count + 1)]
    return [part[start:end] for start, end in pairwise(ends)]


def _numbered(
    vocabulary: rnnbench.Vocabulary,
    train: Sequence[str],
    streams: Streams,
    note: str,
    unit: str = "character",
) -> Corpus:
    numbers = _numbers(vocabulary, train)
    held_out = {
        split: [_numbers(vocabulary, stream) for stream in some] for split, some in streams.items()
    }
    return Corpus(
        vocabulary, numbers, held_out, (note, *_unknown(vocabulary, numbers, held_out, unit))
    )


def _numbers(vocabulary: rnnbench.Vocabulary, symbols: Sequence[str]) -> Numbers:
    return np.array(vocabulary.encode(symbols), dtype=np.int64)


def _unknown(
    vocabulary: rnnbench.Vocabulary,
    train: Numbers,
    held_out: Mapping[rnnbench.Split, Sequence[Numbers]],
    unit: str,
) -> tuple[str, ...]:
    """Say how many symbols the vocabulary lacks, where it lacks any."""
    if vocabulary.symbols[0] != rnnbench.UNKNOWN:
        return ()
    parts = {
        "training": train,
        "validation": np.concatenate(held_out["valid"]),
        "test": np.concatenate(held_out["test"]),
    }
    counts = {name: int((part == 0).sum()) for name, part in parts.items()}
    if not any(counts.values()):
        return ()
    shares = ", ".join(
        f"{counts[name]:,} {name} {unit}s ({counts[name] / len(part):.2%})"
        for name, part in parts.items()
        if counts[name]
    )
    learnt = "" if counts["training"] else "; training has none to learn to expect them from"
    return (f"unknown, and to be predicted as one symbol: {shares}{learnt}",)
