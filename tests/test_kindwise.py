"""Scores of each kind of sequence."""

from dataclasses import replace

import torch
from looking import asked, question

from rnnbench.assessing import Assessed
from rnnbench.kindwise import by_kind
from rnnbench.member import KindScore
from rnnbench_metrics.accuracy import Accuracy

# right, wrong, right, right (targets 0, 2, 1, 0)
LOGITS = torch.eye(3)[torch.tensor([0, 0, 1, 0])]


def assessed(kinds):
    return Assessed(replace(asked(), kinds=kinds), question(), 0.0, LOGITS)


def test_each_kind_is_scored_on_its_own_sequences_and_one_may_be_of_several():
    kinds = (("colour",), ("shape", "shape: far"), ("shape", "shape: near"), ())
    assert by_kind(assessed(kinds), [Accuracy()]) == (
        KindScore("accuracy", "colour", 1, 1.0),
        KindScore("accuracy", "shape", 2, 0.5),
        KindScore("accuracy", "shape: far", 1, 0.0),
        KindScore("accuracy", "shape: near", 1, 1.0),
    )


def test_without_kinds_there_is_nothing_to_score():
    assert by_kind(assessed(None), [Accuracy()]) == ()
