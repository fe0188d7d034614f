"""What the commands say of the way a cell is run, for a package of a stranger."""

import os
import subprocess
import sys

import pandas as pd
import pytest

from rnnbench.cli import main
from rnnbench.cli.building import Building
from rnnbench.recurrence.backend import system_compiler

CELLS = """\
import random

import rnnbench
import torch


class Plain(rnnbench.Cell):
    '''Elman's.'''
    name = "plain"
    reference = equations = "none"
    options = {"norm": rnnbench.Option("none", choices=("none", "max"))}

    def weights(self, inputs, hidden):
        return {
            "W": rnnbench.uniform(hidden, inputs),
            "U": rnnbench.orthogonal(hidden, hidden),
            "b": rnnbench.zeros(hidden),
        }

    def state(self, hidden):
        return {"h": rnnbench.zeros(hidden)}

    def step(self, x, s, w):
        h = torch.tanh(x @ w.W.T + s.h @ w.U.T + w.b)
        if self.norm == "max":
            h = h / (1 + h.amax(-1, keepdim=True))
        return {"h": h}


class Hooking(Plain):
    '''Half the gradient, which no trace can see.'''
    name = "hooking"

    def step(self, x, s, w):
        h = super().step(x, s, w)["h"]
        if h.requires_grad:
            h.register_hook(lambda gradient: gradient / 2)
        return {"h": h}


class Detaching(Plain):
    '''Forgets.'''
    name = "detaching"

    def step(self, x, s, w):
        return {"h": super().step(x, s, w)["h"] + s.h.detach()}


class SwitchingOff(Plain):
    '''Forgets too.'''
    name = "switching_off"

    def step(self, x, s, w):
        with torch.no_grad():
            return {"h": super().step(x, s, w)["h"] + s.h}


class Tossing(Plain):
    '''Draws.'''
    name = "tossing"

    def step(self, x, s, w):
        return {"h": super().step(x, s, w)["h"] * random.random()}


class Ageing(Plain):
    '''Counts.'''
    name = "ageing"
    age = 0

    def step(self, x, s, w):
        self.age += 1
        return {"h": super().step(x, s, w)["h"] / self.age}


@rnnbench.hookimpl
def rnnbench_provide_cells():
    return [Plain, Hooking, Detaching, SwitchingOff, Tossing, Ageing]
"""

SUITE = """\
suite: odd
question: How are they run?
architectures:
  plain: {cell: plain}
  normed: {cell: plain, norm: max}
  deep: {cell: plain, norm: max, layers: 2}
  hooking: {cell: hooking}
settings:
  - {task: copy_memory, length: [2, 3]}
match: {hidden: 5}
training: {backend: auto}
search: {space: {learning_rate: {log: [1.0e-4, 1.0e-2]}}}
budget:
  standard: {updates: 2, trials: 1, confirm: 0, seeds: 1}
"""

LINES = {
    line.strip(): f"stranger.py:{n}: {line.strip()}" for n, line in enumerate(CELLS.splitlines(), 1)
}
NORMED = (
    "no kernel, since its step uses `amax`: it reduces over features, at "
    + LINES["h = h / (1 + h.amax(-1, keepdim=True))"]
)
DETACHED = LINES['return {"h": super().step(x, s, w)["h"] + s.h.detach()}']


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package with one plugin, and a suite that uses it, in the current folder."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.delenv("RNNBENCH_BACKEND", raising=False)
    (tmp_path / "stranger.py").write_text(CELLS)
    (tmp_path / "suite.yaml").write_text(SUITE)
    folder = tmp_path / "rnnbench_strange-0.7.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: rnnbench-strange\nVersion: 0.7\n"
    )
    (folder / "entry_points.txt").write_text("[rnnbench]\nstranger = stranger\n")
    yield tmp_path
    sys.modules.pop("stranger", None)


