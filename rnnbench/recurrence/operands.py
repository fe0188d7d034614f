"""What a step reads that depends on weights alone, as views of as few tensors as possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from rnnbench.recurrence.trace import Traced, UnsupportedError, at, line_of


@dataclass(frozen=True)
class View:
    """Numbers of a root tensor: entry (i, j) stands at `offset + i · rows + j · columns`.

    A slice, a transpose or a gate's block of a weight is a view: the kernel reads it in place,
    and adds its gradient in place.
    """

    root: int
    offset: int
    rows: int
    columns: int

    def at(self, row: int, column: int) -> View:
        """Return the view that begins at this entry."""
        return View(
            self.root,
            self.offset + row * self.rows + column * self.columns,
            self.rows,
            self.columns,
        )


class Operands:
    """Knows the nodes of a trace that depend on weights alone.

    Roots are numbered: first the weights in their order, then what is computed from them.
    """

    def __init__(self, traced: Traced) -> None:
        shapes = traced.shapes
        before = 1 + len(shapes.noise) + len(shapes.states)
        weights = list(shapes.weights.values())
        self._values: dict[fx.Node, Any] = {}
        self._varies: dict[fx.Node, bool] = {}
        self._root_of: dict[int, int] = {}
        self._placeholders: list[fx.Node] = []
        self._further: list[fx.Node | Tensor] = []
        with torch.no_grad():
            for position, node in enumerate(traced.graph.graph.nodes):
                if node.op == "placeholder" and position >= before:
                    self._weight(node, weights[position - before])
                elif node.op == "get_attr":
                    self._values[node] = getattr(traced.graph, str(node.target))
                    self._varies[node] = False
                elif node.op == "call_function":
                    self._compute(node)

    def __contains__(self, node: object) -> bool:
        return node in self._values

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """Return the shape of what a node makes."""
        return tuple(self._values[node].shape)

    def matrix(self, node: fx.Node) -> View:
        """Return a weight [k, n], or [1, k, n], as a view."""
        root, tensor = self._placed(node)
        return View(root, int(tensor.storage_offset()), tensor.stride(-2), tensor.stride(-1))

    def vector(self, node: fx.Node, width: int) -> View | float:
        """Return a scalar or a row [width] as a view, or as a number if it is a constant one.

        Raises:
            UnsupportedError: it is neither.
        """
        tensor = self._values[node]
        if tensor.squeeze().dim() > 1 or tensor.numel() not in (1, width):
            raise UnsupportedError(
                f"a weight {list(tensor.shape)} meets {width} features elementwise; give it the "
                f"shape [{width}] or no dimension{at(line_of(node))}"
            )
        if not self._varies[node] and bool((tensor == tensor.flatten()[0]).all()):
            return float(tensor.flatten()[0])
        root, tensor = self._placed(node)
        step = max(tensor.squeeze().stride(), default=0)
        return View(root, int(tensor.storage_offset()), 0, step)

    def constant(self, numbers: Tensor) -> View:
        """Return a view of numbers [k, n] that no weight changes."""
        self._further.append(numbers)
        root = len(self._placeholders) + len(self._further) - 1
        return View(root, 0, numbers.shape[-1], 1)

    def prelude(self) -> Prelude:
        """Return what computes the roots beyond the weights."""
        needed: dict[fx.Node, None] = {}

        def visit(node: fx.Node) -> None:
            if self._varies[node] and node.op == "call_function" and node not in needed:
                for need in node.all_input_nodes:
                    visit(need)
                needed[node] = None

        for root in self._further:
            if isinstance(root, fx.Node):
                visit(root)
        fixed = {node: value for node, value in self._values.items() if not self._varies[node]}
        return Prelude(tuple(self._placeholders), tuple(needed), fixed, tuple(self._further))

    def _weight(self, node: fx.Node, shape: Sequence[int]) -> None:
        # numbers that no equation has reason to treat specially
        draw = torch.Generator().manual_seed(len(self._placeholders))
        self._values[node] = torch.rand(shape, generator=draw) + 0.5
        self._varies[node] = True
        self._root_of[self._values[node].untyped_storage().data_ptr()] = len(self._placeholders)
        self._placeholders.append(node)

    def _compute(self, node: fx.Node) -> None:
        needs = node.all_input_nodes
        if all(need in self._values for need in needs):
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), self._values.__getitem__)
            self._values[node] = node.target(*args, **kwargs)  # type: ignore[operator]  # a call
            self._varies[node] = any(self._varies[need] for need in needs)

    def _placed(self, node: fx.Node) -> tuple[int, Tensor]:
        """Return the root that holds a node's tensor, making it one if it views no other."""
        tensor = self._values[node]
        key = tensor.untyped_storage().data_ptr()
        if key not in self._root_of:
            if self._varies[node] and tensor.dtype != torch.float32:
                raise UnsupportedError(
                    f"a weight becomes {tensor.dtype}{at(line_of(node))}; the harness chooses "
                    "the precision"
                )
            # kept as the node's value, so that no other tensor gets its address
            tensor = self._values[node] = tensor.float().contiguous().clone()
            key = tensor.untyped_storage().data_ptr()
            self._root_of[key] = len(self._placeholders) + len(self._further)
            self._further.append(node if self._varies[node] else tensor)
        return self._root_of[key], tensor


@dataclass(frozen=True)
class Prelude:
    """Computes the roots beyond the weights with torch, so that autograd differentiates it."""

    weights: tuple[fx.Node, ...]
    nodes: tuple[fx.Node, ...]
    fixed: Mapping[fx.Node, Any]
    roots: tuple[fx.Node | Tensor, ...]

    def __call__(self, weights: Sequence[Tensor], members: bool) -> list[Tensor]:
        """Return the further roots, each contiguous; those that no weight changes as they are.

        weights  in their order, of the traced shapes, with a leading dimension for `members`
        """
        if not self.roots:
            return []
        made: Iterator[Tensor] = iter(())
        if self.nodes and members:
            # one by one: torch's batched products round otherwise than a single one
            each = zip(*(weight.unbind() for weight in weights), strict=True)
            made = map(torch.stack, zip(*map(self._computed, each), strict=True))
        elif self.nodes:
            made = iter(self._computed(weights))
        return [
            next(made).contiguous() if isinstance(root, fx.Node) else root for root in self.roots
        ]

    def _computed(self, weights: Sequence[Tensor]) -> tuple[Tensor, ...]:
        known: dict[fx.Node, Any] = dict(self.fixed)
        needed = {need for node in self.nodes for need in node.all_input_nodes}
        for node, weight in zip(self.weights, weights, strict=True):
            if node in needed:
                known[node] = _apart(weight)
        for node in self.nodes:
            args, kwargs = fx.node.map_arg((node.args, node.kwargs), known.__getitem__)
            known[node] = node.target(*args, **kwargs)  # type: ignore[operator]  # a call
        return tuple(_apart(known[root]) for root in self.roots if isinstance(root, fx.Node))


def _apart(tensor: Tensor) -> Tensor:
    """Return a tensor in memory of its own, and its gradient on the way back too.

    A product of torch's rounds by where its operands begin in memory, and a member's begin
    elsewhere in a group than alone.
    """
    made: Tensor = _Apart.apply(tensor)  # type: ignore[no-untyped-call]  # torch's
    return made


class _Apart(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:  # noqa: ARG004  torch passes it
        return tensor.clone(memory_format=torch.contiguous_format)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004  torch passes it
        return gradient.clone(memory_format=torch.contiguous_format)
