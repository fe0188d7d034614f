"""Which module may import which, read from the source without running it."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "rnnbench"

FLOORS = {
    0: "direction errors caches examples files hyperparameters initial machine manifest_shape "
    "reading results text",
    1: "allocator checkpoints datafiles devices memory options contests seeds contracts member "
    "fit judged statistics artifacts lock salvage database mending",
    2: "hookspecs suite study store",
    3: "registry recurrence",
    4: "tasks nn group findings assessing showing showing_pictures lengthwise kindwise",
    5: "matching resolving plan course training plots",
    6: "search protocol grouping campaign tables folder cleaning best worker process crew cluster "
    "remote slurm executor report",
    7: "staleness settling merging runner manifest",
    8: "estimate",
    9: "cli __main__",
}
"""Every module and package of rnnbench: the floors of the design, from below.

A floor has steps: what stands further right may use what stands further left, never the other
way, so that the table is one order from the first name to the last.
"""

ORDER = [name for names in FLOORS.values() for name in names.split()]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else str(node.module)


def ours(module: str) -> set[str]:
    return {name for name in imported(MODULES[module]) if name.partition(".")[0] == "rnnbench"}


def part(module: str) -> str:
    """`rnnbench.nn.loss` belongs to `nn`."""
    return module.split(".")[1]


def test_every_module_has_one_place():
    parts = {part(module) for module in MODULES if module != "rnnbench"}
    assert sorted(parts) == sorted(ORDER)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "rnnbench"])
def test_a_module_imports_only_what_stands_below_it(module):
    here = ORDER.index(part(module))
    needs = {part(name) for name in ours(module)} - {part(module)}
    assert [name for name in needs if ORDER.index(name) > here] == []


def test_the_core_does_not_go_through_the_public_door():
    assert [module for module in MODULES if "rnnbench" in ours(module)] == []


def test_no_imports_go_in_circles():
    graph = {module: ours(module) - {module} for module in MODULES if module != "rnnbench"}
    while free := [module for module, needs in graph.items() if not needs & graph.keys()]:
        for module in free:
            del graph[module]
    assert graph == {}


def test_built_in_plugins_import_the_public_door_and_numerical_libraries_only():
    allowed = {"rnnbench", "torch", "numpy", "scipy", "sklearn", "sacrebleu", "PIL"}
    for path in (ROOT / "plugins").glob("rnnbench_*/*.py"):
        own = path.parent.name
        for name in imported(path):
            top = name.partition(".")[0]
            assert top in allowed | {own} | sys.stdlib_module_names, f"{path}: {name}"
            assert top != "rnnbench" or name == "rnnbench", f"{path}: {name}"


def test_only_commands_print_or_read_the_environment():
    found = []
    for module, path in MODULES.items():
        # a worker that someone else has started gets the environment that torch computes by
        if module.startswith("rnnbench.cli") or module == "rnnbench.worker":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Name(id="print" | "input" as name) | ast.alias(name=name):
                    pass
                case ast.Attribute(value=ast.Name(id="os" | "sys"), attr=name):
                    pass
                case _:
                    continue
            if name in ("print", "input", "environ", "getenv", "stdout", "stderr", "stdin", "argv"):
                found.append(f"{module}: {name}")
    assert found == []


@pytest.mark.parametrize(
    "modules",
    [
        "cli",
        # what `report` and `merge` need
        "findings.comparisons, folder, merging, report, store, findings.summary, tables",
        "suite",
    ],
)
def test_what_needs_no_network_imports_no_torch(modules):
    code = "\n".join(f"import rnnbench.{name}" for name in modules.split(", "))
    code += "\nimport sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
