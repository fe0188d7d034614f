"""What a competent user would write for the adding problem: data, model and one training.

The two scripts `search_plain.py` and `search_strong.py` differ in how they search, not in this.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

POINTS = 5
"""Validations in a training."""

HELD_OUT = 512
"""Sequences that a validation scores."""


@dataclass(frozen=True)
class Problem:
    """One row of the table: a cell, its hidden size, a length, and the updates of a training."""

    cell: str
    hidden: int
    length: int
    batch: int = 32
    updates: int = 500


def adding(length: int, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw the adding problem with a marker in each half: [length, size, 2] and [size, 1]."""
    values = torch.rand(length, size, generator=generator)
    half = length // 2
    first = torch.randint(half, (1, size), generator=generator)
    second = half + torch.randint(length - half, (1, size), generator=generator)
    places = torch.cat([first, second])
    markers = torch.zeros(length, size).scatter_(0, places, 1.0)
    return torch.stack([values, markers], -1), values.gather(0, places).sum(0).unsqueeze(-1)


class PeepholeLSTM(nn.Module):
    """LSTM with diagonal peepholes, as a loop over time: torch has none."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        bound = hidden**-0.5
        self.w = nn.Parameter(torch.empty(4 * hidden, inputs).uniform_(-bound, bound))
        self.u = nn.Parameter(torch.empty(4 * hidden, hidden).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.zeros(4 * hidden))
        self.p = nn.Parameter(torch.empty(3, hidden).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> tuple[Tensor, None]:
        """Return the outputs [time, batch, hidden]."""
        projected = torch.nn.functional.linear(x, self.w, self.b)
        h = c = x.new_zeros(x.shape[1], self.u.shape[1])
        outputs = []
        for now in projected:
            i, f, g, o = (now + h @ self.u.T).chunk(4, -1)
            i = torch.sigmoid(i + self.p[0] * c)
            f = torch.sigmoid(f + self.p[1] * c)
            c = f * c + i * torch.tanh(g)
            h = torch.sigmoid(o + self.p[2] * c) * torch.tanh(c)
            outputs.append(h)
        return torch.stack(outputs), None


class Model(nn.Module):
    """A recurrent layer and a linear map of its last output."""

    def __init__(self, problem: Problem) -> None:
        super().__init__()
        layers = {"lstm": nn.LSTM, "gru": nn.GRU, "peephole_lstm": PeepholeLSTM}
        self.rnn = layers[problem.cell](2, problem.hidden)
        self.out = nn.Linear(problem.hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return predictions [batch, 1]."""
        outputs, _ = self.rnn(x)
        return self.out(outputs[-1])


def train(
    problem: Problem,
    rate: float,
    limit: float,
    seed: int,
    fused: bool,
    update: Callable[[], None],
) -> float:
    """Train one trial; return its best validation error. `update` is called after each update."""
    torch.manual_seed(seed)
    model = Model(problem)
    optimizer = torch.optim.Adam(model.parameters(), rate, fused=fused)
    draw = torch.Generator().manual_seed(seed)
    valid, expected = adding(problem.length, HELD_OUT, torch.Generator().manual_seed(12345))
    best = float("inf")
    for number in range(1, problem.updates + 1):
        x, y = adding(problem.length, problem.batch, draw)
        optimizer.zero_grad()
        loss = (model(x) - y).square().mean()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), limit)
        optimizer.step()
        loss.item()
        update()
        if number % (problem.updates // POINTS) == 0:
            with torch.no_grad():
                best = min(best, (model(valid) - expected).square().mean().item())
    return best


class Deadline(Exception):  # noqa: N818  not an error
    """The time is up."""


class Counter:
    """Counts updates until a deadline that the first one sets."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.updates, self.began, self.ended = 0, 0.0, 0.0

    def __call__(self) -> None:
        """Count one.

        Raises:
            Deadline: the time is up.
        """
        now = time.perf_counter()
        if not self.updates:
            self.began = now
        self.updates += 1
        self.ended = now
        if now - self.began > self._seconds:
            raise Deadline
