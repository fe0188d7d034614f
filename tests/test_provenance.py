import importlib
import sys
from importlib.util import spec_from_file_location
from pathlib import Path

import pytest

from rnnbench.registry.provenance import source_of

CELL = '''
"""A cell."""
from strange.helper import double
from .other_helper import nothing
import torch

def step(x):
    """Compute a step."""
    return double(x)  # twice
'''


@pytest.fixture
def package(tmp_path, monkeypatch) -> Path:
    folder = tmp_path / "strange"
    folder.mkdir()
    (folder / "__init__.py").write_text('"""Strange."""')
    (folder / "cell.py").write_text(CELL)
    (folder / "helper.py").write_text("from .deep import two\ndef double(x): return two * x\n")
    (folder / "other_helper.py").write_text("nothing = 0\n")
    (folder / "deep.py").write_text("two = 2\n")
    (folder / "unused.py").write_text("raise SystemExit\n")
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def hashed() -> str:
    return source_of("strange.cell", "1.0")


@pytest.mark.parametrize(
    "same",
    [
        CELL.replace("# twice", "# two times"),
        CELL.replace("Compute a step.", "Compute\n    a step."),
        CELL.replace('"""A cell."""', ""),
        CELL.replace("double(x)", "double(\n        x,\n    )"),
        CELL.replace("def step(x):", "def step(x):\n"),
    ],
    ids=["comment", "docstring", "no docstring", "formatting", "blank line"],
)
def test_comments_docstrings_and_formatting_do_not_count(package, same):
    before = hashed()
    (package / "cell.py").write_text(same)
    assert hashed() == before


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("cell.py", CELL.replace("double(x)", "double(x) + 1")),
        ("cell.py", CELL.replace("double(x)", "double(x, None)")),
        ("helper.py", "from .deep import two\ndef double(x): return x * two\n"),
        ("other_helper.py", "nothing = 0.0\n"),
        ("deep.py", "two = 3\n"),
        ("__init__.py", "import torch\ntorch.set_default_dtype(torch.float64)\n"),
    ],
    ids=["cell", "argument", "helper", "relative", "helper of a helper", "package"],
)
def test_an_edit_of_what_the_module_runs_counts(package, file, source):
    before = hashed()
    (package / file).write_text(source)
    assert hashed() != before


def test_an_edit_of_a_module_that_is_not_imported_does_not_count(package):
    before = hashed()
    (package / "unused.py").write_text("value = 2\n")
    assert hashed() == before


def test_nothing_is_executed(package):
    (package / "cell.py").write_text("from strange import unused\nraise SystemExit\n")
    hashed()
    assert not any(name.partition(".")[0] == "strange" for name in sys.modules)


def test_relative_imports_climb_as_python_does(package):
    (package / "inner").mkdir()
    (package / "inner" / "__init__.py").write_text("from ..deep import two\nfrom . import leaf\n")
    (package / "inner" / "leaf.py").write_text("leaf = 1\n")
    (package / "cell.py").write_text("import strange.inner\n")
    before = hashed()
    (package / "deep.py").write_text("two = 22\n")
    climbed = hashed()
    (package / "inner" / "leaf.py").write_text("leaf = 2\n")
    assert len({before, climbed, hashed()}) == 3


def test_the_version_stands_for_source_that_cannot_be_read(package):
    assert source_of("itertools", "1.0") != source_of("itertools", "1.1")
    assert source_of("nowhere.at_all", "1.0") != source_of("nowhere.at_all", "1.1")


def test_the_version_does_not_count_where_there_is_source(package):
    assert source_of("strange.cell", "1.0") == source_of("strange.cell", "1.1")


def test_source_of_another_python_counts_as_text(package):
    (package / "deep.py").write_text("print 'two'\n")
    before = hashed()
    (package / "deep.py").write_text("print 'three'\n")
    assert hashed() != before


def test_the_version_stands_for_text_in_no_known_encoding(package):
    (package / "deep.py").write_bytes(b"two = '\xff'\n")
    assert hashed() == hashed()
    assert source_of("strange.cell", "1.0") != source_of("strange.cell", "1.1")


def test_a_circle_of_imports_ends(package):
    (package / "deep.py").write_text("from strange.cell import step\n")
    assert len(hashed()) == 64


def test_a_data_file_beside_the_module_does_not_count(package):
    before = hashed()
    (package / "table.csv").write_text("1, 2\n")
    assert hashed() == before


def test_imports_by_name_at_run_time_are_not_followed(package):
    (package / "cell.py").write_text("import importlib\nimportlib.import_module('strange.deep')\n")
    before = hashed()
    (package / "deep.py").write_text("two = 22\n")
    assert hashed() == before


def test_where_the_package_imports_everything_everything_counts(package):
    (package / "__init__.py").write_text("from strange import cell, unused\n")
    before = hashed()
    (package / "unused.py").write_text("value = 2\n")
    assert hashed() != before


@pytest.mark.parametrize("imported", [False, True])
def test_a_namespace_package_is_followed_and_its_version_does_not_count(
    tmp_path, monkeypatch, imported
):
    for name, text in {
        "cell": "from spacious.deep.down.helper import one\n",
        "deep/down/helper": "one = 1\n",
    }.items():
        path = tmp_path / "spacious" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    if imported:
        importlib.import_module("spacious.cell")
    before = source_of("spacious.cell", "1.0")
    assert source_of("spacious.cell", "1.1") == before
    (tmp_path / "spacious" / "deep" / "down" / "helper.py").write_text("one = 11\n")
    assert source_of("spacious.cell", "1.0") != before
    for name in [each for each in sys.modules if each.partition(".")[0] == "spacious"]:
        del sys.modules[name]


def test_an_editable_install_is_followed(tmp_path, monkeypatch):
    package = tmp_path / "elsewhere" / "edited"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "cell.py").write_text("from .helper import one\n")
    (package / "helper.py").write_text("one = 1\n")

    class Finder:
        """Finds the package as the finder of setuptools does."""

        @classmethod
        def find_spec(cls, fullname, _path=None, _target=None):
            if fullname != "edited":
                return None
            return spec_from_file_location(fullname, package / "__init__.py")

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    before = source_of("edited.cell", "1.0")
    assert source_of("edited.cell", "1.1") == before
    (package / "helper.py").write_text("one = 11\n")
    assert source_of("edited.cell", "1.0") != before
