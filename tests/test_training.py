"""One member from its record to its row, on networks of a few units."""

import math
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load
from studies import template

from rnnbench import assessing, course, training
from rnnbench.assessing import assess
from rnnbench.errors import SealedError
from rnnbench.group.data import Data
from rnnbench.group.group import share
from rnnbench.machine import processor
from rnnbench.member import Member, Seed
from rnnbench.nn.build import build
from rnnbench.nn.loss import loss as loss_of
from rnnbench.registry import Registry, load_registry
from rnnbench.training import train

CLOCK = ("seconds", "finished_at", "worker_host", "hardware_host")


@pytest.fixture(scope="module")
def registry() -> Registry:
    return load_registry()


def member(
    *, role="evaluation", cell="lstm", numeric=None, dropout=0.0, layers=1, **recipe
) -> Member:
    """A tiny member; keywords that are not named here belong to its recipe."""
    base = template()
    net = replace(
        base.architecture,
        cell=cell,
        numeric={"forget_bias": 1.0} if cell == "lstm" else {},
        dropout=dropout,
        layers=layers,
    )
    metrics = (("mean_squared_error", "1"), ("solved", "1"), ("updates_to_solve", "1"))
    return replace(
        base,
        architecture=net,
        recipe=replace(base.recipe, **recipe),
        seed=Seed(role, 0, 0),
        metrics=metrics if role == "evaluation" else metrics[:1],
    )


def with_cell(registry: Registry, **changes) -> Registry:
    """The registry with methods of the cell `rnn` replaced."""
    component = registry.cell("rnn")
    cls = type("Faked", (component.cls,), {**changes, "torch_layer": lambda _: None})
    return replace(registry, cells={**registry.cells, "rnn": replace(component, cls=cls)})


def with_task(registry: Registry, **changes) -> Registry:
    """The registry with methods of the task `adding_uniform` replaced."""
    component = registry.task("adding_uniform")
    cls = type("Faked", (component.cls,), changes)
    return replace(
        registry, tasks={**registry.tasks, "adding_uniform": replace(component, cls=cls)}
    )


def network_of(one: Member, registry: Registry):
    """The network as it is before training."""
    net = one.architecture
    return build(
        registry.cell(net.cell).cls(**net.structure, **net.numeric),
        registry.task(one.setting.task).cls(**one.setting.options),
        hidden=net.hidden,
        layers=net.layers,
        dropout=net.dropout,
        numeric=net.numeric,
        backend=one.backend,
        generator=torch.Generator().manual_seed(one.weights_seed),
    )


def weights_after(one: Member, registry: Registry) -> dict[str, torch.Tensor]:
    """The weights after training to the end, where the only evaluation is the last update."""
    finished, weights = train(replace(one, recipe=replace(one.recipe, points=1)), registry)
    assert finished.status == "ok", finished.reason
    return load(weights)


def test_a_run_leaves_a_complete_record(registry):
    finished, weights = train(member(updates=10, points=5), registry)
    assert (finished.status, finished.reason, finished.traceback) == ("ok", "", "")
    assert (finished.updates, finished.failed_update) == (10, None)
    assert [(score.split, score.metric) for score in finished.scores] == [
        ("valid", "loss"),
        ("valid", "mean_squared_error"),
        ("test", "loss"),
        ("test", "mean_squared_error"),
        ("test", "solved"),
        ("test", "updates_to_solve"),
    ]
    assert [point.update for point in finished.curve] == sorted([2, 4, 6, 8, 10] * 3)
    assert {(point.split, point.metric) for point in finished.curve} == {
        ("train", "loss"),
        ("valid", "loss"),
        ("valid", "mean_squared_error"),
    }
    assert finished.seconds.keys() == {"train", "evaluate", "update"}
    assert all(value > 0 for value in finished.seconds.values())
    assert finished.finished_at.endswith("+00:00")
    assert finished.worker_host
    assert finished.hardware_host == processor()
    assert weights is not None
    assert finished.weights is None  # the store names them


def test_a_trial_leaves_a_validation_score_and_nothing_of_the_test(registry):
    finished, weights = train(member(role="tuning"), registry)
    assert finished.status == "ok"
    assert finished.valid_score is not None
    assert (finished.scores, weights) == ((), None)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_the_same_member_twice_is_the_same_to_the_last_bit(registry, dropout):
    one = member(dropout=dropout, layers=2)
    (first, first_weights), (second, second_weights) = (train(one, registry) for _ in range(2))
    blank = dict.fromkeys(CLOCK[1:], "") | {"seconds": {}, "peak_bytes": None}
    assert replace(first, **blank) == replace(second, **blank)
    assert first_weights == second_weights


