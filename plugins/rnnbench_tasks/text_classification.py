"""Texts with labels: sentiment, topic, the language of a name; from a file or generated."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

import rnnbench
from rnnbench_tasks import delimited
from rnnbench_tasks.certain import CERTAIN
from rnnbench_tasks.labelled_texts import LabelledTexts, Layout, read_labelled_texts
from rnnbench_tasks.naive_bayes import NaiveBayes
from rnnbench_tasks.opinions import LANGUAGES, opinions, verdict
from rnnbench_tasks.parts import PARTS, SHARES, TITLES, Part, overlaps

SOLVED = 0.95


@dataclass(frozen=True)
class Text:
    """A text in symbols, with its label."""

    symbols: tuple[str, ...]
    label: str


class TextClassification(rnnbench.Task):
    """Name the class of a text, read word by word or character by character.

    Without a file the texts are generated opinions on films in which the order of words decides:
    what stands behind `but`, what `not` refers to. In the test, every pairing of a subject with a
    word of praise or blame is new.

        input    the acting is moving but the plot is not clever .
        target   negative

    In Korean (`language: korean`):

        input    연기는 지루하다 . 하지만 음악은 멋지다 .
        target   positive

    From a file: a table with a column of texts and one of labels, separated by tabs, semicolons or
    commas. Of
    its different texts 80 % are for training, 10 % for validation and 10 % for the test, unless
    `valid` or `test` name tables of their own. Words are lower-cased, and punctuation marks are
    words; characters stay as they are. Of a text with more than `limit` symbols the end is read:
    conclusions, and Korean predicates, come last.

    Not causal: the answer is due after the last symbol, so reading backwards is fair.
    """

    name = "text_classification"
    reference = "Socher et al. 2013 (SST-2); Park 2016 (NSMC); generated opinions: rnnbench"
    options = {
        "data": rnnbench.Option("", file=True, help="table of texts; none: generated opinions"),
        "valid": rnnbench.Option("", file=True, help="table for validation; none: part of `data`"),
        "test": rnnbench.Option("", file=True, help="table for the test; none: part of `data`"),
        "text": rnnbench.Option("1", help="column of the texts: its name, or its number in quotes"),
        "label": rnnbench.Option("2", help="column of the labels: its name, or its number"),
        "header": rnnbench.Option(
            "auto", choices=("auto", "yes", "no"), help="whether the first row names the columns"
        ),
        "separator": rnnbench.Option(
            "auto", choices=delimited.CHOICES, help="what stands between two cells"
        ),
        "empty": rnnbench.Option(
            "error", choices=("error", "skip"), help="what a row without text is"
        ),
        "encoding": rnnbench.Option("utf-8", help="of the tables, such as cp949 or latin-1"),
        "language": rnnbench.Option("english", choices=LANGUAGES, help="of generated opinions"),
        "each": rnnbench.Option(
            200, low=1, high=200, help="generated opinions of each of 24 kinds to train on"
        ),
        "unit": rnnbench.Option("word", choices=rnnbench.UNITS, help="what is read at a step"),
        "vocabulary": rnnbench.Option(0, low=0, help="most symbols, the frequent ones; 0: all"),
        "embedding": rnnbench.Option(32, low=0, help="width of a symbol's vector; 0: one-hot"),
        "limit": rnnbench.Option(
            0, low=0, help="most symbols of a text; 0: as many as the longest for training has"
        ),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    data: str
    valid: str
    test: str
    text: str
    label: str
    header: str
    separator: str
    empty: str
    encoding: str
    language: str
    each: int
    unit: str
    vocabulary: int
    embedding: int
    limit: int

    @property
    def sequence_length(self) -> int:
        """The length of the longest text for training, but no more than the limit.

        Of generated opinions it is the longest of all, so that each can be read whole.
        """
        return self._steps

    @property
    def inputs(self) -> rnnbench.Tokens:
        """The symbols of the training part; number 0 stands for all others."""
        return rnnbench.Tokens(len(self._vocabulary), self.embedding or None)

    @property
    def targets(self) -> rnnbench.Classes:
        """The labels in alphabetical order; last one for labels that training does not have."""
        return rnnbench.Classes(len(self._labels) + bool(self._unseen))

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """A guess, the label that is most frequent in training, and naive Bayes.

        Naive Bayes counts words, or characters and pairs of them. Opinions are solved at 0.95; a
        file is, where the best of the floors is reached.
        """
        test = self._parts["test"]
        majority = _accuracy(self.trivial(test), test)
        counting = NaiveBayes.of(
            self._parts["train"],
            self.targets.count,
            self.inputs.vocabulary,
            longest=2 if self.unit == "character" else 1,
        )
        floors = {"majority": majority, "naive_bayes": _accuracy(counting.logits(test), test)}
        judged = self.oracle(test)
        return rnnbench.Anchors(
            chance=1 / len(self._labels),
            trivial=majority,
            oracle=None if judged is None else _accuracy(judged, test),
            solved=max(floors.values()) if self.data else SOLVED,
            floors=floors,
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farthest symbol is from its read-out, on average: any may count.

        Forwards that is the first one; with two directions it is one in the middle.
        """
        last = self._parts["train"].lengths - 1
        return (last // 2 if bidirectional else last).double().mean().item()

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw training texts: inputs [steps, size], targets [size], lengths [size].

        They are different ones, unless there are fewer than `size`.
        """
        return self._parts["train"].draw(size, generator, self.pattern)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return all texts for validation or for the test."""
        return self._parts[split].to(generator.device)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the shares of the labels in training: logits [batch, classes]."""
        seen = self._parts["train"].targets.bincount(minlength=self.targets.count)
        shares = ((seen + 1) / (seen + 1).sum()).log().float()
        return shares.to(batch.inputs.device).repeat(len(batch), 1)

    def oracle(self, batch: rnnbench.Batch) -> Tensor | None:
        """Read generated opinions by the rules of their language: logits [batch, classes].

        There is none where a text is cut or a symbol unknown.
        """
        if self.data or not self._legible:
            return None
        texts = zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
        read = [self._vocabulary.decode(numbers[:length]) for numbers, length in texts]
        verdicts = [
            verdict(rnnbench.text_of(symbols, self.unit), self.language) for symbols in read
        ]
        classes = torch.tensor([self._labels.index(label) for label in verdicts])
        return CERTAIN * one_hot(classes, self.targets.count).float().to(batch.inputs.device)

    @property
    def notes(self) -> tuple[str, ...]:
        """How the texts were split and cut, and what training does not know of the others."""
        return tuple(self._noted())

    @property
    def leaks(self) -> tuple[str, ...]:
        """How many held-out texts another part has too, as they are read."""
        read = {
            part: [text.symbols[-self._steps :] for text in texts]
            for part, texts in self._texts.items()
        }
        return tuple(overlaps(read, "texts"))

    def _noted(self) -> Iterator[str]:
        counts = [f"{len(texts):,} {TITLES[part]} texts" for part, texts in self._texts.items()]
        yield ", ".join(counts) + self._origin()
        for part, table in self._tables.items():
            if table.guessed:
                yield f"the first row of `data` is taken for a header: {', '.join(table.header)}"
            if table.skipped:
                yield f"{table.skipped} rows without text were skipped in `{self._option(part)}`"
        for part, texts in self._texts.items():
            cut = sum(len(text.symbols) > self._steps for text in texts)
            if cut:
                yield (
                    f"{cut:,} of {len(texts):,} {TITLES[part]} texts have more than {self._steps} "
                    "symbols: their beginning is not read"
                )
        yield from self._padded()
        for part in PARTS[1:]:
            yield from self._strange(part)

    def _origin(self) -> str:
        """Say which parts were dealt from `data`."""
        dealt = [TITLES[part] for part in PARTS if part not in self._tables]
        if not self.data or not dealt:
            return ""
        return f"; {' and '.join(dealt)} dealt from `data` by hash of the different texts"

    def _option(self, part: Part) -> str:
        return "data" if part == "train" else part

    def _padded(self) -> Iterator[str]:
        """Advise a limit where a few long texts make every batch long."""
        lengths = self._parts["train"].lengths.double()
        mean = lengths.mean().item()
        if mean < self._steps / 4:
            yield (
                f"the mean text has {mean:.0f} symbols, but every batch {self._steps} steps for "
                f"the longest; `limit: {int(lengths.quantile(0.99))}` would cut one in a hundred"
            )

    def _strange(self, part: Part) -> Iterator[str]:
        """Count what a held-out part has and training has not."""
        held, texts = self._parts[part], self._texts[part]
        symbols = int(held.lengths.sum())
        within = torch.arange(len(held.inputs)).unsqueeze(1) < held.lengths
        unknown = int((held.inputs.eq(0) & within).sum())
        if unknown:
            yield f"{unknown / symbols:.2%} of the {TITLES[part]} symbols are unknown"
        unseen = [text.label for text in texts if text.label in self._unseen]
        if unseen:
            yield (
                f"{len(unseen):,} {TITLES[part]} texts have labels that training does not have "
                f"({', '.join(sorted(set(unseen)))}): they cannot be told"
            )

    @cached_property
    def _parts(self) -> dict[Part, rnnbench.Batch]:
        """Number the symbols and labels."""
        numbers = {label: number for number, label in enumerate(self._labels)}
        parts: dict[Part, rnnbench.Batch] = {}
        for part, texts in self._texts.items():
            encoded = [
                torch.tensor(self._vocabulary.encode(text.symbols[-self._steps :]))
                for text in texts
            ]
            steps = self._steps if part == "train" else max(map(len, encoded))
            inputs, lengths = rnnbench.pad(encoded, steps)
            targets = [numbers.get(text.label, len(numbers)) for text in texts]
            parts[part] = rnnbench.Batch(inputs, torch.tensor(targets), lengths)
        return parts

    @cached_property
    def _steps(self) -> int:
        read_whole: tuple[Part, ...] = ("train",) if self.data else PARTS
        longest = max(len(text.symbols) for part in read_whole for text in self._texts[part])
        return min(self.limit or longest, longest)

    @cached_property
    def _vocabulary(self) -> rnnbench.Vocabulary:
        texts = (text.symbols[-self._steps :] for text in self._texts["train"])
        return rnnbench.Vocabulary.of(texts, self.vocabulary or None)

    @cached_property
    def _labels(self) -> list[str]:
        labels = sorted({text.label for text in self._texts["train"]})
        if len(labels) < 2:
            raise rnnbench.DataError(
                f"{self.data}: every text for training has the label `{labels[0]}`; "
                "expected at least two labels, set `label` to their column"
            )
        return labels

    @cached_property
    def _legible(self) -> bool:
        """Whether every text is read whole, and all of its symbols are known."""
        known = set(self._vocabulary.symbols)
        return all(
            len(text.symbols) <= self._steps and known.issuperset(text.symbols)
            for texts in self._texts.values()
            for text in texts
        )

    @cached_property
    def _unseen(self) -> set[str]:
        labels = {text.label for part in PARTS[1:] for text in self._texts[part]}
        return labels - set(self._labels)

    @cached_property
    def _texts(self) -> dict[Part, list[Text]]:
        """Cut the texts into symbols, and deal those that have no table of their own."""
        given = {part: self._cut(table.rows) for part, table in self._tables.items()}
        if not given:
            generated = opinions(self.language, self.each)
            return {part: self._cut(rows) for part, rows in generated.items()}
        shares = {part: SHARES[part] for part in PARTS if part == "train" or part not in given}
        whole = sum(shares.values())
        groups: dict[tuple[str, ...], list[Text]] = {}
        for text in given["train"]:
            groups.setdefault(text.symbols[-self.limit :], []).append(text)
        different = list(groups.values())
        if len(different) < len(shares):
            raise rnnbench.DataError(
                f"{self.data}: {len(different)} different texts cannot be dealt into "
                f"{' and '.join(TITLES[part] for part in shares)} parts; give more texts"
            )
        dealt = rnnbench.deal(len(different), {part: s / whole for part, s in shares.items()})
        for part, chosen in dealt.items():
            given[part] = [text for number in chosen for text in different[number]]
        return {part: given[part] for part in PARTS}

    @cached_property
    def _tables(self) -> dict[Part, LabelledTexts]:
        """Read the files that are given."""
        if not self.data:
            if self.valid or self.test:
                raise rnnbench.DataError(
                    f"{self.valid or self.test}: held-out texts need some for training; set `data`"
                )
            return {}
        layout = Layout(
            self.text, self.label, self.header, self.separator, self.empty, self.encoding
        )
        train = read_labelled_texts(Path(self.data), layout)
        held_out = {"valid": self.valid, "test": self.test}
        return {"train": train} | {
            part: read_labelled_texts(Path(file), layout, train)
            for part, file in held_out.items()
            if file
        }

    def _cut(self, rows: list[tuple[str, str]]) -> list[Text]:
        """Cut texts into symbols."""
        return [Text(tuple(self._symbols(text)), label) for text, label in rows]

    def _symbols(self, text: str) -> list[str]:
        composed = unicodedata.normalize("NFC", text)
        return rnnbench.symbols(composed.lower() if self.unit == "word" else composed, self.unit)


def _accuracy(logits: Tensor, batch: rnnbench.Batch) -> float:
    return (logits.argmax(-1) == batch.targets).double().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the classification of texts."""
    return [TextClassification]
