"""The public door: what a plugin author imports, loaded on first use so that start-up stays quick.

A plugin module needs one import and one hook:

    import rnnbench

    class MyCell(rnnbench.Cell): ...

    @rnnbench.hookimpl
    def rnnbench_provide_cells():
        return [MyCell]

and one entry point in its pyproject.toml:

    [project.entry-points.rnnbench]
    my_cell = "my_package.my_cell"
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnnbench.contracts import (
        Anchors,
        AttentionMetric,
        Batch,
        Cell,
        Classes,
        Features,
        Images,
        Inputs,
        Labels,
        Layer,
        Measured,
        Metric,
        Noise,
        Outcome,
        OutcomeMetric,
        Reals,
        Sequences,
        Split,
        Targets,
        Task,
        Tensors,
        TextMetric,
        Tokens,
        TorchLayer,
    )
    from rnnbench.errors import DataError
    from rnnbench.examples import deal, pad
    from rnnbench.hookspecs import hookimpl
    from rnnbench.initial import Initial, constant, identity, orthogonal, uniform, zeros
    from rnnbench.options import Between, Choice, LogBetween, Option
    from rnnbench.reading import read_bytes, read_text
    from rnnbench.text import UNITS, UNKNOWN, Vocabulary, symbols, text_of

__all__ = [
    "UNITS",
    "UNKNOWN",
    "Anchors",
    "AttentionMetric",
    "Batch",
    "Between",
    "Cell",
    "Choice",
    "Classes",
    "DataError",
    "Features",
    "Images",
    "Initial",
    "Inputs",
    "Labels",
    "Layer",
    "LogBetween",
    "Measured",
    "Metric",
    "Noise",
    "Option",
    "Outcome",
    "OutcomeMetric",
    "Reals",
    "Sequences",
    "Split",
    "Targets",
    "Task",
    "Tensors",
    "TextMetric",
    "Tokens",
    "TorchLayer",
    "Vocabulary",
    "constant",
    "deal",
    "hookimpl",
    "identity",
    "orthogonal",
    "pad",
    "read_bytes",
    "read_text",
    "symbols",
    "text_of",
    "uniform",
    "zeros",
]

_HOME = {
    "hookimpl": "hookspecs",
    **dict.fromkeys(
        ("Initial", "constant", "identity", "orthogonal", "uniform", "zeros"), "initial"
    ),
    **dict.fromkeys(("Between", "Choice", "LogBetween", "Option"), "options"),
    "DataError": "errors",
    **dict.fromkeys(("deal", "pad"), "examples"),
    **dict.fromkeys(("read_bytes", "read_text"), "reading"),
    **dict.fromkeys(("UNITS", "UNKNOWN", "Vocabulary", "symbols", "text_of"), "text"),
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module `rnnbench` has no attribute `{name}`")
    return getattr(importlib.import_module(f"rnnbench.{_HOME.get(name, 'contracts')}"), name)


def __dir__() -> list[str]:
    return list(__all__)
