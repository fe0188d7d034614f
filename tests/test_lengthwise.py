"""Scores by the length of what was to be said."""

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from rnnbench import Batch, Sequences, Tokens
from rnnbench.assessing import Assessed
from rnnbench.lengthwise import by_length, spans
from rnnbench.member import LengthScore
from rnnbench_metrics.chrf import Chrf
from rnnbench_metrics.exact_match import ExactMatch

END = 2
TASK = SimpleNamespace(
    name="fake",
    pattern="sequence-to-sequence",
    inputs=Tokens(3),
    targets=Sequences(("a", "b", "<END>"), END),
)


def assessed(said, targets):
    batch = Batch(torch.zeros(1, len(targets), dtype=torch.int64), torch.tensor(targets).T)
    return Assessed(batch, TASK, 0.0, torch.tensor(said).T)


def test_each_length_is_scored_apart_without_its_end():
    targets = [[0, END, END], [0, 1, END], [1, 1, END], [END, END, END]]
    said = [[0, END, END], [0, 1, END], [0, 1, END], [END, 1, 1]]
    assert by_length(assessed(said, targets), [ExactMatch()]) == (
        LengthScore("exact_match", 0, 0, 1, 1.0),
        LengthScore("exact_match", 1, 1, 1, 1.0),
        LengthScore("exact_match", 2, 2, 2, 0.5),
    )


def test_a_target_without_an_end_is_as_long_as_it_is():
    (one,) = by_length(assessed([[0, 0]], [[0, 1]]), [Chrf()])
    assert (one.low, one.high, one.count) == (2, 2, 1)


def test_many_lengths_are_put_together_to_spans_of_about_as_many_sequences():
    lengths = torch.arange(1, 101).repeat(3)
    found = spans(lengths)
    assert len(found) == 12
    assert (found[0][0], found[-1][1]) == (1, 100)
    assert all(low == before + 1 for (_, before), (low, _) in pairwise(found))
    assert {high - low + 1 for low, high in found} <= {8, 9}


@pytest.mark.parametrize("count", [1, 12])
def test_a_few_lengths_stay_apart(count):
    assert spans(torch.arange(count)) == [(length, length) for length in range(count)]


def test_one_frequent_length_takes_no_other_with_it():
    lengths = torch.tensor([5] * 500 + list(range(6, 30)))
    assert (5, 5) in spans(lengths)


def test_other_tasks_have_no_lengths_of_answers():
    other = SimpleNamespace(pattern="many-to-one", targets=None)
    assert by_length(Assessed(None, other, 0.0, None), [ExactMatch()]) == ()
