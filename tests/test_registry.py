import sys
import tomllib
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest

from rnnbench.errors import UnknownNameError
from rnnbench.registry import load_registry

CELL = """
import rnnbench

class Good(rnnbench.Cell):
    '''A cell that
    does nothing.

    At all.
    '''
    name = "good"
    version = "3"
    reference = "nobody"
    equations = "h_t = h_{t-1}"
    def weights(self, inputs, hidden): return {}
    def state(self, hidden): return {"h": rnnbench.zeros(hidden)}
    def step(self, x, s, w): return {"h": s.h}
"""
TASK = """
import rnnbench

class Work(rnnbench.Task):
    name = "work"
    reference = "nobody"
    pattern = "many-to-one"
    causal = False
    metrics = ("accuracy",)
    sequence_length = inputs = targets = anchors = 1
    def shortest_path(self, bidirectional): return 1.0
    def batch(self, size, generator): ...
    def held_out(self, split, generator): ...
    def trivial(self, batch): ...
"""
METRIC = """
import rnnbench

class Share(rnnbench.Metric):
    name = "share"
    direction = "max"
    def measure(self, predictions, targets, mask): return 1.0
"""


def providing(kind: str, answer: str) -> str:
    return f"@rnnbench.hookimpl\ndef rnnbench_provide_{kind}():\n    {answer}\n"


GOOD = CELL + providing("cells", "return [Good]")


def cell(*lines: str, **attributes: str) -> str:
    """A plugin with one cell, changed by `attributes` and `lines` of its class body."""
    body = [*lines, *(f"{name} = {value}" for name, value in attributes.items())]
    return CELL + "".join(f"    {line}\n" for line in body) + providing("cells", "return [Good]")


def task(**attributes: str) -> str:
    body = "".join(f"    {name} = {value}\n" for name, value in attributes.items())
    return TASK + body + providing("tasks", "return [Work]")


def metric(**attributes: str) -> str:
    body = "".join(f"    {name} = {value}\n" for name, value in attributes.items())
    return METRIC + body + providing("metrics", "return [Share]")


