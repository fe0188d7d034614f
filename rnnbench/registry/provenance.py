"""The source behind a component as one hash, so that stored results notice when code has changed.

Nothing is executed: modules are found by the import system's finders and read as text.
"""

from __future__ import annotations

import ast
import hashlib
import json
import sys
import warnings
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path


def source_of(module: str, version: str) -> str:
    """Return the SHA-256 of what `module` computes, as 64 hexadecimal digits.

    It covers the module, the modules of the same top-level package that it imports, directly or
    through each other, and the packages that hold them, since importing a module runs those too.
    Comments, docstrings and formatting do not count. A module without readable source (compiled,
    or missing) counts as `version`, its distribution's. Imports made by name at run time
    (`importlib.import_module`, `__all__` of a star import), other packages, and data files beside
    the modules are not followed: whoever changes those gives the component another `version`.
    """
    texts: dict[str, str] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in texts:
            continue
        waiting += _parents(name)
        spec = _spec(name)
        if spec is None:
            if name == module:
                texts[name] = f"version {version}"
            continue  # `from package import name` of something that is not a module
        source = _source(spec)
        tree = None if source is None else _parse(source)
        if tree is not None:
            texts[name] = json.dumps(_plain(tree))
            waiting += _imports(spec, tree)
        else:
            texts[name] = source or f"version {version}"
    return hashlib.sha256(json.dumps(sorted(texts.items())).encode()).hexdigest()


def _parse(source: str) -> ast.Module | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python has said it once, when it compiled the module
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError):  # written for another Python and perhaps never imported
            return None


def _plain(node: object) -> object:
    """Return a syntax tree as lists and text, without docstrings and empty fields.

    Leaving empty fields out keeps the hash the same when a later Python adds fields.
    """
    if isinstance(node, ast.AST):
        fields = ((name, value) for name, value in ast.iter_fields(node) if name != "kind")
        return [
            type(node).__name__,
            *([name, _plain(value)] for name, value in fields if value is not None and value != []),
        ]
    if isinstance(node, list):
        return [_plain(item) for item in node if not _is_docstring(item)]
    return repr(node)


def _is_docstring(node: object) -> bool:
    # a bare string does nothing wherever it stands
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _imports(spec: ModuleSpec, tree: ast.Module) -> Iterator[str]:
    """Yield the dotted names that a module imports from its own top-level package."""
    top = spec.name.partition(".")[0]
    for node in ast.walk(tree):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(spec, node)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.partition(".")[0] == top)


def _absolute(spec: ModuleSpec, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = spec.name.split(".")
    climbs = node.level - (spec.submodule_search_locations is not None)
    return ".".join([*parts[: len(parts) - climbs], *filter(None, [node.module])])


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


def _spec(name: str) -> ModuleSpec | None:
    """Find a module as `importlib.util.find_spec` does, but without importing its parents."""
    path: Sequence[str] | None = None
    if "." in name:
        parent = _spec(name.rpartition(".")[0])
        if parent is None or parent.submodule_search_locations is None:
            return None
        path = list(parent.submodule_search_locations)
    try:
        specs = (finder.find_spec(name, path, None) for finder in sys.meta_path)
        return next((spec for spec in specs if spec is not None), None)
    except KeyError:  # Python asks a namespace package's parent where it lies, once it is imported
        return _namespace(name, path or ())


def _namespace(name: str, path: Sequence[str]) -> ModuleSpec | None:
    folders = [Path(place) / name.rpartition(".")[2] for place in path]
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder) for folder in folders if folder.is_dir()]
    return spec if spec.submodule_search_locations else None


def _source(spec: ModuleSpec) -> str | None:
    """Return a module's text, or None where there is none to read."""
    if spec.loader is None:  # a namespace package: folders alone, which run nothing
        return ""
    read = getattr(spec.loader, "get_source", None)  # an optional method of loaders
    try:
        return None if read is None else read(spec.name)
    except (ImportError, SyntaxError, UnicodeDecodeError):  # no permission, no known encoding
        return None
