import pytest
import torch

from rnnbench_metrics.rmse import RootMeanSquaredError


def test_it_is_the_root_of_the_mean_over_counted_items_and_values():
    predictions = torch.tensor([[[3.0, 0.0]], [[1.0, 1.0]], [[9.0, 9.0]]])
    targets = torch.tensor([[[0.0, 4.0]], [[1.0, 1.0]], [[0.0, 0.0]]])
    mask = torch.tensor([[True], [True], [False]])
    value = RootMeanSquaredError().measure(predictions, targets, mask)
    assert type(value) is float
    assert value == 2.5
    assert RootMeanSquaredError().measure(predictions, targets, None) == (187 / 6) ** 0.5


def test_shapes_that_would_broadcast_are_refused():
    with pytest.raises(ValueError, match="do not belong to"):
        RootMeanSquaredError().measure(torch.zeros(4, 1), torch.zeros(4), None)
