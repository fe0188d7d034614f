"""The command itself, as a user runs it: whole runs in processes of their own."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

SUITE = """\
suite: tiny
question: Does it run?
architectures:
  tanh: {cell: rnn}
  cifg: {cell: cifg_lstm, search: true}
  both: {cell: lstm, bidirectional: true, layers: 2, dropout: 0.2}
settings:
  - {task: copy_memory, length: 2}
  - {task: sequential_digits, order: rows}
match: {parameters: 600}
search:
  generation: 2
  space: {learning_rate: {log: [1.0e-3, 3.0e-2]}}
evaluation: {points: 3}
budget:
  standard: {updates: 9, trials: 3, confirm: 2, seeds: 2}
"""
MEMBERS = 5 * (3 + 2 * 2 + 2)  # five studies, for both directions do not fit copying

TABLES = ("trials", "runs", "scores", "curves", "comparisons")


def start(folder: Path, *words: str, path: Path | None = None) -> subprocess.Popen[str]:
    """Start `rnnbench run` on folder/suite.yaml, with modules from `path`."""
    environment = {**os.environ, "PYTHONPATH": str(path)} if path else dict(os.environ)
    return subprocess.Popen(
        [sys.executable, "-m", "rnnbench", "run", "suite.yaml", *words],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def run(folder: Path, *words: str, path: Path | None = None, rc: int = 0) -> tuple[str, str]:
    process = start(folder, *words, path=path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == rc, err
    return out, err


def trained(err: str) -> int:
    return sum(" done   [" in line or " FAIL   [" in line for line in err.splitlines())


def tables(folder: Path) -> dict[str, str]:
    """Return the tables as text, without the columns that may differ."""
    result = {}
    for name in TABLES:
        table = pd.read_csv(folder / f"{name}.csv", dtype=str, keep_default_na=False)
        parquet = pd.read_parquet(folder / f"{name}.parquet")
        assert list(parquet.columns) == list(table.columns)
        assert len(parquet) == len(table)
        free = ("_seconds", "_bytes", "_at", "_host")
        kept = [column for column in table if not column.endswith(free)]
        result[name] = table[kept].to_csv()
    return result


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny suite with two workers."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "suite.yaml").write_text(SUITE)
    _, err = run(folder, "--workers", "2")
    assert trained(err) == MEMBERS
    return folder / "results" / "tiny"


def test_a_run_leaves_tables_figures_and_a_report(finished: Path) -> None:
    runs = pd.read_csv(finished / "runs.csv")
    assert Counter(runs["status"]) == {"ok": 10, "skipped": 2}
    assert set(runs.loc[runs["status"] == "skipped", "reason"]) == {
        "both is bidirectional and copy_memory is causal"
    }
    trials = pd.read_csv(finished / "trials.csv")
    assert Counter(trials["phase"]) == {"search": 15, "confirm": 20}
    assert set(trials["frozen"]) == {True, False}
    for name in ("report.html", "report.md", "suite.yaml", "figures/learning_curves.svg"):
        assert (finished / name).stat().st_size > 0, name
    assert (finished / "suite.yaml").read_text() == SUITE
    manifest = json.loads((finished / "manifest.json").read_text())
    assert manifest["members"] == {"asked": MEMBERS, "present": MEMBERS, "failed": 0}
    assert len(list((finished / "artifacts").glob("*.safetensors"))) == 10


def test_sizes_are_matched_within_a_tenth(finished: Path) -> None:
    runs = pd.read_csv(finished / "runs.csv")
    assert runs["parameters"].between(540, 660).all()
    assert runs["parameters"].nunique() > 1


def test_a_second_run_trains_nothing(finished: Path) -> None:
    before = tables(finished)
    _, err = run(finished.parent.parent)
    assert trained(err) == 0
    assert tables(finished) == before


def test_another_budget_takes_the_tables_over_and_says_so(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(
        SUITE.replace(
            "  standard:", "  quick: {updates: 9, trials: 1, confirm: 0, seeds: 1}\n  standard:"
        )
    )
    shutil.copytree(finished, tmp_path / "results" / "tiny")
    _, err = run(tmp_path, "--budget", "quick", "--only", "architecture=tanh")
    (line,) = [line for line in err.splitlines() if "were of budget" in line]
    assert line.startswith("note: the tables and report in results/tiny were of budget standard ")
    _, err = run(tmp_path, "--budget", "quick", "--only", "architecture=tanh")
    assert "were of budget" not in err


def test_one_worker_gives_the_same_tables_as_two(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    run(tmp_path, "--workers", "1")
    assert tables(tmp_path / "results" / "tiny") == tables(finished)


def wait_for(process: subprocess.Popen[str], members: int) -> None:
    """Wait until so many members have ended."""
    assert process.stderr is not None
    while members:
        line = process.stderr.readline()
        assert line, "the run ended early"
        members -= " done   [" in line


def children_of(group: int) -> list[str]:
    """Return the commands of the processes that are left of a session."""
    left = []
    for entry in Path("/proc").iterdir():
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) == group and fields[0] != "Z":
                left.append((entry / "cmdline").read_text().replace("\0", " "))
        except (OSError, IndexError, NotADirectoryError):
            continue
    return left


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads processes from /proc")
def test_a_killed_run_goes_on_to_the_same_tables(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    process = start(tmp_path, "--workers", "2")
    wait_for(process, 12)
    process.kill()
    process.communicate(timeout=60)
    for _ in range(100):
        if not children_of(process.pid):
            break
        time.sleep(0.1)
    assert children_of(process.pid) == []
    _, err = run(tmp_path)
    assert 0 < trained(err) <= MEMBERS - 12
    assert tables(tmp_path / "results" / "tiny") == tables(finished)


def test_ctrl_c_once_finishes_what_is_under_way_and_reports(finished: Path, tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    process = start(tmp_path, "--workers", "2")
    wait_for(process, 8)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Continue: rnnbench run suite.yaml --workers 2" in err
    folder = tmp_path / "results" / "tiny"
    assert "partial" in (folder / "report.md").read_text().lower()
    kept = json.loads((folder / "manifest.json").read_text())["members"]["present"]
    assert 8 <= kept < MEMBERS
    _, err = run(tmp_path)
    assert trained(err) == MEMBERS - kept
    assert tables(folder) == tables(finished)


def test_adding_an_architecture_and_trials_runs_those_alone(finished: Path, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / "results" / "tiny")
    more = SUITE.replace("settings:", "  relu: {cell: rnn, nonlinearity: relu}\nsettings:")
    (tmp_path / "suite.yaml").write_text(more)
    only = ("--only", "task=sequential_digits")
    _, err = run(tmp_path, *only)
    assert trained(err) == 9
    assert all(" relu · " in line for line in err.splitlines() if " done   [" in line)
    raised = (*only, "--set", "budget.standard.trials=5")
    _, err = run(tmp_path, *raised)
    searched = [line for line in err.splitlines() if "trial 3  " in line or "trial 4  " in line]
    assert len(searched) == 2 * 4
    run(tmp_path, *raised, "--results", "fresh")
    assert tables(tmp_path / "results" / "tiny") == tables(tmp_path / "fresh" / "tiny")


PLUGIN = """\
import os, torch, rnnbench

