"""Translation, or whatever else becomes of one text another: generated, or pairs from files."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import islice, zip_longest
from pathlib import Path

import torch
from sacrebleu.metrics import CHRF
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import delimited, english_korean, pairs, written_pairs
from rnnbench_tasks.nearest_text import nearest_texts
from rnnbench_tasks.pair_table import Layout, PairTable, read_pairs
from rnnbench_tasks.pairs import END, Pair
from rnnbench_tasks.parts import PARTS, SHARES, TITLES, Part, overlaps
from rnnbench_tasks.written_pairs import Symbols, Written

GENERATED = {"valid": 300, "test": 600}
"""How many generated sentences are held out."""

SOLVED = 99.0


class Translation(rnnbench.Task):
    """Say in another language what a sentence says.

    Without a file the sentences are generated: English, of which each becomes one in Korean, with
    its verb at the end, particles that suit the sound before them, and counting words.

        input    two small dogs saw the car in the park .
        target   작은 개 두 마리가 공원에서 차를 보았다 . <END>

    From a file: a table with a column of sources and one of targets, such as sentences and their
    translations, or questions and answers of a dialogue. 80 % of the different sources are for
    training, 10 % for validation and 10 % for the test, unless `valid` or `test` name tables of
    their own. Pairs with a side of more than `limit` symbols are left out of training; what is held
    out is kept whole.

    A held-out source with several targets is one row with several right answers: chrF and BLEU take
    them all, exact match and token accuracy the first. Right answers are cut into symbols like what
    is said, in small letters unless `lowercase: false`, so that a right one scores in full; scores
    of texts cut in another way differ.

    Not causal: the first word is due after the last one is read, so reading backwards is fair.
    """

    name = "translation"
    reference = "Sutskever, Vinyals & Le 2014, arXiv:1409.3215; generated sentences: rnnbench"
    options = {
        "data": rnnbench.Option("", file=True, help="table of pairs; none: generated sentences"),
        "valid": rnnbench.Option("", file=True, help="table for validation; none: part of `data`"),
        "test": rnnbench.Option("", file=True, help="table for the test; none: part of `data`"),
        "source_column": rnnbench.Option(
            "1", help="column of the sources: its name, or its number in quotes"
        ),
        "target_column": rnnbench.Option(
            "2", help="column of the targets: its name, or its number in quotes"
        ),
        "header": rnnbench.Option(
            "auto",
            choices=("auto", "yes", "no"),
            help="whether the first row names the columns; auto: if one is asked for by name",
        ),
        "separator": rnnbench.Option(
            "auto", choices=delimited.CHOICES, help="what stands between two cells"
        ),
        "empty": rnnbench.Option(
            "error", choices=("error", "skip"), help="what a pair with an empty side is"
        ),
        "encoding": rnnbench.Option("utf-8", help="of the tables, such as cp949 or latin-1"),
        "sentences": rnnbench.Option(
            20_000, low=1, high=1_000_000, help="generated sentences to train on"
        ),
        "source_unit": rnnbench.Option(
            "word", choices=rnnbench.UNITS, help="what is read at a step"
        ),
        "target_unit": rnnbench.Option("word", choices=rnnbench.UNITS, help="what is said at once"),
        "lowercase": rnnbench.Option(True, help="whether both sides are put in small letters"),
        "limit": rnnbench.Option(0, low=0, help="most symbols a side to train on; 0: any number"),
        "vocabulary": rnnbench.Option(
            0, low=0, help="most symbols a side, the frequent ones; 0: all"
        ),
        "seen": rnnbench.Option(
            1, low=1, help="how often training must have a symbol for it to be known"
        ),
        "embedding": rnnbench.Option(32, low=0, help="width of a symbol's vector; 0: one-hot"),
    }
    pattern = "sequence-to-sequence"
    causal = False
    metrics = ("chrf", "bleu", "token_accuracy", "exact_match")

    data: str
    valid: str
    test: str
    source_column: str
    target_column: str
    header: str
    separator: str
    empty: str
    encoding: str
    sentences: int
    source_unit: str
    target_unit: str
    lowercase: bool
    limit: int
    vocabulary: int
    seen: int
    embedding: int

    @property
    def sequence_length(self) -> int:
        """The symbols of the longest source for training."""
        return len(self._batches["train"].inputs)

    @property
    def target_length(self) -> int:
        """The symbols of the longest target for training, and <END>."""
        return len(self._batches["train"].targets)

    @cached_property
    def inputs(self) -> rnnbench.Tokens:
        """The symbols of the training sources; number 0 stands for all others."""
        symbols = self._sources.symbols
        return rnnbench.Tokens(
            len(symbols), self.embedding or None, symbols, _between(self.source_unit)
        )

    @cached_property
    def targets(self) -> rnnbench.Sequences:
        """The symbols of the training targets; number 0 stands for all others, and is never said.

        The last one is <END>.
        """
        symbols = (*self._targets.symbols, END)
        return rnnbench.Sequences(
            symbols,
            end=len(symbols) - 1,
            between=_between(self.target_unit),
            unknown=0,
            embedding=self.embedding or None,
        )

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """What chrF reads for naive answers, and for the rule of generated sentences.

        chance is any training target, trivial the one that training has most often, nearest that of
        the training source with most nearly the same words, and copy the source itself. Generated
        sentences are solved at 99; a file is, where the best of the last three is reached.
        """
        test, train = self._batches["test"], self._parts["train"]
        sources = [self._source_text(source) for source in self._answers["test"]]
        known = [self._source_text(pair.source) for pair in train]
        near = nearest_texts(sources, known)
        draws = torch.randint(len(train), (len(test),), generator=Generator().manual_seed(0))
        trivial = self._chrf(self._texts(self.trivial(test)))
        floors = {
            "copy": self._chrf(sources),
            "nearest": self._chrf([self._target_text(train[n].target) for n in near]),
        }
        ruled = self.oracle(test)
        return rnnbench.Anchors(
            chance=self._chrf([self._target_text(train[n].target) for n in draws.tolist()]),
            trivial=trivial,
            oracle=None if ruled is None else self._chrf(self._texts(ruled)),
            solved=max(trivial, *floors.values()) if self.data else SOLVED,
            floors=floors,
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farthest symbol is from the last one that is said, on average.

        Forwards that is the first symbol; with two directions one in the middle. Any may count for
        what is said, and where it stands, so it also goes by all that is said.
        """
        return written_pairs.path(self._numbered["train"], bidirectional)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw training pairs: inputs [steps, size], targets [target steps, size], lengths [size].

        They are different ones, unless there are fewer than `size`.
        """
        return self._batches["train"].draw(size, generator, self.pattern)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return all different sources for validation or for the test, with their references."""
        return self._batches[split].to(generator.device)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Say the target that training has most often, of several the first: [steps, batch]."""
        counts = Counter(tuple(pair.target) for pair in self._numbered["train"])
        ((most, _),) = counts.most_common(1)
        return pairs.answered([most] * len(batch), batch, self.targets.end)

    def oracle(self, batch: rnnbench.Batch) -> Tensor | None:
        """Translate generated sentences by their grammar: [target steps, batch].

        There is none where a symbol is unknown.
        """
        if self.data or not self._legible:
            return None
        answers = []
        for numbers, length in zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True):
            text = self._source_text(self._sources.decode(numbers[:length]))
            words = rnnbench.symbols(text.lower(), "word")
            translated = english_korean.korean(english_korean.read(words[:-1]))
            answers.append(self._targets.encode(self._cut(translated, self.target_unit)))
        return pairs.answered(answers, batch, self.targets.end)

    @property
    def notes(self) -> tuple[str, ...]:
        """How the pairs were split and left out, and what training does not know of the others."""
        return tuple(self._noted())

    @property
    def leaks(self) -> tuple[str, ...]:
        """How many held-out sources, and whole pairs, another part has too."""
        sources = {part: [pair.source for pair in some] for part, some in self._parts.items()}
        return (*overlaps(sources, "sources"), *overlaps(self._parts, "pairs"))

    def _noted(self) -> Iterator[str]:
        counts = [f"{len(some):,} {TITLES[part]} pairs" for part, some in self._parts.items()]
        yield ", ".join(counts) + self._origin()
        for part, table in self._tables.items():
            if table.skipped:
                name = "data" if part == "train" else part
                yield f"{table.skipped:,} pairs with an empty side were skipped in `{name}`"
        if self._tables:
            yield "the first pair of `data`: " + " → ".join(self._tables["train"].pairs[0])
        left = len(self._whole["train"]) - len(self._parts["train"])
        if left:
            yield f"{left:,} training pairs with a side of more than {self.limit} symbols left out"
        yield from self._padded()
        for part in PARTS[1:]:
            yield from self._strange(part)

    def _origin(self) -> str:
        """Say which parts were dealt from `data`."""
        if not self.data:
            return " of generated sentences"
        dealt = [TITLES[part] for part in PARTS if part not in self._tables]
        if not dealt:
            return ""
        return f"; {' and '.join(dealt)} dealt from `data` by hash of the different sources"

    def _padded(self) -> Iterator[str]:
        """Advise a limit where a few long pairs make every batch long."""
        lengths = torch.tensor([[len(side) for side in pair] for pair in self._parts["train"]])
        (source, target), means = lengths.amax(0).tolist(), lengths.double().mean(0).tolist()
        if means[0] < source / 4 or means[1] < target / 4:
            limit = int(lengths.amax(1).double().quantile(0.99))
            yield (
                f"the mean training pair has {means[0]:.0f} and {means[1]:.0f} symbols, but every "
                f"batch {source} and {target} steps for the longest; `limit: {limit}` would leave "
                "out one pair in a hundred"
            )

    def _strange(self, part: Part) -> Iterator[str]:
        """Say what of a held-out part training does not know, and how it is scored."""
        some = self._parts[part]
        for side, vocabulary in (("source", self._sources), ("target", self._targets)):
            share = written_pairs.unknown([getattr(pair, side) for pair in some], vocabulary)
            if share:
                yield f"{share:.2%} of the {TITLES[part]} {side} symbols are unknown to training"
        most, lengths = self.target_length - 1, [len(pair.target) for pair in some]
        if longer := sum(length > most for length in lengths):
            yield (
                f"{longer:,} {TITLES[part]} targets are longer than any in training, which has "
                f"{most:,} symbols at most; the longest has {max(lengths):,}"
            )
        answers = self._answers[part]
        if several := sum(len(texts) > 1 for texts in answers.values()):
            yield (
                f"{several:,} of {len(answers):,} {TITLES[part]} sources have several right "
                "answers; exact match and token accuracy know the first"
            )

    @cached_property
    def _batches(self) -> dict[Part, rnnbench.Batch]:
        end = self.targets.end
        batches = {"train": pairs.batch(self._numbered["train"], end)}
        for part, answers in self._answers.items():
            references = [[self._target_text(text) for text in texts] for texts in answers.values()]
            batches[part] = pairs.batch(self._numbered[part], end, references=references)
        return batches

    @cached_property
    def _numbered(self) -> dict[Part, list[Pair]]:
        """Put training pairs, and held-out sources with their first right answer, in numbers."""
        written = {"train": self._parts["train"]} | {
            part: [Written(source, texts[0]) for source, texts in answers.items()]
            for part, answers in self._answers.items()
        }
        return {
            part: written_pairs.numbered(some, self._sources, self._targets)
            for part, some in written.items()
        }

    @cached_property
    def _sources(self) -> rnnbench.Vocabulary:
        return self._vocabulary("source", [pair.source for pair in self._parts["train"]])

    @cached_property
    def _targets(self) -> rnnbench.Vocabulary:
        return self._vocabulary("target", [pair.target for pair in self._parts["train"]])

    def _vocabulary(self, side: str, sequences: Sequence[Symbols]) -> rnnbench.Vocabulary:
        counts = Counter(symbol for sequence in sequences for symbol in sequence)
        often = [[s for s in sequence if counts[s] >= self.seen] for sequence in sequences]
        known = rnnbench.Vocabulary.of(often, self.vocabulary or None)
        if len(known) < 2:
            raise rnnbench.DataError(
                f"{self.data or 'generated sentences'}: no symbol of the {side}s is known; "
                "expected one at least: make `vocabulary` larger or `seen` smaller"
            )
        return known

    @cached_property
    def _answers(self) -> dict[rnnbench.Split, dict[Symbols, list[Symbols]]]:
        """The right answers of every held-out source."""
        return {
            "valid": written_pairs.by_source(self._parts["valid"]),
            "test": written_pairs.by_source(self._parts["test"]),
        }

    @cached_property
    def _legible(self) -> bool:
        """Whether all symbols of what is held out are known."""
        held_out = [pair for part in PARTS[1:] for pair in self._parts[part]]
        sources = written_pairs.unknown([pair.source for pair in held_out], self._sources)
        return not sources + written_pairs.unknown([p.target for p in held_out], self._targets)

    @cached_property
    def _parts(self) -> dict[Part, list[Written]]:
        """Leave pairs that are too long out of training."""
        train = self._whole["train"]
        if self.limit:
            train = [pair for pair in train if max(map(len, pair)) <= self.limit]
        if not train:
            raise rnnbench.DataError(
                f"{self.data or 'generated sentences'}: all pairs to train on have a side of more "
                f"than {self.limit} symbols; make `limit` larger"
            )
        return {**self._whole, "train": train}

    @cached_property
    def _whole(self) -> dict[Part, list[Written]]:
        """Cut pairs into symbols, and deal those that have no table of their own."""
        if not self._tables:
            return self._generated()
        given = {part: self._written(table.pairs) for part, table in self._tables.items()}
        shares = {part: SHARES[part] for part in PARTS if part == "train" or part not in given}
        different = len(written_pairs.by_source(given["train"]))
        if different < len(shares):
            raise rnnbench.DataError(
                f"{self.data}: {different} different sources cannot be dealt into "
                f"{' and '.join(TITLES[part] for part in shares)} parts; give more pairs"
            )
        whole = sum(shares.values())
        dealt = written_pairs.deal(given["train"], {p: s / whole for p, s in shares.items()})
        return {part: dealt.get(part) or given[part] for part in PARTS}

    def _generated(self) -> dict[Part, list[Written]]:
        """Generate sentences, those that are held out first, so that they are always the same."""
        sentences = english_korean.sentences()
        sizes = {**GENERATED, "train": self.sentences}
        some = {
            part: [
                (english_korean.english(said), english_korean.korean(said))
                for said in islice(sentences, size)
            ]
            for part, size in sizes.items()
        }
        return {part: self._written(some[part]) for part in PARTS}

    @cached_property
    def _tables(self) -> dict[Part, PairTable]:
        """Read the files that are given."""
        if not self.data:
            if self.valid or self.test:
                raise rnnbench.DataError(
                    f"{self.valid or self.test}: held-out pairs need some for training; set `data`"
                )
            return {}
        layout = Layout(
            self.source_column,
            self.target_column,
            self.header,
            self.separator,
            self.empty,
            self.encoding,
        )
        files = {"train": self.data, "valid": self.valid, "test": self.test}
        return {part: read_pairs(Path(files[part]), layout) for part in PARTS if files[part]}

    def _written(self, texts: Sequence[tuple[str, str]]) -> list[Written]:
        return [
            Written(self._cut(source, self.source_unit), self._cut(target, self.target_unit))
            for source, target in texts
        ]

    def _cut(self, text: str, unit: str) -> Symbols:
        """Cut a text into symbols; white space of any kind and length is a space."""
        text = " ".join(unicodedata.normalize("NFC", text).split())
        return tuple(rnnbench.symbols(text.lower() if self.lowercase else text, unit))

    def _source_text(self, symbols: Sequence[str]) -> str:
        return rnnbench.text_of(symbols, self.source_unit)

    def _target_text(self, symbols: Sequence[str]) -> str:
        return rnnbench.text_of(symbols, self.target_unit)

    def _texts(self, said: Tensor) -> list[str]:
        return [self.targets.text(numbers) for numbers in said.T.tolist()]

    def _chrf(self, said: Sequence[str]) -> float:
        """Score answers to the test as the metric does."""
        streams = list(zip_longest(*self._batches["test"].references))
        return CHRF().corpus_score(said, streams).score


def _between(unit: str) -> str:
    return " " if unit == "word" else ""


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide translation."""
    return [Translation]
