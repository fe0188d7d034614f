"""Jobs of Slurm, with commands on PATH that stand for Slurm's and start jobs at once."""

import os
import signal
from pathlib import Path

import pytest

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue, of extra `slurm`, is not installed")

from test_remote import SUITE, until
from test_run import run, tables
from typer.testing import CliRunner

from rnnbench.cli import app
from rnnbench.cluster import Found
from rnnbench.errors import ClusterError, InputError
from rnnbench.slurm import Jobs, _queued
from rnnbench.suite import Slurm, read_suite, resolved
from rnnbench.suite.schema import checked
from rnnbench.suite.source import parse

EXECUTOR = 'executor: {slurm: {interface: lo, memory: 2GB, walltime: "00:30:00", jobs: 2}}\n'

COMMANDS = {
    "sbatch": """\
d=$(dirname "$0")/jobs; mkdir -p $d; n=$(date +%s%N)
cp "$1" $d/$n.sh
setsid bash $d/$n.sh > $d/$n.out 2>&1 < /dev/null & echo $! > $d/$n.pid
echo "Submitted batch job $n"
""",
    "scancel": 'd=$(dirname "$0")/jobs; kill -- -$(cat $d/$1.pid); echo $1 >> $d/cancelled\n',
    "squeue": """\
for f in $(dirname "$0")/jobs/*.pid; do
    kill -0 $(cat $f) 2> /dev/null && basename $f .pid
done
exit 0
""",
}


def command(folder: Path, name: str, text: str) -> None:
    """Write a command that stands for one of Slurm's."""
    (folder / name).write_text(f"#!/bin/bash\n{text}")
    (folder / name).chmod(0o755)


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put Slurm's commands on PATH; return the folder that they keep jobs in."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, text in COMMANDS.items():
        command(folder, name, text)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder / "jobs"


def living(jobs: Path) -> list[int]:
    """Return the processes of jobs that live."""
    pids = [int(path.read_text()) for path in jobs.glob("*.pid")]
    return [pid for pid in pids if Path(f"/proc/{pid}").is_dir()]


def test_jobs_train_to_the_tables_of_this_machine_and_are_cancelled(
    slurm: Path, tmp_path: Path
) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE.replace("updates: 300", "updates: 9") + EXECUTOR)
    _, err = run(tmp_path)
    assert "2 workers in 2 jobs of Slurm" in err
    assert len((slurm / "cancelled").read_text().split()) == 2
    until(lambda: living(slurm) == [])
    run(tmp_path, "--set", "executor.slurm=null", "--workers", "1", "--results", "here")
    assert tables(tmp_path / "results" / "tiny") == tables(tmp_path / "here" / "tiny")


