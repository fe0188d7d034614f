import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from rnnbench.errors import StoreError
from rnnbench.lock import held


def test_a_second_driver_is_told_who_holds_the_folder_and_since_when(tmp_path: Path) -> None:
    who = f"process {os.getpid()} on {socket.gethostname()} since 20"
    with held(tmp_path), pytest.raises(StoreError, match=f"in use by {who}"):
        held(tmp_path).__enter__()
    with held(tmp_path):  # and afterwards it is free
        pass
    assert not (tmp_path / "run.holder").exists()


def test_a_process_killed_while_it_holds_the_folder_leaves_it_free(tmp_path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from rnnbench.lock import held\n"
        "with held(Path(sys.argv[1])): os.kill(os.getpid(), 9)"
    )
    done = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)])
    assert done.wait(timeout=60) == -9
    assert json.loads((tmp_path / "run.holder").read_text())["process"] == done.pid
    with held(tmp_path):
        pass


def dead() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "process 1 on here",
        "[]",
        '{"process": null}',
        *(f'{{"process": {n}, "host": "there", "since": ""}}' for n in ("9" * 30, "Infinity", -1)),
        "[" * 100_000,
        "dead",
    ],
    ids=range(9),
)
def test_what_a_dead_holder_left_misleads_nobody(tmp_path: Path, damage: str) -> None:
    who = {"process": dead(), "host": socket.gethostname(), "since": "then"}
    with held(tmp_path):
        (tmp_path / "run.holder").write_text(json.dumps(who) if damage == "dead" else damage)
        with pytest.raises(StoreError, match="in use by another process"):
            held(tmp_path).__enter__()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/suite cannot be written: Not a directory; choose"):
        held(tmp_path / "file" / "suite").__enter__()
    with pytest.raises(StoreError, match="file is a file, not a folder"):
        held(tmp_path / "file").__enter__()


def test_a_folder_in_place_of_the_lock_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.lock").mkdir()
    with pytest.raises(StoreError, match=r"run\.lock is a folder, not a file"):
        held(tmp_path).__enter__()