def test_another_seed_gives_other_numbers(registry):
    one = member()
    other = replace(one, seed=replace(one.seed, index=1))
    assert train(one, registry)[0].valid_score != train(other, registry)[0].valid_score


def test_dropout_takes_part_in_training(registry):
    of = {rate: train(member(dropout=rate, layers=2), registry)[0].curve for rate in (0.0, 0.5)}
    assert of[0.0] != of[0.5]


def test_the_state_of_torchs_own_generator_changes_nothing_and_is_not_changed(registry):
    one = member(dropout=0.5, layers=2)
    curves = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        curves.append(train(one, registry)[0].curve)
        assert torch.equal(torch.get_rng_state(), before)
    assert curves[0] == curves[1]


@pytest.mark.parametrize(
    ("role", "asked"), [("tuning", {"valid"}), ("evaluation", {"valid", "test"})]
)
def test_only_a_run_reads_test_data(registry, role, asked):
    splits = set()
    held_out = registry.task("adding_uniform").cls.held_out

    def recorded(self, split, generator):
        splits.add(split)
        return held_out(self, split, generator)

    train(member(role=role), with_task(registry, held_out=recorded))
    assert splits == asked


def test_test_data_cannot_be_made_for_a_trial(registry):
    task = registry.task("adding_uniform").cls(length=10)
    with pytest.raises(SealedError, match="test data is sealed"):
        Data(task, "cpu").held_out(member(role="tuning"), "test")
    assert len(Data(task, "cpu").held_out(member(), "test")) == 2048


def test_the_weights_kept_are_those_of_the_best_validation_score(registry):
    # too large a rate leaves the optimum again, so the best update is not the last
    one = member(updates=40, points=20, optimizer="sgd", learning_rate=0.6, clip=None)
    finished, weights = train(one, registry)
    scores = {p.update: p.value for p in finished.curve if p.metric == "mean_squared_error"}
    assert finished.best_update == min(scores, key=scores.get) < 40
    assert finished.valid_score == scores[finished.best_update] < scores[40]

    network = network_of(one, registry)
    network.load_state_dict(load(weights))
    task = registry.task("adding_uniform").cls(length=10)
    valid = Data(task, "cpu").held_out(one, "valid")
    error = loss_of(network(valid), valid, task).item()
    assert error == pytest.approx(finished.valid_score, rel=1e-6)
    assert [score.value for score in finished.scores if score.split == "valid"] == pytest.approx(
        [error, error], rel=1e-6
    )


def test_training_that_diverges_says_when_and_has_no_score(registry):
    one = member(cell="rnn", updates=10, points=2, optimizer="sgd", learning_rate=1e6, clip=None)
    one = replace(one, architecture=replace(one.architecture, structure={"nonlinearity": "relu"}))
    finished, weights = train(one, registry)
    assert finished.status == "diverged"
    assert 1 < finished.failed_update <= 10
    assert finished.updates == finished.failed_update
    assert finished.reason == f"the loss was not finite at update {finished.failed_update}"
    assert (finished.valid_score, finished.best_update) == (None, None)
    assert (finished.scores, weights) == ((), None)


def test_a_cell_that_returns_nan_diverges_at_once(registry):
    faked = with_cell(registry, step=lambda self, x, s, w: {"h": s.h + x @ w.W.T * math.nan})
    finished, _ = train(member(cell="rnn"), faked)
    assert (finished.status, finished.failed_update, finished.curve) == ("diverged", 1, ())


def raising(error: BaseException):
    def step(*_):
        raise error

    return step


def test_a_cell_that_raises_is_an_error_with_its_traceback(registry):
    faked = with_cell(registry, step=raising(ZeroDivisionError("by\n  zero")))
    finished, weights = train(member(cell="rnn"), faked)
    assert (finished.status, finished.reason) == ("error", "ZeroDivisionError: by zero")
    assert (finished.failed_update, finished.updates) == (1, 0)
    assert "in step" in finished.traceback
    assert finished.traceback.rstrip().endswith("zero")
    assert (finished.scores, finished.valid_score, weights) == ((), None, None)
    assert finished.finished_at
    assert finished.worker_host


