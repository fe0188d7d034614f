from math import exp, log, log1p

import pytest
import torch

from rnnbench_metrics.frame_accuracy import FrameAccuracy
from rnnbench_metrics.frame_nll import FrameNLL

METRICS = (FrameNLL(), FrameAccuracy())
both = pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)


def test_the_likelihood_is_summed_over_labels_and_averaged_over_frames():
    logits = torch.tensor([[[0.0, 0.0]], [[log(3.0), 0.0]]])
    labels = torch.tensor([[[1.0, 0.0]], [[1.0, 0.0]]])
    expected = (2 * log(2) + log(4 / 3) + log(2)) / 2
    assert FrameNLL().measure(logits, labels, None) == pytest.approx(expected)


def test_every_frame_weighs_alike_whichever_piece_it_is_of():
    # of the first piece three frames count, of the second one
    labels = torch.zeros(3, 2, 1)
    logits = torch.zeros(3, 2, 1)
    logits[:, 1] = -1000.0
    mask = torch.tensor([[True, True], [True, False], [True, False]])
    assert FrameNLL().measure(logits, labels, mask) == pytest.approx(3 / 4 * log(2))


def test_the_likelihood_keeps_what_float32_would_round_away():
    value = FrameNLL().measure(torch.tensor([[20.0]]), torch.ones(1, 1), None)
    assert value == pytest.approx(log1p(exp(-20)), rel=1e-6)


def test_accuracy_is_hits_by_hits_misses_and_false_alarms():
    logits = torch.tensor([[1.0, 1.0, -1.0, -1.0], [0.0, 2.0, -1.0, -1.0]])
    labels = torch.tensor([[1.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]])
    # hits 1 + 1, false alarms 1 + 0, misses 1 + 1
    assert FrameAccuracy().measure(logits, labels, None) == 2 / 5


def test_nothing_said_of_silence_is_right():
    assert FrameAccuracy().measure(torch.full((2, 3), -1.0), torch.zeros(2, 3), None) == 1.0


@both
def test_masked_frames_do_not_count(metric):
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(5, 6, 4, generator=draw)
    labels = (torch.rand(5, 6, 4, generator=draw) < 0.5).float()
    mask = torch.rand(5, 6, generator=draw) < 0.5
    value = metric.measure(logits, labels, mask)
    assert type(value) is float
    assert value == pytest.approx(metric.measure(logits[mask], labels[mask], None))
    assert value != metric.measure(logits, labels, None)
    spoilt = torch.where(mask.unsqueeze(-1), labels, torch.nan)
    assert metric.measure(logits, spoilt, mask) == value


@both
def test_what_are_no_labels_is_refused(metric):
    with pytest.raises(ValueError, match="do not belong to"):
        metric.measure(torch.zeros(4, 1), torch.zeros(4), None)
    with pytest.raises(ValueError, match="neither 0 nor 1"):
        metric.measure(torch.zeros(4, 1), torch.full((4, 1), 0.5), None)
