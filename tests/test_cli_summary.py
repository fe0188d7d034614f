"""What a run prints when it ends."""

import pytest
import synthetic

from rnnbench.cli.summary import print_summary
from rnnbench.findings.comparisons import compare
from rnnbench.findings.summary import summarise

SETTINGS = (("copy_memory", 20), ("copy_memory", 40))
FEW = ("gru", "lstm")
MANY = tuple(f"architecture_{number}" for number in range(9))


def printed(capsys, architectures, **changes):
    results = synthetic.results(architectures, SETTINGS, reference=architectures[0], **changes)
    print_summary(summarise(results, compare(results)))
    return capsys.readouterr().out


def test_scores_stand_side_by_side_where_there_is_room(capsys):
    lines = printed(capsys, FEW).splitlines()
    (head,) = [line for line in lines if line.startswith("mean score")]
    assert head.split() == ["mean", "score", "gru", "lstm"]
    assert sum(line.startswith("copy_memory(") for line in lines) == len(SETTINGS)


@pytest.mark.parametrize("width", [60, 100])
def test_where_there_is_none_each_score_has_a_line_of_its_own(capsys, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    lines = printed(capsys, MANY).splitlines()
    (start,) = [place for place, line in enumerate(lines) if line.split()[1:3] == ["mean", "score"]]
    rows = [line.split() for line in lines[start + 1 : start + 1 + len(MANY) * len(SETTINGS)]]
    assert [row[0] for row in rows] == [*MANY, *MANY]
    assert [row[-1] for row in rows if row[-1].startswith("copy")] == [
        "copy_memory(length=20)",
        "copy_memory(length=40)",
    ]
    assert all(len(line) <= width for line in lines)


def test_failed_runs_are_said_and_marked_where_a_mean_leaves_them_out(capsys):
    some, all_ = "copy_memory(length=20)", "copy_memory(length=40)"
    out = printed(capsys, FEW, failed={("gru", some): 1, ("lstm", all_): 5})
    assert "! 6 of 20 runs failed, counted as 0\n" in out
    rows = {line.split()[0]: line for line in out.splitlines() if line.split()}
    assert rows["gru"].endswith("9/10 ok   ")
    assert rows["lstm"].endswith("5/10 ok   ")
    assert "✕ 4/5 ok" in rows[some]
    assert "– 0/5 ✕ 0/5 ok" in rows[all_]
    assert "✕ k/n ok: only k of n runs finished" in " ".join(out.split())
