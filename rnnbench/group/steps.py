"""Loss and gradient of all members of a group: together as one program, or in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, fx, nn
from torch.func import functional_call, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_flatten, tree_leaves, tree_unflatten

from rnnbench.contracts import Batch, Task
from rnnbench.group.chunks import chunks
from rnnbench.group.rows import Rows
from rnnbench.member import Member
from rnnbench.nn.network import Network
from rnnbench.nn.recurrent import Recurrent
from rnnbench.recurrence import for_members

Made = tuple[Tensor, Tensor, Mapping[str, Tensor]]
"""Losses [members], gradients [members, numbers], and last states by buffer, [members, …]."""


class Step(Protocol):
    """Computes losses and gradients, and the states after the last step.

    data     parameters, [members, numbers]
    buffers  by name, [members, …]
    batches  of the members, of equal shapes; rows beyond them repeat the first member
    """

    def __call__(
        self, data: Tensor, buffers: Mapping[str, Tensor], batches: Sequence[Batch]
    ) -> Made:
        """Compute losses and gradients."""


@dataclass(frozen=True)
class InTurn:
    """Computes one member after another, each as if it were alone."""

    network: Network
    task: Task
    rows: Rows
    carries: bool = False

    def __call__(
        self, data: Tensor, buffers: Mapping[str, Tensor], batches: Sequence[Batch]
    ) -> Made:
        """Compute losses and gradients."""
        gradient = torch.empty_like(data)
        losses, states = [], []
        for member, batch in enumerate(batches):
            leaves = {
                name: tensor.detach().requires_grad_()
                for name, tensor in self.rows.tree(data[member]).items()
            }
            own = {name: tensor[member] for name, tensor in buffers.items()}
            loss, after = _called(self.network, leaves, own, batch, self.task)
            found = _gradients(loss, leaves)
            gradient[member] = self.rows.flat([tensor.unsqueeze(0) for tensor in found])[0]
            losses.append(loss.detach())
            kept = _kept(self.network, after, carries=self.carries)
            states.append({name: state.detach() for name, state in kept.items()})
        gradient[len(batches) :] = gradient[0]
        losses += losses[:1] * (len(data) - len(batches))
        states += states[:1] * (len(data) - len(batches))
        last = {name: torch.stack([one[name] for one in states]) for name in states[0]}
        return torch.stack(losses), gradient, last


class Together:
    """Computes all members at once: a program that is traced once for each shape, and replayed.

    On a GPU it is recorded as a CUDA graph. `carries` says that last states are asked for.

    Raises what torch raises where a network or a task's loss cannot be batched; random numbers
    other than keyed ones are an error.
    """

    def __init__(self, network: Network, task: Task, rows: Rows, carries: bool = False) -> None:
        self._network, self._task, self._rows, self._carries = network, task, rows, carries
        self._programs: dict[tuple[object, ...], _Program] = {}
        self._states: tuple[str, ...] = ()

    def __call__(
        self, data: Tensor, buffers: Mapping[str, Tensor], batches: Sequence[Batch]
    ) -> Made:
        """Compute losses and gradients."""
        each = [*batches, *[batches[0]] * (len(data) - len(batches))]
        tensors = [
            None if all(part is None for part in parts) else torch.stack(parts)
            for parts in zip(*map(_tensors, each), strict=True)
        ]
        twins = len(batches) < len(data)
        shapes = (None if tensor is None else tensor.shape for tensor in tensors)
        shape = (twins, data.shape, *shapes)
        given = tree_leaves((data, buffers, tensors))
        if shape not in self._programs:
            with _batched(self._network, twins=twins):
                self._programs[shape] = self._traced(data, buffers, tensors)
            if data.is_cuda:
                self._programs[shape] = _Recording(self._programs[shape], given)
        with torch.no_grad():
            losses, gradient, *states = self._programs[shape](*given)
        return losses, gradient, dict(zip(self._states, states, strict=True))

    def _traced(
        self, data: Tensor, buffers: Mapping[str, Tensor], tensors: Sequence[Tensor | None]
    ) -> fx.GraphModule:
        def program(data: Tensor, buffers: Any, tensors: Any) -> tuple[Tensor, ...]:
            leaves = {
                name: tensor.detach().requires_grad_()
                for name, tensor in self._rows.tree(data).items()
            }
            losses, after = each(leaves, buffers, tensors)
            found = _gradients(losses.sum(), leaves)
            self._states = tuple(after)
            states = (state.detach() for state in after.values())
            return losses.detach(), self._rows.flat(found), *states

        dims = (0, 0, [None if tensor is None else 0 for tensor in tensors])
        each = vmap(self._loss, in_dims=dims, randomness="error")
        flat, tree = tree_flatten((data, buffers, tensors))
        graph = make_fx(lambda *flat: program(*tree_unflatten(flat, tree)))(*flat)
        _without_idle(graph.graph)
        # arguments and results as they come, not as trees
        graph.graph.set_codegen(fx.graph.CodeGen())
        graph.recompile()
        return graph

    def _loss(
        self,
        parameters: dict[str, Tensor],
        buffers: dict[str, Tensor],
        tensors: Sequence[Tensor | None],
    ) -> tuple[Tensor, dict[str, Tensor]]:
        batch = Batch(*tensors)  # type: ignore[arg-type]  # inputs and targets are there
        loss, after = _called(self._network, parameters, buffers, batch, self._task)
        return loss, _kept(self._network, after, carries=self._carries)


_Program = Callable[..., Any]
"""Takes the tensors of an update, None where there is none; returns losses, gradients, states."""


class _Recording:
    """A program as a CUDA graph: one launch, on copies of what it is given."""

    def __init__(self, program: _Program, given: Sequence[Tensor | None]) -> None:
        self._given = [None if tensor is None else tensor.clone() for tensor in given]
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]  # torch's
        aside.wait_stream(torch.cuda.current_stream())
        with torch.no_grad(), torch.cuda.stream(aside):
            program(*self._given)  # what is compiled or allocated once cannot be recorded
        torch.cuda.current_stream().wait_stream(aside)
        self._graph = torch.cuda.CUDAGraph()
        with torch.no_grad(), torch.cuda.graph(self._graph):
            self._made = program(*self._given)

    def __call__(self, *given: Tensor | None) -> tuple[Tensor, ...]:
        for own, new in zip(self._given, given, strict=True):
            if own is not None and new is not None:
                own.copy_(new)
        self._graph.replay()
        return tuple(tensor.clone() for tensor in self._made)


class Programs:
    """The steps of the shapes that were trained last, so that none is traced twice in a row."""

    def __init__(self, most: int = 16) -> None:
        self._most = most
        self._steps: dict[str, Step] = {}

    def step(self, member: Member, network: Network, task: Task) -> Step:
        """Return the step of all members of this shape; `network` is one of theirs."""
        # who else trains changes no program
        shape = replace(member, contest=None).shape
        step = self._steps.pop(shape, None)
        if step is None:
            rows = Rows(network)
            carries = chunks(member, task).count > 1
            kind = Together if member.way == "together" else InTurn
            step = kind(network, task, rows, carries)
        self._steps[shape] = step
        while len(self._steps) > self._most:
            del self._steps[next(iter(self._steps))]
        return step


class _Costing(nn.Module):
    """A network that is asked for what an update minimises."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch, task: Task) -> tuple[Tensor, dict[str, Tensor]]:
        return self.network.cost(batch, task)


