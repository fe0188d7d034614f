"""An encoder that reads a sequence, and a decoder that says another one symbol by symbol."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rnnbench.contracts import Batch, Reals, Sequences, Tokens
from rnnbench.nn.attention import Attention
from rnnbench.nn.bridge import Bridge
from rnnbench.nn.network import Network
from rnnbench.nn.readout import Readout
from rnnbench.nn.stack import Stack, States
from rnnbench.nn.teacher import Teacher
from rnnbench.nn.vectors import vectors


def told(targets: Sequences) -> Tokens:
    """Return what a decoder reads: the symbols, and after them <START>."""
    return Tokens(targets.count + 1, targets.embedding)


@dataclass(frozen=True)
class Encoded:
    """What a decoder is handed of the sequences that were read.

    firsts     its first states, each [batch, width]
    keys       [source time, batch, width], what the encoder said at every step
    projected  what an attention made of them beforehand
    lengths    [batch], the real steps; None: all
    """

    firsts: States
    keys: Tensor
    projected: Tensor
    lengths: Tensor | None

    def rows(self, rows: Tensor) -> Encoded:
        """Return the sequences of these numbers, [n] int64."""
        return Encoded(
            {name: state[rows] for name, state in self.firsts.items()},
            self.keys[:, rows],
            self.projected[:, rows],
            None if self.lengths is None else self.lengths[rows],
        )


class EncoderDecoder(Network):
    """Cho et al. 2014, Sutskever et al. 2014; with attention Luong et al. 2015.

    The encoder's last states are the decoder's first. In training the decoder is told the right
    symbol before each one that it says (teacher forcing), so that it runs over a whole target at
    once; with a `teacher` only some of them. Otherwise it runs freely, on what it says itself.

    table, said_table  [vocabulary, width], rows that symbols are read as; None: one-hot
    """

    def __init__(
        self,
        inputs: Reals | Tokens,
        targets: Sequences,
        encoder: Stack,
        bridge: Bridge,
        decoder: Stack,
        attention: Attention | None,
        readout: Readout,
        table: Tensor | None,
        said_table: Tensor | None,
        teacher: Teacher | None,
    ) -> None:
        super().__init__()
        self.inputs, self.targets = inputs, targets
        self.encoder, self.bridge, self.decoder = encoder, bridge, decoder
        self.attention, self.readout, self.teacher = attention, readout, teacher
        self.table = None if table is None else nn.Parameter(table)
        self.said_table = None if said_table is None else nn.Parameter(said_table)

    def run(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict each symbol of the targets from those before it.

        Returns logits [target time, batch, symbols] and no states, since none goes on.
        """
        encoded = self.encode(batch)
        right = torch.cat([self._start(len(batch), batch.targets.device), batch.targets[:-1]])
        if self.training and self.teacher is not None:
            coins = self.teacher(*right.shape)
            with torch.no_grad(), _quiet(self.decoder):
                right = self._freely(encoded, right, coins)
        logits, _, _ = self._decode(right, encoded, encoded.firsts)
        return logits, {}

    def encode(self, batch: Batch) -> Encoded:
        """Read the sequences of a batch."""
        x = vectors(batch.inputs, self.inputs, self.table, self.readout.weight.dtype)
        keys, _, states = self.encoder(x, batch.lengths)
        projected = keys if self.attention is None else self.attention.project(keys)
        return Encoded(self.bridge(states), keys, projected, batch.lengths)

    @torch.no_grad()
    def say(self, batch: Batch, steps: int) -> Tensor:
        """Say at most `steps` symbols, the likeliest one at each: [steps, batch] int64.

        After <END> stands <END>.
        """
        encoded, size = self.encode(batch), len(batch)
        states, last = encoded.firsts, self._start(size, batch.inputs.device)
        said = last.new_full((steps, size), self.targets.end)
        going = torch.ones(size, dtype=torch.bool, device=last.device)
        for step in range(steps):
            logits, states, _ = self._decode(last, encoded, states)
            last = torch.where(going, self._sayable(logits).argmax(-1), self.targets.end)
            said[step] = last[0]
            going &= last[0] != self.targets.end
            if not going.any():
                break
        return said

    @torch.no_grad()
    def search(self, batch: Batch, steps: int, width: int) -> Tensor:
        """Say at most `steps` symbols, looked for with a beam: [steps, batch] int64.

        The `width` likeliest beginnings are followed side by side; of those that have ended, or
        reached the last step, the one with the highest log-probability a symbol is said.
        """
        end, count = self.targets.end, self.targets.count
        size, device = len(batch), batch.inputs.device
        beams = torch.arange(size, device=device).repeat_interleave(width)
        encoded = self.encode(batch).rows(beams)
        states, last = encoded.firsts, self._start(size * width, device)
        said = last.new_full((steps, size * width), end)
        # in the beginning all beams of a sequence are one
        scores = torch.full((size, width), -torch.inf, device=device)
        scores[:, 0] = 0
        symbols = torch.zeros_like(scores)
        ended = torch.zeros_like(scores, dtype=torch.bool)
        only_end = torch.full((count,), -torch.inf, device=device)
        only_end[end] = 0
        first = (torch.arange(size, device=device) * width).unsqueeze(1)
        for step in range(steps):
            logits, states, _ = self._decode(last, encoded, states)
            likely = self._sayable(logits)[0].log_softmax(-1).view(size, width, count)
            likely = torch.where(ended.unsqueeze(-1), only_end, likely)
            total = (scores.unsqueeze(-1) + likely).view(size, width * count)
            scores, places = total.topk(width, dim=1)
            parents, chosen = places // count, places % count
            symbols = symbols.gather(1, parents) + ~ended.gather(1, parents)
            ended = ended.gather(1, parents) | (chosen == end)
            rows = (first + parents).flatten()
            said = said[:, rows]
            said[step] = chosen.flatten()
            states = {name: state[rows] for name, state in states.items()}
            last = chosen.view(1, -1)
            if ended.all():
                break
        best = (scores / symbols).argmax(1, keepdim=True)
        return said[:, (first + best).flatten()]

    @torch.no_grad()
    def looked(self, batch: Batch, said: Tensor) -> Tensor | None:
        """Return where an attention looked while this was said; None without one.

        said  [target time, batch]; the weights are [target time, batch, source time]
        """
        encoded = self.encode(batch)
        before = torch.cat([self._start(len(batch), said.device), said[:-1]])
        return self._decode(before, encoded, encoded.firsts)[2]

    def _freely(self, encoded: Encoded, right: Tensor, coins: Tensor) -> Tensor:
        """Return what the decoder is given at each step: what is told, or what it said itself.

        right, coins  [target time, batch]
        """
        states, given = encoded.firsts, [right[:1]]
        for step in range(1, len(right)):
            logits, states, _ = self._decode(given[-1], encoded, states)
            own = self._sayable(logits).argmax(-1)
            given.append(torch.where(coins[step], right[step : step + 1], own))
        return torch.cat(given)

    def _decode(
        self, given: Tensor, encoded: Encoded, states: States
    ) -> tuple[Tensor, dict[str, Tensor], Tensor | None]:
        """Run the decoder on symbols [target time, batch]; return logits, last states, weights."""
        x = vectors(given, told(self.targets), self.said_table, self.readout.weight.dtype)
        outputs, last, after = self.decoder(x, None, states)
        weights = None
        if self.attention is not None:
            outputs, weights = self.attention(
                outputs, encoded.keys, encoded.projected, encoded.lengths
            )
        return self.readout(outputs, last), after, weights

    def _start(self, size: int, device: torch.device) -> Tensor:
        return torch.full((1, size), self.targets.count, device=device)

    def _sayable(self, logits: Tensor) -> Tensor:
        """Leave out the unknown symbol, which is no answer."""
        if self.targets.unknown is None:
            return logits
        numbers = torch.arange(self.targets.count, device=logits.device)
        return logits.masked_fill(numbers == self.targets.unknown, -torch.inf)


@contextmanager
def _quiet(module: nn.Module) -> Iterator[None]:
    """Let a module draw no dropout for a while."""
    module.eval()
    try:
        yield
    finally:
        module.train()
