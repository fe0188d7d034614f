"""A small study to replay, without torch."""

from collections.abc import Mapping
from dataclasses import replace

from rnnbench.member import Architecture, Finished, Member, Recipe, Seed, Setting
from rnnbench.options import Between, Choice, LogBetween, Space
from rnnbench.protocol import Ask, Progression
from rnnbench.study import Budget, SearchSpace, Study

SHARED: dict[str, Space] = {"learning_rate": LogBetween(1e-4, 1e-1), "clip": Choice((0.5, 1, 5))}


def template(**changes: object) -> Member:
    return replace(
        Member(
            Architecture("lstm", "1", {}, {"forget_bias": 1.0}, 1, False, 0.0, 8),
            Setting("adding_uniform", "1", {"length": 10}),
            Recipe("adam", 0.001, "constant", 0.0, 1.0, 0.9, 0.9, 0.999, 4, 10, 5),
            Seed("tuning", 0, 0),
            (("mean_squared_error", "1"), ("solved", "1")),
            "loop",
        ),
        **changes,
    )


def study(
    *,
    trials: int = 10,
    confirm: int = 3,
    seeds: int = 4,
    sampler: str = "tpe",
    shared: Mapping[str, Space] | None = None,
    own: Mapping[str, Space] | None = None,
    replicate: int = 0,
    architecture: str = "lstm",
    skipped: str = "",
    cell: str = "lstm",
) -> Study:
    base = template()
    return Study(
        architecture=architecture,
        setting="adding_uniform(length=10)",
        replicate=replicate,
        template=replace(base, architecture=replace(base.architecture, cell=cell)),
        direction="min",
        search=SearchSpace(
            sampler,
            4,
            SHARED if shared is None else shared,
            {"forget_bias": Between(0.0, 5.0)} if own is None else own,
        ),
        budget=Budget("test", trials, confirm, 2, seeds),
        parameters=100,
        recurrent_parameters=90,
        state_size=16,
        flops=200,
        mismatch=0.01,
        backend_reason="asked for",
        cell_source="c",
        task_source="t",
        metric_sources={"mean_squared_error": "m", "solved": "s"},
        shortest_path=7.5,
        skipped=skipped,
    )


def of_four_networks(**options: object) -> Study:
    """A study whose search chooses among four networks."""
    own = {"init": Choice(("uniform", "orthogonal")), "forget_bias": Between(0.0, 5.0)}
    base = study(shared={"layers": Choice((1, 2))}, own=own, **options)
    net = replace(base.template.architecture, structure={"init": "uniform"})
    base = replace(base, template=replace(base.template, architecture=net))
    others = [
        replace(
            base,
            parameters=100 + layers,
            template=replace(
                base.template,
                architecture=replace(
                    net, layers=layers, structure={"init": init}, hidden=9 - layers
                ),
            ),
        )
        for layers, init in ((2, "uniform"), (1, "orthogonal"), (2, "orthogonal"))
    ]
    return replace(base, variants=tuple(others))


def score_of(ask: Ask) -> Finished:
    """Pretend to train: a learning rate of 0.01 is best, and the seed matters a little."""
    rate = ask.member.recipe.learning_rate
    value = (
        abs(rate - 0.01)
        + 0.001 * ask.seed_index
        + 0.01 * ask.member.architecture.numeric["forget_bias"]
    )
    return Finished("ok", valid_score=value, valid_loss=value, updates=10, best_update=10)


def play(
    one: Study, fail: frozenset[str] = frozenset(), backwards: bool = False
) -> tuple[list[Ask], dict[str, Finished]]:
    """Carry a study out to its end, in order or backwards; members in `fail` diverge."""
    finished: dict[str, Finished] = {}
    progression = Progression(one)
    while missing := [
        ask
        for ask in progression.asks(finished)
        if ask.member.key not in finished and not ask.skipped
    ]:
        for ask in reversed(missing) if backwards else missing[:1]:
            key = ask.member.key
            finished[key] = Finished("diverged", failed_update=3) if key in fail else score_of(ask)
    return progression.asks(finished), finished