def test_what_raises_late_says_at_which_update_and_keeps_its_curve_and_time(registry):
    original, drawn = registry.task("adding_uniform").cls.batch, []

    def batch(self, size, generator):
        drawn.append(size)
        if len(drawn) == 1 + 8:  # the first is the validation set
            raise ZeroDivisionError
        return original(self, size, generator)

    one = member(cell="rnn", updates=10, points=5)
    finished, _ = train(one, with_task(registry, batch=batch))
    assert (finished.status, finished.exception) == ("error", "ZeroDivisionError")
    assert (finished.failed_update, finished.updates) == (8, 7)
    assert {point.update for point in finished.curve} == {2, 4, 6}
    assert finished.seconds["train"] > 0
    assert finished.seconds["evaluate"] > 0


def test_what_raises_after_the_last_update_began_at_none(registry, monkeypatch):
    monkeypatch.setattr(training, "save", raising(ZeroDivisionError()))
    finished, _ = train(member(cell="rnn", updates=3, points=1), registry)
    assert (finished.status, finished.failed_update, finished.updates) == ("error", None, 3)


@pytest.mark.parametrize("error", [MemoryError(), torch.OutOfMemoryError("no memory")])
def test_running_out_of_memory_has_a_status_of_its_own(registry, error):
    finished, _ = train(member(cell="rnn"), with_cell(registry, step=raising(error)))
    assert finished.status == "out_of_memory"


def test_an_interrupt_is_no_result(registry):
    with pytest.raises(KeyboardInterrupt):
        train(member(cell="rnn"), with_cell(registry, step=raising(KeyboardInterrupt())))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        ("constant", [1.0, 1.0, 1.0, 1.0]),
        ("linear", [1.0, 0.75, 0.5, 0.25]),
        ("cosine", [1.0, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]),
    ],
)
def test_a_schedule_gives_each_update_its_rate(schedule, expected):
    recipe = replace(template().recipe, learning_rate=0.5, updates=4, schedule=schedule)
    assert [share(recipe, update) for update in (1, 2, 3, 4)] == pytest.approx(expected, abs=1e-15)


@pytest.mark.parametrize(
    ("updates", "points", "expected"),
    [
        (10, 5, [2, 4, 6, 8, 10]),
        (10, 3, [4, 7, 10]),
        (10, 1, [10]),
        (3, 20, [1, 2, 3]),
    ],
)
def test_validation_is_scored_as_often_as_asked_and_after_the_last_update(
    updates, points, expected
):
    recipe = replace(template().recipe, updates=updates, points=points)
    found = [update for update in range(1, updates + 1) if course._is_point(update, recipe)]
    assert found == expected


def stepped(one: Member, registry: Registry, optimizer) -> dict[str, torch.Tensor]:
    """Train by hand, with an optimiser of torch."""
    network = network_of(one, registry)
    chosen = optimizer(network.parameters())
    task = registry.task("adding_uniform").cls(length=10)
    data = Data(task, "cpu")
    for update in range(1, one.recipe.updates + 1):
        (batch,) = data.batches([one], update)
        chosen.zero_grad()
        loss_of(network(batch), batch, task).backward()
        chosen.step()
    return network.state_dict()


@pytest.mark.parametrize(
    ("recipe", "optimizer"),
    [
        ({"optimizer": "adam"}, lambda w: torch.optim.Adam(w, 0.01)),
        (
            {"optimizer": "adam", "weight_decay": 0.1},
            lambda w: torch.optim.Adam(w, 0.01, weight_decay=0.1),
        ),
        (
            {"optimizer": "adamw", "weight_decay": 0.1},
            lambda w: torch.optim.AdamW(w, 0.01, weight_decay=0.1),
        ),
        (
            {"optimizer": "adam", "beta1": 0.5, "beta2": 0.9},
            lambda w: torch.optim.Adam(w, 0.01, betas=(0.5, 0.9)),
        ),
        ({"optimizer": "adamw"}, lambda w: torch.optim.AdamW(w, 0.01, weight_decay=0.0)),
        (
            {"optimizer": "rmsprop", "weight_decay": 0.1},
            lambda w: torch.optim.RMSprop(w, 0.01, weight_decay=0.1),
        ),
        (
            {"optimizer": "sgd", "momentum": 0.5, "weight_decay": 0.1},
            lambda w: torch.optim.SGD(w, 0.01, momentum=0.5, weight_decay=0.1),
        ),
    ],
)
def test_optimisers_are_torchs(registry, recipe, optimizer):
    one = member(updates=5, clip=None, learning_rate=0.01, **recipe)
    expected = stepped(one, registry, optimizer)
    torch.testing.assert_close(weights_after(one, registry), dict(expected), rtol=1e-4, atol=1e-6)


