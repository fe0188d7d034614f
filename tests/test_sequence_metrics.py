import pytest
import torch

from rnnbench_metrics.exact_match import ExactMatch
from rnnbench_metrics.token_accuracy import TokenAccuracy

END = 9
METRICS = (ExactMatch(), TokenAccuracy())
both = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


def laid(*sequences):
    """Lay sequences side by side, [time, batch]."""
    return torch.tensor(sequences).T


TARGETS = laid([1, 2, 3, END], [4, END, END, END], [5, 6, END, END])
MASK = laid([True] * 4, [True] * 2 + [False] * 2, [True] * 3 + [False])


@both
def test_what_stands_behind_the_end_does_not_count(metric):
    said = laid([1, 2, 3, END], [4, END, 7, 8], [5, 6, END, 0])
    assert metric.measure(said, TARGETS, MASK) == 1.0
    assert metric.measure(said, TARGETS, None) < 1.0


def test_one_wrong_symbol_costs_the_whole_sequence():
    said = laid([1, 2, 0, END], [4, END, END, END], [5, 6, END, END])
    assert ExactMatch().measure(said, TARGETS, MASK) == pytest.approx(2 / 3)
    assert TokenAccuracy().measure(said, TARGETS, MASK) == 8 / 9


def test_too_long_and_too_short_are_wrong():
    longer = laid([1, 2, 3, END], [4, 4, END, END], [5, 6, 6, END])
    assert ExactMatch().measure(longer, TARGETS, MASK) == pytest.approx(1 / 3)
    assert TokenAccuracy().measure(longer, TARGETS, MASK) == 7 / 9
    shorter = laid([1, END, END, END], [END, END, END, END], [5, 6, END, END])
    assert ExactMatch().measure(shorter, TARGETS, MASK) == pytest.approx(1 / 3)
    assert TokenAccuracy().measure(shorter, TARGETS, MASK) == 6 / 9


def test_tokens_weigh_alike_and_sequences_weigh_alike():
    targets = laid([1, 1, 1, END], [END, END, END, END])
    mask = laid([True] * 4, [True, False, False, False])
    said = laid([1, 1, 1, END], [1, END, END, END])
    assert TokenAccuracy().measure(said, targets, mask) == 4 / 5
    assert ExactMatch().measure(said, targets, mask) == 1 / 2


@both
def test_values_are_plain_floats_and_leave_their_arguments_alone(metric):
    said = TARGETS.flip(1)
    before = said.clone(), TARGETS.clone(), MASK.clone()
    assert type(metric.measure(said, TARGETS, MASK)) is float
    assert all(map(torch.equal, before, (said, TARGETS, MASK)))


@both
@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (4, 3, 1), (12,)])
def test_shapes_that_do_not_belong_together_are_refused(metric, shape):
    said = torch.zeros(shape, dtype=torch.int64)
    with pytest.raises(ValueError, match="do not belong to targets"):
        metric.measure(said, TARGETS, MASK)


@both
def test_the_direction_and_range_are_those_of_a_share(metric):
    assert (metric.direction, metric.low, metric.high) == ("max", 0.0, 1.0)
