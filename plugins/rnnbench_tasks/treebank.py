"""Tagged sentences in three parts: read from one file or several, or generated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import rnnbench
from rnnbench_tasks import ambiguous_english
from rnnbench_tasks.conllu import Sentence, read_sentences
from rnnbench_tasks.parts import SHARES, TITLES, Part, overlaps

GENERATED = 3000


@dataclass(frozen=True)
class Treebank:
    """Sentences by part, what a reader must know of them, what parts share."""

    parts: Mapping[Part, list[Sentence]]
    notes: tuple[str, ...]
    leaks: tuple[str, ...] = ()

    @cached_property
    def tags(self) -> tuple[str, ...]:
        """The tags of the training part, in alphabetical order."""
        return tuple(sorted(_tags(self.parts["train"])))

    @cached_property
    def unseen(self) -> tuple[str, ...]:
        """The tags that only held-out parts have."""
        held_out = _tags(self.parts["valid"]) | _tags(self.parts["test"])
        return tuple(sorted(held_out - _tags(self.parts["train"])))


def generated() -> Treebank:
    """Return sentences of the built-in grammar, dealt into parts."""
    parts = _dealt(ambiguous_english.sentences(GENERATED), SHARES)
    return Treebank(parts, (f"{GENERATED} generated sentences were dealt into {_sizes(parts)}",))


def from_files(
    files: Mapping[Part, str], *, column: str, encoding: str, lowercase: bool
) -> Treebank:
    """Return the sentences of files; a part without one is dealt from the training file.

    Raises:
        DataError: there is no training file; a file cannot be read, has too few sentences, or
            training has but one tag.
    """
    if not files["train"]:
        given = next(path for path in files.values() if path)
        raise rnnbench.DataError(
            f"{given}: a held-out part alone; name the training file in `data`"
        )
    parts: dict[Part, list[Sentence]] = {}
    for part, path in files.items():
        if path:
            read = read_sentences(Path(path), column, encoding)
            parts[part] = [_lowered(sentence) for sentence in read] if lowercase else read
    notes, train = [], Path(files["train"])
    shares = {part: share for part, share in SHARES.items() if part not in parts or part == "train"}
    if len(shares) > 1:
        once = list({sentence.words: sentence for sentence in reversed(parts["train"])}.values())
        if repeated := len(parts["train"]) - len(once):
            notes.append(f"{repeated} repeated sentences of {train.name} were read once")
        if len(once) < len(shares):
            raise rnnbench.DataError(
                f"{train}: {len(once)} different sentences for {len(shares)} parts; "
                "more are needed, or a file for each part"
            )
        dealt = _dealt(once[::-1], shares)
        notes.append(f"{train.name} was dealt into {_sizes(dealt)} sentences")
        parts |= dealt
    if len(found := _tags(parts["train"])) == 1:
        raise rnnbench.DataError(
            f"{train}: every word for training has the {column} `{found.pop()}`; "
            "two tags are needed: choose another `column`"
        )
    words = {part: [sentence.words for sentence in parts[part]] for part in parts}
    return Treebank(parts, tuple(notes), tuple(overlaps(words, "sentences")))


def _dealt(sentences: list[Sentence], shares: Mapping[Part, float]) -> dict[Part, list[Sentence]]:
    whole = sum(shares.values())
    dealt = rnnbench.deal(len(sentences), {part: shares[part] / whole for part in shares})
    return {part: [sentences[number] for number in dealt[part]] for part in shares}


def _sizes(parts: Mapping[Part, list[Sentence]]) -> str:
    *others, last = (f"{len(found)} {TITLES[part]}" for part, found in parts.items())
    return f"{', '.join(others)} and {last}"


def _tags(sentences: Iterable[Sentence]) -> set[str]:
    return {tag for sentence in sentences for tag in sentence.tags}


def _lowered(sentence: Sentence) -> Sentence:
    return Sentence(tuple(word.lower() for word in sentence.words), sentence.tags)