class Base(rnnbench.Cell):
    reference = "none"
    equations = "none"
    def weights(self, inputs, hidden):
        return {"W": rnnbench.uniform(hidden, inputs)}
    def state(self, hidden):
        return {"h": rnnbench.zeros(hidden)}

class Killer(Base):
    '''Takes its process along, but only where it is trained.'''
    name = "killer"
    def step(self, x, s, w):
        if len(x) == 32:
            os._exit(3)
        return {"h": torch.tanh(x @ w.W.T)}

class Raiser(Base):
    '''Raises.'''
    name = "raiser"
    def step(self, x, s, w):
        if len(x) == 32:
            raise ValueError("no such luck")
        return {"h": torch.tanh(x @ w.W.T)}

class Diverger(Base):
    '''Is not a number.'''
    name = "diverger"
    def step(self, x, s, w):
        return {"h": torch.log(-1 - (x @ w.W.T).abs())}

@rnnbench.hookimpl
def rnnbench_provide_cells():
    return [Killer, Raiser, Diverger]
"""


def test_failures_are_rows_and_decide_the_exit_code(tmp_path: Path) -> None:
    plugins = tmp_path / "plugins"
    info = plugins / "breaking-1.0.dist-info"
    info.mkdir(parents=True)
    (plugins / "breaking.py").write_text(PLUGIN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: breaking\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rnnbench]\nbreaking = breaking\n")
    (tmp_path / "suite.yaml").write_text(
        """\
