"""What a step reads that depends on weights alone, as views of as few tensors as possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from rnnbench.errors import UnsupportedError
from rnnbench.recurrence.moves import Layout
from rnnbench.recurrence.trace import Traced, line_of, operation
from rnnbench.recurrence.watch import at


@dataclass(frozen=True)
class View:
    """Numbers of a root tensor: entry (i, j) is at `offset + i · row_stride + j · column_stride`.

    A slice, a transpose or a gate's block of a weight is a view: the kernel reads it in place,
    and adds its gradient in place.
    """

    root: int
    offset: int
    row_stride: int
    column_stride: int

    def at(self, row: int, column: int) -> View:
        """Return the view that begins at this entry."""
        return View(
            self.root,
            self.offset + row * self.row_stride + column * self.column_stride,
            self.row_stride,
            self.column_stride,
        )

    def turned(self) -> View:
        """Return the transpose."""
        return View(self.root, self.offset, self.column_stride, self.row_stride)


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
                elif node.op == "call_function" and operation(node) in _FILLED:
                    self._fill(node)
                elif node.op == "call_function":
                    self._compute(node)

    def __contains__(self, node: object) -> bool:
        return node in self._values

    def shape(self, node: fx.Node) -> tuple[int, ...]:
        """Return the shape of what a node makes."""
        return tuple(self._values[node].shape)

    def varies(self, node: fx.Node) -> bool:
        """Return whether a node changes with the weights."""
        return self._varies[node]

    def numbers(self, node: fx.Node) -> Tensor:
        """Return what a node makes: the numbers themselves if it does not vary."""
        tensor: Tensor = self._values[node]
        return tensor

    def matrix(self, node: fx.Node) -> View:
        """Return a weight [k, n] as a view; [k] is one row, and [any, k, n] the same for any.

        Raises:
            UnsupportedError: it differs along a dimension before the last two.
        """
        root, tensor = self._placed(node)
        while tensor.dim() > 2:
            if not torch.equal(tensor, tensor[:1].expand_as(tensor)):
                raise UnsupportedError(
                    f"a product in its step has a weight for each sequence{at(line_of(node))}"
                )
            tensor = tensor[0]
        rows = tensor.stride(0) if tensor.dim() > 1 else 0
        return View(root, int(tensor.storage_offset()), rows, tensor.stride(-1))

    def rows(self, given: Any, layout: Layout) -> Iterator[tuple[View | float, int]]:
        """Yield what stands in the columns when a weight or a number is broadcast to data.

        Yields:
            a row of weights, or a number that is the same in all columns, and how many columns

        Raises:
            UnsupportedError: it differs from sequence to sequence.
        """
        node = given if isinstance(given, fx.Node) else None
        whole = torch.tensor(float(given)) if node is None else self._values[node]
        whole = whole.broadcast_to(layout.shape)
        features = whole.select(layout.batch, 0)
        if not torch.equal(whole, features.unsqueeze(layout.batch).expand_as(whole)):
            raise UnsupportedError(
                "its step reads numbers that differ between the sequences of a batch and come "
                f"from neither x nor a state{at('' if node is None else line_of(node))}"
            )
        first = features.flatten()[:1]
        if node is None or not (self._varies[node] or bool((features != first).any())):
            yield float(first), features.numel()
            return
        root, tensor = self._placed(node)
        for line in _lines(tensor.broadcast_to(layout.shape).select(layout.batch, 0)):
            step = line.stride(0) if line.numel() > 1 else 0
            yield View(root, int(line.storage_offset()), 0, step), line.numel()

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

    def _fill(self, node: fx.Node) -> None:
        """Note a tensor that takes no more than its size from data."""
        number = _FILLED[operation(node)]
        fill: Any = node.args[-1] if number is None else number
        made = node.meta["val"]
        self._values[node] = torch.full(made.shape, fill, dtype=made.dtype)
        self._varies[node] = False

    def _placed(self, node: fx.Node) -> tuple[int, Tensor]:
        """Return the root that holds a node's tensor, making it one if it views no other."""
        tensor = self._values[node]
        key = tensor.untyped_storage().data_ptr()
        if key not in self._root_of:
            if self._varies[node] and tensor.dtype not in (torch.float32, torch.bool):
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
        roots = (known[root] for root in self.roots if isinstance(root, fx.Node))
        return tuple(_apart(root.float()) for root in roots)


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


def _lines(tensor: Tensor) -> Iterator[Tensor]:
    """Yield a tensor as views of one dimension that follow each other, as few as there can be."""
    try:
        yield tensor.view(-1)
    except RuntimeError:
        for part in tensor:
            yield from _lines(part)


_FILLED = {
    "zeros_like": 0.0, "ones_like": 1.0, "full_like": None,
    "new_zeros": 0.0, "new_ones": 1.0, "new_full": None, "fill": None,
}  # fmt: skip
"""Operations that make equal numbers: which, or None where their last argument says it."""
