"""Who overfits is said, and nobody else."""

from dataclasses import replace

import pandas as pd
import pytest
import synthetic

from rnnbench.findings.overfitting import overfitting
from rnnbench.report import write_report

COPY = "copy_memory(length=20)"


def results(valid, train, *, seeds=2, spoiled=()):
    """Results whose runs of gru have these losses; the seeds in `spoiled` end at their least."""
    plain = synthetic.results()
    rows = [
        {"architecture": "gru", "setting": COPY, "phase": "evaluation", "key": f"k{seed}"}
        | {"update": 100 * (place + 1), "split": split, "metric": "loss", "value": value}
        for seed in range(seeds)
        for split, values in (("valid", valid), ("train", train))
        for place, value in enumerate([*values[:-1], 0.0] if seed in spoiled else values)
    ]
    runs = pd.DataFrame([{"key": f"k{seed}", "status": "ok"} for seed in range(seeds)])
    return replace(plain, curves=pd.DataFrame(rows), runs=runs)


def test_who_overfits_is_said_with_both_losses_and_since_when():
    (said,) = overfitting(results([3.0, 2.0, 2.5, 4.0], [3.0, 2.0, 1.0, 0.5]))
    assert said.startswith(
        f"gru overfits on {COPY}: from update 200 on the validation loss rose from 2.000 to 4.000, "
        "while the training loss fell from 2.000 to 0.500"
    )


@pytest.mark.parametrize(
    ("valid", "train"),
    [
        ([3.0, 2.0, 1.5, 1.4], [3.0, 2.0, 1.0, 0.5]),
        ([3.0, 2.0, 2.0, 2.05], [3.0, 2.0, 1.0, 0.5]),
        # both rise: it diverges, or forgets
        ([3.0, 2.0, 2.5, 4.0], [3.0, 2.0, 3.0, 4.0]),
    ],
    ids=["still falling", "hardly", "training rises too"],
)
def test_what_is_no_overfitting_is_not_said(valid, train):
    assert overfitting(results(valid, train)) == []


def test_one_run_that_does_not_is_enough_to_say_nothing():
    assert overfitting(results([3.0, 2.0, 4.0], [3.0, 2.0, 1.0], spoiled=(1,))) == []


def test_results_without_curves_say_nothing_and_reports_say_the_sentence(tmp_path):
    assert overfitting(replace(synthetic.results(), curves=pd.DataFrame())) == []
    made = results([3.0, 2.0, 2.5, 4.0], [3.0, 2.0, 1.0, 0.5])
    whole = replace(synthetic.results(), curves=made.curves.assign(replicate=0, seed_index=0))
    keys = whole.runs.assign(key=[f"k{n % 2}" for n in range(len(whole.runs))])
    write_report(replace(whole, runs=keys), tmp_path)
    for name in ("report.html", "report.md"):
        assert "gru overfits on" in (tmp_path / name).read_text("utf-8")
