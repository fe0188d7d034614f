"""`rnnbench plugins`: what is installed, and why what failed has failed."""

from __future__ import annotations

from rnnbench.cli.console import console, table
from rnnbench.cli.environment import disabled_plugins


def command() -> None:
    """Show the plugins, and why any failed.

    The exit code is 0 even where some failed: showing them is what was asked for. Switch plugins
    or whole packages off with RNNBENCH_DISABLE_PLUGINS=name,name.
    """
    from rnnbench.registry import load_registry

    plugins = load_registry(disabled_plugins()).plugins
    out = console()
    out.print(
        table(
            ("plugin", "package", "version", "status", "provides"),
            (
                (each.name, each.distribution, each.version, each.status, ", ".join(each.provides))
                for each in plugins
            ),
        )
    )
    for each in plugins:
        if each.status == "failed":
            out.print()
            out.print(f"{each.name} ({each.module}) of {each.package} failed:", style="bold red")
            out.print(each.reason, soft_wrap=True)
