"""Groups of small members for the tests of how members train together."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Generator, Tensor

from rnnbench.contracts import Anchors, Batch, Classes, Reals, Task, Tokens
from rnnbench.group.building import network_of
from rnnbench.group.group import Group
from rnnbench.group.steps import Programs
from rnnbench.member import Architecture, Finished, Member, Recipe, Seed, Setting
from rnnbench.options import Option


class Guess(Task):
    """Classes (or, at width 1, a number) from random sequences of different lengths."""

    name = "guess"
    reference = "none"
    options = {"width": Option(2), "steps": Option(5), "aligned": Option(False)}
    pattern = "many-to-one"
    causal = False
    metrics = ("cross_entropy",)

    sequence_length = property(lambda self: self.steps)
    inputs = property(lambda self: Reals(3))
    targets = property(lambda self: Reals(1) if self.width == 1 else Classes(self.width))
    anchors = property(lambda self: Anchors(1.0, 1.0, None, 0.0))

    def shortest_path(self, bidirectional):
        return float(self.steps)

    def batch(self, size, generator):
        inputs = torch.randn(self.steps, size, 3, generator=generator)
        lengths = torch.randint(1, self.steps + 1, (size,), generator=generator)
        if self.width == 1:
            return Batch(inputs, torch.randn(size, 1, generator=generator), lengths)
        return Batch(inputs, torch.randint(self.width, (size,), generator=generator), lengths)

    def held_out(self, split, generator):
        return self.batch(40, generator)

    def trivial(self, batch):
        return torch.zeros(len(batch), self.width)


class Follow(Guess):
    """A class at every step that counts, out of symbols."""

    name = "follow"
    pattern = "many-to-many"
    inputs = property(lambda self: Tokens(3))

    def batch(self, size, generator):
        inputs = torch.randint(3, (self.steps, size), generator=generator)
        lengths = torch.randint(1, self.steps + 1, (size,), generator=generator)
        targets = torch.randint(self.width, (self.steps, size), generator=generator)
        mask = torch.rand(self.steps, size, generator=generator) < 0.7
        return Batch(inputs, targets, lengths, mask)


def member(
    cell: type,
    task: Task,
    *,
    hidden: int = 17,
    batch: int = 32,
    way: str = "together",
    index: int = 0,
    backend: str = "kernel",
    **changes: object,
) -> Member:
    """A member; keywords beyond those named are fields of its recipe or architecture."""
    made = cell(**changes.pop("structure", {}))
    options = cell.options
    recipe = Recipe("adam", 0.01, "constant", 0.0, 1.0, 0.9, 0.9, 0.999, batch, 6, 2)
    net = Architecture(
        cell.name,
        "1",
        {name: value for name, value in made.chosen.items() if not options[name].numeric},
        {name: float(made.chosen[name]) for name in options if options[name].numeric},
        1,
        False,
        0.0,
        hidden,
    )
    of_recipe = {name: value for name, value in changes.items() if hasattr(recipe, name)}
    of_net = {name: value for name, value in changes.items() if hasattr(net, name)}
    return Member(
        replace(net, **of_net),
        Setting(task.name, "1", dict(task.chosen)),
        replace(recipe, **of_recipe),
        Seed("evaluation", 0, index),
        (("cross_entropy", "1"),),
        backend,
        way=way,
    )


def five(cell: type, task: Task, **options: object) -> list[Member]:
    """Five members that differ in all that may differ; the last but one diverges."""
    numeric = {name: 0.7 for name, option in cell.options.items() if option.numeric}
    base = member(cell, task, **options)
    other = replace(base, architecture=replace(base.architecture, numeric=numeric))
    members = [
        replace(other, recipe=replace(base.recipe, learning_rate=0.03, clip=0.1)),
        replace(base, recipe=replace(base.recipe, weight_decay=0.1, schedule="linear")),
        replace(other, recipe=replace(base.recipe, beta1=0.5, beta2=0.9)),
        replace(base, recipe=replace(base.recipe, learning_rate=1e38, clip=None)),
        replace(other, recipe=replace(base.recipe, clip=None, schedule="cosine")),
    ]
    return [replace(one, seed=replace(one.seed, index=i)) for i, one in enumerate(members)]


def group(
    cell: type, task: Task, members: Sequence[Member], programs: Programs | None = None
) -> Group:
    """The members at their first weights."""
    networks = [network_of(one, cell, task) for one in members]
    return Group(networks, task, members, programs or Programs())


def batches(task: Task, members: Sequence[Member], update: int) -> list[Batch]:
    """A batch for each member, of its own."""
    return [
        task.batch(one.recipe.batch, Generator().manual_seed(one.batch_seeds().of(update))).to(
            one.device
        )
        for one in members
    ]


def trained(
    cell: type,
    task: Task,
    members: Sequence[Member],
    updates: int = 4,
    programs: Programs | None = None,
    drop: Callable[[int], Sequence[int] | None] = lambda update: None,
) -> dict[str, tuple[Tensor, list[float]]]:
    """Train a group; return each member's weights and losses by its key, as far as it went."""
    training = group(cell, task, members, programs)
    losses: dict[str, list[float]] = {one.key: [] for one in members}
    for update in range(1, updates + 1):
        now = training.update(update, batches(task, training.members, update)).tolist()
        for one, loss in zip(training.members, now, strict=True):
            losses[one.key].append(loss)
        if (kept := drop(update)) is not None:
            training.keep(kept)
    return {
        one.key: (training.row(place), losses[one.key])
        for place, one in enumerate(training.members)
    }


def same(one: tuple[Tensor, list[float]], other: tuple[Tensor, list[float]]) -> bool:
    """Whether weights and losses are equal to the last bit."""
    return torch.equal(one[0], other[0]) and one[1] == other[1]


def numbers(left: tuple[Finished, bytes | None]) -> tuple[Finished, bytes | None]:
    """What a member leaves, without times and hosts."""
    finished, weights = left
    blank = {"seconds": {}, "peak_bytes": None, "finished_at": ""}
    blank |= {"worker_host": "", "hardware_host": ""}
    return replace(finished, **blank), weights