def option(text: str, name: str = "leak") -> str:
    return cell(options=f"{{'{name}': {text}}}")


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Install a package of one module and return its entry points."""
    monkeypatch.syspath_prepend(tmp_path)
    written = []

    def install(module: str, source: str, *entries: str) -> list[EntryPoint]:
        package = module.replace("_", "-")
        written.append(module)
        (tmp_path / f"{module}.py").write_text(source)
        folder = tmp_path / f"{module}-1.0.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = entries or (f"{module} = {module}",)
        (folder / "entry_points.txt").write_text("[rnnbench]\n" + "\n".join(lines) + "\n")
        return list(Distribution.at(folder).entry_points)

    yield install
    for name in written:
        sys.modules.pop(name, None)  # the next test writes another module of this name


def status(registry, name: str):
    (found,) = (plugin for plugin in registry.plugins if plugin.name == name)
    return found


def test_a_good_plugin_is_loaded_with_all_that_is_known_about_it(install):
    registry = load_registry(entry_points=install("strange_cell", GOOD))
    plugin = status(registry, "strange_cell")
    assert (plugin.status, plugin.reason, plugin.provides) == ("loaded", "", ("cell good",))
    assert plugin.package == "strange-cell 1.0"
    good = registry.cell("good")
    assert (good.kind, good.version, good.plugin, good.module) == (
        "cell",
        "3",
        "strange_cell",
        "strange_cell",
    )
    assert (good.distribution, good.distribution_version) == ("strange-cell", "1.0")
    assert good.summary == "A cell that does nothing."
    assert len(good.source) == 64
    assert good.cls().chosen == {}


BAD = {
    "import error": ("import not_there", "No module named 'not_there' (", ".py:1)"),
    "syntax error": ("def f(:", "SyntaxError"),
    "exit on import": ("raise SystemExit(3)", "SystemExit: 3"),
    "odd exception": ("class Odd(BaseException): ...\nraise Odd('x')", "Odd: x"),
    "missing door name": (GOOD + "rnnbench.Cel", "no attribute `Cel`"),
    "other API": (GOOD + "RNNBENCH_API = 2", "asks for plugin API 2", "has 1"),
    "no hook": (CELL, "implements no hook"),
    "misspelt hook": (
        GOOD.replace("provide_cells", "provide_cell"),
        "unknown hook `rnnbench_provide_cell`",
        "did you mean `rnnbench_provide_cells`?",
    ),
    "foreign hook": (
        CELL + "@rnnbench.hookimpl\ndef setup(): ...",
        "unknown hook `setup`",
        "rnnbench_provide_tasks",
    ),
    "bare hook": (
        GOOD + "def rnnbench_provide_tasks(): return []",
        "`rnnbench_provide_tasks`",
        "lacks @rnnbench.hookimpl",
    ),
    "signature": (
        GOOD.replace("provide_cells()", "provide_cells(config)"),
        "another signature",
        "config",
    ),
    "wrapper": (
        CELL
        + "@rnnbench.hookimpl(wrapper=True)\ndef rnnbench_provide_cells(): return (yield)",
        "is a wrapper",
    ),
    "hook raises": (CELL + providing("cells", "1 / 0"), "ZeroDivisionError", ".py:"),
    "hook exits": (CELL + providing("cells", "exit()"), "SystemExit"),
    "hook raises late": (CELL + providing("cells", "yield Good; 1 / 0"), "ZeroDivisionError"),
    "None": (CELL + providing("cells", "return None"), "returns None, not a list"),
    "number": (CELL + providing("cells", "return 7"), "returns 7, not a list"),
    "no list": (CELL + providing("cells", "return Good"), "Good'>, not a list of classes"),
    "word": (CELL + providing("cells", "return 'Good'"), "provides 'G', which is no class of Cell"),
    "instance": (CELL + providing("cells", "return [Good()]"), "provide the class itself"),
    "wrong kind": (CELL + providing("tasks", "return [Good]"), "class Good, which is no Task"),
    "foreign class": (CELL + providing("cells", "return [int]"), "class int, which is no Cell"),
    "twice": (CELL + providing("cells", "return [Good, Good]"), "provides cell `good` twice"),
    "endless": (
        CELL + providing("cells", "import itertools; return itertools.repeat(Good)"),
        "cell `good` twice",
    ),
    "abstract": (
        CELL + "class Half(rnnbench.Cell): name = 'half'\n" + providing("cells", "return [Half]"),
        "cell Half does not define `state`, `step`, `weights`",
    ),
    "no name": (GOOD.replace('name = "good"', ""), "cell Good has no `name`"),
    "spaced name": (cell(name="'my cell'"), "the name 'my cell'", "letters, digits and _"),
    "number name": (cell(name="3"), "the name 3"),
    "no reference": (GOOD.replace('reference = "nobody"', ""), "cell `good` has no `reference`"),
    "no equations": (cell(equations="''"), "cell `good` has no `equations`"),
    "number version": (cell(version="2"), "version = 2; it is text in quotes"),
    "card": (cell(card="{'biases': 2}"), "card = {'biases': 2}"),
    "output": (cell(output="1"), "output = 1; it is the name of a state"),
    "constructor": (cell("def __init__(self): ..."), "defines `__init__`"),
    "option list": (cell(options="['leak']"), "options = ['leak']; it is a dict"),
    "no option": (option("0.5"), "option 'leak' of cell `good` is 0.5, not an Option"),
    "option name": (option("rnnbench.Option(0.5)", "my leak"), "'my leak'", "letters, digits"),
    "option hides": (option("rnnbench.Option(0.5)", "step"), "hides", "`step`"),
    "option default": (option("rnnbench.Option(None)"), "default None, no plain value"),
    "option nan": (option("rnnbench.Option(float('nan'))"), "default nan"),
    "option range": (option("rnnbench.Option(2.0, high=1.0)"), "at most 1, not 2.0"),
    "option choice": (option("rnnbench.Option('a', choices=('b',))"), "one of b, not 'a'"),
    "option space": (
        option("rnnbench.Option(0.5, high=1.0, search=rnnbench.Between(0.0, 2.0))"),
        "at most 1, not 2.0",
    ),
    "option empty space": (
        option("rnnbench.Option(0.5, search=rnnbench.Between(1.0, 0.0))"),
        "holds nothing",
    ),
    "option log space": (
        option("rnnbench.Option(0.5, search=rnnbench.LogBetween(0.0, 1.0))"),
        "holds nothing",
    ),
    "option no choices": (
        option("rnnbench.Option(0.5, search=rnnbench.Choice(()))"),
        "among no values",
    ),
    "option wrong space": (option("rnnbench.Option(0.5, search=(0, 1))"), "searched in (0, 1)"),
    "pattern": (task(pattern="'many-to-few'"), "pattern = 'many-to-few'", "many-to-one"),
    "causal": (task(causal="'no'"), "causal = 'no'; it is True or False"),
    "metrics": (task(metrics="'accuracy'"), "metrics = 'accuracy'; it is a tuple"),
    "no metrics": (task(metrics="()"), "metrics = ()"),
    "loss": (task(loss_over_steps="'max'"), "loss_over_steps = 'max'; it is one of mean, sum"),
    "direction": (metric(direction="'up'"), "direction = 'up'; it is one of max, min"),
    "no direction": (METRIC.replace('direction = "max"', "")
        + providing("metrics", "return [Share]"), "has no `direction`"),
    "bound": (metric(low="'0'"), "low = '0'; it is a number"),
    "range": (metric(low="1.0", high="0.0"), "ranges from 1.0 to 0.0"),
}  # fmt: skip


@pytest.mark.parametrize("fault", BAD)
def test_a_broken_plugin_is_named_with_its_reason_and_the_rest_works(install, fault):
    source, *reasons = BAD[fault]
    entry_points = install("bad_one", source) + install("fine", GOOD.replace('"good"', '"fine"'))
    registry = load_registry(entry_points=entry_points)
    bad = status(registry, "bad_one")
    assert (bad.status, bad.provides, bad.package) == ("failed", (), "bad-one 1.0")
    for reason in reasons:
        assert reason in bad.reason
    assert status(registry, "fine").status == "loaded"
    assert list(registry.cells) == ["fine"]


@pytest.mark.parametrize("source", [task(), metric(low="0", high="1.0"), cell(card="{'a': 'b'}")])
def test_the_same_classes_without_a_fault_load(install, source):
    registry = load_registry(entry_points=install("strange", source))
    assert status(registry, "strange").reason == ""


def test_an_interrupt_is_not_a_fault_of_the_plugin(install):
    with pytest.raises(KeyboardInterrupt):
        load_registry(entry_points=install("bad_one", "raise KeyboardInterrupt"))


def test_an_entry_point_to_something_else_than_a_module_fails(install):
    registry = load_registry(entry_points=install("strange", GOOD, "strange = strange:Good"))
    assert "not a module" in status(registry, "strange").reason


def test_an_entry_point_to_nothing_fails(install):
    registry = load_registry(entry_points=install("strange", GOOD, "strange = strangers"))
    assert status(registry, "strange").reason == (
        "ModuleNotFoundError: No module named 'strangers'"
    )


@pytest.mark.parametrize("metadata", [b"", b"\xff"], ids=["empty", "not text"])
def test_damaged_metadata_leaves_a_plugin_without_a_package(install, tmp_path, metadata):
    entry_points = install("strange", GOOD)
    (tmp_path / "strange-1.0.dist-info" / "METADATA").write_bytes(metadata)
    registry = load_registry(entry_points=entry_points)
    assert status(registry, "strange").package == "unknown package ?"


def two_claimants(install):
    """`theirs` provides good, `ours` provides good and better."""
    better = "class Better(Good): name = 'better'\n" + providing("cells", "return [Good, Better]")
    return install("theirs", GOOD) + install("ours", CELL + better)


def test_a_name_that_two_plugins_claim_belongs_to_neither(install):
    registry = load_registry(entry_points=two_claimants(install))
    assert list(registry.cells) == ["better"]
    theirs, ours = status(registry, "theirs"), status(registry, "ours")
    assert theirs.reason.startswith("plugin `ours` (ours 1.0) claims cell `good` too")
    assert ours.reason.startswith("plugin `theirs` (theirs 1.0) claims cell `good` too")
    assert (theirs.status, ours.status) == ("failed", "failed")
    assert (theirs.provides, ours.provides) == ((), ("cell better",))


@pytest.mark.parametrize("name", ["theirs", "ours"])
def test_switching_one_claimant_off_gives_the_other_the_name(install, name):
    registry = load_registry(disabled={name}, entry_points=two_claimants(install))
    assert registry.cell("good").plugin == {"theirs": "ours", "ours": "theirs"}[name]
    assert (status(registry, name).status, status(registry, name).provides) == ("disabled", ())


def test_the_order_of_entry_points_changes_nothing(install):
    entry_points = [
        *two_claimants(install),
        *install("third", GOOD),
        *install("strange", task()),
        *install("broken", "1 / 0"),
    ]
    registry = load_registry(entry_points=entry_points)
    again = load_registry(entry_points=reversed(entry_points))
    assert again == registry
    assert [plugin.name for plugin in again.plugins] == [
        "broken",
        "ours",
        "strange",
        "theirs",
        "third",
    ]


def test_names_are_sorted(install):
    a = install("a_plugin", GOOD.replace('"good"', '"zeta"'))
    b = install("b_plugin", GOOD.replace('"good"', '"alpha"'))
    assert list(load_registry(entry_points=a + b).cells) == ["alpha", "zeta"]


def test_an_entry_point_name_in_two_packages_belongs_to_neither(install):
    entry_points = install("one", GOOD, "same = one") + install("two", METRIC, "same = two")
    registry = load_registry(entry_points=entry_points)
    assert [(plugin.package, plugin.reason) for plugin in registry.plugins] == [
        ("one 1.0", "two 1.0 declares a plugin `same` too"),
        ("two 1.0", "one 1.0 declares a plugin `same` too"),
    ]
    assert list(registry.cells) == []


def test_a_package_can_be_switched_off_where_names_are_equal(install):
    entry_points = install("one", GOOD, "same = one") + install("two", METRIC, "same = two")
    assert list(load_registry(["two"], entry_points).cells) == ["good"]


def test_two_entry_points_to_one_module_both_fail(install):
    registry = load_registry(entry_points=install("one", GOOD, "a = one", "b = one"))
    assert status(registry, "a").reason == "plugin `b` (one 1.0) is this module too"
    assert status(registry, "b").reason == "plugin `a` (one 1.0) is this module too"


def test_a_plugin_that_is_switched_off_is_not_imported(install):
    registry = load_registry({"strange"}, install("strange", "raise KeyboardInterrupt"))
    assert status(registry, "strange").status == "disabled"


def test_switching_off_what_is_not_installed_is_an_error(install):
    with pytest.raises(UnknownNameError, match="unknown plugin `strang`; did you mean `strange`"):
        load_registry({"strang"}, install("strange", GOOD))


def test_a_plugin_may_provide_nothing_this_time(install):
    registry = load_registry(
        entry_points=install("strange", CELL + providing("cells", "return []"))
    )
    assert status(registry, "strange").status == "loaded"


def test_an_unknown_name_comes_with_the_nearest_one(install):
    registry = load_registry(entry_points=install("strange", GOOD))
    with pytest.raises(UnknownNameError, match="unknown cell `god`; did you mean `good`") as error:
        registry.cell("god")
    assert "failed" not in str(error.value)


@pytest.mark.parametrize("kind", ["cell", "task", "metric", "named"])
def test_an_unknown_name_points_at_plugins_that_failed(install, kind):
    registry = load_registry(entry_points=install("broken", "1 / 0"))
    with pytest.raises(UnknownNameError, match=r"`lstm`.*plugin `broken` failed to load, see"):
        getattr(registry, kind)("lstm")


def test_one_name_may_stand_for_several_kinds(install):
    registry = load_registry(
        entry_points=install("one", GOOD) + install("two", metric(name="'good'"))
    )
    assert [component.title for component in registry.named("good")] == ["cell good", "metric good"]


def test_an_edit_of_a_helper_changes_the_source_of_the_cell(install, tmp_path):
    entry_points = install("strange", GOOD)
    before = load_registry(entry_points=entry_points).cell("good").source
    (tmp_path / "strange.py").write_text(GOOD + "# a comment\n")
    assert load_registry(entry_points=entry_points).cell("good").source == before
    (tmp_path / "strange.py").write_text(GOOD + "changed = True\n")
    assert load_registry(entry_points=entry_points).cell("good").source != before


def test_every_installed_plugin_loads():
    registry = load_registry()
    assert [plugin.reason for plugin in registry.plugins if plugin.status == "failed"] == []
    assert "lstm" in registry.cells


def test_the_example_package_loads_as_its_pyproject_declares(monkeypatch):
    folder = Path(__file__).parents[1] / "plugins" / "rnnbench-example"
    monkeypatch.syspath_prepend(folder)
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    entries = project["entry-points"]["rnnbench"].items()
    registry = load_registry(entry_points=[EntryPoint(*entry, "rnnbench") for entry in entries])
    assert status(registry, "example").provides == (
        "cell mgu",
        "layer smoothing",
        "task sign_parity",
    )
