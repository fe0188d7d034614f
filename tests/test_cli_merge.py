"""`rnnbench merge` as a user runs it."""

import pytest
from folders import write_folder
from studies import study
from test_merging import worse
from typer.testing import CliRunner

from rnnbench.cli import app
from rnnbench.errors import InputError, StoreError
from rnnbench.folder import read_results
from rnnbench.merging import join
from rnnbench.store import read_members

FAST = {"trials": 3, "confirm": 0, "seeds": 2}
LSTM, GRU = study(**FAST), study(architecture="gru", cell="gru", **FAST)
TABLES = ("runs.csv", "trials.csv", "scores.csv", "comparisons.csv", "curves.csv")


def merge(*words):
    return CliRunner().invoke(app, ["merge", *map(str, words)])


@pytest.fixture
def parts(tmp_path):
    return write_folder(tmp_path / "a", [LSTM]), write_folder(tmp_path / "b", [GRU])


def content(folder):
    return {
        path.relative_to(folder): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".lock", ".sqlite-shm", ".sqlite-wal")
    }


def test_a_merged_folder_is_a_results_folder_and_the_parts_are_as_they_were(tmp_path, parts):
    before = [content(part) for part in parts]
    done = merge(*parts, "--results", tmp_path / "out")
    assert done.exit_code == 0, done.output
    target = tmp_path / "out" / "long_dependency"
    assert f"merged  {target}: 10 members" in done.output
    assert [content(part) for part in parts] == before
    results = read_results(target)
    assert set(results.runs["architecture"]) == {"lstm", "gru"}
    assert len(list((target / "artifacts").iterdir())) == 4
    assert (target / "report.html").is_file()
    assert (target / "suite.yaml").read_text() == "suite: long_dependency\n"


def test_neither_the_order_of_folders_nor_a_second_time_changes_a_table(tmp_path, parts):
    made = []
    for name, order in (("x", parts), ("y", parts[::-1]), ("y", parts)):
        assert merge(*order, "--results", tmp_path / name).exit_code == 0
        folder = tmp_path / name / "long_dependency"
        made.append([(folder / table).read_bytes() for table in TABLES])
    assert made[0] == made[1] == made[2]


def test_a_folder_can_be_joined_to_the_one_that_is_there(tmp_path, parts):
    target = tmp_path / "out" / "long_dependency"
    write_folder(target, [LSTM])
    assert merge(parts[1], "--results", tmp_path / "out").exit_code == 0
    assert len(read_members(target)) == 10


def test_a_target_whose_members_are_not_known_is_left_as_it_is(tmp_path, parts):
    target = write_folder(tmp_path / "out" / "long_dependency", [LSTM], change=worse)
    (target / "studies.json").unlink()
    before = read_members(target)
    done = merge(*parts, "--results", tmp_path / "out")
    assert isinstance(done.exception, InputError)
    assert "holds 5 members but no studies.json, and nothing was merged" in str(done.exception)
    assert read_members(target) == before


def test_a_target_that_changes_while_it_is_read_is_left_as_it_is(tmp_path, parts, monkeypatch):
    target = write_folder(tmp_path / "out" / "long_dependency", [LSTM])

    def meanwhile(*words):
        write_folder(target, [LSTM], change=worse)
        return join(*words)

    monkeypatch.setattr("rnnbench.merging.join", meanwhile)
    done = merge(*parts, "--results", tmp_path / "out")
    assert isinstance(done.exception, InputError)
    assert "long_dependency changed while it was read; merge again" in str(done.exception)
    monkeypatch.undo()
    assert "differ by more than rounding" in str(
        merge(*parts, "--results", tmp_path / "out").exception
    )


def test_where_members_differ_nothing_is_written_until_one_side_is_preferred(tmp_path):

    one = write_folder(tmp_path / "a", [LSTM])
    other = write_folder(tmp_path / "b", [LSTM], change=worse)
    done = merge(one, other, "--results", tmp_path / "out")
    assert isinstance(done.exception, InputError)
    assert "1 member with numbers that differ" in str(done.exception)
    assert "scores.test mean_squared_error.value is " in done.output
    assert not (tmp_path / "out").exists()
    assert merge(one, other, "--results", tmp_path / "out", "--prefer", other).exit_code == 0
    runs = read_results(tmp_path / "out" / "long_dependency").runs
    assert list(runs["score"]) == [0.5, 0.05 + 0.01]


def test_weights_that_are_not_what_their_name_says_are_refused(tmp_path, parts):
    artifact = next((parts[0] / "artifacts").iterdir())
    artifact.write_bytes(b"other")
    done = merge(*parts, "--results", tmp_path / "out")
    assert isinstance(done.exception, StoreError)
    assert str(done.exception).startswith(f"{artifact} is damaged: its content has another hash")


def test_lost_weights_are_counted(tmp_path, parts):
    next((parts[0] / "artifacts").iterdir()).unlink()
    done = merge(*parts, "--results", tmp_path / "out")
    assert "note    the weights of 1 run are lost" in done.output


def test_weights_behind_a_link_are_not_copied(tmp_path, parts):
    artifact = next((parts[0] / "artifacts").iterdir())
    (tmp_path / "secret").write_bytes(artifact.read_bytes())
    artifact.unlink()
    artifact.symlink_to(tmp_path / "secret")
    done = merge(*parts, "--results", tmp_path / "out")
    assert isinstance(done.exception, StoreError)
    assert "is a link" in str(done.exception)


def test_a_suites_name_that_leads_elsewhere_is_refused(tmp_path):
    folder = write_folder(tmp_path / "a", [LSTM], suite="../../elsewhere")
    done = merge(folder, "--results", tmp_path / "out")
    assert isinstance(done.exception, InputError)
    assert not (tmp_path / "elsewhere").exists()
