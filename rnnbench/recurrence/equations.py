"""A traced step as equations: products of data with weights, and elementwise expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx

from rnnbench.recurrence.expressions import Buffer, Expression, Leaf, Pool, Value, width
from rnnbench.recurrence.operands import Operands, Prelude, View
from rnnbench.recurrence.trace import Shapes, Traced, UnsupportedError, at, line_of, operation


@dataclass(frozen=True)
class Product:
    """data [rows, k] @ weight [k, n]."""

    data: Value
    weight: View


@dataclass(frozen=True)
class Equations:
    """The new states as expressions of leaves; leaf ("product", i) reads `products[i]`."""

    shapes: Shapes
    pool: Pool
    states: tuple[Value, ...]
    products: tuple[Product, ...]
    vectors: tuple[View, ...]
    prelude: Prelude


def equations(traced: Traced) -> Equations:
    """Read a trace as products and elementwise expressions.

    Raises:
        UnsupportedError: something in it is neither; says which line, and what to write instead.
    """
    return _Reader(traced).read()


# what moves columns or keeps them: name -> which argument it is applied to is always the first
_KEEPS = {
    "view", "_unsafe_view", "reshape", "unsqueeze", "squeeze", "expand", "permute", "transpose",
    "t", "clone", "alias", "lift_fresh_copy", "_to_copy", "contiguous",
}  # fmt: skip

_SPLITS = {"split", "split_with_sizes", "chunk", "unsafe_split", "unsafe_split_with_sizes"}

_FILLS = {"zeros_like": 0.0, "ones_like": 1.0, "new_zeros": 0.0, "new_ones": 1.0}

_INSTEAD = {
    "native_layer_norm": "it normalises over features",
    "_softmax": "it normalises over features",
    "_log_softmax": "it normalises over features",
    "sum": "it reduces over features",
    "mean": "it reduces over features",
    "var": "it reduces over features",
    "amax": "it reduces over features",
    "amin": "it reduces over features",
    "linalg_vector_norm": "it reduces over features",
    "cumsum": "it accumulates over features",
    "sort": "it sorts features",
    "topk": "it sorts features",
    "roll": "it permutes features; permute the weight's rows instead",
    "flip": "it permutes features; permute the weight's rows instead",
    "index": "it gathers features; use slices",
    "index_select": "it gathers features; use slices",
    "gather": "it gathers features; use slices",
    "select": "it picks one row or one column; use chunk, split or slices of the last dimension",
    "copy_": "it writes into x, the state or a weight; make a new tensor",
    "slice_scatter": "it writes into a slice; use cat",
    "select_scatter": "it writes into a slice; use cat",
}


class _Reader:
    def __init__(self, traced: Traced) -> None:
        self._traced = traced
        self._rows = traced.rows
        self._pool = Pool()
        self._operands = Operands(traced)
        self._values: dict[fx.Node, Any] = {}
        self._products: list[Product] = []
        self._vectors: dict[View, int] = {}

    def read(self) -> Equations:
        shapes = self._traced.shapes
        data = [("input", 0, shapes.inputs)]
        data += [("input", i + 1, size) for i, size in enumerate(shapes.noise.values())]
        data += [("state", i, size) for i, size in enumerate(shapes.states.values())]
        nodes = list(self._traced.graph.graph.nodes)
        for node, (kind, index, size) in zip(nodes, data, strict=False):
            self._values[node] = (self._pool.leaf(Buffer(kind, index), 0, size),)  # type: ignore[arg-type]  # a Kind
        states: tuple[Value, ...] = ()
        for node in nodes[len(data) :]:
            if node.op == "call_function" and node not in self._operands:
                self._values[node] = self._read(node)
            elif node.op == "output":
                made = zip(node.args[0], shapes.states.values(), strict=True)
                states = tuple(self._value(new, size) for new, size in made)
        return Equations(
            shapes,
            self._pool,
            states,
            tuple(self._products),
            tuple(self._vectors),
            self._operands.prelude(),
        )

    def _read(self, node: fx.Node) -> Any:
        name = operation(node)
        made: Any = node.meta.get("val")
        if name == "getitem":
            source, index = node.args
            return self._values[source][index]  # type: ignore[index]  # a node and an int
        if name in _SPLITS:
            return self._split(node, made)
        if not isinstance(made, Tensor):
            raise self._refused(node)
        if name in ("mm", "addmm", "bmm"):
            return self._product(node, name)
        if made.dtype not in (torch.float32, torch.bool):
            raise UnsupportedError(
                f"its step makes {made.dtype}{at(line_of(node))}; the harness chooses the precision"
            )
        size = self._features(node, made)
        if name in _KEEPS:
            return self._kept(node, size)
        if name == "slice":
            return self._slice(node, made, size)
        if name == "cat":
            return self._cat(node, made)
        if name in _FILLS or name in ("full_like", "new_full"):
            value = _FILLS[name] if name in _FILLS else float(node.args[-1])  # type: ignore[arg-type]  # a number
            return (self._pool.constant(value, size),)
        if torch.Tag.pointwise in getattr(node.target, "tags", ()):
            return self._pointwise(node, size)
        raise self._refused(node)

    def _refused(self, node: fx.Node) -> UnsupportedError:
        name = operation(node)
        why = _INSTEAD.get(name, "a kernel knows products with weights, pointwise operations, "
                                 "and chunk, split, slice and cat of features")  # fmt: skip
        return UnsupportedError(f"its step uses `{name.strip('_')}`: {why}{at(line_of(node))}")

    def _features(self, node: fx.Node, made: Tensor) -> int:
        """Return the width of a node whose tensor is [rows, features], whatever ones it wears."""
        sizes = [size for size in made.shape if size != 1]
        if sizes[:1] != [self._rows] or len(sizes) > 2:
            name = operation(node)
            if name in _INSTEAD:
                raise self._refused(node)
            shown = ["batch" if size == self._rows else size for size in made.shape]
            raise UnsupportedError(
                f"its step makes a tensor [{', '.join(map(str, shown))}] with `{name}`, not "
                f"[batch, features]{at(line_of(node))}; use chunk, split or slices of the last "
                "dimension"
            )
        return sizes[1] if len(sizes) > 1 else 1

    def _value(self, arg: Any, size: int) -> Value:
        """Return an argument as data of `size` columns; one column is repeated in each."""
        if arg not in self._values:
            vector = self._operands.vector(arg, size) if isinstance(arg, fx.Node) else float(arg)
            if isinstance(vector, float):
                return (self._pool.constant(vector, size),)
            index = self._vectors.setdefault(vector, len(self._vectors))
            return (self._pool.leaf(Buffer("vector", index), 0, size),)
        value: Value = self._values[arg]
        if width(value) == 1 and size > 1:
            # a gate for all units: the same column `size` times, as a product with ones
            return (self._times(value, self._operands.constant(torch.ones(1, size)), size),)
        if width(value) != size:
            raise UnsupportedError(f"{width(value)} features meet {size}{at(line_of(arg))}")
        return value

    def _times(self, data: Value, weight: View, size: int) -> Leaf:
        self._products.append(Product(data, weight))
        return self._pool.leaf(Buffer("product", len(self._products) - 1), 0, size)

    def _product(self, node: fx.Node, name: str) -> Value:
        bias, data, weight = node.args if name == "addmm" else (None, *node.args)
        if node.kwargs:
            raise UnsupportedError(
                f"its step scales a product with alpha or beta{at(line_of(node))}"
            )
        if weight not in self._operands or data in self._operands:
            what = (
                "has a weight on the left: write data @ weight or F.linear(data, weight)"
                if data in self._operands
                else "is of data with data: one side must depend on weights alone"
            )
            raise UnsupportedError(f"a product in its step {what}{at(line_of(node))}")
        rows, *shape = node.meta["val"].shape[-2:]
        if rows != self._rows or any(size != 1 for size in node.meta["val"].shape[:-2]):
            raise UnsupportedError(f"a product in its step mixes the batch{at(line_of(node))}")
        size = shape[0]
        value: Value = (self._times(self._values[data], self._operands.matrix(weight), size),)  # type: ignore[index, arg-type]  # nodes
        return value if bias is None else self._sum(value, self._value(bias, size))

    def _sum(self, left: Value, right: Value) -> Value:
        add = torch.ops.aten.add.Tensor
        return tuple(
            self._pool.call(add, pair, (), pair[0].width)
            for pair in zip(*self._pool.aligned([left, right]), strict=True)
        )

    def _split(self, node: fx.Node, made: Any) -> tuple[Value, ...]:
        source: Any = node.args[0]
        along = node.args[2] if len(node.args) > 2 else node.kwargs.get("dim", 0)
        if along not in (-1, made[0].dim() - 1):
            raise UnsupportedError(f"its step splits the batch{at(line_of(node))}")
        pieces, start = [], 0
        for piece in made:
            pieces.append(self._pool.cut(self._values[source], start, piece.shape[-1]))
            start += piece.shape[-1]
        return tuple(pieces)

    def _kept(self, node: fx.Node, size: int) -> Value:
        source: Any = node.args[0]
        made: Tensor = node.meta["val"]
        if [n for n in made.shape if n != 1][:1] != [self._rows]:
            raise UnsupportedError(f"its step moves the batch{at(line_of(node))}")
        value: Value = self._values[source]
        if width(value) == size:
            return value
        if width(value) == 1:
            return self._value(source, size)
        raise UnsupportedError(
            f"its step lays {width(value)} features out as {size}{at(line_of(node))}; use chunk, "
            "split or slices of the last dimension"
        )

    def _slice(self, node: fx.Node, made: Tensor, size: int) -> Value:
        source, dim, start, _, step = (*node.args, *(None,) * 5)[:5]
        value: Value = self._values[source]  # type: ignore[index]  # a node
        before: Tensor = source.meta["val"]  # type: ignore[union-attr]  # a node
        if made.shape == before.shape:
            return value
        if (dim or 0) not in (-1, made.dim() - 1):
            raise UnsupportedError(f"its step slices the batch{at(line_of(node))}")
        if step not in (None, 1):
            raise UnsupportedError(f"its step takes every {step}th feature{at(line_of(node))}")
        first: Any = start or 0
        return self._pool.cut(value, first + width(value) if first < 0 else first, size)

    def _cat(self, node: fx.Node, made: Tensor) -> Value:
        sources: Any = node.args[0]
        along = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
        if along not in (-1, made.dim() - 1):
            raise UnsupportedError(f"its step joins batches{at(line_of(node))}")
        return tuple(
            piece for source in sources for piece in self._value(source, self._width_of(source))
        )

    def _width_of(self, node: fx.Node) -> int:
        if node in self._operands:
            return self._operands.shape(node)[-1]
        return width(self._values[node])

    def _pointwise(self, node: fx.Node, size: int) -> Value:
        outer = self._outer(node, size)
        if outer is not None:
            return outer
        nodes = [arg for arg in node.args if isinstance(arg, fx.Node)]
        nodes += [arg for arg in node.kwargs.values() if isinstance(arg, fx.Node)]
        aligned = dict(
            zip(nodes, self._pool.aligned([self._value(arg, size) for arg in nodes]), strict=True)
        )
        if any(isinstance(arg, fx.Node) for arg in node.kwargs.values()):
            raise self._refused(node)
        pieces: list[Expression] = []
        for place in range(len(aligned[nodes[0]])):
            args = tuple(
                aligned[arg][place] if isinstance(arg, fx.Node) else arg for arg in node.args
            )
            options = tuple(sorted(node.kwargs.items()))
            pieces.append(
                self._pool.call(node.target, args, options, aligned[nodes[0]][place].width)
            )
        return tuple(pieces)

    def _outer(self, node: fx.Node, size: int) -> Value | None:
        """Return one column of data times a row of weights as the product that it is."""
        if operation(node) != "mul" or size == 1:
            return None
        for data, row in (node.args[:2], node.args[1::-1]):
            if (
                data in self._values
                and row in self._operands
                and width(self._values[data]) == 1  # type: ignore[index]  # a node
                and [n for n in self._operands.shape(row) if n != 1] == [size]  # type: ignore[arg-type]  # a node
            ):
                view = self._operands.vector(row, size)  # type: ignore[arg-type]  # a node
                if isinstance(view, View):
                    return (self._times(self._values[data], view, size),)  # type: ignore[index]  # a node
        return None
