import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from rnnbench.cli import app, main

BROKEN = "import rnnbench\n@rnnbench.hookimpl\ndef rnnbench_provide_cell(): return []\n"


@pytest.fixture
def run(monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("RNNBENCH_DISABLE_PLUGINS", raising=False)
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture
def broken(tmp_path, monkeypatch):
    """Install a package whose plugin misspells its hook."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_cell.py").write_text(BROKEN)
    folder = tmp_path / "rnnbench_broken-0.7.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: rnnbench-broken\nVersion: 0.7\n")
    (folder / "entry_points.txt").write_text("[rnnbench]\nbroken_cell = broken_cell\n")
    yield
    sys.modules.pop("broken_cell", None)


def rows(output: str) -> dict[str, str]:
    return {
        line.split()[0]: " ".join(line.split()[1:]) for line in output.splitlines() if line.strip()
    }


def test_plugins_shows_each_plugin_and_what_it_provides(run):
    result = run("plugins")
    assert result.exit_code == 0
    table = rows(result.output)
    assert table["gru"] == f"rnnbench {version('rnnbench')} loaded cell gru"
    assert table["adding"].endswith("task adding_halves, task adding_uniform")


def test_plugins_names_a_broken_plugin_with_its_reason_in_full(run, broken):
    result = run("plugins")
    assert result.exit_code == 0
    assert rows(result.output)["gru"].endswith("loaded cell gru")
    assert "broken_cell (broken_cell) of rnnbench-broken 0.7 failed:" in result.output
    assert (
        "implements an unknown hook `rnnbench_provide_cell`; "
        "did you mean `rnnbench_provide_cells`?\n"
    ) in result.output


def test_list_says_that_a_plugin_failed(run, broken):
    result = run("list", "cells")
    assert "lstm" in rows(result.output)
    assert result.output.endswith("1 of the plugins failed to load; see `rnnbench plugins`.\n")


def test_the_environment_switches_plugins_off(run, broken, monkeypatch):
    monkeypatch.setenv("RNNBENCH_DISABLE_PLUGINS", "gru, rnnbench-broken,")
    cells = rows(run("list", "cells").output)
    assert "gru" not in cells
    assert "lstm" in cells
    table = rows(run("plugins").output)
    assert table["gru"].endswith("disabled")
    assert table["broken_cell"].endswith("disabled")


@pytest.mark.parametrize(
    ("kind", "name", "summary"),
    [
        ("cells", "gru", "rnnbench Gated recurrent unit (Cho et al. 2014"),
        ("tasks", "copy_memory", "rnnbench Repeat ten symbols"),
        ("metrics", "accuracy", "rnnbench The share of"),
    ],
)
def test_list_shows_names_with_summary_and_package(run, kind, name, summary):
    result = run("list", kind)
    assert result.exit_code == 0
    assert rows(result.output)[name].startswith(summary)


def test_list_suites_reads_the_folder_and_tells_what_it_cannot_read(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("list", "suites").output == "no suites in ./suites\n"
    folder = tmp_path / "suites"
    folder.mkdir()
    (folder / "a.yaml").write_text("suite: memory\nquestion: How far [back]?\n")
    (folder / "b.yaml").write_text("suite: [\n")
    (folder / "c.yaml").write_text("hello\n")
    table = rows(run("list", "suites").output)
    assert table["memory"] == "suites/a.yaml How far [back]?"
    assert table["b"].startswith("suites/b.yaml cannot be read: ")
    assert table["c"] == "suites/c.yaml cannot be read: no keys"


def test_describe_shows_all_that_a_cell_declares(run):
    output = run("describe", "gru").stdout
    assert output.startswith("cell gru\n")
    for expected in [
        "  z_t = σ(W_z x_t + U_z h_{t−1} + b_z)",
        "  reset   after    after, before        none    structural  whether the reset gate acts",
        "  init    uniform  uniform, orthogonal  none    structural  U: uniform",
        "  torch.nn.GRU",
        "Backend on a CPU, tried with 4 inputs and hidden size 32\n",
        "  default options  kernel   its step became a kernel that agrees with the loop",
        "  initialisation  W uniform",
        "  module   rnnbench_cells.gru",
    ]:
        assert expected in output


def test_describe_shows_the_anchors_of_a_task_with_its_default_options(run):
    output = run("describe", "adding_uniform").output
    assert "      marker   .   1   ." in output
    table = rows(output)
    assert table["chance"] == "(mean_squared_error) 0.3333"
    assert table["length"] == "50 ≥ 4 none number of time steps"
    assert "shortest path, forward        33 steps" in output


def test_describe_shows_direction_and_range_of_a_metric(run):
    table = rows(run("describe", "accuracy").output)
    assert (table["better"], table["range"]) == ("larger", "0 … 1")


def test_output_holds_no_lines_or_colours_where_it_is_piped(run):
    output = run("plugins").output + run("describe", "lstm").stdout
    assert not set("│─┃━┏╭\x1b") & set(output)


def test_an_expected_error_is_one_line_and_exit_code_2(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rnnbench", "describe", "lstn"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith(
        "error: unknown cell, layer, task or metric `lstn`; did you mean `lstm`? Known: "
    )
    assert output.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "s.yaml", "--workers", "0"], "'--workers': Input should be greater than or equal"),
        (["run", "s.yaml", "--checkpoint", "nan"], "'--checkpoint': Input should be greater than"),
        (["run", "s.yaml", "--checkpoint", "-1"], "'--checkpoint': Input should be greater than"),
        (["merge", "a", "b"], "Missing option '--results'"),
        (["run"], "Missing argument 'suite'"),
        (["run", "s.yaml", "--wokers", "3"], "--workers"),
        (["rnu"], "Did you mean 'run'?"),
    ],
)
def test_words_that_a_command_does_not_take_are_said_on_one_line(monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "argv", ["rnnbench", *words])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


def test_a_command_that_ends_well_or_not_says_so_by_its_exit_code(monkeypatch, capsys):
    for words, code in (["plugins"], None), (["--version"], 0), ([], 2):
        monkeypatch.setattr(sys, "argv", ["rnnbench", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == code
    assert capsys.readouterr().err.startswith("Usage: ")


def test_help_and_version_import_no_torch():
    code = (
        "import sys; from rnnbench.cli import app; from typer.testing import CliRunner;"
        "print([CliRunner().invoke(app, [flag]).exit_code for flag in ['--help', '--version']]);"
        "print('torch' in sys.modules, 'pandas' in sys.modules)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert answer.stdout == "[0, 0]\nFalse False\n"


def test_rnnbench_runs_as_a_module():
    command = [sys.executable, "-m", "rnnbench", "--version"]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)
    assert answer.stdout == f"rnnbench {version('rnnbench')}\n"
