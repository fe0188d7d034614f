"""Who did it: sentences whose words say nothing before their order is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot

import rnnbench
from rnnbench_tasks.actions import GRAMMARS, LANGUAGES, Grammar
from rnnbench_tasks.certain import CERTAIN
from rnnbench_tasks.parts import SHARES, Part

HELD_OUT = {"valid": 256, "test": 1024}


@dataclass(frozen=True)
class Stories:
    """What texts say, a row a text.

    meeting   [size, 1] which animal and person, by number
    verbs     [size, clauses] by number, all different in a text
    actors    [size, clauses] who acts: 0 the person, 1 the animal
    inverted  [size, clauses] whether who acts is named last, 0 or 1
    asked     [size, 1] the clause that the question is about
    """

    meeting: Tensor
    verbs: Tensor
    actors: Tensor
    inverted: Tensor
    asked: Tensor

    def swapped(self) -> Stories:
        """Let the two change places in the clause asked about: the symbols stay the same."""
        acts = self.actors.gather(1, self.asked)
        return replace(self, actors=self.actors.scatter(1, self.asked, 1 - acts))


class WordOrder(rnnbench.Task):
    """Say whether the animal (1) or the person (0) did it, which only word order tells.

    "개가 철수를 물었다" and "철수가 개를 물었다" have the same words. In every clause the
    same two meet, and one does something to the other; the question is about one of the clauses.
    Half of the clauses are passive, or in Korean put the object first, so that whoever is named
    first need not be the one who acts. With one clause, and with two in Korean:

        input    the dog was bitten by Chulsu . who bit ?
        target   0

        input    철수 를 개 가 물었다 . 철수 가 개 를 쫓았다 . 누가 물었나 ?
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
        "clauses": rnnbench.Option(1, low=1, high=6, help="clauses before the question"),
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
        """The person or the animal."""
        return rnnbench.Classes(2)

    @property
    def anchors(self) -> rnnbench.Anchors:
        """One half by a guess, a constant, and by counting symbols in whatever way."""
        return rnnbench.Anchors(
            chance=0.5, trivial=0.5, oracle=1.0, solved=0.95, floors={"bag_of_words": 0.5}
        )

    def shortest_path(self, bidirectional: bool) -> float:
        """Return how far the clause that is asked about reaches from its read-out, on average.

        It may be any. Forwards its first symbol is the farthest. With two directions a clause near
        the beginning is read backwards, and the question forwards. Clauses and question count with
        their average lengths.
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
            who = dict(self._facts[clause] for clause in clauses)
            answers.append(who[self._wanted[question]])
        right = one_hot(torch.tensor(answers), 2).float()
        return CERTAIN * right.to(batch.inputs.device)

    def _drawn(self, part: Part, size: int, generator: Generator) -> Stories:
        """Draw stories of those who meet in this part."""
        device = generator.device

        def drawn(count: int, width: int) -> Tensor:
            return torch.randint(count, (size, width), generator=generator, device=device)

        meetings = self._meetings[part].to(device)
        order = torch.rand(size, len(self._grammar.verbs), generator=generator, device=device)
        inverted = drawn(2, self.clauses)
        return Stories(
            meeting=meetings[drawn(len(meetings), 1)],
            verbs=order.argsort(1)[:, : self.clauses],
            actors=drawn(2, self.clauses),
            inverted=inverted if self.inversion else torch.zeros_like(inverted),
            asked=drawn(self.clauses, 1),
        )

    def _told(self, stories: Stories) -> rnnbench.Batch:
        """Put stories into symbols: clause after clause, and the question."""
        device, asked = stories.asked.device, stories.asked
        clauses = self._clauses.to(device)[
            stories.meeting, stories.verbs, stories.actors, stories.inverted
        ]
        questions = self._questions.to(device)[stories.verbs.gather(1, asked)]
        spaced = torch.cat([clauses.flatten(1), questions.flatten(1)], 1)
        lengths = (spaced > 0).sum(1)
        within = torch.arange(self.sequence_length, device=device) < lengths.unsqueeze(1)
        inputs = torch.zeros_like(spaced)
        inputs[within] = spaced[spaced > 0]
        answers = stories.actors.gather(1, asked).squeeze(1)
        return rnnbench.Batch(inputs.T.contiguous(), answers, lengths)

    @property
    def _grammar(self) -> type[Grammar]:
        return GRAMMARS[self.language]

    @cached_property
    def _meetings(self) -> dict[str, Tensor]:
        """Which meetings are in which part: [meetings] by number."""
        dealt = rnnbench.deal(len(self._grammar.meetings()), SHARES)
        return {part: torch.tensor(numbers) for part, numbers in dealt.items()}

    @cached_property
    def _said(self) -> dict[tuple[int, int, int, int], list[str]]:
        """Every clause in symbols, by meeting, verb, actor and inversion."""
        grammar, clauses = self._grammar, {}
        for (m, (animal, person)), (v, verb) in product(
            enumerate(grammar.meetings()), enumerate(grammar.verbs)
        ):
            for inverted in range(1 + self.inversion):
                for a, (actor, other) in enumerate(((person, animal), (animal, person))):
                    clause = grammar.clause(actor, other, verb, bool(inverted))
                    clauses[m, v, a, inverted] = self._symbols(clause)
        return clauses

    @cached_property
    def _asked(self) -> dict[tuple[int], list[str]]:
        """Every question in symbols, by verb."""
        verbs = enumerate(self._grammar.verbs)
        return {(v,): self._symbols(self._grammar.question(verb)) for v, verb in verbs}

    @cached_property
    def _facts(self) -> dict[str, tuple[int, int]]:
        """Which verb and which actor a clause names."""
        return {self._bare(symbols): (v, a) for (_, v, a, _), symbols in self._said.items()}

    @cached_property
    def _wanted(self) -> dict[str, int]:
        """Which verb a question names."""
        return {self._bare(symbols): v for (v,), symbols in self._asked.items()}

    def _bare(self, symbols: list[str]) -> str:
        return rnnbench.text_of(symbols, self.unit).partition(".")[0].strip()

    @cached_property
    def _vocabulary(self) -> rnnbench.Vocabulary:
        return rnnbench.Vocabulary.of([*self._said.values(), *self._asked.values()])

    @cached_property
    def _clauses(self) -> Tensor:
        """Clauses by meeting, verb, actor and inversion; behind their symbols stand zeros."""
        return _table(self._said, self._vocabulary)

    @cached_property
    def _questions(self) -> Tensor:
        """Questions by verb; behind their symbols stand zeros."""
        return _table(self._asked, self._vocabulary)

    def _symbols(self, text: str) -> list[str]:
        joint = " " if self.unit == "word" else ""
        return rnnbench.symbols(text.replace("|", joint), self.unit)


def _table(phrases: Mapping[tuple[int, ...], list[str]], words: rnnbench.Vocabulary) -> Tensor:
    """Lay out phrases by their numbers: [*numbers, symbols]."""
    shape = [1 + max(numbers) for numbers in zip(*phrases, strict=True)]
    table = torch.zeros(*shape, max(map(len, phrases.values())), dtype=torch.int64)
    for place, symbols in phrases.items():
        table[place][: len(symbols)] = torch.tensor(words.encode(symbols))
    return table


def _mean_length(table: Tensor) -> float:
    return (table > 0).sum(-1).double().mean().item()


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the word order task."""
    return [WordOrder]
