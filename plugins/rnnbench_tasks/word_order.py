"""Who did it: sentences whose words say nothing before their order is read."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Literal

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

import rnnbench
from rnnbench_tasks.actions import GRAMMARS, LANGUAGES, Grammar

Part = Literal["train", "valid", "test"]
Fact = tuple[str, str]

SHARES = {"train": 0.8, "valid": 0.1, "test": 0.1}
HELD_OUT = {"valid": 256, "test": 1024}

# As a logit: e⁻⁵⁰ vanishes beside 1 in float64, and unlike ∞ it keeps every loss finite.
CERTAIN = 50.0


@dataclass(frozen=True)
class Stories:
    """What texts say, a row a text.

    pair      [size, 2] the two participants, by number
    verbs     [size, clauses] by number, all different in a text
    acting    [size, clauses] which of the two acts, 0 or 1
    inverted  [size, clauses] whether who acts is named last, 0 or 1
    asked     [size, 1] the clause that the question is about
    named     [size, 1] which of the two the question names, 0 or 1
    """

    pair: Tensor
    verbs: Tensor
    acting: Tensor
    inverted: Tensor
    asked: Tensor
    named: Tensor

    def swapped(self) -> Stories:
        """Let the two change places in the clause asked about: the symbols stay the same."""
        acts = self.acting.gather(1, self.asked)
        return replace(self, acting=self.acting.scatter(1, self.asked, 1 - acts))

    def answers(self) -> Tensor:
        """Return whether the participant that the question names acted: [size], 0 or 1."""
        return (self.acting.gather(1, self.asked) == self.named).squeeze(1).long()


class WordOrder(rnnbench.Task):
    """Say whether somebody did it (1) or had it done to them (0), which only word order tells.

    "개가 철수를 물었다" and "철수가 개를 물었다" have the same words. In every clause the
    same two meet, and one does something to the other; the question is about one of the clauses.
    Half of the clauses are passive, or in Korean put the object first, so that whoever is named
    first need not be the one who acts. With one clause, and with two in Korean:

        input    the dog bit Chulsu . who bit ? Chulsu
        target   0

        input    철수 를 개 가 물었다 . 철수 가 개 를 쫓았다 . 누가 물었나 ? 개
        target   1

    Read by characters, Korean is written as usual: 개가 철수를 물었다. To every text belongs
    another with the same symbols and the other answer; held-out parts hold both, so whoever counts
    symbols is right in exactly one half. Two that meet in one part never meet in another.

    Not causal: the answer is due after the last symbol, so reading backwards is fair.
    """

    name = "word_order"
    reference = "rnnbench"
    options = {
        "language": rnnbench.Option("english", choices=LANGUAGES, help="English or Korean"),
        "unit": rnnbench.Option("word", choices=rnnbench.UNITS, help="what is read at a step"),
        "clauses": rnnbench.Option(1, low=1, high=12, help="clauses before the question"),
        "inversion": rnnbench.Option(True, help="whether half of the clauses are inverted"),
        "embedding": rnnbench.Option(0, low=0, help="width of a symbol's vector; 0: one-hot"),
    }
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy", "cross_entropy")

    language: str
    unit: str
    clauses: int
    inversion: bool
    embedding: int

    @property
    def sequence_length(self) -> int:
        """As many as the longest clauses and the longest question have."""
        return self.clauses * self._clauses.shape[-1] + self._questions.shape[-1]

    @property
    def inputs(self) -> rnnbench.Tokens:
        """The words or characters of the language; number 0 is none of them."""
        return rnnbench.Tokens(len(self._vocabulary), self.embedding or None)

    @property
    def targets(self) -> rnnbench.Classes:
        """No or yes."""
        return rnnbench.Classes(2)

    @property
    def anchors(self) -> rnnbench.Anchors:
        """One half by a guess, a constant, and by counting symbols in whatever way."""
        return rnnbench.Anchors(
            chance=0.5, trivial=0.5, oracle=1.0, solved=0.95, floors={"bag_of_words": 0.5}
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the clause that is asked about reaches from its read-out, on average.

        Its clause may be any. Forwards its first symbol is the farthest. With two directions a
        clause near the beginning is read backwards; the question goes forwards. Clauses and
        question count with their average lengths.
        """
        clause, question = _mean_length(self._clauses), _mean_length(self._questions)
        last = self.clauses * clause + question - 1
        paths = []
        for place in range(self.clauses):
            forwards, backwards = last - place * clause, (place + 1) * clause - 1
            nearest = min(forwards, backwards, last / 2)
            paths.append(max(nearest, question - 1) if bidirectional else forwards)
        return sum(paths) / len(paths)

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` texts: inputs [steps, size], targets [size], lengths [size]."""
        return self._told(self._drawn("train", size, generator))

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Draw 512 texts for validation or 2048 for the test, each with its partner."""
        stories = self._drawn(split, HELD_OUT[split], generator)
        one, other = self._told(stories), self._told(stories.swapped())
        return rnnbench.Batch(
            torch.cat([one.inputs, other.inputs], 1),
            torch.cat([one.targets, other.targets]),
            torch.cat([one.lengths, other.lengths]),
        )

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict both answers alike: logits [batch, 2]."""
        return torch.zeros(len(batch), 2, device=batch.inputs.device)

    def oracle(self, batch: rnnbench.Batch) -> Tensor:
        """Look the question up in the clauses: logits [batch, 2]."""
        answers = []
        for numbers, length in zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True):
            text = rnnbench.text_of(self._vocabulary.decode(numbers[:length]), self.unit)
            *clauses, question = map(str.strip, text.split("."))
            said = [self._meanings[clause] for clause in clauses]
            answers.append(int(self._meanings[question] in said))
        right = one_hot(torch.tensor(answers), 2).float()
        return CERTAIN * right.to(batch.inputs.device)

    def _drawn(self, part: Part, size: int, generator: Generator) -> Stories:
        """Draw stories of those who meet in this part."""
        device = generator.device

        def drawn(count: int, width: int = 1) -> Tensor:
            return torch.randint(count, (size, width), generator=generator, device=device)

        pairs = self._pairs[part].to(device)
        order = torch.rand(size, len(self._grammar.verbs), generator=generator, device=device)
        inverted = drawn(2, self.clauses)
        return Stories(
            pair=pairs[drawn(len(pairs)).squeeze(1)],
            verbs=order.argsort(1)[:, : self.clauses],
            acting=drawn(2, self.clauses),
            inverted=inverted if self.inversion else torch.zeros_like(inverted),
            asked=drawn(self.clauses),
            named=drawn(2),
        )

    def _told(self, stories: Stories) -> rnnbench.Batch:
        """Put stories into symbols: clause after clause, and the question."""
        device = stories.pair.device
        actors, others = (
            stories.pair.gather(1, who) for who in (stories.acting, 1 - stories.acting)
        )
        clauses = self._clauses.to(device)[actors, others, stories.verbs, stories.inverted]
        verb, name = stories.verbs.gather(1, stories.asked), stories.pair.gather(1, stories.named)
        questions = self._questions.to(device)[verb, name]
        spaced = torch.cat([clauses.flatten(1), questions.flatten(1)], 1)
        lengths = (spaced > 0).sum(1)
        inputs = torch.zeros_like(spaced)
        inputs[torch.arange(len(spaced[0]), device=device) < lengths.unsqueeze(1)] = spaced[
            spaced > 0
        ]
        return rnnbench.Batch(inputs.T.contiguous(), stories.answers(), lengths)

    @property
    def _grammar(self) -> Grammar:
        return GRAMMARS[self.language]

    @cached_property
    def _pairs(self) -> dict[str, Tensor]:
        """Who meets whom in which part: [pairs, 2]."""
        pairs = torch.tensor(self._grammar.pairs())
        return {part: pairs[rows] for part, rows in rnnbench.deal(len(pairs), SHARES).items()}

    @cached_property
    def _phrases(self) -> dict[tuple[int, ...], tuple[list[str], Fact]]:
        """Everything that can be said or asked, in symbols, with what it is about.

        Clauses are found by actor, other, verb and inversion, questions by verb and participant.
        """
        grammar, phrases = self._grammar, {}
        verbs, inversions = enumerate(grammar.verbs), range(1 + self.inversion)
        meetings = [meeting for pair in grammar.pairs() for meeting in (pair, pair[::-1])]
        for v, verb in verbs:
            for (a, b), inverted in product(meetings, inversions):
                actor, other = grammar.participants[a], grammar.participants[b]
                clause = grammar.clause(actor, other, verb, bool(inverted))
                phrases[a, b, v, inverted] = self._symbols(clause), (actor, verb)
            for n, name in enumerate(grammar.participants):
                phrases[v, n] = self._symbols(grammar.question(verb, name)), (name, verb)
        return phrases

    @cached_property
    def _meanings(self) -> dict[str, Fact]:
        """Who did what by what a clause says, and by what a question asks."""
        return {
            rnnbench.text_of(symbols, self.unit).partition(".")[0].strip(): fact
            for symbols, fact in self._phrases.values()
        }

    @cached_property
    def _vocabulary(self) -> rnnbench.Vocabulary:
        return rnnbench.Vocabulary.of(symbols for symbols, _ in self._phrases.values())

    @cached_property
    def _clauses(self) -> Tensor:
        """Clauses by actor, other, verb and inversion; behind their symbols stand zeros."""
        people, verbs = len(self._grammar.participants), len(self._grammar.verbs)
        return self._table(people, people, verbs, 2)

    @cached_property
    def _questions(self) -> Tensor:
        """Questions by verb and participant; behind their symbols stand zeros."""
        return self._table(len(self._grammar.verbs), len(self._grammar.participants))

    def _table(self, *shape: int) -> Tensor:
        """Lay out phrases by their numbers, which nobody's number 0 fills up."""
        phrases = {
            place: self._vocabulary.encode(symbols)
            for place, (symbols, _) in self._phrases.items()
            if len(place) == len(shape)
        }
        table = torch.zeros(*shape, max(map(len, phrases.values())), dtype=torch.int64)
        for place, numbers in phrases.items():
            table[place][: len(numbers)] = torch.tensor(numbers)
        return table

    def _symbols(self, text: str) -> list[str]:
        joint = " " if self.unit == "word" else ""
        return rnnbench.symbols(text.replace("|", joint), self.unit)


def _mean_length(table: Tensor) -> float:
    lengths = (table > 0).sum(-1)
    return lengths[lengths > 0].double().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the word order task."""
    return [WordOrder]
