from math import exp, inf, log, log1p, nan

import pluggy
import pytest
import torch

from rnnbench import Measured, Outcome, hookspecs
from rnnbench_metrics import accuracy, cross_entropy, mean_squared_error, solved, updates_to_solve
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_metrics.cross_entropy import CrossEntropy
from rnnbench_metrics.mean_squared_error import MeanSquaredError
from rnnbench_metrics.solved import Solved
from rnnbench_metrics.updates_to_solve import UpdatesToSolve

MODULES = (accuracy, cross_entropy, mean_squared_error, solved, updates_to_solve)
PER_STEP = (Accuracy(), CrossEntropy(), MeanSquaredError())


def case(metric, steps, batch, seed=0):
    """Draw predictions, targets and a mask that fit the metric, all with a step dimension."""
    generator = torch.Generator().manual_seed(seed)
    predictions = torch.randn(steps, batch, 3, generator=generator)
    if isinstance(metric, MeanSquaredError):
        targets = torch.randn(steps, batch, 3, generator=generator)
    else:
        targets = torch.randint(3, (steps, batch), generator=generator)
    return predictions, targets, torch.rand(steps, batch, generator=generator) < 0.5


def test_every_module_provides_its_metric_through_the_hook():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    for module in MODULES:
        manager.register(module)
    manager.check_pending()
    names = {metric.name for found in manager.hook.rnnbench_provide_metrics() for metric in found}
    assert names == {
        "accuracy",
        "cross_entropy",
        "mean_squared_error",
        "solved",
        "updates_to_solve",
    }


def test_accuracy_is_the_share_of_largest_logits_that_are_right():
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0], [5.0, 4.0], [0.0, 1.0]])
    assert Accuracy().measure(logits, torch.tensor([0, 1, 1, 1]), None) == 0.75


def test_cross_entropy_is_in_nats():
    logits = torch.tensor([[0.0, 0.0], [log(3.0), 0.0]])
    expected = (log(2) + log(4 / 3)) / 2
    assert CrossEntropy().measure(logits, torch.tensor([1, 0]), None) == pytest.approx(expected)


def test_mean_squared_error_averages_over_items_and_values():
    predictions = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    targets = torch.tensor([[1.0, 0.0], [0.0, 4.0]])
    assert MeanSquaredError().measure(predictions, targets, None) == (4 + 9) / 4


def test_cross_entropy_keeps_what_float32_would_round_away():
    logits = torch.tensor([[0.0, -20.0]])
    loss = CrossEntropy().measure(logits, torch.tensor([0]), None)
    assert loss == pytest.approx(log1p(exp(-20)), rel=1e-6)


def test_mean_squared_error_keeps_what_float32_would_round_away():
    assert MeanSquaredError().measure(torch.tensor([[4097.0]]), torch.zeros(1, 1), None) == 4097**2


@pytest.mark.parametrize("metric", PER_STEP, ids=lambda metric: metric.name)
def test_masked_steps_do_not_count(metric):
    predictions, targets, mask = case(metric, 5, 6)
    value = metric.measure(predictions, targets, mask)
    assert type(value) is float
    assert value == pytest.approx(metric.measure(predictions[mask], targets[mask], None))
    spoilt = torch.where(mask.unsqueeze(-1), predictions, 1e6 * predictions.flip(-1))
    assert metric.measure(spoilt, targets, mask) == value
    assert metric.measure(predictions, targets, None) != pytest.approx(value)


@pytest.mark.parametrize("metric", PER_STEP, ids=lambda metric: metric.name)
def test_a_mask_that_keeps_every_step_changes_nothing(metric):
    predictions, targets, mask = case(metric, 5, 6)
    whole = metric.measure(predictions, targets, None)
    assert metric.measure(predictions, targets, torch.ones_like(mask)) == pytest.approx(whole)


@pytest.mark.parametrize("metric", PER_STEP, ids=lambda metric: metric.name)
def test_the_order_of_sequences_does_not_matter(metric):
    predictions, targets, mask = case(metric, 7, 50)
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    shuffled = metric.measure(predictions[:, order], targets[:, order], mask[:, order])
    assert shuffled == pytest.approx(metric.measure(predictions, targets, mask), rel=1e-14)


@pytest.mark.parametrize("metric", PER_STEP, ids=lambda metric: metric.name)
def test_a_set_scores_as_its_parts_weighted_by_what_they_count(metric):
    predictions, targets, mask = case(metric, 7, 50)
    parts = (slice(0, 1), slice(1, 50))
    total = sum(
        metric.measure(predictions[:, cut], targets[:, cut], mask[:, cut])
        * mask[:, cut].sum().item()
        for cut in parts
    )
    whole = metric.measure(predictions, targets, mask)
    assert total / mask.sum().item() == pytest.approx(whole, rel=1e-13)


@pytest.mark.parametrize("metric", PER_STEP, ids=lambda metric: metric.name)
def test_shapes_that_would_broadcast_are_refused(metric):
    targets = torch.zeros(4) if isinstance(metric, MeanSquaredError) else torch.zeros(3).long()
    with pytest.raises(ValueError, match="do not belong to"):
        metric.measure(torch.zeros(4, 1), targets, None)


def outcome(score=0.5, direction="max", curve=()):
    return Outcome(score=score, direction=direction, solved=0.9, curve=curve)


@pytest.mark.parametrize(
    ("score", "direction", "expected"),
    [
        (0.9, "max", 1.0),
        (0.89, "max", 0.0),
        (0.9, "min", 1.0),
        (0.91, "min", 0.0),
        (nan, "max", 0.0),
        (nan, "min", 0.0),
        (inf, "min", 0.0),
    ],
)
def test_solved_says_whether_the_test_score_reached_the_threshold(score, direction, expected):
    assert Solved().measure(outcome(score, direction)) == Measured(expected)


def test_solved_asks_the_test_score_and_not_the_curve():
    assert Solved().measure(outcome(0.5, curve=((10, 1.0),))) == Measured(0.0)


def test_updates_to_solve_is_the_first_update_that_reached_the_threshold():
    curve = ((10, 0.2), (20, nan), (30, 0.9), (40, 0.1), (50, 0.95))
    assert UpdatesToSolve().measure(outcome(curve=curve)) == Measured(30.0)


def test_updates_to_solve_follows_the_direction():
    curve = ((10, 3.0), (20, 0.8))
    assert UpdatesToSolve().measure(outcome(direction="min", curve=curve)) == Measured(20.0)


def test_a_run_that_never_solved_is_censored_at_its_last_update():
    curve = ((10, 0.2), (20, 0.3))
    assert UpdatesToSolve().measure(outcome(curve=curve)) == Measured(20.0, censored=True)


def test_a_run_that_was_never_validated_is_censored_at_zero():
    assert UpdatesToSolve().measure(outcome()) == Measured(0.0, censored=True)
