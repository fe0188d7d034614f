"""Turn installed plugins into plain dictionaries of cells, layers, tasks and metrics.

Each plugin is loaded on its own, and one that breaks its contract is named with its reason while
the rest works. Whatever two plugins claim (the name of an entry point, a module, the name of a
cell, layer, task or metric) neither gets: no order of loading decides which code stands behind a
name, a built-in gets no favour, and no table shows the score of another cell than it says.
Switching one of the two off gives the other its name back.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from importlib.metadata import entry_points as installed_entry_points
from typing import Literal

from rnnbench.errors import UnknownNameError
from rnnbench.hookspecs import PROJECT
from rnnbench.registry.declarations import Kind
from rnnbench.registry.loading import Component, Loaded, PluginStatus, announce, asked, load

__all__ = ["Component", "PluginStatus", "Registry", "asked", "load_registry"]


@dataclass(frozen=True)
class Registry:
    """What is installed, by kind and name, sorted, and what became of each plugin."""

    cells: Mapping[str, Component]
    layers: Mapping[str, Component]
    tasks: Mapping[str, Component]
    metrics: Mapping[str, Component]
    plugins: tuple[PluginStatus, ...]

    def cell(self, name: str) -> Component:
        """Return the cell of this name, or raise UnknownNameError."""
        return self._find("cell", name, self.cells)

    def layer(self, name: str) -> Component:
        """Return the layer of this name, or raise UnknownNameError."""
        return self._find("layer", name, self.layers)

    def unit(self, kind: Literal["cell", "layer"], name: str) -> Component:
        """Return what an architecture is made of, or raise UnknownNameError."""
        return self.cell(name) if kind == "cell" else self.layer(name)

    def task(self, name: str) -> Component:
        """Return the task of this name, or raise UnknownNameError."""
        return self._find("task", name, self.tasks)

    def metric(self, name: str) -> Component:
        """Return the metric of this name, or raise UnknownNameError."""
        return self._find("metric", name, self.metrics)

    @property
    def components(self) -> tuple[Component, ...]:
        """Everything that can be used."""
        kinds = (self.cells, self.layers, self.tasks, self.metrics)
        return tuple(one for kind in kinds for one in kind.values())

    def named(self, name: str) -> tuple[Component, ...]:
        """Return everything of this name, of whatever kind, or raise UnknownNameError."""
        kinds = (self.cells, self.layers, self.tasks, self.metrics)
        found = tuple(kind[name] for kind in kinds if name in kind)
        if not found:
            known = {known for kind in kinds for known in kind}
            raise UnknownNameError("cell, layer, task or metric", name, known, self._note())
        return found

    def _find(self, kind: Kind, name: str, known: Mapping[str, Component]) -> Component:
        if name not in known:
            raise UnknownNameError(kind, name, known, self._note())
        return known[name]

    def _note(self) -> str:
        failed = [f"`{plugin.name}`" for plugin in self.plugins if plugin.status == "failed"]
        if not failed:
            return ""
        word = "plugin" if len(failed) == 1 else "plugins"
        return f"({word} {', '.join(failed)} failed to load, see `rnnbench plugins`)"


def load_registry(
    disabled: Collection[str] = (), entry_points: Iterable[EntryPoint] | None = None
) -> Registry:
    """Load the entry points of group `rnnbench`, or the given ones.

    `disabled` names plugins, or whole packages, that are not imported.

    Raises:
        UnknownNameError: `disabled` names what is not installed.
    """
    if entry_points is None:
        entry_points = installed_entry_points(group=PROJECT)
    found = [(announce(entry_point), entry_point) for entry_point in entry_points]
    found.sort(key=lambda pair: _place(pair[0]))
    switches = {name for status, _ in found for name in (status.name, status.distribution)}
    for name in sorted(disabled):
        if name not in switches:
            raise UnknownNameError("plugin", name, switches)

    off = [status for status, _ in found if {status.name, status.distribution} & set(disabled)]
    on = [(status, entry_point) for status, entry_point in found if status not in off]
    plugins = _without_shared_names(
        [load(status, entry_point, [other for other, _ in on]) for status, entry_point in on]
    )
    components = [component for plugin in plugins for component in plugin.components]
    return Registry(
        cells=_by_name("cell", components),
        layers=_by_name("layer", components),
        tasks=_by_name("task", components),
        metrics=_by_name("metric", components),
        plugins=tuple(
            sorted(
                [plugin.status for plugin in plugins]
                + [replace(status, status="disabled", reason="switched off") for status in off],
                key=_place,
            )
        ),
    )


def _without_shared_names(plugins: list[Loaded]) -> list[Loaded]:
    """Take every name that two plugins claim from both, and let each name the other."""
    claims: dict[tuple[Kind, str], list[PluginStatus]] = defaultdict(list)
    for plugin in plugins:
        for component in plugin.components:
            claims[component.kind, component.name].append(plugin.status)
    result = []
    for plugin in plugins:
        kept, reasons = [], []
        for component in plugin.components:
            claimants = claims[component.kind, component.name]
            if len(claimants) == 1:
                kept.append(component)
                continue
            others = " and ".join(
                f"plugin `{other.name}` ({other.package})"
                for other in claimants
                if other is not plugin.status
            )
            reasons.append(f"{others} claims {component.kind} `{component.name}` too")
        status = plugin.status
        if reasons:
            status = replace(
                status,
                status="failed",
                reason="; ".join(reasons) + "; none gets the name until one is switched off",
                provides=tuple(each.title for each in kept),
            )
        result.append(Loaded(status, tuple(kept)))
    return result


def _by_name(kind: Kind, components: Iterable[Component]) -> dict[str, Component]:
    chosen = (component for component in components if component.kind == kind)
    return {each.name: each for each in sorted(chosen, key=lambda component: component.name)}


def _place(status: PluginStatus) -> tuple[str, str, str]:
    return status.name, status.distribution, status.module
