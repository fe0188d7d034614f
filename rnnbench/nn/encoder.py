"""What a decoder is handed: of a sequence that was read, or of a picture that was looked at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from rnnbench.contracts import Batch
from rnnbench.nn.bridge import Bridge, Opening
from rnnbench.nn.reader import Reader
from rnnbench.nn.stack import Stack, States


@dataclass(frozen=True)
class Encoded:
    """What a decoder is handed of what was read.

    firsts     its first states, each [batch, width]; None: those that its cell declares
    beside     [batch, width], what it reads at every step beside its symbols; None: nothing
    keys       [source time or places, batch, width], what an attention looks at; None: nothing
    projected  what an attention made of them beforehand
    lengths    [batch], the real steps of the keys; None: all
    """

    firsts: States | None = None
    beside: Tensor | None = None
    keys: Tensor | None = None
    projected: Tensor | None = None
    lengths: Tensor | None = None

    def rows(self, rows: Tensor) -> Encoded:
        """Return the sequences of these numbers, [n] int64."""

        def those(tensor: Tensor | None, dim: int) -> Tensor | None:
            return None if tensor is None else tensor.index_select(dim, rows)

        firsts = self.firsts
        if firsts is not None:
            firsts = {name: state.index_select(0, rows) for name, state in firsts.items()}
        return replace(
            self,
            firsts=firsts,
            beside=those(self.beside, 0),
            keys=those(self.keys, 1),
            projected=those(self.projected, 1),
            lengths=those(self.lengths, 0),
        )


class SequenceEncoder(nn.Module):
    """Layers over a sequence, whose last states are a decoder's first (Sutskever et al. 2014)."""

    def __init__(self, reader: Reader, stack: Stack, bridge: Bridge) -> None:
        super().__init__()
        self.reader, self.stack, self.bridge = reader, stack, bridge

    def forward(self, batch: Batch, dtype: torch.dtype) -> Encoded:
        """Read the sequences of a batch."""
        keys, _, states = self.stack(self.reader(batch.inputs, dtype), batch.lengths)
        return Encoded(self.bridge(states), keys=keys, lengths=batch.lengths)


class OneLook(nn.Module):
    """A look at what is not a sequence: a picture, features of one, or any other vector.

    It opens the decoder's states, or stands beside every symbol that is read (W_ih·v, Karpathy &
    Fei-Fei 2015). A decoder with attention has the places to look at again, and in its states or
    beside its symbols only their mean (Xu et al. 2015).

    reader   None: the picture is not shown
    opening  None: it does not enter the states
    beside   whether it stands beside every symbol
    again    whether there is an attention
    """

    def __init__(
        self, reader: Reader | None, opening: Opening | None, *, beside: bool, again: bool
    ) -> None:
        super().__init__()
        self.reader, self.opening = reader, opening
        self._beside, self._again = beside, again

    def forward(self, batch: Batch, dtype: torch.dtype) -> Encoded:
        """Look at the one step of a batch."""
        if self.reader is None:
            return Encoded()
        keys, given = None, batch.inputs[0]
        if self._again:
            # [batch, places, depth]
            places = self.reader.places(given)
            keys, vector = places.transpose(0, 1), places.mean(1)
        else:
            vector = self.reader(given, dtype)
        return Encoded(
            None if self.opening is None else self.opening(vector),
            vector if self._beside else None,
            keys,
        )
