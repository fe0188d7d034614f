import json
import math
import sqlite3
from contextlib import closing

import pytest
from folders import manifest
from studies import play, study

from rnnbench.errors import InputError, StoreError
from rnnbench.findings.verdict import banner
from rnnbench.folder import (
    read_manifest,
    read_results,
    read_studies,
    write_manifest,
    write_studies,
)
from rnnbench.options import Between, Choice, LogBetween
from rnnbench.store import Store


@pytest.fixture
def folder(tmp_path):
    """A folder that holds one finished study."""
    one = study(trials=3, confirm=0, seeds=2)
    asks, finished = play(one)
    with Store(tmp_path) as store:
        for ask in asks:
            store.commit(ask.member, finished[ask.member.key], {}, None)
    write_studies(tmp_path, [one])
    write_manifest(tmp_path, manifest([one]) | {"suite": "café", "oracle": math.inf})
    return tmp_path


def test_studies_come_back_as_they_were(tmp_path):
    spaces = {
        "learning_rate": LogBetween(1e-4, 1e-1),
        "weight_decay": Between(1e-4, 1e-1),
        "clip": Choice((0.5, 1, 5)),
    }
    studies = (
        study(shared=spaces),
        study(own={"forget_bias": Between(0.0, 5.0)}, replicate=1),
        study(shared={}, own={}, architecture="*\n'\"×", skipped="why"),
    )
    write_studies(tmp_path, studies)
    kept = read_studies(tmp_path)
    assert kept == studies
    assert {name: type(space) for name, space in kept[0].search.shared.items()} == {
        "learning_rate": LogBetween,
        "weight_decay": Between,
        "clip": Choice,
    }


def test_studies_that_came_back_ask_for_the_same_members(tmp_path):
    one = study()
    write_studies(tmp_path, [one])
    asks = [[ask.member.key for ask in play(each)[0]] for each in (one, *read_studies(tmp_path))]
    assert asks[0] == asks[1]


def test_results_are_rebuilt_from_the_folder(folder):
    results = read_results(folder)
    expected = manifest([study(trials=3, confirm=0, seeds=2)]) | {
        "suite": "café",
        "oracle": math.inf,
        # counted anew: a run that was killed had no time to
        "members": {"asked": 5, "present": 5, "failed": 0},
        "interrupted": False,
    }
    assert results.manifest == json.loads(json.dumps(expected)) | {
        "primary_contrasts": expected["primary_contrasts"]
    }
    assert (len(results.trials), len(results.runs)) == (3, 2)


@pytest.mark.parametrize("name", ["manifest.json", "studies.json"])
def test_a_folder_without_results_says_what_is_missing(folder, name):
    (folder / name).unlink()
    with pytest.raises(InputError, match=f"holds no results: {name} is missing"):
        read_results(folder)


@pytest.mark.parametrize("name", ["manifest.json", "studies.json"])
@pytest.mark.parametrize("damage", [b"", b"{", b"\xff\xfe", b"[1]"])
def test_a_damaged_file_is_named(folder, name, damage):
    (folder / name).write_bytes(damage)
    with pytest.raises(StoreError) as caught:
        read_results(folder)
    assert str(caught.value).startswith(f"{folder / name} is damaged: ")
    assert "\n" not in str(caught.value)


def test_a_study_of_another_shape_is_named(folder):
    path = folder / "studies.json"
    content = json.loads(path.read_text())
    del content[0]["template"]
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match=r"studies\.json is damaged: .*template"):
        read_results(folder)


def test_a_damaged_store_is_named(folder):
    (folder / "store.sqlite").write_bytes(b"no database " * 100)
    with pytest.raises(StoreError, match=r"store\.sqlite is damaged \(file is not a database\)"):
        read_results(folder)


def test_what_is_sound_of_a_damaged_store_is_shown_and_the_rest_is_counted(folder):
    with closing(sqlite3.connect(folder / "store.sqlite", isolation_level=None)) as database:
        database.execute("UPDATE members SET digest = 'x' WHERE rowid = 5")
    said = []
    results = read_results(folder, said.append)
    assert results.manifest["members"]["present"] == 4
    assert not results.manifest["interrupted"]
    assert banner(results.manifest) == (
        "Partial results. The run had finished, and some of it is lost: 4 of 5 trials and runs are "
        "present. Running the same command again trains that again."
    )
    write_manifest(folder, read_manifest(folder) | {"interrupted": True})
    assert read_results(folder, said.append).manifest["interrupted"]
    assert "stored members that are not as they were written (1)" in said[0]