suite: breaking
question: What breaks?
architectures:
  good: {cell: rnn}
  killer: {cell: killer}
  raiser: {cell: raiser}
  diverger: {cell: diverger}
settings: [{task: sequential_digits, order: rows}]
match: {hidden: 4}
training: {batch: 32, backend: loop}
budget:
  standard: {updates: 3, trials: 1, seeds: 1}
"""
    )
    out, err = run(tmp_path, "--workers", "1", path=plugins, rc=1)
    assert "3 of 4 members failed, more than the suite allows" in err
    folder = tmp_path / "results" / "breaking"
    runs = pd.read_csv(folder / "runs.csv").set_index("architecture")
    assert dict(runs["status"]) == {
        "good": "ok",
        "killer": "crashed",
        "raiser": "error",
        "diverger": "diverged",
    }
    assert runs.loc["raiser", "reason"] == "ValueError: no such luck"
    assert runs.loc["diverger", "failed_update"] == 1
    assert runs["train_seconds"].gt(0).all()
    assert runs.loc["raiser", "exception"] == "ValueError"
    assert "no such luck" in (folder / runs.loc["raiser", "traceback"]).read_text()
    assert runs["score"].notna().to_dict() == {
        "good": True,
        "killer": False,
        "raiser": False,
        "diverger": False,
    }
    assert "no such luck" in (folder / "report.md").read_text()
    assert "✕ 0/1 ok" in out

    _, err = run(tmp_path, "--retry", "crashed", path=plugins, rc=1)
    assert trained(err) == 1
    more = ("--set", "budget.standard.seeds=2")
    _, err = run(tmp_path, "--retry", "failed", *more, path=plugins, rc=1)
    assert trained(err) == 3
    assert "4 other members are missing and were left so; `rnnbench run` without --retry" in err
    _, err = run(tmp_path, "--set", "allow_failures=3", path=plugins)
    assert trained(err) == 0

    # the plugin changes: its rows are named, and the user decides
    (plugins / "breaking.py").write_text(PLUGIN.replace("no such luck", "other luck"))
    _, err = run(tmp_path, "--set", "allow_failures=3", path=plugins, rc=2)
    assert "the store holds 3 members that other code made than is installed: cell" in err
    assert "raiser on sequential_digits(order=rows): 1 run; cell changed" in err
    again = ("--refresh", "architecture=raiser", "--accept-stale")
    _, err = run(tmp_path, "--set", "allow_failures=3", *again, path=plugins)
    assert trained(err) == 1
    runs = pd.read_csv(folder / "runs.csv").set_index("architecture")
    assert runs.loc["raiser", "reason"] == "ValueError: other luck"


def test_bad_input_writes_nothing_and_shows_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE.replace("cell: rnn", "cell: rnnn"))
    _, err = run(tmp_path, rc=2)
    assert "suite.yaml:4:16: unknown cell `rnnn`; did you mean `rnn`?" in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["suite.yaml"]


def test_a_report_is_rebuilt_byte_for_byte_without_torch(finished: Path) -> None:
    names = ["report.html", "report.md", *(f"{name}.csv" for name in TABLES)]
    before = {name: (finished / name).read_bytes() for name in names}
    for name in names:
        (finished / name).unlink()
    code = (
        "import sys; from rnnbench.cli import app\n"
        "app(['report', sys.argv[1]], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(finished)], check=True, capture_output=True)
    assert {name: (finished / name).read_bytes() for name in names} == before


def test_best_writes_weights_that_a_network_loads(finished: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    weights = tmp_path / "best.safetensors"
    words = ["best", str(finished), "--architecture", "cifg", "--setting"]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "rnnbench",
            *words,
            "copy_memory(length=2)",
            "--weights",
            str(weights),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    best = json.loads(done.stdout)
    runs = pd.read_csv(finished / "runs.csv")
    mine = runs[(runs["architecture"] == "cifg") & (runs["setting"] == "copy_memory(length=2)")]
    assert best["key"] == mine.loc[mine["valid_score"].idxmin(), "key"]
    tensors = load_file(weights)
    assert sum(t.numel() for t in tensors.values() if t.ndim) >= best["parameters"]


def test_a_store_keeps_one_row_a_member(finished: Path) -> None:
    with sqlite3.connect(f"file:{finished / 'store.sqlite'}?mode=ro", uri=True) as database:
        [(count,)] = database.execute("SELECT count(*) FROM members")
    database.close()
    assert count == MEMBERS
