"""What a user sees when a results folder or its disk gives out: the command itself."""

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

SUITE = """\
suite: tiny
question: Does it last?
architectures:
  tanh: {cell: rnn}
settings: [{task: copy_memory, length: 2}]
match: {hidden: 4}
budget:
  standard: {updates: 3, trials: 1, seeds: 3}
"""


def rnnbench(where: Path, *words: str, room: int | None = None) -> tuple[int, str]:
    """Run a command where no file may be larger than `room`; return its exit code and stderr."""
    limit = partial(resource.setrlimit, resource.RLIMIT_FSIZE, (room, room)) if room else None
    done = subprocess.run(
        [sys.executable, "-m", "rnnbench", *words],
        cwd=where,
        env={**os.environ, "RNNBENCH_BACKEND": "loop"},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


def trained(err: str) -> int:
    return sum(" done   [" in line for line in err.splitlines())


RUN = ("run", "suite.yaml", "--workers", "1")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, tuple[int, str], tuple[int, str]]:
    """A folder with a finished run, and what it said: on a disk too small, then with room."""
    where = tmp_path_factory.mktemp("ran")
    (where / "suite.yaml").write_text(SUITE)
    return where, rnnbench(where, *RUN, room=60_000), rnnbench(where, *RUN)


@pytest.fixture
def where(ran: tuple[Path, object, object], tmp_path: Path) -> Path:
    return shutil.copytree(ran[0], tmp_path / "copy")


def test_a_full_disk_ends_a_run_on_one_line_and_loses_no_member(
    ran: tuple[Path, tuple[int, str], tuple[int, str]],
) -> None:
    _, (code, err), (code_after, err_after) = ran
    assert (code, trained(err)) == (2, 3)
    last = err.splitlines()[-1]
    assert "the disk or a quota is full (File too large); free some space (kept" in last
    assert (
        "; free some space (kept: 3 members), then continue: rnnbench run suite.yaml --workers 1"
        in last
    )
    assert (code_after, trained(err_after)) == (0, 0)


def test_damaged_members_are_named_counted_and_trained_again(where: Path) -> None:
    folder = where / "results" / "tiny"
    before = pd.read_csv(folder / "runs.csv")
    weights = sorted((folder / "artifacts").iterdir())
    weights[0].unlink()
    weights[1].write_bytes(b"other")
    store = folder / "store.sqlite"
    content = store.read_bytes()
    store.write_bytes(bytes(4096) + content[4096:])

    code, err = rnnbench(where, "report", str(folder))
    assert code == 0
    assert "damaged: " in err
    assert "store.sqlite is damaged (file is not a database); 3 members could be read" in err
    assert store.read_bytes()[:4096] == bytes(4096)

    assert f"files of weights that are missing (1): {weights[0].name} (member " in err
    assert "weights that are damaged" not in err

    code, err = rnnbench(where, *RUN)
    assert (code, trained(err)) == (0, 2)
    lines = [line for line in err.splitlines() if line.startswith("damaged: ")]
    assert [line.partition("weights that are ")[2].partition(":")[0] for line in lines[1:3]] == [
        "missing (1)",
        "damaged (1)",
    ]
    assert lines[3].startswith("damaged: set aside in results/tiny/set-aside/")
    (aside,) = (folder / "set-aside").iterdir()
    assert (aside / "store.sqlite").read_bytes()[:4096] == bytes(4096)
    assert (aside / weights[1].name).read_bytes() == b"other"
    assert sorted((folder / "artifacts").iterdir()) == weights
    assert json.loads((folder / "manifest.json").read_text())["members"]["present"] == 3
    after = pd.read_csv(folder / "runs.csv")
    pd.testing.assert_series_equal(after["score"], before["score"])


def test_weights_that_are_not_what_their_name_says_are_not_handed_out(where: Path) -> None:
    for path in (where / "results" / "tiny" / "artifacts").iterdir():
        path.write_bytes(b"other")
    code, err = rnnbench(where, "best", "results/tiny")
    assert code == 0
    assert re.search(r"damaged: .*\.safetensors is damaged; `rnnbench run` trains it again", err)
    code, err = rnnbench(where, "best", "results/tiny", "--weights", "w.safetensors")
    assert code == 2
    assert re.search(r"\.safetensors is damaged: .*; `rnnbench run` trains it again", err)
    assert not (where / "w.safetensors").exists()