def change(one: Member, registry: Registry) -> float:
    """How far training moved the weights, as one vector."""
    before = network_of(one, registry).state_dict()
    after = weights_after(one, registry)
    return math.sqrt(sum(float((after[name] - before[name]).square().sum()) for name in before))


def test_clipping_bounds_the_norm_of_the_whole_gradient(registry):
    # with one step of plain descent at rate 1 the change is the gradient
    free = member(optimizer="sgd", momentum=0.0, learning_rate=1.0, clip=None, updates=1)
    norm = change(free, registry)
    clipped = replace(free, recipe=replace(free.recipe, clip=norm / 4))
    loose = replace(free, recipe=replace(free.recipe, clip=norm * 4))
    assert change(clipped, registry) == pytest.approx(norm / 4, rel=1e-4)
    assert change(loose, registry) == pytest.approx(norm, rel=1e-6)


def test_scores_do_not_depend_on_how_held_out_data_is_cut(registry, monkeypatch):
    whole, _ = train(member(), registry)
    monkeypatch.setattr(assessing, "EVALUATION_BATCH", 300)
    parts, _ = train(member(), registry)
    assert [score.value for score in parts.scores] == pytest.approx(
        [score.value for score in whole.scores], rel=1e-5
    )


def test_a_network_trains_on_as_before_where_its_evaluation_fails(registry):
    task = registry.task("adding_uniform").cls(length=10)
    network = network_of(member(dropout=0.5, layers=2), registry)
    batch = task.batch(3, torch.Generator())
    with pytest.raises(RuntimeError):
        assess(network, replace(batch, inputs=batch.inputs[..., :1]), task)
    assert network.training
    assert all(module.training for module in network.modules())


def test_a_curve_holds_every_metric_that_scores_predictions(registry):
    one = member(updates=4, points=2)
    finished, _ = train(replace(one, metrics=(*one.metrics, ("rmse", "1"))), registry)
    curve = {name: [p.value for p in finished.curve if p.metric == name] for name in METRICS}
    assert [value**2 for value in curve["rmse"]] == pytest.approx(curve["mean_squared_error"])
    assert len(curve["rmse"]) == 2
    assert curve["mean_squared_error"] == [
        p.value for p in train(one, registry)[0].curve if p.metric == "mean_squared_error"
    ]


METRICS = ("mean_squared_error", "rmse")


def test_a_first_metric_of_outcomes_is_an_error(registry):
    one = replace(member(), metrics=(("solved", "1"),))
    finished, _ = train(one, registry)
    assert finished.status == "error"
    assert "scores no predictions" in finished.reason


def test_the_first_run_of_a_study_is_asked_for_samples_now_and_then(registry):
    drawn = []

    def samples(self, predict, generator):
        # a prediction for each sequence, from the weights of now
        predictions = predict(torch.ones(self.length, 3, 2))
        assert predictions.shape == (3, 1)
        drawn.append(predictions)
        return {"number": str(torch.rand((), generator=generator).item())}

    asked = with_task(registry, samples=samples)
    finished, _ = train(member(updates=10, points=5), asked)
    assert finished.status == "ok", finished.reason
    # at points 1, 2 and 4 of 5, and at the last one
    assert [sample.update for sample in finished.samples] == [2, 4, 8, 10]
    assert {sample.title for sample in finished.samples} == {"number"}
    assert len({sample.text for sample in finished.samples}) == 4
    assert not torch.equal(drawn[0], drawn[-1])
    assert train(member(updates=10, points=5), asked)[0].samples == finished.samples


@pytest.mark.parametrize("seed", [Seed("tuning", 0, 0), Seed("evaluation", 0, 1)])
def test_nobody_else_is_asked(registry, seed):
    asked = with_task(registry, samples=lambda *_: {"number": "1"})
    finished, _ = train(replace(member(updates=4, points=2), seed=seed), asked)
    assert (finished.status, finished.samples) == ("ok", ())


def test_samples_change_nothing_else(registry):
    def samples(self, predict, generator):
        predict(torch.ones(self.length, 3, 2))
        torch.rand(5, generator=generator)
        return {"number": "1"}

    plain, weights = train(member(updates=6, points=3), registry)
    asked, others = train(member(updates=6, points=3), with_task(registry, samples=samples))
    assert weights == others
    assert plain.curve == asked.curve
