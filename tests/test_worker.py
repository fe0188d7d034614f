from pathlib import Path

import pytest
from studies import study

from rnnbench.datafiles import DataFiles
from rnnbench.worker import PACKAGES, files_here, terms_of, unlike

THERE = {"rnnbench": "1.0", "python": "3.11.7.final.0", "torch": "2.13.0+cpu", "numpy": None}


def test_a_worker_like_the_driver_is_welcome() -> None:
    assert unlike(THERE, {"rnnbench": "1.0", "python": "3.11.7", "torch": "2.13.0+cpu"}) == []


def test_another_version_is_named_on_both_sides_and_a_missing_package_too() -> None:
    wanted = {"rnnbench": "1.0", "python": "3.12.1", "torch": "2.13.0", "numpy": "2.4.6"}
    assert unlike(THERE, wanted) == [
        "python 3.11.7, the driver has 3.12.1",
        "torch 2.13.0+cpu, the driver has 2.13.0",
        "numpy is missing, the driver has 2.4.6",
    ]


def test_a_worker_without_rnnbench_is_refused_whatever_else_is_asked() -> None:
    assert unlike({}, {}) == ["rnnbench is missing"]


def test_workers_need_the_sources_of_what_is_trained_and_of_nothing_else() -> None:
    one = study()
    terms = terms_of((one,))
    member = one.template
    assert tuple(terms.versions) == ("python", *PACKAGES)
    assert terms.sources == {
        f"cell {member.architecture.cell}": one.cell_source,
        f"task {member.setting.task}": one.task_source,
        **{f"metric {name}": source for name, source in one.metric_sources.items()},
    }
    assert terms.settings == ()


def test_a_worker_looks_in_its_own_folders_after_the_drivers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("RNNBENCH_DATA", str(tmp_path / "named"))
    files = files_here(DataFiles((Path("/driver"),)))
    assert files.folders == (Path("/driver"), tmp_path / "here", tmp_path / "named")
    assert files.find("a.txt") == tmp_path / "here" / "a.txt"
