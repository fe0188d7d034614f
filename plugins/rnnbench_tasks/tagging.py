"""Part-of-speech tagging: one tag a word, out of what stands before and after it."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

import rnnbench
from rnnbench_tasks import ambiguous_english, conllu, treebank
from rnnbench_tasks.certain import CERTAIN
from rnnbench_tasks.conllu import Sentence
from rnnbench_tasks.hidden_markov import HiddenMarkov
from rnnbench_tasks.parts import Part
from rnnbench_tasks.treebank import Treebank

# A tag is due at the symbol that ends a word, where it has been read as a whole.
WORD_END = " "


class Tagging(rnnbench.Task):
    """Give every word of a sentence its part of speech.

    Words are ambiguous, and what decides may stand before or after them. By default the sentences
    are 3000 different ones of a small grammar of English, in which each has one reading:

        input   since the storm fell ,     they saw  her plan .
        target  SCONJ DET NOUN  VERB PUNCT PRON VERB DET NOUN PUNCT

    Without `fell`, `since` would be ADP; before an object (`they saw her plan the walk`), `her`
    would be PRON and `plan` VERB.

    `data` names a CoNLL-U file, or one of lines `word TAB tag` with a blank line after each
    sentence; `valid` and `test` name the other parts. A part without a file is dealt from `data`,
    a tenth of its different sentences each. `unit: character` spells each word, followed by a
    space, at which its tag is due. Of training sentences the words beyond `limit` steps are cut
    off; held-out sentences are read whole. A symbol that training has but once is unknown, so that
    a network learns what unknown symbols are; so are all that `vocabulary` leaves out.

    Not causal: a sentence is there as a whole, so reading backwards is fair.
    """

    name = "tagging"
    reference = "Church 1988, doi:10.3115/974235.974260; CoNLL-U: de Marneffe et al. 2021"
    options = {
        "data": rnnbench.Option("", file=True, help="sentences to train on; none: generated ones"),
        "valid": rnnbench.Option("", file=True, help="sentences for validation"),
        "test": rnnbench.Option("", file=True, help="sentences for the test"),
        "column": rnnbench.Option("UPOS", choices=conllu.TAGS, help="the column of the tags"),
        "encoding": rnnbench.Option("utf-8", help="the encoding of the files"),
        "unit": rnnbench.Option("word", choices=("word", "character"), help="what a step is"),
        "lowercase": rnnbench.Option(False, help="read every word in small letters"),
        "vocabulary": rnnbench.Option(2000, low=2, help="most symbols, the unknown one too"),
        "embedding": rnnbench.Option(16, low=0, help="numbers a symbol is read as; 0: one-hot"),
        "limit": rnnbench.Option(50, low=1, help="most steps of a training sentence"),
    }
    pattern = "many-to-many"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    data: str
    valid: str
    test: str
    column: str
    encoding: str
    unit: str
    lowercase: bool
    vocabulary: int
    embedding: int
    limit: int

    @property
    def sequence_length(self) -> int:
        """The steps of the longest training sentence, `limit` at most."""
        return len(self._batches["train"].inputs)

    @property
    def inputs(self) -> rnnbench.Tokens:
        """Words or characters of the training part."""
        return rnnbench.Tokens(len(self._vocabulary), self.embedding or None)

    @property
    def targets(self) -> rnnbench.Classes:
        """The tags of the training part, and one class for all that only held-out parts have."""
        return rnnbench.Classes(len(self._treebank.tags) + bool(self._treebank.unseen))

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """Any tag; the most frequent tag of each symbol that a network sees; and the grammar.

        Floors read words as they are written, however many a network knows: the most frequent tag
        of each word (of all words, for one that training does not have), and a bigram tagger.
        Solved is 0.99 for generated sentences, the best floor for those of a file.
        """
        train, test = self._treebank.parts["train"], self._treebank.parts["test"]
        floors = {
            "most frequent tag": _accuracy(most_frequent_tags(train), test),
            "bigram HMM": _accuracy(HiddenMarkov(train).tag, test),
        }
        batch = self._batches["test"]
        right = self.trivial(batch).argmax(-1) == batch.targets
        return rnnbench.Anchors(
            chance=1 / len(self._treebank.tags),
            trivial=right[batch.mask].double().mean().item(),
            oracle=1.0 if self._has_rule else None,
            solved=max(floors.values()) if self.data else 0.99,
            floors=floors,
        )

    def shortest_path(self, bidirectional: bool) -> float:  # noqa: ARG002  one answer for both
        """Return how far the nearest context is: from the end of a word to that of the next one.

        That is one step where words are read, and a word's mean length where characters are.
        """
        train = self._batches["train"]
        return train.lengths.sum().item() / train.mask.sum().item()

    @property
    def notes(self) -> tuple[str, ...]:
        """How parts were made, what was cut off, and what held-out parts have that is unknown."""
        found = list(self._treebank.notes)
        train, test = self._treebank.parts["train"], self._batches["test"]
        if self._cut:
            found.append(
                f"{self._cut} of {len(train)} training sentences were cut at "
                f"{self.limit} {self.unit}s"
            )
        steps = torch.arange(len(test.inputs)).unsqueeze(1) < test.lengths
        if unknown := (test.inputs[steps] == 0).double().mean().item():
            found.append(f"{unknown:.1%} of the {self.unit}s in the test part are unknown")
        if unseen := self._treebank.unseen:
            found.append(
                f"{', '.join(unseen)}: no tag of the training part; never predicted, always wrong"
            )
        return tuple(found)

    @property
    def leaks(self) -> tuple[str, ...]:
        """How many test sentences training has too."""
        return self._treebank.leaks

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` training sentences: inputs, targets and mask [sequence_length, size].

        They are different ones, unless there are fewer.
        """
        return self._batches["train"].draw(size, generator, self.pattern)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return all sentences of a part, as long as they are."""
        return self._batches[split].to(generator.device)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict the tag that each symbol has most often: logits [time, batch, tags]."""
        frequent = self._frequent.to(batch.inputs.device)[batch.inputs]
        return one_hot(frequent, self.targets.count).float()

    def oracle(self, batch: rnnbench.Batch) -> Tensor | None:
        """Read generated sentences by their grammar: logits [time, batch, tags].

        There is none for files, nor where words are unknown or cut off.
        """
        if not self._has_rule:
            return None
        logits = torch.zeros(*batch.inputs.shape, self.targets.count)
        columns = zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
        for place, (sequence, length) in enumerate(columns):
            text = self._vocabulary.decode(sequence[:length])
            words = text if self.unit == "word" else "".join(text).split()
            (tags,) = ambiguous_english.taggings(words)
            ends = batch.mask[:, place].cpu().nonzero()[:, 0]
            logits[ends, place, [self._numbers[tag] for tag in tags]] = CERTAIN
        return logits.to(batch.inputs.device)

    @cached_property
    def _treebank(self) -> Treebank:
        files: dict[Part, str] = {"train": self.data, "valid": self.valid, "test": self.test}
        if not any(files.values()):
            return treebank.generated()
        return treebank.from_files(
            files, column=self.column, encoding=self.encoding, lowercase=self.lowercase
        )

    @cached_property
    def _vocabulary(self) -> rnnbench.Vocabulary:
        """Return the symbols that training has more than once, the most frequent of them."""
        sequences = [self._symbols(sentence.words) for sentence in self._treebank.parts["train"]]
        counts = Counter(symbol for sequence in sequences for symbol in sequence)
        repeated = [[symbol for symbol in one if counts[symbol] > 1] for one in sequences]
        return rnnbench.Vocabulary.of(repeated, most=self.vocabulary)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {tag: number for number, tag in enumerate(self._treebank.tags)}

    @cached_property
    def _batches(self) -> dict[Part, rnnbench.Batch]:
        """Lay the sentences of each part side by side."""
        return {
            part: self._laid_out(sentences, self.limit if part == "train" else sys.maxsize)
            for part, sentences in self._treebank.parts.items()
        }

    @cached_property
    def _cut(self) -> int:
        """Count the training sentences of more than `limit` steps."""
        train = self._treebank.parts["train"]
        return sum(len(self._symbols(sentence.words)) > self.limit for sentence in train)

    @cached_property
    def _frequent(self) -> Tensor:
        """Return the most frequent tag of each symbol, [vocabulary]; without one, that of all."""
        train, count = self._batches["train"], len(self._treebank.tags)
        inputs, targets = train.inputs[train.mask], train.targets[train.mask]
        table = torch.zeros(len(self._vocabulary), count)
        table.index_put_((inputs, targets), torch.ones(()), accumulate=True)
        return torch.where(table.any(1), table.argmax(1), table.sum(0).argmax())

    @property
    def _has_rule(self) -> bool:
        """Whether the grammar made the sentences, and all of their words can be read."""
        if self.data or self._cut:
            return False
        known = set(self._vocabulary.symbols)
        return all(
            known.issuperset(self._symbols(sentence.words))
            for sentences in self._treebank.parts.values()
            for sentence in sentences
        )

    def _symbols(self, words: Iterable[str]) -> list[str]:
        """Return what is read at each step."""
        return [symbol for word in words for symbol in self._spelled(word)]

    def _spelled(self, word: str) -> list[str]:
        """Return a word's steps; its tag is due at the last of them."""
        return [word] if self.unit == "word" else [*word, WORD_END]

    def _laid_out(self, sentences: Sequence[Sentence], limit: int) -> rnnbench.Batch:
        """Return sentences side by side, each with the words that fit into `limit` steps."""
        read = [self._read(sentence, limit) for sentence in sentences]
        steps = max(len(inputs) for inputs, _, _ in read)
        padded = [rnnbench.pad(column, steps) for column in zip(*read, strict=True)]
        (inputs, lengths), (targets, _), (ends, _) = padded
        return rnnbench.Batch(inputs, targets, lengths, ends)

    def _read(self, sentence: Sentence, limit: int) -> tuple[Tensor, Tensor, Tensor]:
        """Return symbols, tags and whether a tag is due, each [steps].

        Of a first word that does not fit, the beginning is left out.
        """
        symbols: list[str] = []
        tags: list[int] = []
        ends: list[bool] = []
        for word, tag in zip(*sentence, strict=True):
            spelled = self._spelled(word)[-limit:]
            if len(symbols) + len(spelled) > limit:
                break
            before = len(spelled) - 1
            symbols += spelled
            tags += [*[0] * before, self._numbers.get(tag, len(self._numbers))]
            ends += [*[False] * before, True]
        inputs = torch.tensor(self._vocabulary.encode(symbols))
        return inputs, torch.tensor(tags), torch.tensor(ends)


def most_frequent_tags(sentences: Iterable[Sentence]) -> Callable[[Sequence[str]], list[str]]:
    """Return what gives each word the tag that it has most often; an unknown one, that of all."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for words, tags in sentences:
        for word, tag in zip(words, tags, strict=True):
            counts[word][tag] += 1
    known = {word: tags.most_common(1)[0][0] for word, tags in counts.items()}
    ((usual, _),) = sum(counts.values(), Counter()).most_common(1)
    return lambda words: [known.get(word, usual) for word in words]


def _accuracy(tag: Callable[[Sequence[str]], list[str]], sentences: Iterable[Sentence]) -> float:
    """Return the share of words that get their tag."""
    right = [
        found == expected
        for words, tags in sentences
        for found, expected in zip(tag(words), tags, strict=True)
    ]
    return sum(right) / len(right)


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide tagging."""
    return [Tagging]
