"""What a network can show of itself: what it says while it trains, and where it looks."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from rnnbench.assessing import Assessed, predict
from rnnbench.contracts import Sequences, Task, Tokens
from rnnbench.member import Alignment, Member, Sample
from rnnbench.nn.encoder_decoder import EncoderDecoder
from rnnbench.nn.network import Network

ANSWERS = 10
"""Sequences of the validation part whose answers are kept as samples, from all over it."""

PICTURES = 4
"""Sequences of the test part for which it is kept where an attention looked."""

LONGEST = 40
"""Pictures are of sequences of at most so many symbols, and of the first so many that were said."""


def samples(member: Member, network: Network, assessed: Assessed, update: int) -> list[Sample]:
    """Let a network make something of its own: answers, or what the task has a way to ask for.

    assessed  what the network makes of the validation part
    """
    task = assessed.task
    if isinstance(task.targets, Sequences):
        rows = spread(torch.arange(len(assessed.batch)), ANSWERS)
        chosen = assessed.choose(rows.to(assessed.predictions.device))
        each = zip(rows.tolist(), read(chosen), chosen.references, chosen.said, strict=True)
        return [
            Sample(update, f"{_title(task, row, symbols)} → {right[0]}", said)
            for row, symbols, right, said in each
        ]

    def one(inputs: Tensor) -> Tensor:
        return predict(network, inputs.to(member.device)).cpu()

    generator = Generator().manual_seed(member.sample_seeds().of(update))
    made = task.samples(one, generator)
    return [Sample(update, str(title), str(text)) for title, text in made.items()]


def alignments(network: Network, assessed: Assessed) -> tuple[Alignment, ...]:
    """Return where an attention looked while some of the answers were said; () without one."""
    targets = assessed.task.targets
    if not isinstance(network, EncoderDecoder) or not isinstance(targets, Sequences):
        return ()
    if assessed.task.pattern == "one-to-many":
        # its places lie in a picture, not one after another
        return ()
    lengths = torch.tensor([len(symbols) for symbols in read(assessed)])
    rows = spread((lengths <= LONGEST).nonzero().flatten(), PICTURES)
    if not len(rows):
        return ()
    chosen = assessed.choose(rows.to(assessed.predictions.device))
    weights = network.looked(chosen.batch, chosen.predictions)
    if weights is None:
        return ()
    found = []
    for place, symbols in enumerate(read(chosen)):
        said = words(chosen, place)[:LONGEST]
        looked = weights[: len(said), place, : len(symbols)]
        shares = tuple(tuple(round(weight, 4) for weight in row) for row in looked.tolist())
        found.append(Alignment(tuple(symbols), tuple(said), shares))
    return tuple(found)


def words(assessed: Assessed, place: int) -> list[str]:
    """Return the symbols that were said of a sequence, <END> among them if it was reached."""
    targets = assessed.task.targets
    if not isinstance(targets, Sequences):
        raise TypeError(f"of {assessed.task.name} nothing is said")
    numbers = assessed.predictions[:, place].tolist()
    said = [targets.symbols[number] for number in targets.until_end(numbers)]
    # <END> is said too, and not by looking nowhere
    return said + [targets.symbols[targets.end]] * (len(said) < len(numbers))


def spread(rows: Tensor, most: int) -> Tensor:
    """Return at most so many of these numbers, from all over them."""
    count = len(rows)
    return rows[torch.linspace(0, count - 1, min(most, count)).round().long()]


def read(assessed: Assessed) -> list[list[str]]:
    """Return the symbols of each input sequence; where nobody says how they are written, numbers.

    Of real vectors these are the numbers of the steps.
    """
    batch, inputs = assessed.batch, assessed.task.inputs
    steps = len(batch.inputs)
    lengths = [steps] * len(batch) if batch.lengths is None else batch.lengths.tolist()
    if not isinstance(inputs, Tokens):
        return [[str(step + 1) for step in range(length)] for length in lengths]
    columns = batch.inputs.T.tolist()
    return [
        [inputs.symbols[number] if inputs.symbols else str(number) for number in column[:length]]
        for column, length in zip(columns, lengths, strict=True)
    ]


def _title(task: Task, number: int, symbols: list[str]) -> str:
    """Write a sequence that was read, or its number in the part where it cannot be written."""
    inputs = task.inputs
    if isinstance(inputs, Tokens) and inputs.symbols:
        return inputs.between.join(symbols)
    return f"picture {number}" if task.pattern == "one-to-many" else f"sequence {number}"
