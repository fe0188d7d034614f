import os
import platform
import subprocess

from rnnbench.machine import PACKAGES, cores, git, hardware, versions


def test_versions_name_python_and_every_package():
    found = versions()
    assert list(found) == ["python", *PACKAGES]
    assert found["python"] == platform.python_version()
    assert all(found.values())


def test_hardware_says_what_is_there():
    found = hardware()
    assert found.keys() == {"cpu", "cores", "memory_bytes", "system", "host"}
    assert found["cpu"]
    assert found["cores"] == cores() >= 1
    assert found["memory_bytes"] is None or found["memory_bytes"] > 2**28


def run(folder, *words):
    environment = {
        **os.environ,
        **{
            f"GIT_{who}_{what}": "x"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    done = subprocess.run(
        ["git", "-C", folder, *words], check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout.strip()


def test_git_names_the_commit_and_whether_files_differ_from_it(tmp_path):
    run(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    run(tmp_path, "add", "file")
    run(tmp_path, "commit", "-qm", "first")
    assert git(tmp_path) == {"commit": run(tmp_path, "rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "file").write_text("2")
    assert git(tmp_path)["dirty"] is True


def test_an_untracked_folder_of_a_work_tree_has_no_commit_of_its_own(tmp_path):
    run(tmp_path, "init")
    (tmp_path / "file").write_text("")
    run(tmp_path, "add", "file")
    run(tmp_path, "commit", "-m", "x")
    (tmp_path / "site-packages").mkdir()
    assert git(tmp_path) is not None
    assert git(tmp_path / "site-packages") is None


def test_a_folder_outside_git_has_no_commit(tmp_path):
    assert git(tmp_path) is None


def test_a_machine_without_git_has_no_commit(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git(tmp_path) is None
