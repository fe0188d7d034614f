"""A real scheduler and workers, processes of their own on loopback, and what kills them."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from studies import template
from test_run import run, start, tables, trained, wait_for

from rnnbench.datafiles import DataFiles, digest
from rnnbench.errors import ClusterError, InputError
from rnnbench.executor import Done, Executor
from rnnbench.member import Seed, Setting
from rnnbench.plan import plan
from rnnbench.registry import load_registry
from rnnbench.remote import Remote, Tls
from rnnbench.suite import read_suite
from rnnbench.worker import Terms, terms_of
from rnnbench_cells import rnn

SUITE = """\
suite: tiny
question: Does it run elsewhere?
architectures: {tanh: {cell: rnn}, cifg: {cell: cifg_lstm, search: true}}
settings: [{task: copy_memory, length: 2}]
match: {parameters: 600}
search: {generation: 2, space: {learning_rate: {log: [1.0e-3, 3.0e-2]}}}
evaluation: {points: 3}
budget: {standard: {updates: 300, trials: 3, confirm: 2, seeds: 2}}
"""
MEMBERS = 2 * (3 + 2 * 2 + 2)
UNSEEN = ("--no-dashboard", "--dashboard-address", "127.0.0.1:0")


class Somewhere:
    """A scheduler and its workers; all of them end with it."""

    def __init__(self, folder: Path, tls: Tls | None = None, path: Path | None = None) -> None:
        self.folder, self.tls = folder, tls
        self.stack = ExitStack()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{port}"
        self.scheduler = self._started(
            "scheduler", "--host", self.address.rpartition(":")[0], "--port", str(port), path=path
        )
        self.remote = Remote(self.address, tls)
        self.words = ["--cluster", self.address]
        if tls:
            files = {"--tls-ca": tls.ca, "--tls-cert": tls.cert, "--tls-key": tls.key}
            self.words += [str(word) for pair in files.items() for word in pair]

    def worker(
        self, name: str, *words: str, path: Path | None = None, folder: Path | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a worker, with modules from `path` first, and wait until the scheduler knows it."""
        count = self._count()
        own = ("--name", name, "--nthreads", "1", "--memory-limit", "0", "--host", "127.0.0.1")
        process = self._started("worker", self.address, *own, *words, path=path, folder=folder)
        until(lambda: self._count() > count)
        return process

    def _count(self) -> int:
        for _ in range(100):
            try:
                return self.remote.found().workers
            except ClusterError:  # it is still starting
                time.sleep(0.2)
        raise AssertionError((self.folder / "scheduler.log").read_text())

    def _started(
        self, kind: str, *words: str, path: Path | None, folder: Path | None = None
    ) -> subprocess.Popen[bytes]:
        files = (
            {"ca-file": self.tls.ca, "cert": self.tls.cert, "key": self.tls.key} if self.tls else {}
        )
        tls = [word for name, file in files.items() for word in (f"--tls-{name}", str(file))]
        log = self.stack.enter_context((self.folder / f"{kind}.log").open("ab"))
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, *UNSEEN, *tls],
            env={**os.environ, **({"PYTHONPATH": str(path)} if path else {})},
            cwd=folder or self.folder,
            stdout=log,
            stderr=log,
        )
        self.stack.callback(self._ended, process)
        return process

    @staticmethod
    def _ended(process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(condition, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture
def somewhere(tmp_path: Path) -> Iterator[Somewhere]:
    (tmp_path / "suite.yaml").write_text(SUITE)
    made = Somewhere(tmp_path)
    with made.stack:
        yield made


def certificates(folder: Path, name: str = "own") -> Tls:
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes certificates, is not installed")
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-subj", "/CN=rnnbench", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(words, check=True, capture_output=True)
    return Tls(cert, cert, key)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of processes of this machine."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "suite.yaml").write_text(SUITE)
    run(folder, "--workers", "1")
    return folder / "results" / "tiny"


def nursed_by(nanny: subprocess.Popen[bytes]) -> int:
    """Return the worker's process: beside it, a nanny has one that tracks resources."""
    children = psutil.Process(nanny.pid).children()
    (worker,) = [one.pid for one in children if "spawn_main" in " ".join(one.cmdline())]
    return worker


def working(somewhere: Somewhere) -> int:
    """How many tasks workers hold."""
    with somewhere.remote.connected() as connection:
        workers = connection.client.scheduler_info(n_workers=-1)["workers"]
    return sum(sum(one["metrics"]["task_counts"].values()) for one in workers.values())


def test_killed_driver_and_worker_leave_the_same_tables_over_tls(
    finished: Path, tmp_path: Path
) -> None:
    (tmp_path / "suite.yaml").write_text(SUITE)
    elsewhere = Somewhere(tmp_path, certificates(tmp_path))
    with elsewhere.stack:
        elsewhere.worker("bare", "--no-nanny")
        nursed = elsewhere.worker("nursed", "--nanny")
        driver = start(tmp_path, *elsewhere.words)
        wait_for(driver, 2)
        driver.kill()
        driver.communicate(timeout=60)
        until(lambda: working(elsewhere) == 0, seconds=20)
        driver = start(tmp_path, *elsewhere.words)
        wait_for(driver, 1)
        os.kill(nursed_by(nursed), signal.SIGKILL)
        _, err = driver.communicate(timeout=120)
        assert driver.returncode == 0, err
    assert tables(tmp_path / "results" / "tiny") == tables(finished)


def test_stopped_workers_are_given_up_and_their_groups_come_back_as_lost(
    somewhere: Somewhere,
) -> None:
    bare = somewhere.worker("bare", "--no-nanny")
    nursed = somewhere.worker("nursed", "--nanny")
    with Executor(somewhere.remote, Terms(), patience=4.0) as executor:
        until(lambda: executor.wait(timeout=0.5) == [] and executor.free == 2)
        before = set(executor._workers)
        for pid in (bare.pid, nursed_by(nursed)):
            os.kill(pid, signal.SIGSTOP)
        executor.submit([template(backend="loop", seed=Seed("tuning", 0, 1))])
        executor.submit([template(backend="loop", seed=Seed("tuning", 0, 2))])
        back: list[Done] = []
        until(lambda: back.extend(executor.wait(timeout=0.5)) or len(back) == 2)
        assert [(done.lost, done.finished.reason) for done in back] == [
            (True, "its worker process stopped answering")
        ] * 2
        assert sum("gave no sign of life" in text for text in executor.news()) == 2
        # another took the place of the one that a nanny looks after
        until(lambda: executor.wait(timeout=0.5) == [] and executor.free == 1)
        until(lambda: executor.wait(timeout=0.5) == [] and not before & set(executor._there()))


def test_a_scheduler_that_dies_ends_the_run_with_what_is_kept(
    finished: Path, somewhere: Somewhere
) -> None:
    somewhere.worker("one", "--no-nanny")
    driver = start(somewhere.folder, *somewhere.words)
    wait_for(driver, 3)
    somewhere.scheduler.kill()
    _, err = driver.communicate(timeout=120)
    assert driver.returncode == 130, err
    assert "Traceback" not in err
    assert f"error: the scheduler of {somewhere.address} is gone\n" in err
    assert "distributed" not in err
    assert "ConnectionPool" not in err
    assert "all finished members are kept. Continue: rnnbench run" in err
    assert (somewhere.folder / "results" / "tiny" / "report.html").is_file()
    _, err = run(somewhere.folder, "--workers", "1")
    assert 0 < trained(err) <= MEMBERS - 3
    assert tables(somewhere.folder / "results" / "tiny") == tables(finished)


WITHOUT = """\
import importlib.metadata as metadata
found = metadata.version
def version(name):
    if name == "rnnbench":
        raise metadata.PackageNotFoundError(name)
    return found(name)
metadata.version = version
"""


def test_workers_that_differ_are_refused_by_name_and_the_others_go_on(
    somewhere: Somewhere, tmp_path: Path
) -> None:
    lacking, old, odd = (tmp_path / name for name in ("lacking", "old", "odd"))
    (old / "rnnbench-0.0.1.dist-info").mkdir(parents=True)
    (old / "rnnbench-0.0.1.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: rnnbench\nVersion: 0.0.1\n"
    )
    lacking.mkdir()
    (lacking / "sitecustomize.py").write_text(WITHOUT)
    (odd / "rnnbench_cells").mkdir(parents=True)
    shutil.copytree(Path(rnn.__file__).parent, odd / "rnnbench_cells", dirs_exist_ok=True)
    source = odd / "rnnbench_cells" / "rnn.py"
    source.write_text(source.read_text().replace("Elman 1990, Cognitive Science 14", "nobody"))
    for path in (lacking, old, odd):
        somewhere.worker(path.name, "--no-nanny", path=path)
    good = somewhere.worker("good", "--no-nanny")
    _, err = run(tmp_path, *somewhere.words, "--set", "budget.standard.updates=9")
    assert "worker lacking is not used: rnnbench is missing, the driver has " in err
    assert "worker old is not used: rnnbench 0.0.1, the driver has " in err
    (line,) = [line for line in err.splitlines() if "worker odd is not used: " in line]
    assert "cell rnn has another source" in line
    assert "Traceback" not in err
    good.terminate()
    good.wait()
    suite = read_suite(tmp_path / "suite.yaml")
    terms = terms_of(plan(suite, load_registry(), device="cpu").trained)
    with (
        Executor(somewhere.remote, terms) as executor,
        pytest.raises(ClusterError, match=f"no worker of {somewhere.address} can train this suite"),
    ):
        until(lambda: executor.wait(timeout=0.5))


def test_a_scheduler_of_another_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    elsewhere = Somewhere(tmp_path, path=tmp_path)
    with elsewhere.stack:
        until(lambda: "Scheduler at" in (tmp_path / "scheduler.log").read_text())
        with pytest.raises(ClusterError, match=r"rnnbench is missing there and .* here"):
            elsewhere.remote.found()


def test_a_worker_needs_the_data_files_and_finds_them_in_its_own_folder(
    somewhere: Somewhere, tmp_path: Path
) -> None:
    for name in ("with", "without"):
        (tmp_path / name).mkdir()
        somewhere.worker(name, "--no-nanny", folder=tmp_path / name)
    text = tmp_path / "with" / "text.txt"
    text.write_text("all work and no play " * 200)
    options = {"data": "text.txt", "length": 8}
    setting = Setting("char_lm", "1", options, {"data": digest(text)})
    terms = Terms(settings=(setting,), files=DataFiles((tmp_path / "of the driver",)))
    with Executor(somewhere.remote, terms) as executor:
        news: list[str] = []
        until(lambda: executor.wait(0.5) == [] and (news.extend(executor.news()) or news))
        until(lambda: executor.wait(0.5) == [] and executor.free == 1)
    (line,) = news
    assert line.startswith("worker without is not used: no data file `text.txt`: looked in ")


def test_nothing_there_is_said_at_once(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}: Connection"):
        Remote(address).found()


def test_another_program_is_told_from_a_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rnnbench.remote.CONNECT_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"tcp://127.0.0.1:{mute.getsockname()[1]}"
        with pytest.raises(ClusterError, match="does not answer as a Dask scheduler does"):
            Remote(address).found()


@pytest.mark.parametrize(
    "address", ["127.0.0.1:8786", "tcp://host", "http://host:80", "tcp://host:99999", "tcp://h:0"]
)
def test_an_address_is_refused_that_is_none(address: str) -> None:
    with pytest.raises(InputError, match="write tcp://host:port or tls://host:port"):
        Remote(address)


def test_tls_files_and_the_address_must_agree(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="TLS needs --tls-ca, --tls-cert and --tls-key"):
        Remote("tls://host:1")
    with pytest.raises(InputError, match="a TLS connection is tls://host:port"):
        Remote("tcp://host:1", Tls(tmp_path, tmp_path, tmp_path))


def test_a_tls_file_that_is_missing_or_of_another_kind_is_named(tmp_path: Path) -> None:
    own, other = certificates(tmp_path), certificates(tmp_path, "other")
    with pytest.raises(InputError, match=r"--tls-key .*: No such file or directory"):
        Tls(own.ca, own.cert, tmp_path / "none").security()
    with pytest.raises(InputError, match=r"--tls-ca .*own.key: no certificate in PEM form"):
        Tls(own.key, own.cert, own.key).security()
    with pytest.raises(InputError, match="are no certificate and its key"):
        Tls(own.ca, own.cert, other.key).security()


def test_tls_that_does_not_fit_the_scheduler_is_said_both_ways(tmp_path: Path) -> None:
    own, other = certificates(tmp_path), certificates(tmp_path, "other")
    elsewhere = Somewhere(tmp_path, own)
    with elsewhere.stack:
        assert elsewhere._count() == 0
        plain = elsewhere.address.replace("tls", "tcp")
        with pytest.raises(ClusterError, match="or one that speaks TLS"):
            Remote(plain).found()
        with pytest.raises(ClusterError, match="trusts another authority"):
            Remote(elsewhere.address, other).found()
