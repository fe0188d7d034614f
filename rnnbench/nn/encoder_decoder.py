"""An encoder that reads or looks, and a decoder that says a sequence symbol by symbol."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from rnnbench.contracts import Batch, Sequences, Task, Tokens
from rnnbench.hyperparameters import AttentionKind, Conditioning, Without
from rnnbench.nn.attention import Attention, Looked
from rnnbench.nn.encoder import Encoded, OneLook, SequenceEncoder
from rnnbench.nn.hard_attention import HardAttention
from rnnbench.nn.loss import costs, mean_cost, valid_mask
from rnnbench.nn.network import Network, evaluating
from rnnbench.nn.reader import Reader, look_width
from rnnbench.nn.readout import Readout
from rnnbench.nn.stack import Stack, States
from rnnbench.nn.teacher import Teacher

_BASELINE = "attention.baseline"


def told(targets: Sequences) -> Tokens:
    """Return what a decoder reads: the symbols, and after them <START>."""
    return Tokens(targets.count + 1, targets.embedding)


def beside(
    task: Task, attention: AttentionKind, conditioning: Conditioning, without: Without
) -> int:
    """Return how many numbers of a picture a decoder reads beside each symbol."""
    if task.pattern != "one-to-many" or conditioning != "step" or without == "image":
        return 0
    return look_width(task.inputs, again=attention != "none")


class EncoderDecoder(Network):
    """Cho et al. 2014, Sutskever et al. 2014; with attention Luong et al. 2015, Xu et al. 2015.

    What the encoder hands on opens the decoder's states. In training the decoder is told the right
    symbol before each one that it says (teacher forcing), so that it runs over a whole target at
    once; with a `teacher` only some of them. Otherwise it runs freely, on what it says itself.

    grid  in how many rows and columns the places of a picture lie; none of a sequence
    """

    def __init__(
        self,
        targets: Sequences,
        encoder: SequenceEncoder | OneLook,
        said_reader: Reader,
        decoder: Stack,
        attention: Attention | None,
        readout: Readout,
        teacher: Teacher | None,
        grid: tuple[int, int] = (0, 0),
    ) -> None:
        super().__init__()
        self.targets, self.grid = targets, grid
        self.encoder, self.said_reader, self.decoder = encoder, said_reader, decoder
        self.attention, self.readout, self.teacher = attention, readout, teacher
        if isinstance(attention, HardAttention):
            self.running = (_BASELINE,)

    def run(self, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Predict each symbol of the targets from those before it.

        Returns logits [target time, batch, symbols] and no states, since none goes on.
        """
        return self._told(batch)[0], {}

    def cost(self, batch: Batch, task: Task) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss; with hard attention its gradient has what REINFORCE adds."""
        logits, looked = self._told(batch)
        each, mask = costs(logits, batch, task), valid_mask(batch, task)
        loss = mean_cost(each, mask, task)
        if not isinstance(self.attention, HardAttention):
            return loss, {}
        assert looked is not None  # noqa: S101  there is an attention
        surprise, baseline = self.attention.reinforced(looked, each, mask)
        extra = mean_cost(surprise, mask, task)
        # a gradient, and no value
        return loss + (extra - extra.detach()), {_BASELINE: baseline}

    def encode(self, batch: Batch) -> Encoded:
        """Read the sequences of a batch, or look at its pictures."""
        encoded: Encoded = self.encoder(batch, self.readout.weight.dtype)
        if self.attention is None or encoded.keys is None:
            return encoded
        return replace(encoded, projected=self.attention.project(encoded.keys))

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
        if self.attention is None:
            return None
        before = torch.cat([self._start(len(batch), said.device), said[:-1]])
        with evaluating(self):
            encoded = self.encode(batch)
            looked = self._decode(before, encoded, encoded.firsts)[2]
        return None if looked is None else looked.weights

    @property
    def _looks(self) -> tuple[Attention, ...]:
        return () if self.attention is None else (self.attention,)

    def _told(self, batch: Batch) -> tuple[Tensor, Looked | None]:
        """Predict each symbol of the targets from those before it."""
        encoded = self.encode(batch)
        right = torch.cat([self._start(len(batch), batch.targets.device), batch.targets[:-1]])
        if self.training and self.teacher is not None:
            coins = self.teacher(*right.shape)
            with torch.no_grad(), evaluating(self.decoder, *self._looks):
                right = self._freely(encoded, right, coins)
        logits, _, looked = self._decode(right, encoded, encoded.firsts)
        return logits, looked

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
        self, given: Tensor, encoded: Encoded, states: States | None
    ) -> tuple[Tensor, dict[str, Tensor], Looked | None]:
        """Run the decoder on symbols [target time, batch]; return logits, last states, a look."""
        x = self.said_reader(given, self.readout.weight.dtype)
        if encoded.beside is not None:
            x = torch.cat([x, encoded.beside.expand(len(x), -1, -1)], -1)
        outputs, last, after = self.decoder(x, None, states)
        looked = None
        if self.attention is not None and encoded.keys is not None:
            assert encoded.projected is not None  # noqa: S101  made beside the keys
            looked = self.attention(outputs, encoded.keys, encoded.projected, encoded.lengths)
            outputs = looked.outputs
        return self.readout(outputs, last), after, looked

    def _start(self, size: int, device: torch.device) -> Tensor:
        return torch.full((1, size), self.targets.count, device=device)

    def _sayable(self, logits: Tensor) -> Tensor:
        """Leave out the unknown symbol, which is no answer."""
        if self.targets.unknown is None:
            return logits
        numbers = torch.arange(self.targets.count, device=logits.device)
        return logits.masked_fill(numbers == self.targets.unknown, -torch.inf)
