"""SCAN: commands in words to sequences of actions, as a rule tells; generated, or from files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import torch
from torch import Generator, Tensor

import rnnbench
from rnnbench_tasks import pairs, written_pairs
from rnnbench_tasks.pairs import END, Pair
from rnnbench_tasks.parts import PARTS, TITLES, Part
from rnnbench_tasks.scan_file import read_commands
from rnnbench_tasks.scan_grammar import commands
from rnnbench_tasks.written_pairs import Written

SHARES: dict[Part, float] = {"train": 0.8, "test": 0.2}
LONGEST = 22
"""The most actions of a command to train on, where commands are split by length."""

VALID_SHARE, VALID_MOST = 0.05, 500
SOLVED = 0.99
PART = 512


class Scan(rnnbench.Task):
    """Write down the actions that a command asks for.

    The commands are those of SCAN (Lake & Baroni 2018): all 20,910 of a small grammar, in which
    every word has one meaning, so that whoever knows the rule answers each of them.

        input    jump opposite left after walk twice
        target   I_WALK I_WALK I_TURN_LEFT I_TURN_LEFT I_JUMP <END>

    With `split: simple`, 16,728 commands are for training and 4,182 for the test, dealt by hash;
    the published split of these sizes is a random one that only its files tell. With
    `split: length`, the 16,990 commands with 22 actions or fewer are for training and the 3,920
    with 24 to 48 for the test, as published. Of the training commands 500 are for validation.

    From files (`data`, and `test` if there is one) with a line `IN: … OUT: …` a command, such as
    `tasks_train_simple.txt` and `tasks_test_simple.txt`, also compressed. A file for the test
    decides the split alone; else `split` is made of the different commands in `data`. Up to 500
    training commands, or 5 %, are for validation.

    Not causal: the first action is due after the last word, so reading backwards is fair.
    """

    name = "scan"
    reference = "Lake & Baroni 2018, arXiv:1711.00350"
    options = {
        "split": rnnbench.Option(
            "simple", choices=("simple", "length"), help="test on any commands, or on longer ones"
        ),
        "data": rnnbench.Option("", file=True, help="commands to train on; none: all of SCAN"),
        "test": rnnbench.Option("", file=True, help="commands for the test; none: by `split`"),
        "embedding": rnnbench.Option(0, low=0, help="width of a word's vector; 0: one-hot"),
    }
    pattern = "sequence-to-sequence"
    causal = False
    metrics = ("exact_match", "token_accuracy")

    split: str
    data: str
    test: str
    embedding: int

    @property
    def sequence_length(self) -> int:
        """The words of the longest training command."""
        return len(self._train.inputs)

    @property
    def target_length(self) -> int:
        """The most actions of a training command, and <END>."""
        return len(self._train.targets)

    @cached_property
    def inputs(self) -> rnnbench.Tokens:
        """The words of the training commands; of a file, number 0 stands for all others."""
        words = self._words.symbols
        return rnnbench.Tokens(len(words), self.embedding or None, words, between=" ")

    @cached_property
    def targets(self) -> rnnbench.Sequences:
        """The actions of the training commands, and <END>; of a file, number 0 is never said."""
        symbols = (*self._actions.symbols, END)
        return rnnbench.Sequences(
            symbols,
            end=len(symbols) - 1,
            between=" ",
            unknown=0 if self.data else None,
            embedding=self.embedding or None,
        )

    @cached_property
    def anchors(self) -> rnnbench.Anchors:
        """A guess of every action, the most frequent training answer, a neighbour's, and the rule.

        The neighbour is the training command that has most nearly the same words, in any order; of
        several, the first. The oracle is there where all test answers follow SCAN's rule.
        """
        test = self._parts["test"]
        ruled = self.oracle(test)
        lengths = torch.tensor([len(pair.target) + 1 for pair in self._numbered["test"]])
        return rnnbench.Anchors(
            chance=(self.targets.count ** -lengths.double()).mean().item(),
            trivial=_exact(self.trivial(test), test),
            oracle=None if ruled is None else _exact(ruled, test),
            solved=SOLVED,
            floors={"nearest": self._nearest()},
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the farthest word is from the last action, on average.

        Forwards that is the first word; with two directions one in the middle. Where the last
        action stands depends on all words, so each also goes by all actions.
        """
        return written_pairs.path(self._numbered["train"], bidirectional)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw training pairs: inputs [steps, size], targets [target steps, size], lengths [size].

        They are different ones, unless there are fewer than `size`.
        """
        return self._train.draw(size, generator, self.pattern)

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return all commands for validation or for the test."""
        return self._parts[split].to(generator.device)

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Say the most frequent training answer: [target steps, batch]."""
        answers = Counter(tuple(pair.target) for pair in self._numbered["train"])
        ((most, _),) = answers.most_common(1)
        return pairs.answered([most] * len(batch), batch, self.targets.end)

    def oracle(self, batch: rnnbench.Batch) -> Tensor | None:
        """Answer by the rule: [target steps, batch]; None where a file has other answers."""
        if any(commands().get(pair.source) != pair.target for pair in self._written["test"]):
            return None
        answers = []
        for numbers, length in zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True):
            actions = commands().get(tuple(self._words.decode(numbers[:length])))
            if actions is None:
                return None
            answers.append(self._actions.encode(actions))
        return pairs.answered(answers, batch, self.targets.end)

    @property
    def notes(self) -> tuple[str, ...]:
        """How the commands were split, and what training does not know of the others."""
        return tuple(self._noted())

    @property
    def leaks(self) -> tuple[str, ...]:
        """How many test commands are in the training file."""
        numbered = self._numbered
        shared = pairs.shared(numbered["train"] + numbered["valid"], numbered["test"])
        total = len(numbered["test"])
        return (
            (f"{shared:,} of {total:,} test commands are also in the training file",)
            if shared
            else ()
        )

    def _noted(self) -> Iterator[str]:
        train, valid, test = (self._written[part] for part in PARTS)
        split = "from a file of its own" if self.test else f"by the split `{self.split}`"
        yield (
            f"{len(train):,} training, {len(valid):,} validation and {len(test):,} test commands; "
            f"the test is {split}, validation is dealt from training by hash"
        )
        if not self.data and self.split == "simple":
            yield "the published simple split is another random one of these sizes; files have it"
        for part in PARTS[1:]:
            for side, vocabulary in (("source", self._words), ("target", self._actions)):
                sequences = [getattr(pair, side) for pair in self._written[part]]
                share = written_pairs.unknown(sequences, vocabulary)
                if share:
                    name = "words" if side == "source" else "actions"
                    yield f"{share:.2%} of the {TITLES[part]} {name} are unknown to training"

    def _nearest(self) -> float:
        """Measure how often the training command with most nearly the same words is answered."""
        train, test = self._numbered["train"], self._numbered["test"]
        known = _counts(train, self.inputs.vocabulary)
        # part by part: all distances at once are a matter of gigabytes for large files
        parts = _counts(test, self.inputs.vocabulary).split(PART)
        near = torch.cat([torch.cdist(part, known, p=1).argmin(1) for part in parts]).tolist()
        right = [train[n].target == pair.target for n, pair in zip(near, test, strict=True)]
        return sum(right) / len(right)

    @property
    def _train(self) -> rnnbench.Batch:
        return self._parts["train"]

    @cached_property
    def _parts(self) -> dict[Part, rnnbench.Batch]:
        return {part: pairs.batch(some, self.targets.end) for part, some in self._numbered.items()}

    @cached_property
    def _numbered(self) -> dict[Part, list[Pair]]:
        return {
            part: written_pairs.numbered(some, self._words, self._actions)
            for part, some in self._written.items()
        }

    @cached_property
    def _words(self) -> rnnbench.Vocabulary:
        return self._vocabulary([pair.source for pair in self._written["train"]])

    @cached_property
    def _actions(self) -> rnnbench.Vocabulary:
        return self._vocabulary([pair.target for pair in self._written["train"]])

    def _vocabulary(self, sequences: list[tuple[str, ...]]) -> rnnbench.Vocabulary:
        """Return the symbols of the training part; all of SCAN's are in it."""
        known = rnnbench.Vocabulary.of(sequences)
        return known if self.data else rnnbench.Vocabulary(known.symbols[1:])

    @cached_property
    def _written(self) -> dict[Part, list[Written]]:
        """Deal the commands into parts."""
        if self.test and not self.data:
            raise rnnbench.DataError(
                f"{self.test}: `test` needs commands to train on; set `data` to their file"
            )
        whole = read_commands(Path(self.data)) if self.data else _scan()
        if self.test:
            train, test = whole, read_commands(Path(self.test))
        elif self.split == "length":
            train = [pair for pair in whole if len(pair.target) <= LONGEST]
            test = [pair for pair in whole if len(pair.target) > LONGEST]
            if not test:
                raise rnnbench.DataError(
                    f"{self.data}: no command has more than {LONGEST} actions to test on; "
                    "set `test` to a file, or `split: simple`"
                )
        else:
            train, test = self._dealt(whole, SHARES).values()
        share = min(VALID_SHARE, VALID_MOST / max(len(train), 1))
        training, valid = self._dealt(train, {"train": 1 - share, "valid": share}).values()
        return {"train": training, "valid": valid, "test": test}

    def _dealt(self, some: list[Written], shares: dict[Part, float]) -> dict[Part, list[Written]]:
        different = len(written_pairs.by_source(some))
        if different < len(shares):
            raise rnnbench.DataError(
                f"{self.data}: {different} different commands to deal into "
                f"{' and '.join(TITLES[part] for part in shares)}; give more"
            )
        return written_pairs.deal(some, shares)


def _scan() -> list[Written]:
    return [Written(command, actions) for command, actions in commands().items()]


def _exact(said: Tensor, batch: rnnbench.Batch) -> float:
    return (said == batch.targets).all(0).double().mean().item()


def _counts(some: list[Pair], kinds: int) -> Tensor:
    """Count the words of each source: [pairs, kinds]."""
    sources = [torch.tensor(pair.source) for pair in some]
    return torch.stack([source.bincount(minlength=kinds) for source in sources]).float()


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide SCAN."""
    return [Scan]
