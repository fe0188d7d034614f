"""What `rnnbench describe` says about a component, heading by heading."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from reprlib import repr as short
from typing import TypeVar

from rich.console import RenderableType
from rich.text import Text

from rnnbench.cli.console import pairs, table
from rnnbench.contracts import (
    AttentionMetric,
    Cell,
    Inputs,
    Layer,
    Metric,
    OutcomeMetric,
    Targets,
    Task,
    TextMetric,
)
from rnnbench.errors import InputError
from rnnbench.options import Choice, LogBetween, Option, Space, Value
from rnnbench.registry import Component, asked

Section = tuple[str, RenderableType]
Answer = TypeVar("Answer")

INPUTS, HIDDEN = 4, 32
"""The widths at which a cell is tried."""


def sections(
    component: Component, *, backend: str | None, compiling: Callable[[], None]
) -> Iterator[Section]:
    """Yield heading and body of each part of a description.

    backend    how a cell is run: `auto`, the name of a backend, or None
    compiling  called before each compilation of a kernel

    Raises:
        InputError: the backend asked for cannot run the cell with its default options.
        PluginError: the component's own code raises, or a step hides what it must not.
    """
    cls = component.cls
    yield "", _text(cls.__doc__)
    parts = {"cell": _cell, "layer": _layer, "task": _task, "metric": _metric}
    yield from parts[component.kind](component)
    if component.kind == "cell":
        yield from _backends(component, backend, compiling)
    if cls.reference:
        yield "Reference", _text(cls.reference)
    yield (
        "Where it comes from",
        pairs(
            {
                "version": component.version,
                "package": f"{component.distribution} {component.distribution_version}",
                "plugin": component.plugin,
                "module": component.module,
                "source": component.source[:12],
            }
        ),
    )


def _cell(component: Component) -> Iterator[Section]:
    cls = component.cls
    yield "Equations", _text(cls.equations)
    if cls.card:
        yield "Identity card", pairs(cls.card)
    yield from _options(cls)
    if noise := asked(component, lambda: cls().noise(HIDDEN)):
        rows = [
            [f"w.{name}", each.kind, each.strength, "sequence" if each.once else "step"]
            for name, each in noise.items()
        ]
        yield "Noise", table(("read as", "kind", "strength", "drawn for each"), rows)
    layer = asked(component, lambda: cls().torch_layer())
    name = None if layer is None else layer.kind.partition("_")[0]
    yield (
        "Equal layer of torch, with the default options",
        _text("none" if layer is None else f"torch.nn.{name} ({layer.kind})"),
    )


def _layer(component: Component) -> Iterator[Section]:
    cls = component.cls
    yield "Equations", _text(cls.equations)
    if cls.card:
        yield "Identity card", pairs(cls.card)
    yield from _options(cls)
    yield (
        "Layer",
        pairs({"patterns": ", ".join(cls.patterns), "causal": "yes" if cls.causal else "no"}),
    )


def _backends(
    component: Component, backend: str | None, compiling: Callable[[], None]
) -> Iterator[Section]:
    """Yield how the cell is run with its default options, and the values that change that."""
    # tasks and metrics need not wait for it
    from rnnbench.recurrence import Chooser

    chooser = Chooser(forced=None if backend == "auto" else backend, compiling=compiling)

    def choose(**options: Value) -> tuple[str, str]:
        chosen = asked(
            component, lambda: chooser.choose(component.cls(**options), [INPUTS], HIDDEN)
        )
        return chosen.name, chosen.reason

    default = choose()
    rows = [["default options", *default]]
    for name, value in _other_values(component.cls):
        try:
            chosen = choose(**{name: value})
        except InputError as error:
            chosen = "none", str(error)
        if chosen[0] != default[0]:
            rows.append([f"{name}: {value}", *chosen])
    yield (
        f"Backend on a CPU, tried with {INPUTS} inputs and hidden size {HIDDEN}",
        table(("with", "backend", "why"), rows),
    )


def _other_values(cls: type[Cell]) -> Iterator[tuple[str, Value]]:
    """Yield each value of a structural option that is not its default."""
    for name, option in cls.options.items():
        values = (True, False) if isinstance(option.default, bool) else option.choices
        for value in () if option.numeric else values:
            if value != option.default:
                yield name, value


def _task(component: Component) -> Iterator[Section]:
    cls = component.cls
    yield from _options(cls)
    yield (
        "Task",
        pairs(
            {
                "pattern": cls.pattern,
                "causal": "yes" if cls.causal else "no",
                "metrics": ", ".join(cls.metrics),
            }
        ),
    )
    yield "With the default options", pairs(asked(component, lambda: _setting(cls())))


def _kind(kind: Inputs | Targets) -> str:
    """Write what inputs or targets are, with the first symbols of a vocabulary only."""
    given = vars(kind)
    written = (f"{name}={short(value)}" for name, value in given.items() if value not in ("", ()))
    return f"{type(kind).__name__}({', '.join(written)})"


def _setting(task: Task) -> dict[str, str]:
    anchors = task.anchors
    return {
        "steps": str(task.sequence_length),
        "inputs": _kind(task.inputs),
        **({} if task.image is None else {"image": _kind(task.image)}),
        "targets": _kind(task.targets),
        f"chance ({task.metrics[0]})": f"{anchors.chance:.4g}",
        "trivial predictor": f"{anchors.trivial:.4g}",
        "oracle": "none" if anchors.oracle is None else f"{anchors.oracle:.4g}",
        "solved from": f"{anchors.solved:.4g}",
        **{f"{name} (naive)": f"{value:.4g}" for name, value in anchors.floors.items()},
        "shortest path, forward": f"{task.shortest_path(bidirectional=False):.4g} steps",
        "shortest path, bidirectional": f"{task.shortest_path(bidirectional=True):.4g} steps",
    }


_MEASURES = {
    Metric: "predictions and targets",
    TextMetric: "texts and right answers",
    AttentionMetric: "where an attention looked, and where what is named stands",
    OutcomeMetric: "a finished run",
}


def _metric(component: Component) -> Iterator[Section]:
    cls = component.cls
    yield (
        "Metric",
        pairs(
            {
                "better": "larger" if cls.direction == "max" else "smaller",
                "range": _range(cls.low, cls.high) or "any number",
                "measures": next(what for kind, what in _MEASURES.items() if issubclass(cls, kind)),
            }
        ),
    )


def _options(cls: type[Cell | Layer | Task]) -> Iterator[Section]:
    if cls.options:
        headings = ["option", "default", "values", "search", "meaning"]
        rows = [
            [name, str(each.default), _values(each), _space(each.search), each.help]
            for name, each in cls.options.items()
        ]
        if issubclass(cls, Cell | Layer):
            headings.insert(-1, "kind")
            for row, each in zip(rows, cls.options.values(), strict=True):
                row.insert(-1, "numeric" if each.numeric else "structural")
        yield "Options", table(headings, rows)


def _values(option: Option) -> str:
    if option.choices:
        return ", ".join(map(str, option.choices))
    if isinstance(option.default, bool):
        return "true, false"
    return _range(option.low, option.high) or "any"


def _space(space: Space | None) -> str:
    if space is None:
        return "none"
    if isinstance(space, Choice):
        return ", ".join(map(str, space.values))
    return f"{'log ' * isinstance(space, LogBetween)}{space.low:g} … {space.high:g}"


def _range(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:g} … {high:g}"
    if low is not None:
        return f"≥ {low:g}"
    return "" if high is None else f"≤ {high:g}"


def _text(text: str | None) -> Text:
    return Text(inspect.cleandoc(text or "no description"))
