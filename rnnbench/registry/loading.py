"""Load one plugin: import it, check it, ask it what it provides. A failure becomes its status."""

from __future__ import annotations

import difflib
import importlib
import inspect
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint
from pathlib import Path
from reprlib import repr as short
from types import ModuleType
from typing import Any, Literal, TypeVar

import pluggy

from rnnbench import hookspecs
from rnnbench.contracts import API_VERSION
from rnnbench.errors import PluginError, RnnbenchError
from rnnbench.hookspecs import PROJECT
from rnnbench.registry.declarations import Kind, check_class
from rnnbench.registry.provenance import source_of

Answer = TypeVar("Answer")

HOOKS: dict[str, Kind] = {
    "rnnbench_provide_cells": "cell",
    "rnnbench_provide_layers": "layer",
    "rnnbench_provide_tasks": "task",
    "rnnbench_provide_metrics": "metric",
}
"""What each hook provides."""


@dataclass(frozen=True)
class Component:
    """A cell, layer, task or metric and where it comes from.

    version  declared by the class; with `name` and `plugin` it identifies results
    plugin   the name of the entry point
    module   the module that defines the class
    source   the hash of the source behind it (`rnnbench.registry.provenance.source_of`)
    """

    kind: Kind
    name: str
    version: str
    cls: type[Any]
    plugin: str
    distribution: str
    distribution_version: str
    module: str
    source: str

    @property
    def title(self) -> str:
        """Kind and name, as in "cell lstm"."""
        return f"{self.kind} {self.name}"

    @property
    def summary(self) -> str:
        """The first paragraph of the class's own docstring, on one line."""
        return " ".join(inspect.cleandoc(self.cls.__doc__ or "").partition("\n\n")[0].split())


@dataclass(frozen=True)
class PluginStatus:
    """What became of one entry point.

    `provides` lists what can be used ("cell lstm"). A failed plugin still provides what nobody
    else claims when its only fault is a name that another plugin claims too.
    """

    name: str
    module: str
    distribution: str
    version: str
    status: Literal["loaded", "failed", "disabled"]
    reason: str = ""
    provides: tuple[str, ...] = ()

    @property
    def package(self) -> str:
        """The installed package and its version."""
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Loaded:
    """A plugin after loading: what became of it and what it provides."""

    status: PluginStatus
    components: tuple[Component, ...] = ()


def announce(entry_point: EntryPoint) -> PluginStatus:
    """Describe a plugin before it is loaded."""
    name = version = None
    if entry_point.dist is not None:
        # without METADATA some versions of Python answer None and others raise
        with suppress(Exception):
            name, version = entry_point.dist.name, entry_point.dist.version
    return PluginStatus(
        name=entry_point.name,
        module=entry_point.value,
        distribution=name or "unknown package",
        version=version or "?",
        status="loaded",
    )


def load(status: PluginStatus, entry_point: EntryPoint, everyone: Iterable[PluginStatus]) -> Loaded:
    """Import one plugin and ask it what it provides; a failure becomes its status."""
    try:
        for other in everyone:
            if other != status and other.name == status.name:
                raise PluginError(f"{other.package} declares a plugin `{status.name}` too")
            if other != status and other.module == status.module:
                raise PluginError(f"plugin `{other.name}` ({other.package}) is this module too")
        module = entry_point.load()
        if not isinstance(module, ModuleType):
            raise PluginError(f"{status.module} is {short(module)}, not a module")
        asked = getattr(module, "RNNBENCH_API", API_VERSION)
        if asked != API_VERSION:
            raise PluginError(
                f"asks for plugin API {short(asked)}; this rnnbench has {API_VERSION}"
            )
        _check_hooks(module)
        provided = (_component(kind, cls, status) for kind, cls in _provided(status.name, module))
        components = tuple(sorted(provided, key=lambda component: component.title))
    except KeyboardInterrupt:
        raise
    except PluginError as error:
        return Loaded(replace(status, status="failed", reason=str(error)))
    except BaseException as error:  # noqa: BLE001  whatever a plugin raises, exit() too, is its failure alone
        return Loaded(replace(status, status="failed", reason=_told(error)))
    return Loaded(replace(status, provides=tuple(each.title for each in components)), components)


