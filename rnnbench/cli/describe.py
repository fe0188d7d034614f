"""`rnnbench describe`: all that is declared about a cell, layer, task or metric."""

from __future__ import annotations

from rich.padding import Padding

from rnnbench.cli.building import Building
from rnnbench.cli.console import console
from rnnbench.cli.environment import disabled_plugins, forced_backend


def command(name: str) -> None:
    """Describe a cell, layer, task or metric.

    Equations, options, backend, anchors, reference and package; of every kind that has the name.
    """
    from rnnbench.cli.description import sections
    from rnnbench.registry import load_registry

    out = console()
    for index, component in enumerate(load_registry(disabled_plugins()).named(name)):
        with Building() as building:
            described = list(sections(component, backend=forced_backend(), compiling=building))
        if index:
            out.print()
        out.print(component.title, style="bold")
        for heading, body in described:
            if heading:
                out.print(f"\n{heading}", style="bold")
            out.print(Padding(body, (0, 0, 0, 2), expand=False))
