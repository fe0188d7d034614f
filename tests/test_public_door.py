import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import rnnbench

# What plugin modules see; a change here is a change of the contract.
PUBLIC = [
    "UNITS", "UNKNOWN", "Anchors", "AttentionMetric", "Batch", "Between", "Cell", "Choice",
    "Classes", "DataError", "Features", "Images", "Initial", "Inputs", "Labels", "Layer",
    "LogBetween", "Measured", "Metric", "Noise", "Option", "Outcome", "OutcomeMetric", "Reals",
    "Sequences", "Split", "Targets", "Task", "Tensors", "TextMetric", "Tokens", "TorchLayer",
    "Vocabulary", "constant", "deal", "hookimpl", "identity", "orthogonal", "pad",
    "read_bytes", "read_text", "symbols", "text_of", "uniform", "zeros",
]  # fmt: skip


def test_the_public_names_are_these():
    assert list(rnnbench.__all__) == PUBLIC
    assert dir(rnnbench) == sorted(PUBLIC)


@pytest.mark.parametrize("name", PUBLIC)
def test_each_public_name_can_be_imported(name):
    assert getattr(rnnbench, name) is not None


def test_a_public_name_is_the_one_of_its_home():
    assert rnnbench.Cell is import_module("rnnbench.contracts").Cell
    assert rnnbench.zeros is import_module("rnnbench.initial").zeros


def test_type_checkers_see_the_same_names():
    tree = ast.parse(Path(rnnbench.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    names = {
        name.name for line in block.body if isinstance(line, ast.ImportFrom) for name in line.names
    }
    assert sorted(names - {"TYPE_CHECKING"}) == sorted(PUBLIC)


def test_any_other_name_is_refused_by_name():
    with pytest.raises(AttributeError, match="no attribute `Sell`"):
        rnnbench.Sell  # noqa: B018  the access is the test


def test_importing_rnnbench_imports_no_torch():
    code = "import rnnbench, sys; print('torch' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "False\n"
