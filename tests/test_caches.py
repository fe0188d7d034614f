import os
import tempfile
from pathlib import Path

from rnnbench.caches import DATA, KERNELS, cache_folder


def test_what_can_be_made_again_is_kept_in_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder(KERNELS) == tmp_path / "rnnbench" / "kernels"
    assert cache_folder(DATA) == tmp_path / "rnnbench" / "data"


def test_a_user_without_a_home_has_a_folder_of_their_own_among_temporary_files(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    place = Path(tempfile.gettempdir(), f"rnnbench-{os.getuid()}", "kernels")
    assert cache_folder(KERNELS) == place
