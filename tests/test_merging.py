"""Folders of one suite become one, whatever order they are named in."""

import json
from contextlib import closing
from dataclasses import replace

import pytest
from folders import MADE_BY, write_folder
from studies import study

from rnnbench.database import connected, put
from rnnbench.errors import InputError
from rnnbench.merging import join, read_part
from rnnbench.salvage import sealed

LATER = "2026-12-01T00:00:00Z"
FAST = {"trials": 3, "confirm": 0, "seeds": 2}
LSTM = study(**FAST)
GRU = study(architecture="gru", cell="gru", **FAST)


def joined(*folders, prefer=None):
    return join([read_part(folder) for folder in folders], "rnnbench merge", prefer)


def worse(ask, finished):
    """The first run scores a little worse, and a trial takes longer."""
    if ask.phase == "evaluation" and ask.seed_index == 0:
        first, test, *others = finished.scores
        return replace(finished, scores=(first, replace(test, value=0.5), *others))
    return replace(finished, seconds={"train": 9.0})


def ends(status, at=0):
    """The run with this seed ends so."""

    def change(ask, finished):
        if ask.phase == "evaluation" and ask.seed_index == at:
            return replace(finished, status=status, scores=(), valid_score=None)
        return finished

    return change


def rounded(ask, finished):
    return replace(finished, valid_loss=finished.valid_loss * (1 + 1e-9), worker_host="there")


def test_parts_of_a_suite_become_the_whole_in_its_order(tmp_path):
    gru = write_folder(tmp_path / "a", [GRU], hardware={**HARDWARE, "cpu": "CPU of 2025"})
    lstm = write_folder(tmp_path / "b", [LSTM])
    found = joined(gru, lstm)
    assert list(found.manifest["architectures"]) == ["lstm", "gru"]
    assert [one.architecture for one in found.studies] == ["lstm", "gru"]
    assert found.manifest["reference"] == "lstm"
    assert found.manifest["primary_contrasts"] == [["gru", "lstm"]]
    assert found.manifest["members"] == {"asked": 10, "present": 10, "failed": 0}
    assert len(found.kept) == 10
    assert {one["hardware"]["cpu"] for one in found.manifest["parts"]} == {
        "CPU of 2025",
        "Example CPU",
    }
    assert joined(lstm, gru) == replace(found, kept=joined(lstm, gru).kept)


HARDWARE = {"cpu": "x", "cores": 2, "memory_bytes": None, "gpus": [], "host": "h", "system": "s"}


def test_the_same_member_counts_once_whatever_the_clock_said(tmp_path):
    one = write_folder(tmp_path / "a", [LSTM])
    other = write_folder(tmp_path / "b", [LSTM], change=rounded, started_at=LATER)
    for folders in ((one, other), (other, one)):
        found = joined(*folders)
        assert (len(found.kept), found.clashes, found.notes) == (5, (), ())
        assert {part.folder for part, _ in found.kept.values()} == {other}


def test_members_that_differ_are_named_with_both_values(tmp_path):
    one = write_folder(tmp_path / "a", [LSTM])
    other = write_folder(tmp_path / "b", [LSTM], change=worse, started_at=LATER)
    (clash,) = joined(one, other).clashes
    assert clash.name == "lstm on adding_uniform(length=10), run, seed 0"
    (found,) = clash.differences
    assert (found.place, found.one, found.other) == (
        "scores.test mean_squared_error.value",
        0.05,
        0.5,
    )


@pytest.mark.parametrize(("prefer", "value"), [("a", 0.05), ("b", 0.5)])
def test_one_side_can_be_told_to_count(tmp_path, prefer, value):
    one = write_folder(tmp_path / "a", [LSTM])
    other = write_folder(tmp_path / "b", [LSTM], change=worse)
    found = joined(one, other, prefer=tmp_path / prefer)
    assert found.clashes == ()
    scores = {
        stored.finished.scores[1].value
        for _, stored in found.kept.values()
        if stored.finished.scores
    }
    assert scores == {value, 0.05 + 0.01}
    (note,) = found.notes
    left = {"a": other, "b": one}[prefer]
    assert note == f"1 member of {left} left out: {tmp_path / prefer} has others"


@pytest.mark.parametrize("status", ["crashed", "timeout", "out_of_memory"])
def test_what_a_machine_stopped_gives_way_to_what_another_finished(tmp_path, status):
    one = write_folder(tmp_path / "a", [LSTM], change=ends(status), started_at=LATER)
    other = write_folder(tmp_path / "b", [LSTM])
    for prefer in (None, one):
        found = joined(one, other, prefer=prefer)
        assert found.clashes == ()
        assert {stored.finished.status for _, stored in found.kept.values()} == {"ok"}
        assert f"run, seed 0: {status.replace('_', ' ')} in {one}, ok in {other}" in found.notes[0]


def test_a_divergence_is_a_result_that_must_agree(tmp_path):
    one = write_folder(tmp_path / "a", [LSTM], change=ends("diverged"))
    other = write_folder(tmp_path / "b", [LSTM])
    (clash,) = joined(one, other).clashes
    assert clash.differences[0].place == "status"


def test_the_same_from_other_code_is_said(tmp_path):
    one = write_folder(tmp_path / "a", [LSTM])
    other = write_folder(tmp_path / "b", [LSTM], made_by=MADE_BY | {"torch": "3"})
    (note,) = joined(one, other).notes
    assert "have the same from other code: torch (" in note
    assert note.endswith("(5 members)")


def test_more_seeds_of_the_same_choice_fit(tmp_path):
    one = write_folder(tmp_path / "a", [LSTM])
    more = study(**FAST | {"seeds": 3})
    other = write_folder(tmp_path / "b", [more])
    found = joined(one, other)
    assert found.studies == (more,)
    assert found.manifest["budget"]["seeds"] == 3
    assert len(found.kept) == 6


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (study(**FAST | {"trials": 4}), "budget.trials is 3 in the first and 4 in the second"),
        (replace(LSTM, budget=replace(LSTM.budget, name="quick")), "budget.name is test in the "),
        (
            replace(LSTM, template=replace(LSTM.template, device="cuda")),
            "lstm on adding_uniform(length=10).template.device is cpu in the first and cuda in the",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused_with_the_place(tmp_path, changed, said):
    one = write_folder(tmp_path / "a", [LSTM])
    other = write_folder(tmp_path / "b", [changed], started_at=LATER)
    with pytest.raises(InputError) as caught:
        joined(one, other)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_suite_is_refused(tmp_path):
    one = write_folder(tmp_path / "a", [LSTM])
    other = write_folder(tmp_path / "b", [GRU], started_at=LATER)
    path = other / "suite.resolved.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"reference": "gru"}))
    with pytest.raises(InputError, match="reference is lstm in the first and gru in the second"):
        joined(one, other)


def test_a_row_under_the_key_of_another_is_left_behind(tmp_path):
    folder = write_folder(tmp_path / "a", [LSTM])
    with closing(connected(folder / "store.sqlite")) as database:
        [row] = database.execute("SELECT * FROM members WHERE rowid = 1").fetchall()
        put(database, [sealed(b"strange", *row[1:4])])
        database.execute("DELETE FROM members WHERE rowid = 1")
    found = joined(folder)
    assert len(found.kept) == 4
    assert "1 row left behind" in found.notes[0]