def _called(
    network: Network,
    parameters: Mapping[str, Tensor],
    buffers: Mapping[str, Tensor],
    batch: Batch,
    task: Task,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run a network with other parameters and buffers; return the loss and last states."""
    named = {f"network.{name}": tensor for name, tensor in {**parameters, **buffers}.items()}
    made: tuple[Tensor, dict[str, Tensor]] = functional_call(
        _Costing(network), named, (batch, task)
    )
    return made


def _kept(network: Network, after: dict[str, Tensor], *, carries: bool) -> dict[str, Tensor]:
    """Return what goes on to the next update: all last states, or what always does."""
    return after if carries else {name: after[name] for name in network.running}


def _gradients(loss: Tensor, leaves: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    # what the loss does not depend on has a gradient of zeros
    return torch.autograd.grad(
        loss, list(leaves.values()), allow_unused=True, materialize_grads=True
    )


def _tensors(batch: Batch) -> tuple[Tensor | None, ...]:
    return batch.inputs, batch.targets, batch.lengths, batch.mask, batch.images


@contextmanager
def _batched(network: nn.Module, *, twins: bool) -> Iterator[None]:
    """Let a network's recurrences take all members in one call for a while."""
    recurrences = [module for module in network.modules() if isinstance(module, Recurrent)]
    runs = [module.run for module in recurrences]
    try:
        for module in recurrences:
            module.run = for_members(module.run, twins=twins)
        yield
    finally:
        for module, run in zip(recurrences, runs, strict=True):
            module.run = run


_IDLE = ("detach", "permute", "expand", "view")


def _without_idle(graph: fx.Graph) -> None:
    """Remove operations that return what they are given; each would cost about a microsecond."""
    for node in graph.nodes:
        if node.op != "call_function" or str(node.target.__name__).partition(".")[0] not in _IDLE:
            continue
        made, given = node.meta.get("val"), node.args[0].meta.get("val")
        if made is None or given is None:
            continue
        if (made.shape, made.stride()) == (given.shape, given.stride()):
            node.replace_all_uses_with(node.args[0])
    graph.eliminate_dead_code()
