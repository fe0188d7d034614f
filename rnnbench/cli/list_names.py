"""`rnnbench list`: the names a suite can use, and the suites in ./suites."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from rnnbench.cli.console import console, table
from rnnbench.cli.environment import disabled_plugins
from rnnbench.errors import SuiteError
from rnnbench.suite.source import read_source

SUITES = Path("suites")


class Names(StrEnum):
    """What can be listed."""

    cells = "cells"
    layers = "layers"
    tasks = "tasks"
    metrics = "metrics"
    suites = "suites"


def command(kind: Names) -> None:
    """List cells, layers, tasks, metrics or suites.

    Suites come from the folder ./suites, all else from installed plugins.
    """
    out = console()
    if kind is Names.suites:
        suites = tuple(_suites())
        out.print(
            table(("suite", "file", "question"), suites) if suites else "no suites in ./suites"
        )
        return
    from rnnbench.registry import load_registry

    registry = load_registry(disabled_plugins())
    components = {
        Names.cells: registry.cells,
        Names.layers: registry.layers,
        Names.tasks: registry.tasks,
        Names.metrics: registry.metrics,
    }[kind].values()
    out.print(
        table(
            (kind.removesuffix("s"), "package", "summary"),
            ((each.name, each.distribution, each.summary) for each in components),
        )
    )
    failed = sum(plugin.status == "failed" for plugin in registry.plugins)
    if failed:
        out.print(f"\n{failed} of the plugins failed to load; see `rnnbench plugins`.")


def _suites() -> Iterator[tuple[str, str, str]]:
    """Yield name, file and question of each suite; of one that cannot be read, the reason."""
    for path in sorted(SUITES.glob("*.yaml")):
        try:
            tree = read_source(path).tree
        except SuiteError as error:
            yield path.stem, str(path), f"cannot be read: {str(error).splitlines()[0]}"
            continue
        if isinstance(tree, dict):
            yield str(tree.get("suite", path.stem)), str(path), str(tree.get("question", ""))
        else:
            yield path.stem, str(path), "cannot be read: no keys"
