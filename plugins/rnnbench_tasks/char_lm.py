"""The language model: predict the next symbol of a text at every step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from math import log2
from pathlib import Path

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn.functional import one_hot, pad

import rnnbench
from rnnbench_tasks import corpus, ngrams, prose
from rnnbench_tasks.certain import CERTAIN

TEMPERATURES = (0.5, 1.0)
BEGINNING = 20
DRAWN = {"character": 200, "word": 50}
CONTEXT = 128


class CharLM(rnnbench.Task):
    """Predict the next character, or word, of a text at every step.

    The char-RNN of Karpathy (2015). With `text: hello`, the smallest case, the text is one word:

        input   h e l l
        target  e l l o

    `text: generated` is English-like prose out of a small grammar, whose every probability is
    known: verbs agree with subjects across clauses, quotes and parentheses close, questions end
    with their mark, and speakers are named again at the end. `data` names a text file instead: its
    first 90 % are for training, 5 % for validation and the last 5 % for the test. Training
    sequences are drawn anywhere in the training part. Held-out parts are streams of about 1024
    symbols, read from end to end; each symbol but the first of its stream is scored once.

    A file's symbols that its training part lacks, or that `vocabulary` leaves out, are one symbol,
    the unknown, which is to be predicted too. The generated characters and the letters of hello
    are all known, and there is no unknown one among them.

    Causal: a symbol is predicted from those before it.
    """

    name = "char_lm"
    reference = (
        "Karpathy 2015, The Unreasonable Effectiveness of Recurrent Neural Networks; "
        "Mikolov et al. 2010, doi:10.21437/Interspeech.2010-343"
    )
    options = {
        "text": rnnbench.Option(
            "generated",
            choices=("generated", "hello"),
            help="without `data`: prose of a grammar, or one word, for memorising",
        ),
        "data": rnnbench.Option("", file=True, help="a text file, also gzip"),
        "unit": rnnbench.Option("character", choices=rnnbench.UNITS, help="not of hello"),
        "length": rnnbench.Option(50, low=1, help="steps of a training sequence; of hello 4"),
        "embedding": rnnbench.Option(0, low=0, help="width of the symbols' table; 0: one-hot"),
        "vocabulary": rnnbench.Option(
            0, low=0, help="most symbols, the unknown one among them; 0: all; not of closed texts"
        ),
        "encoding": rnnbench.Option("utf-8", help="what the file is in"),
    }
    pattern = "many-to-many"
    causal = True
    metrics = ("bits_per_symbol", "perplexity", "accuracy")

    text: str
    data: str
    unit: str
    length: int
    embedding: int
    vocabulary: int
    encoding: str

    @property
    def sequence_length(self) -> int:
        """The chosen length; hello has 4 symbols to predict."""
        return len(corpus.HELLO) - 1 if self._hello else self.length

    @property
    def inputs(self) -> rnnbench.Tokens:
        """The symbols."""
        return rnnbench.Tokens(len(self._corpus.vocabulary), self.embedding or None)

    @property
    def targets(self) -> rnnbench.Classes:
        """The symbols."""
        return rnnbench.Classes(len(self._corpus.vocabulary))

    @property
    def anchors(self) -> rnnbench.Anchors:
        """All symbols alike; the unigram; and n-gram models, which know the last 1 to 3 symbols.

        The oracle of the generated characters is their grammar, which knows where a line began; of
        hello it is zero. Solved is the best of the n-gram models; of generated characters, four
        fifths of the way from there to the grammar; of hello, 0.1 bits.
        """
        return self._anchors

    @property
    def notes(self) -> tuple[str, ...]:
        """How the text was cut, and how much of it is unknown."""
        return () if self._hello else self._corpus.notes

    @property
    def leaks(self) -> tuple[str, ...]:
        """That hello is all there is."""
        return self._corpus.notes if self._hello else ()

    def shortest_path(self, bidirectional: bool) -> float:  # noqa: ARG002  one answer for both
        """Return how far the first symbol is from a read-out, on average over read-outs.

        Every symbol so far may count, and a backward direction would only read the answer.
        """
        return (self.sequence_length - 1) / 2

    def batch(self, size: int, generator: Generator) -> rnnbench.Batch:
        """Draw `size` windows of the training part: inputs and targets [length, size]."""
        device, steps = generator.device, self.sequence_length
        text = torch.from_numpy(self._corpus.train)
        starts = torch.randint(len(text) - steps, (size,), generator=generator, device=device)
        places = starts + torch.arange(steps + 1, device=device).unsqueeze(1)
        windows = text.to(device)[places]
        return rnnbench.Batch(windows[:-1], windows[1:])

    def held_out(self, split: rnnbench.Split, generator: Generator) -> rnnbench.Batch:
        """Return all streams of a part: inputs and targets [time, streams]."""
        device = generator.device
        streams = [torch.from_numpy(stream) for stream in self._corpus.held_out[split]]
        steps = max(map(len, streams)) - 1
        inputs, lengths = rnnbench.pad([stream[:-1] for stream in streams], steps)
        targets, _ = rnnbench.pad([stream[1:] for stream in streams], steps)
        equal = bool((lengths == steps).all())
        return rnnbench.Batch(
            inputs.to(device), targets.to(device), None if equal else lengths.to(device)
        )

    def trivial(self, batch: rnnbench.Batch) -> Tensor:
        """Predict each symbol as often as it is in training: logits [time, batch, symbols]."""
        logits = torch.from_numpy(np.log(self._unigram)).float().to(batch.inputs.device)
        return logits.expand(*batch.inputs.shape, -1)

    def oracle(self, batch: rnnbench.Batch) -> Tensor | None:
        """Predict as the grammar does, where there is one: logits [time, batch, symbols].

        Of generated characters it knows nothing before the first line end, and predicts as the
        trivial predictor does.
        """
        device = batch.inputs.device
        if self._hello:
            word = torch.from_numpy(self._corpus.train[1:]).to(device)
            certain = CERTAIN * one_hot(word, len(self._corpus.vocabulary)).float()
            return certain.unsqueeze(1).expand(-1, len(batch), -1)
        if not self._grammatical:
            return None
        expected = np.stack([self._expected(column) for column in batch.inputs.T.tolist()], 1)
        return torch.from_numpy(expected).log().clamp(min=-CERTAIN).float().to(device)

    def samples(
        self, predict: Callable[[Tensor], Tensor], generator: Generator
    ) -> Mapping[str, str]:
        """Draw a text at two temperatures: 200 characters, 50 words, or the rest of hello.

        The first symbols of the validation part, in brackets, are given. The network is fed the
        last 128 symbols at most, from a state of zero, and always 128 steps, of which the later
        ones are padding that a causal network does not see: one shape for every step.

        predict  inputs [time, batch] -> logits [time, batch, symbols]
        """
        beginning = self._corpus.held_out["valid"][0][: 1 if self._hello else BEGINNING]
        drawn = self.sequence_length if self._hello else DRAWN[self.unit]
        device = generator.device
        coolness = 1 / torch.tensor(TEMPERATURES, device=device, dtype=torch.float64).unsqueeze(1)
        given = torch.from_numpy(beginning).to(device)
        texts = given.unsqueeze(1).repeat(1, len(TEMPERATURES))
        for _ in range(drawn):
            recent = texts[-CONTEXT:]
            fed = pad(recent, (0, 0, 0, CONTEXT - len(recent)))
            logits = predict(fed)[len(recent) - 1].to(device).double()
            if not logits.isfinite().all():
                return {}
            chances = (logits * coolness).softmax(-1)
            texts = torch.cat([texts, torch.multinomial(chances, 1, generator=generator).T])
        return {
            f"temperature {temperature}": self._bracketed(texts[:, place].tolist(), len(beginning))
            for place, temperature in enumerate(TEMPERATURES)
        }

    def _bracketed(self, numbers: list[int], given: int) -> str:
        said = self._corpus.vocabulary.decode(numbers)
        unit = "character" if self._hello else self.unit
        begun, drawn = rnnbench.text_of(said[:given], unit), rnnbench.text_of(said[given:], unit)
        return f"[{begun}]{'' if unit == 'character' else ' '}{drawn}"

    def _expected(self, numbers: list[int]) -> prose.Probabilities:
        text = "".join(self._corpus.vocabulary.decode(numbers))
        return prose.probabilities(text, self._unigram)

    @property
    def _hello(self) -> bool:
        return not self.data and self.text == "hello"

    @property
    def _grammatical(self) -> bool:
        return not self.data and self.text == "generated" and self.unit == "character"

    @cached_property
    def _corpus(self) -> corpus.Corpus:
        if self.data:
            return corpus.read(
                Path(self.data), self.encoding, self.unit, self.vocabulary, self.length
            )
        if self.text == "hello":
            return corpus.hello()
        return corpus.generated(self.unit, self.vocabulary, self.length)

    @cached_property
    def _unigram(self) -> ngrams.Reals:
        return ngrams.unigram(self._corpus.train, len(self._corpus.vocabulary))

    @cached_property
    def _anchors(self) -> rnnbench.Anchors:
        symbols = len(self._corpus.vocabulary)
        streams = self._corpus.held_out["test"]
        floors = ngrams.bits_per_symbol(self._corpus.train, streams, symbols)
        oracle, solved = None, min(floors.values())
        if self._hello:
            oracle, solved = 0.0, 0.1
        elif self._grammatical:
            oracle = self._entropy(streams)
            solved = 0.2 * solved + 0.8 * oracle
        return rnnbench.Anchors(log2(symbols), floors["unigram"], oracle, solved, floors)

    def _entropy(self, streams: Sequence[corpus.Numbers]) -> float:
        """Return the bits per symbol of the grammar on streams."""
        surprises = [
            -np.log2(self._expected(one.tolist())[np.arange(len(one) - 1), one[1:]])
            for one in streams
        ]
        return float(np.concatenate(surprises).mean())


@rnnbench.hookimpl
def rnnbench_provide_tasks() -> list[type[rnnbench.Task]]:
    """Provide the language model."""
    return [CharLM]
