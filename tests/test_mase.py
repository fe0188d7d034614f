import pytest
import torch

from rnnbench_metrics.mase import MeanAbsoluteScaledError


def test_it_is_the_mean_absolute_error_of_counted_items_and_values():
    predictions = torch.tensor([[[3.0, 0.0]], [[1.0, 1.0]], [[9.0, 9.0]]])
    targets = torch.tensor([[[0.0, 4.0]], [[1.0, 2.0]], [[0.0, 0.0]]])
    mask = torch.tensor([[True], [True], [False]])
    value = MeanAbsoluteScaledError().measure(predictions, targets, mask)
    assert type(value) is float
    assert value == 2.0
    assert MeanAbsoluteScaledError().measure(predictions, targets, None) == 26 / 6


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match="do not belong to"):
        MeanAbsoluteScaledError().measure(torch.zeros(4, 1), torch.zeros(4), None)
