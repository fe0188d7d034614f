"""The hooks: where a plugin says what it provides. Each docstring holds an example to paste."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from rnnbench.contracts import AnyMetric, Cell, Layer, Task

PROJECT = "rnnbench"
"""The name of the hook prefix and of the entry-point group."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def rnnbench_provide_cells() -> Iterable[type[Cell]]:  # type: ignore[empty-body]  # a declaration
    """Provide cells; called once, when the plugin is loaded.

    @rnnbench.hookimpl
    def rnnbench_provide_cells():
        return [PeepholeLSTM]
    """


@hookspec
def rnnbench_provide_layers() -> Iterable[type[Layer]]:  # type: ignore[empty-body]  # a declaration
    """Provide layers that are no recurrence; called once, when the plugin is loaded.

    @rnnbench.hookimpl
    def rnnbench_provide_layers():
        return [BagOfWords]
    """


@hookspec
def rnnbench_provide_tasks() -> Iterable[type[Task]]:  # type: ignore[empty-body]  # a declaration
    """Provide tasks; called once, when the plugin is loaded.

    @rnnbench.hookimpl
    def rnnbench_provide_tasks():
        return [CopyMemory]
    """


@hookspec
def rnnbench_provide_metrics() -> Iterable[type[AnyMetric]]:  # type: ignore[empty-body]  # a declaration
    """Provide metrics; called once, when the plugin is loaded.

    @rnnbench.hookimpl
    def rnnbench_provide_metrics():
        return [Accuracy]
    """