def _check_hooks(module: ModuleType) -> None:
    """Refuse what pluggy would pass over in silence: hooks that no one will ever call."""
    implemented = False
    for name, function in vars(module).items():
        if not inspect.isroutine(function):
            continue
        marks = getattr(function, f"{PROJECT}_impl", None)
        if marks is None:
            if name.startswith(f"{PROJECT}_") and function.__module__ == module.__name__:
                raise PluginError(f"`{name}` is named as a hook but lacks @rnnbench.hookimpl")
            continue
        hook = marks["specname"] or name
        if hook not in HOOKS:
            close = difflib.get_close_matches(hook, HOOKS, n=1)
            hint = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(HOOKS)}"
            raise PluginError(f"implements an unknown hook `{hook}`; {hint}")
        if marks["wrapper"] or marks["hookwrapper"]:
            raise PluginError(f"hook `{hook}` is a wrapper; a plugin speaks for itself only")
        implemented = True
    if not implemented:
        raise PluginError(f"implements no hook; there are {', '.join(HOOKS)}")


def _provided(plugin: str, module: ModuleType) -> Iterator[tuple[Kind, type[Any]]]:
    """Yield what the hooks of a module return, checked."""
    manager = pluggy.PluginManager(PROJECT)  # one each, so that no plugin sees another
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, plugin)
    except pluggy.PluginValidationError as error:
        raise PluginError(f"has a hook of another signature: {error}") from error
    seen: set[tuple[Kind, str]] = set()
    for hook, kind in HOOKS.items():
        caller = getattr(manager.hook, hook)
        answers = caller()
        if len(answers) < len(caller.get_hookimpls()):  # pluggy drops None
            raise PluginError(f"hook `{hook}` returns None, not a list of classes")
        for answer in answers:
            if isinstance(answer, type) or not isinstance(answer, Iterable):
                raise PluginError(f"hook `{hook}` returns {short(answer)}, not a list of classes")
            for given in answer:
                cls = check_class(kind, given)
                if (kind, cls.name) in seen:
                    raise PluginError(f"provides {kind} `{cls.name}` twice")
                seen.add((kind, cls.name))
                yield kind, cls


def _component(kind: Kind, cls: type[Any], status: PluginStatus) -> Component:
    return Component(
        kind=kind,
        name=cls.name,
        version=cls.version,
        cls=cls,
        plugin=status.name,
        distribution=status.distribution,
        distribution_version=status.version,
        module=cls.__module__,
        source=source_of(cls.__module__, status.version),
    )


def _told(error: BaseException) -> str:
    """Say what was raised, and where in the plugin."""
    text = "".join(traceback.format_exception_only(error)).strip()
    ours = [Path(str(each.__file__)).parent for each in (importlib, pluggy, hookspecs)]
    places = [
        f" ({frame.filename}:{frame.lineno})"
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<")
        and not any(Path(frame.filename).is_relative_to(folder) for folder in ours)
    ]
    return text + (places[-1] if places else "")


def asked(component: Component, ask: Callable[[], Answer]) -> Answer:
    """Return what a plugin's code answers, and name the plugin if it raises or breaks its contract.

    Raises:
        PluginError: the plugin raised something that is no error of rnnbench, or this.
        RnnbenchError: any other, as it was raised.
    """
    plugin = (
        f"plugin `{component.plugin}` ({component.distribution} {component.distribution_version})"
    )
    try:
        return ask()
    except PluginError as error:
        raise PluginError(f"{error} [{plugin}]") from error
    except RnnbenchError:
        raise
    except Exception as error:
        raise PluginError(
            f"{component.title} of {plugin} raises {type(error).__name__}: {error}"
        ) from error
