"""A traced step as equations: products of data with weights, and elementwise expressions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from typing import Any

import torch
from torch import Tensor, fx

from rnnbench.errors import UnsupportedError
from rnnbench.recurrence.expressions import Buffer, Call, Expression, Leaf, Pool, Value, width
from rnnbench.recurrence.moves import MOVES, Layout, read, runs
from rnnbench.recurrence.operands import Operands, Prelude, View
from rnnbench.recurrence.trace import Shapes, Traced, line_of, operation
from rnnbench.recurrence.watch import at


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


@dataclass(frozen=True)
class _Data:
    """A tensor that depends on data: what its numbers are called among the columns of a value."""

    value: Value
    names: Tensor


def _laid(value: Value, layout: Layout) -> _Data:
    return _Data(value, layout.names())


_JOINS = {"cat", "slice_scatter", "select_scatter"}

_PRODUCTS = {"mm", "addmm", "bmm", "baddbmm", "mv"}

_PIECES = 16
"""So many runs of columns may a tensor be put together from: each becomes code of its own."""

_INSTEAD = {
    "amax": "it reduces over features",
    "amin": "it reduces over features",
    "max": "it reduces over features",
    "min": "it reduces over features",
    "_softmax": "it compares features; x.exp() / x.exp().sum(-1, keepdim=True) overflows beyond 88",
    "_log_softmax": "it compares features",
    "cumsum": "it adds up along features; multiply with a triangular matrix",
    "gather": "it picks features by what they hold; use torch.where",
    "index": "it picks features by what they hold; use torch.where",
    "constant_pad_nd": "it pads; use cat",
    "_trilinear": "it multiplies data with data; write (x @ A) * (h @ B)",
}  # fmt: skip


class _Reader:
    def __init__(self, traced: Traced) -> None:
        self._traced = traced
        self._rows = traced.rows
        self._pool = Pool()
        self._operands = Operands(traced)
        self._values: dict[fx.Node, Any] = {}
        self._products: list[Product] = []
        self._repeated: dict[tuple[Expression, int], Leaf] = {}
        self._vectors: dict[View, int] = {}

    def read(self) -> Equations:
        shapes = self._traced.shapes
        data = [("input", 0, shapes.inputs)]
        data += [("input", i + 1, size) for i, size in enumerate(shapes.noise.values())]
        data += [("state", i, size) for i, size in enumerate(shapes.states.values())]
        nodes = list(self._traced.graph.graph.nodes)
        for node, (kind, index, size) in zip(nodes, data, strict=False):
            leaf = self._pool.leaf(Buffer(kind, index), 0, size)  # type: ignore[arg-type]  # a Kind
            self._values[node] = _laid((leaf,), self._flat(size))
        states: tuple[Value, ...] = ()
        for node in nodes[len(data) :]:
            if node.op == "call_function" and node not in self._operands:
                self._values[node] = self._read(node)
            elif node.op == "output":
                made = zip(node.args[0], shapes.states.values(), strict=True)
                states = tuple(self._spread(new, self._flat(size)) for new, size in made)
        return Equations(
            shapes,
            self._pool,
            states,
            tuple(self._products),
            tuple(self._vectors),
            self._operands.prelude(),
        )

    def _flat(self, size: int) -> Layout:
        return Layout((self._rows, size), 0)

    def _read(self, node: fx.Node) -> Any:
        name, made = operation(node), node.meta.get("val")
        if name == "getitem":
            source, index = node.args
            return self._values[source][index]  # type: ignore[index]  # a node and an int
        if isinstance(made, Tensor) and made.dtype not in (torch.float32, torch.bool):
            raise UnsupportedError(
                f"its step makes {made.dtype} numbers, a kernel float32 ones{at(line_of(node))}"
            )
        if name in MOVES:
            return self._moved(node)
        if not isinstance(made, Tensor):
            raise self._refused(node)
        if name in _PRODUCTS:
            return self._product(node, made)
        if name in ("sum", "mean"):
            return self._reduced(node, made)
        if torch.Tag.pointwise in getattr(node.target, "tags", ()) or name in ("_to_copy", "copy"):
            return self._pointwise(node, made)
        raise self._refused(node)

    def _refused(self, node: fx.Node) -> UnsupportedError:
        name = operation(node)
        why = _INSTEAD.get(name, "a kernel knows products with weights, pointwise operations, "
                                 "sums, and chunk, split, slice and cat of features")  # fmt: skip
        return UnsupportedError(f"its step uses `{name.strip('_')}`: {why}{at(line_of(node))}")

    def _mixed(self, node: fx.Node) -> UnsupportedError:
        return UnsupportedError(
            f"its step mixes the sequences of a batch with `{operation(node).strip('_')}`; work "
            f"along the last dimension{at(line_of(node))}"
        )

    def _moved(self, node: fx.Node) -> Any:
        """Read an operation that moves numbers, by running it on their names."""
        value: Value = ()
        names: dict[fx.Node, Tensor] = {}
        for need in node.all_input_nodes:
            if need in self._values or operation(node) in _JOINS:
                data = self._data(need)
                names[need] = data.names + width(value)
                value += data.value
            elif self._operands.varies(need):
                raise self._refused(node)
            else:
                names[need] = self._operands.numbers(need)
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), names.__getitem__)
        try:
            made = node.target(*args, **kwargs)  # type: ignore[operator]  # a call
        except (IndexError, RuntimeError) as error:
            raise self._refused(node) from error
        if isinstance(made, Tensor):
            return _Data(value, made)
        return [_Data(value, names) for names in made]

    def _data(self, node: fx.Node) -> _Data:
        """Return a tensor of the batch's size, be it made of data or of weights."""
        if node in self._values:
            data: _Data = self._values[node]
            return data
        shape = self._operands.shape(node)
        layout = Layout(shape, shape.index(self._rows))
        return _laid(self._spread(node, layout), layout)

    def _read_names(self, node: fx.Node, names: Tensor) -> tuple[Layout, list[int]]:
        found = read(names, self._rows)
        if found is None:
            raise self._mixed(node)
        return found

    def _picked(self, node: fx.Node, value: Value, columns: list[int]) -> Value:
        """Return columns of a value, in this order."""
        pieces = list(runs(columns))
        if len(pieces) > _PIECES:
            raise UnsupportedError(
                f"its step cuts features into {len(pieces)} pieces with `{operation(node)}`; "
                f"permute the rows or columns of a weight instead{at(line_of(node))}"
            )
        picked: Value = ()
        for first, count, same in pieces:
            if same:
                picked += (self._repeat(self._pool.cut(value, first, 1)[0], count),)
            else:
                picked += self._pool.cut(value, first, count)
        return picked

    def _repeat(self, column: Expression, count: int) -> Leaf:
        """Return a column `count` times side by side: a product with ones."""
        key = column, count
        if key not in self._repeated:
            ones = self._operands.constant(torch.ones(1, count))
            self._repeated[key] = self._times((column,), ones, count)
        return self._repeated[key]

    def _spread(self, arg: Any, layout: Layout) -> Value:
        """Return an argument's features when it is broadcast to data of this layout."""
        if arg in self._values:
            data: _Data = self._values[arg]
            names = data.names.broadcast_to(layout.shape)
            found, columns = self._read_names(arg, names)
            if found != layout:
                raise self._mixed(arg)
            return self._picked(arg, data.value, columns)
        pieces: Value = ()
        for row, count in self._operands.rows(arg, layout):
            if isinstance(row, float):
                pieces += (self._pool.constant(row, count),)
            else:
                index = self._vectors.setdefault(row, len(self._vectors))
                pieces += (self._pool.leaf(Buffer("vector", index), 0, count),)
        return pieces

    def _times(self, data: Value, weight: View, size: int) -> Leaf:
        self._products.append(Product(data, weight))
        return self._pool.leaf(Buffer("product", len(self._products) - 1), 0, size)

    def _product(self, node: fx.Node, made: Tensor) -> _Data:
        left: Any
        right: Any
        *added, left, right = node.args
        if node.kwargs:
            raise UnsupportedError(
                f"its step scales a product with alpha or beta{at(line_of(node))}"
            )
        if left in self._values and right in self._values:
            raise UnsupportedError(
                "a product in its step is of data with data: one side must depend on weights "
                f"alone{at(line_of(node))}"
            )
        on_left = left in self._values
        data: _Data = self._values[left if on_left else right]
        weight = self._operands.matrix(right if on_left else left)
        if not on_left or operation(node) == "mv":
            # W @ h.T is (h @ W.T).T
            weight = weight.turned()
        layout, columns = self._read_names(node, data.names)
        summed = data.names.dim() - (1 if on_left else 2)
        if layout.batch == summed or len(columns) != data.names.shape[summed]:
            raise UnsupportedError(
                "a product in its step is with several weights at once, or along the batch; "
                f"write one product for each weight{at(line_of(node))}"
            )
        layout = Layout(tuple(made.shape), layout.batch)
        value: Value = (
            self._times(
                self._picked(node, data.value, columns), weight, made.numel() // self._rows
            ),
        )
        for bias in added:
            value = self._sum(value, self._spread(bias, layout))
        return _laid(value, layout)

    def _reduced(self, node: fx.Node, made: Tensor) -> _Data:
        """Read a sum or mean over features: a product with ones, or a sum of a few slices."""
        data: _Data = self._values[node.args[0]]  # type: ignore[index]  # a node
        dims = data.names.dim()
        given: Any = node.args[1] if len(node.args) > 1 else None
        over = sorted(dim % dims for dim in given or range(dims))
        layout, columns = self._read_names(node, data.names)
        if layout.batch in over:
            raise self._mixed(node)
        batch = layout.batch - sum(dim < layout.batch for dim in over if made.dim() < dims)
        count = math.prod(data.names.shape[dim] for dim in over)
        share = 1 / count if operation(node) == "mean" else 1.0
        if count == len(columns):
            source = self._picked(node, data.value, columns)
            ones = self._operands.constant(torch.full((count, 1), share))
            total: Value = (self._times(source, ones, 1),)
        elif count > _PIECES:
            raise self._refused(node)
        else:
            slices = data.names.movedim(over, list(range(len(over)))).flatten(0, len(over) - 1)
            parts = (
                self._picked(node, data.value, self._read_names(node, part)[1]) for part in slices
            )
            scale = torch.ops.aten.mul.Tensor
            total = tuple(
                self._pool.call(scale, (piece, share), (), piece.width)
                for piece in reduce(self._sum, parts)
            )
        return _laid(total, Layout(tuple(made.shape), batch))

    def _sum(self, left: Value, right: Value) -> Value:
        add = torch.ops.aten.add.Tensor
        return tuple(
            self._pool.call(add, pair, (), pair[0].width)
            for pair in zip(*self._pool.aligned([left, right]), strict=True)
        )

    def _pointwise(self, node: fx.Node, made: Tensor) -> _Data:
        nodes = [arg for arg in node.args if isinstance(arg, fx.Node)]
        if set(nodes) != set(node.all_input_nodes):
            raise self._refused(node)
        first = next(arg for arg in nodes if arg in self._values)
        layout, _ = self._read_names(first, self._values[first].names.broadcast_to(made.shape))
        outer = self._outer(node, layout)
        if outer is not None:
            return _laid((outer,), layout)
        values = self._pool.aligned([self._operand(arg, layout) for arg in nodes])
        if operation(node) == "copy":
            return _laid(values[1], layout)
        aligned = dict(zip(nodes, values, strict=True))
        options = tuple(sorted(node.kwargs.items()))
        pieces: list[Expression] = []
        for place, piece in enumerate(values[0]):
            args = tuple(
                aligned[arg][place] if isinstance(arg, fx.Node) else arg for arg in node.args
            )
            pieces.append(self._pool.call(node.target, args, options, piece.width, line_of(node)))
        return _laid(tuple(pieces), layout)

    def _operand(self, arg: fx.Node, layout: Layout) -> Value:
        """Return an argument as `_spread`; a truth that is read as a number is compared again."""
        value = self._spread(arg, layout)
        if arg.meta["val"].dtype != torch.bool:
            return value
        differs = torch.ops.aten.ne.Scalar
        return tuple(
            piece
            if isinstance(piece, Call)
            else self._pool.call(differs, (piece, 0), (), piece.width)
            for piece in value
        )

    def _outer(self, node: fx.Node, layout: Layout) -> Leaf | None:
        """Return one column of data times a row of weights as the product that it is."""
        size = math.prod(layout.shape) // self._rows
        if operation(node) != "mul" or size == 1:
            return None
        left: Any
        right: Any
        left, right = node.args
        data, row = (left, right) if left in self._values else (right, left)
        column = self._values[data].names
        if row not in self._operands or column.numel() != self._rows:
            return None
        weights = list(self._operands.rows(row, layout))
        if len(weights) > 1 or isinstance(weights[0][0], float):
            return None
        source = self._picked(node, self._values[data].value, self._read_names(node, column)[1])
        return self._times(source, weights[0][0], size)