def test_a_job_that_ends_is_submitted_again_and_again_where_slurm_refuses(
    slurm: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnnbench.slurm.ASK_SECONDS", 0.0)
    said: list[str] = []
    with Jobs(Slurm(interface="lo", memory="1GB", walltime="10")).connected() as connection:
        (first,) = living(slurm)
        kept = list(connection.cluster.workers.values())  # as garbage may be, until the end
        assert connection.mend((), said.append) == []
        command(slurm.parent, "sbatch", "echo try later >&2; exit 1\n")
        os.killpg(first, signal.SIGKILL)
        until(lambda: connection.mend(["another"], said.append) != [])
        assert connection.mend(["another"], said.append) == []
        (line,) = said
        assert line == "Slurm takes no job: try later; it is asked again every 0 s"
        with pytest.raises(ClusterError, match="Slurm takes no job: try later"):
            connection.mend((), said.append)
        command(slurm.parent, "sbatch", COMMANDS["sbatch"])
        assert connection.mend((), said.append) == []
        assert len(living(slurm)) == 1
        assert living(slurm) != [first]
        assert kept
    until(lambda: living(slurm) == [])


@pytest.mark.parametrize("text", ["exec sleep 60\n", "echo 1; exit 1\n", None])
def test_a_squeue_that_does_not_say_which_jobs_there_are_does_not_hold_the_run_up(
    slurm: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    monkeypatch.setattr("rnnbench.slurm.ANSWER_SECONDS", 0.5)
    if text is None:
        monkeypatch.setenv("PATH", "")
    else:
        command(slurm.parent, "squeue", text)
    assert _queued() is None


def test_a_plan_shows_the_script_without_slurm(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    words = [
        "plan",
        str(tmp_path / "suite.yaml"),
        "--no-probe",
        "--results",
        str(tmp_path / "results"),
    ]
    for name, value in {
        "interface": "ib0",
        "memory": "6GB",
        "walltime": "2-00:00:00",
        "cores": "3",
        "queue": "long",
        "account": "ours",
        "job_extra": "[--constraint=avx2]",
        "prologue": "[module load python]",
    }.items():
        words += ["--set", f"executor.slurm.{name}={value}"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    lines = done.stdout.splitlines()
    for line in (
        "#SBATCH -p long",
        "#SBATCH -A ours",
        "#SBATCH --cpus-per-task=3",
        "#SBATCH --mem=6G",
        "#SBATCH -t 2-00:00:00",
        "#SBATCH --constraint=avx2",
        "export OMP_NUM_THREADS=1",
        "module load python",
    ):
        assert line in lines
    (line,) = [line for line in lines if "distributed.cli.dask_worker" in line]
    for words_ in ("--nthreads 1 ", "--nworkers 3 ", "--interface ib0", "--memory-limit 0 "):
        assert words_ in f"{line} "
    assert line.count("--memory-limit") == 1
    assert "3 workers in 1 job of Slurm" in " ".join(done.stdout.split())
    assert not (tmp_path / "results").exists()


def test_a_machine_that_submits_no_jobs_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    wanted = {"memory": "1GB", "walltime": "10"}
    with pytest.raises(InputError, match=r"no interface `ib9` here; there are .*lo"):
        Jobs(Slurm(interface="ib9", **wanted)).found()
    with pytest.raises(ClusterError, match="no `sbatch` on this machine"):
        Jobs(Slurm(interface="lo", **wanted)).found()


def test_a_worker_has_its_share_of_a_jobs_memory(slurm: Path) -> None:
    wanted = Slurm(interface="lo", memory="6GB", walltime="10", jobs=2, cores=3)
    assert Jobs(wanted).found() == Found(6, 2 * 10**9)


def test_an_sbatch_that_fails_is_quoted_on_one_line(slurm: Path) -> None:
    command(slurm.parent, "sbatch", "echo invalid partition >&2; exit 1\n")
    wanted = Slurm(interface="lo", memory="1GB", walltime="10")
    with (
        pytest.raises(ClusterError, match=r"Slurm takes no job: invalid partition") as raised,
        Jobs(wanted).connected(),
    ):
        pass
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "{memory: 1GB, walltime: '10'}",
            "executor.slurm lacks `interface`: the network",
        ),
        ("{interface: lo, memory: 1GB, walltime: 60}", "`walltime` takes how long a job may take"),
        ("{interface: lo, memory: 4, walltime: '10'}", "`memory` takes what a job gets"),
        ("{interface: lo, quee: a, memory: 1GB, walltime: '10'}", "did you mean `queue`?"),
    ],
)
def test_a_wrong_key_is_said_with_its_place(value: str, said: str) -> None:
    with pytest.raises(InputError) as raised:
        checked(parse("suite.yaml", f"{SUITE}executor: {{slurm: {value}}}\n"))
    assert said in str(raised.value)
    assert str(raised.value).startswith("suite.yaml:9:")


@pytest.mark.parametrize(
    ("assignment", "faults"),
    [("executor.slurm.memory=lots", 3), ("executor={slurm: {}}", 3)],
)
def test_what_is_wrong_with_an_executor_of_the_command_line_is_one_line(
    assignment: str, faults: int
) -> None:
    source = parse("suite.yaml", SUITE).override(assignment, ("executor", "slurm"))
    with pytest.raises(InputError) as raised:
        checked(source)
    said = str(raised.value)
    assert said.startswith(f"--set {assignment}: executor.slurm lacks `interface`: the network")
    assert said.count("; ") == faults - 1
    assert "\n" not in said


def test_an_executor_is_kept_in_the_resolved_suite(tmp_path: Path) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE + EXECUTOR)
    suite = read_suite(tmp_path / "suite.yaml")
    assert resolved(suite)["executor"]["slurm"]["jobs"] == 2