@pytest.fixture
def rnnbench(package, monkeypatch, capsys):
    """Call the command line; return its exit code, and what it prints."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["rnnbench", *words])
        with pytest.raises(SystemExit) as stop:
            main()
        output = capsys.readouterr()
        return int(stop.value.code or 0), output.out, output.err

    return call


def test_describe_says_how_a_cell_is_run_and_which_options_change_that(rnnbench):
    code, out, _ = rnnbench("describe", "plain")
    assert code == 0
    said = out.partition("Backend on a CPU, tried with 4 inputs and hidden size 32\n")[2]
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[:4] == [
        "with backend why",
        "default options kernel its step became a kernel that agrees with the loop",
        f"norm: max loop {NORMED}",
        "",
    ]


def test_describe_leaves_out_options_that_change_nothing(rnnbench):
    _, out, _ = rnnbench("describe", "gru")
    said = out.partition("Backend on a CPU")[2]
    assert [line.split()[:3] for line in said.splitlines()[2:4]] == [
        ["default", "options", "kernel"],
        [],
    ]


def test_describe_says_that_a_kernel_disagrees_with_the_loop(rnnbench):
    _, out, _ = rnnbench("describe", "hooking")
    assert " loop     no kernel, since its kernel differs from the loop by" in out


def test_describe_tells_of_an_option_that_the_forced_backend_cannot_run(rnnbench, monkeypatch):
    monkeypatch.setenv("RNNBENCH_BACKEND", "torch")
    _, out, _ = rnnbench("describe", "gru")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert "default options torch asked for" in lines
    assert any(line.startswith("reset: before none backend `torch` cannot run") for line in lines)
    code, out, err = rnnbench("describe", "plain")
    assert (code, out) == (2, "")
    assert err.startswith("error: backend `torch` cannot run cell `plain`")


def test_plan_shows_backends_and_each_reason_for_a_fallback_once(rnnbench):
    code, out, _ = rnnbench("plan", "suite.yaml", "--no-probe")
    assert code == 0
    table = [line.split() for line in out.splitlines() if line.startswith("  ")]
    assert [row[4] for row in table] == ["backend", *["kernel", "loop", "loop", "loop"] * 2]
    notes = [line for line in out.splitlines() if " on backend " in line]
    assert len(notes) == 2
    assert notes[0] == f"note: normed, deep on backend loop: {NORMED}"
    assert notes[1].startswith("note: hooking on backend loop: no kernel, since its kernel differs")


def test_a_plan_keeps_its_columns_where_a_terminal_is_narrow(rnnbench, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    _, out, _ = rnnbench("plan", "suite.yaml", "--no-probe")
    head, *rows = [line for line in out.splitlines() if line.startswith("  ")]
    assert head.split() == [
        *("architecture", "hidden", "parameters", "off", "backend", "updates", "done"),
        *("s", "a", "member"),
    ]
    assert {row[head.index("backend") :].split()[0] for row in rows} == {"kernel", "loop"}
    assert "how long it takes is unknown" in " ".join(out.split())


def test_validate_says_what_is_skipped(rnnbench, package):
    suite = package / "suite.yaml"
    suite.write_text(SUITE.replace("{cell: plain}", "{cell: plain, bidirectional: true}", 1))
    code, out, _ = rnnbench("validate", "suite.yaml")
    assert code == 0
    assert (
        "skipped: plain on copy_memory(length=2), copy_memory(length=3): "
        "plain is bidirectional and copy_memory is causal" in out
    )
    _, out, _ = rnnbench("plan", "suite.yaml", "--no-probe")
    rows = [line.split() for line in out.splitlines() if line.startswith("  plain")]
    assert rows == [["plain", *"–––––", "skipped", "–"]] * 2


def test_validate_says_the_reasons_too(rnnbench):
    code, out, _ = rnnbench("validate", "suite.yaml")
    assert code == 0
    assert f"note: normed, deep on backend loop: {NORMED}" in out


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("detaching", f"detaches a tensor inside `step`, at {DETACHED}"),
        ("switching_off", "switches gradients off inside `step`, at stranger.py:"),
        ("tossing", "draws random numbers from `random` inside `step`, at stranger.py:"),
        ("ageing", "changes `self.age` inside `step`, at stranger.py:"),
    ],
)
@pytest.mark.parametrize(
    "words", ["describe", "validate", "plan", "plan --no-probe", "run --workers 1"]
)
def test_what_would_be_silently_wrong_ends_every_command_on_one_line(
    rnnbench, package, words, cell, said
):
    suite = package / "suite.yaml"
    suite.write_text(SUITE.replace("{cell: hooking}", f"{{cell: {cell}}}"))
    what = cell if words == "describe" else "suite.yaml"
    status, out, err = rnnbench(*words.split(), what)
    assert (status, out) == (2, "")
    (line,) = err.splitlines()
    assert line.startswith(f"error: cell `{cell}` ")
    assert said in line
    assert " at stranger.py:" in line
    assert line.endswith("[plugin `stranger` (rnnbench-strange 0.7)]")
    assert not (package / "results").exists()


@pytest.mark.parametrize(
    ("backend", "status", "said"),
    [
        ("loop", 0, ""),
        ("auto", 0, "note: normed, deep on backend loop"),
        ("torch", 2, "error: backend `torch` cannot run cell `plain`: with these options it"),
        ("kernel", 2, "error: backend `kernel` cannot run cell `plain`: its step uses `amax`"),
        (
            "lop",
            2,
            "error: unknown backend `lop`; did you mean `loop`? Known: auto, fused, kernel, loop",
        ),
    ],
)
@pytest.mark.parametrize("suite", ["auto", "torch"])
def test_the_environment_forces_a_backend_whatever_the_suite_says(
    rnnbench, package, monkeypatch, suite, backend, status, said
):
    (package / "suite.yaml").write_text(SUITE.replace("backend: auto", f"backend: {suite}"))
    monkeypatch.setenv("RNNBENCH_BACKEND", backend)
    code, out, err = rnnbench("plan", "suite.yaml", "--no-probe")
    assert code == status
    assert said in out + err.replace("suite.yaml:11:21: ", "")
    if backend == "loop":
        table = [line.split() for line in out.splitlines() if line.startswith("  ")]
        assert {row[4] for row in table[1:]} == {"loop"}
        assert " on backend " not in out
    if status:
        assert out == ""


@pytest.mark.parametrize("command", ["plan", "validate", "run", "describe"])
def test_every_command_listens_to_the_environment(rnnbench, package, monkeypatch, command):
    monkeypatch.setenv("RNNBENCH_BACKEND", "torch")
    code, out, err = rnnbench(command, "plain" if command == "describe" else "suite.yaml")
    assert (code, out) == (2, "")
    assert err == (
        "error: backend `torch` cannot run cell `plain`: with these options it equals no layer "
        "of torch. Use `kernel` or `loop`.\n"
    )
    assert not (package / "results").exists()


@pytest.mark.parametrize("backend", ["torch", "kernel"])
def test_a_cell_that_the_suites_backend_cannot_run_is_refused_at_its_place(
    rnnbench, package, backend
):
    (package / "suite.yaml").write_text(SUITE.replace("backend: auto", f"backend: {backend}"))
    code, out, err = rnnbench("run", "suite.yaml")
    assert (code, out) == (2, "")
    assert err.startswith(f"error: suite.yaml:11:21: backend `{backend}` cannot run cell `plain`")
    assert not (package / "results").exists()


def test_rows_say_how_they_were_trained_and_why_not_in_a_kernel(package):
    only = "setting=copy_memory(length=2)"
    subprocess.run(
        [sys.executable, "-m", "rnnbench", "run", "suite.yaml", "--workers", "1", "--only", only],
        cwd=package,
        env=dict(os.environ, PYTHONPATH=str(package)),
        capture_output=True,
        check=True,
        timeout=120,
    )
    for name in ("trials", "runs"):
        table = pd.read_csv(package / "results" / "odd" / f"{name}.csv").set_index("architecture")
        assert set(table["status"]) == {"ok"}
        assert table["backend"].to_dict() == {
            "plain": "kernel",
            "normed": "loop",
            "deep": "loop",
            "hooking": "loop",
        }
        why = table["backend_reason"]
        assert why["plain"] == "its step became a kernel that agrees with the loop"
        assert why["normed"] == why["deep"] == NORMED
        assert why["hooking"].startswith("no kernel, since its kernel differs from the loop by")


@pytest.fixture
def failing_compiler(package, monkeypatch):
    """A machine with an empty cache, whose compiler fails on every source."""
    compiler = package / "bin" / "g++"
    compiler.parent.mkdir()
    compiler.write_text(
        '#!/bin/sh\ncase "$*" in *--version*|*-dM*) exit 0;; esac\n'
        "echo 'kernel.cpp:3:1: error: no such luck' >&2; exit 1\n"
    )
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", str(compiler.parent))
    monkeypatch.setenv("XDG_CACHE_HOME", str(package / "cache"))
    system_compiler.cache_clear()
    yield
    system_compiler.cache_clear()


@pytest.mark.usefixtures("failing_compiler")
@pytest.mark.parametrize(
    "words", ["describe gru", "validate suite.yaml", "plan --no-probe suite.yaml"]
)
def test_a_compilation_is_announced_once(rnnbench, words):
    code, out, err = rnnbench(*words.split())
    assert code == 0
    assert err == "building kernels …\n"
    assert "failed: kernel.cpp:3:1: error: no such luck" in out


def test_nothing_is_announced_where_nothing_is_compiled(rnnbench):
    rnnbench("describe", "plain")
    assert rnnbench("describe", "plain")[2] == ""


def test_a_terminal_shows_how_many_are_built_on_a_line_that_goes_away(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Building() as building:
        building()
        building()
    clear = "\r\x1b[K"
    assert capsys.readouterr().err == (
        f"{clear}building kernels … 1{clear}building kernels … 2{clear}"
    )
    with Building():
        pass
    assert capsys.readouterr().err == ""


def test_what_needs_no_cell_to_run_does_not_wait_for_the_maker_of_kernels(package):
    (package / "broken.yaml").write_text("suite: [\n")
    code = (
        "import sys; from rnnbench.cli import app; from typer.testing import CliRunner\n"
        "for words in ['list cells', 'plugins', 'describe accuracy', 'validate broken.yaml']:\n"
        "    CliRunner().invoke(app, words.split())\n"
        "sys.exit('rnnbench.recurrence' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=package, check=False).returncode == 0
