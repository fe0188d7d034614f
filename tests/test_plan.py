from dataclasses import asdict, replace

import pytest
import torch

from rnnbench.contracts import Noise, Task
from rnnbench.datafiles import DataFiles
from rnnbench.errors import DataError, InputError, PluginError, SuiteError
from rnnbench.member import Seed
from rnnbench.nn import build
from rnnbench.nn.sizes import flops, sizes
from rnnbench.options import Between, Choice, LogBetween, Option
from rnnbench.plan import Plan, plan
from rnnbench.registry import load_registry
from rnnbench.suite import read_suite
from rnnbench.tasks import Tasks
from rnnbench_cells.rnn import RNN
from rnnbench_tasks.adding import AddingUniform

TEXT = """\
suite: x
question: Which?
architectures:
  tanh: {cell: rnn}
  lstm: {cell: lstm}
  bilstm: {cell: lstm, bidirectional: true, layers: 2, dropout: 0.1}
reference: lstm
settings:
  - {task: adding_uniform, length: [10, 20]}
  - {task: copy_memory, length: 5}
match: {parameters: 1000}
training: {learning_rate: 3.0e-3, batch: 16}
search:
  space:
    learning_rate: {log: [1.0e-4, 3.0e-2]}
budget:
  standard: {updates: {adding_uniform: 30, copy_memory: 40}, trials: 4, confirm: 2, seeds: 6}
"""


@pytest.fixture(scope="module")
def registry():
    return load_registry()


@pytest.fixture
def planned(tmp_path, registry):
    """Plan the suite above with replacements made in its text."""

    def make(*changes: tuple[str, str], backend=None, **arguments) -> Plan:
        text = TEXT
        for old, new in changes:
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        path = tmp_path / "x.yaml"
        path.write_text(text)
        return plan(read_suite(path, **arguments), registry, backend=backend)

    return make


@pytest.fixture
def refusal(planned, tmp_path):
    def make(*changes) -> str:
        with pytest.raises(SuiteError) as caught:
            planned(*changes)
        return str(caught.value).replace(f"{tmp_path}/", "").splitlines()[0]

    return make


def only(made: Plan, architecture: str, setting: str = "adding_uniform(length=10)"):
    (study,) = (s for s in made.studies if (s.architecture, s.setting) == (architecture, setting))
    return study


def test_every_architecture_meets_every_setting_in_the_order_of_the_suite(planned):
    made = planned()
    assert [(study.setting, study.architecture) for study in made.studies] == [
        (setting, architecture)
        for setting in (
            "adding_uniform(length=10)",
            "adding_uniform(length=20)",
            "copy_memory(length=5)",
        )
        for architecture in ("tanh", "lstm", "bilstm")
    ]
    assert list(made.architectures) == ["tanh", "lstm", "bilstm"]
    assert list(made.settings) == [study.setting for study in made.studies[::3]]


def test_a_study_says_how_its_members_train(planned):
    study = only(planned(), "bilstm")
    member, net = study.template, study.template.architecture
    assert (net.cell, net.layers, net.bidirectional, net.dropout) == ("lstm", 2, True, 0.1)
    assert (net.structure, net.numeric) == ({"init": "uniform"}, {"forget_bias": 1.0})
    assert member.setting.options == {"length": 10}
    assert (member.recipe.learning_rate, member.recipe.batch, member.recipe.updates) == (
        0.003,
        16,
        30,
    )
    assert member.seed == Seed("tuning", 0, 0)
    assert (study.budget.trials, study.budget.confirm, study.budget.seeds) == (4, 2, 6)
    assert study.search.shared == {"learning_rate": LogBetween(1e-4, 3e-2)}
    assert (study.search.own, study.direction) == ({}, "min")


def test_updates_may_differ_between_tasks(planned):
    made = planned()
    assert only(made, "tanh").template.recipe.updates == 30
    assert only(made, "tanh", "copy_memory(length=5)").template.recipe.updates == 40


def test_a_run_is_scored_by_its_tasks_metrics_those_of_the_suite_and_the_outcomes(planned):
    made = planned(("match:", "metrics: [accuracy, solved]\nmatch:"))
    names = [name for name, _ in only(made, "lstm", "copy_memory(length=5)").template.metrics]
    assert names == ["cross_entropy", "accuracy", "solved", "updates_to_solve"]


@pytest.mark.parametrize(
    ("quantity", "target", "reached"),
    [
        ("parameters", 1000, lambda study: study.parameters),
        ("hidden", 7, lambda study: study.template.architecture.hidden),
        ("state", 12, lambda study: study.state_size),
        ("flops", 2000, lambda study: study.flops),
    ],
)
def test_sizes_are_matched_by_what_the_suite_says(planned, registry, quantity, target, reached):
    made = planned(("parameters: 1000", f"{quantity}: {target}"), only=["architecture=tanh,lstm"])
    for study in made.studies:
        net = study.template.architecture
        cell = registry.cell(net.cell).cls()
        task = registry.task(study.template.setting.task).cls(**study.template.setting.options)
        counted = sizes(cell, task, hidden=net.hidden)
        assert (study.parameters, study.state_size) == (counted.parameters, counted.state)
        assert study.flops == flops(cell, task, hidden=net.hidden)
        assert reached(study) == pytest.approx(target, rel=0.1)
        if quantity != "hidden":
            assert study.mismatch == reached(study) / target - 1


def test_a_bidirectional_architecture_skips_a_causal_task_and_says_why(planned):
    skipped = {(s.architecture, s.setting): s.skipped for s in planned().studies if s.skipped}
    assert skipped == {
        ("bilstm", "copy_memory(length=5)"): "bilstm is bidirectional and copy_memory is causal"
    }


def test_what_is_skipped_needs_no_size_and_is_said_with_its_reason(planned):
    made = planned(
        ("{parameters: 1000}", "{parameters: 53}"),
        only=["architecture=tanh,bilstm", "task=copy_memory"],
    )
    assert made.skips == (
        "bilstm on copy_memory(length=5): bilstm is bidirectional and copy_memory is causal",
    )
    assert [study.architecture for study in made.trained] == ["tanh"]
    assert not any(
        "sizes differ by up to" in warning and "bilstm" in warning for warning in made.warnings
    )


def test_replicates_are_studies_of_their_own(planned):
    made = planned(("search:\n", "search:\n  replicates: 2\n"))
    assert len(made.studies) == 18
    first, second = made.studies[:2]
    assert (first.replicate, second.replicate) == (0, 1)
    assert second.template.seed == Seed("tuning", 1, 0)
    assert replace(second, replicate=0, template=first.template) == first


def test_an_architecture_may_add_all_dimensions_of_its_cell_or_those_it_names(planned):
    made = planned(
        ("tanh: {cell: rnn}", "tanh: {cell: rnn, search: true}"),
        ("lstm: {cell: lstm}", "lstm: {cell: lstm, search: true}"),
        ("dropout: 0.1", "dropout: 0.1, search: {forget_bias: {choice: [1, 2]}}"),
    )
    assert only(made, "tanh").search.own == {}
    assert only(made, "lstm").search.own == {"forget_bias": Between(0.0, 5.0)}
    assert only(made, "bilstm").search.own == {"forget_bias": Choice((1, 2))}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("cell: rnn", "cell: rmn", "x.yaml:4:16: unknown cell `rmn`; did you mean `rnn`?"),
        (
            "match:",
            "metrics: [acuracy]\nmatch:",
            "x.yaml:11:11: unknown metric `acuracy`; did you mean `accuracy`?",
        ),
        (
            "lstm: {cell: lstm}",
            "lstm: {cell: lstm, forget_biass: 1}",
            "x.yaml:5:22: unknown key of an architecture with cell `lstm` `forget_biass`; did you "
            "mean `forget_bias`?",
        ),
        (
            "length: 5}",
            "lenght: 5}",
            "x.yaml:10:25: unknown key of a setting of task `copy_memory` `lenght`; did you "
            "mean `length`?",
        ),
        (
            "lstm: {cell: lstm}",
            "lstm: {cell: lstm, search: {forget_bais: {between: [0, 5]}}}",
            "x.yaml:5:31: unknown option of cell `lstm` `forget_bais`; did you mean",
        ),
        (
            "tanh: {cell: rnn}",
            "tanh: {cell: rnn, search: {nonlinearity: {between: [0, 1]}}}",
            "x.yaml:4:30: option `nonlinearity` of cell `rnn` shapes its equations: list values in "
            "a `choice`",
        ),
        (
            "tanh: {cell: rnn}",
            "tanh: {cell: rnn, search: {nonlinearity: {choice: [tanh, sine]}}}",
            "x.yaml:4:44: option `nonlinearity` takes one of tanh, relu, identity, not 'sine'",
        ),
        (
            "tanh: {cell: rnn}",
            "tanh: {cell: rnn, nonlinearity: sine}",
            "x.yaml:4:35: option `nonlinearity` takes one of tanh, relu, identity, not 'sine'",
        ),
        ("length: 5}", "length: 0}", "x.yaml:10:33: option `length` is at least 1, not 0"),
        (
            "parameters: 1000",
            "parameters: 100",
            "x.yaml:11:21: `lstm` on `adding_uniform(length=10)` cannot be matched to 100 "
            "parameters within 10%: it has 76 with hidden size 3 and 117 with hidden size 4",
        ),
        (
            "learning_rate: 3.0e-3",
            "learning_rate: 0.5",
            "x.yaml:15:5: the default of `learning_rate` in training, 0.5, is outside its search "
            "space; trial 0 trains with the defaults, so set one inside",
        ),
        (
            "lstm: {cell: lstm}",
            "lstm: {cell: lstm, search: {forget_bias: {between: [2, 5]}}}",
            "x.yaml:5:22: the default of `forget_bias` in architecture `lstm`, 1.0, is outside",
        ),
    ],
)
def test_what_only_plugins_know_is_refused_at_its_place(refusal, old, new, message):
    assert refusal((old, new)).startswith(message)


def test_an_unknown_task_is_refused_at_its_place(refusal):
    updates = ("{adding_uniform: 30, copy_memory: 40}", "30")
    text = refusal(("task: copy_memory", "task: copy_memry"), updates)
    assert text.startswith("x.yaml:10:12: unknown task `copy_memry`; did you mean `copy_memory`?")


PEEPHOLES = ("cell: rnn", "cell: peephole_lstm")


def test_a_suite_may_force_a_backend_and_is_refused_there_where_it_cannot_run_a_cell(
    planned, refusal
):
    forced = ("{learning_rate: 3.0e-3, ", "{backend: loop, learning_rate: 3.0e-3, ")
    assert {study.template.backend for study in planned(forced).studies} == {"loop"}
    forced = ("{learning_rate: 3.0e-3, ", "{backend: torch, learning_rate: 3.0e-3, ")
    assert refusal(forced, PEEPHOLES) == (
        "x.yaml:12:21: backend `torch` cannot run cell `peephole_lstm`: with these options it "
        "equals no layer of torch. Use `kernel` or `loop`."
    )


@pytest.mark.parametrize(("wish", "taken"), [("loop", "loop"), ("auto", "kernel")])
def test_what_the_user_asks_for_wins_over_the_suite(planned, wish, taken):
    forced = ("{learning_rate: 3.0e-3, ", "{backend: torch, learning_rate: 3.0e-3, ")
    made = planned(forced, PEEPHOLES, backend=wish)
    assert {study.template.backend for study in made.studies} == {taken}


def test_a_forced_backend_that_cannot_run_a_cell_is_refused(planned):
    made = planned(backend="loop")
    assert {(study.template.backend, study.backend_reason) for study in made.studies} == {
        ("loop", "asked for")
    }
    with pytest.raises(InputError, match="backend `torch` cannot run cell `peephole_lstm`"):
        planned(PEEPHOLES, backend="torch")


def test_each_reason_for_running_without_a_kernel_is_said_once(planned, tmp_path, registry):
    assert planned(EXACT, LEARNING, ENOUGH).warnings == ()
    suite = read_suite(tmp_path / "x.yaml")
    assert plan(suite, registry, device="cuda").warnings == (
        "tanh on backend torch: equals torch's RNN_TANH; no kernel, since kernels are for the CPU "
        "and this runs on cuda",
        "lstm, bilstm on backend torch: equals torch's LSTM; no kernel, since kernels are for the "
        "CPU and this runs on cuda",
    )
    (forced,) = plan(suite, registry, device="cuda", backend="loop").warnings
    assert forced.startswith("RNNBENCH_BACKEND asks for backend `loop`")


def test_a_step_that_hides_something_is_refused_with_its_plugin_and_package(registry, tmp_path):
    component = registry.cell("rnn")

    def step(self, x, s, w):
        return {"h": component.cls.step(self, x, s, w)["h"].detach()}

    hiding = replace(component, cls=type("Hiding", (component.cls,), {"step": step}))
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    with pytest.raises(PluginError) as caught:
        plan(read_suite(path), replace(registry, cells={**registry.cells, "rnn": hiding}))
    assert str(caught.value).startswith("cell `rnn` detaches a tensor inside `step`, at test_plan")
    assert str(caught.value).endswith(
        f" [plugin `rnn` (rnnbench {component.distribution_version})]"
    )


def test_a_study_carries_the_hashes_of_its_cell_and_task(planned, registry):
    study = only(planned(), "lstm")
    assert study.cell_source == registry.cell("lstm").source
    assert study.task_source == registry.task("adding_uniform").source


def test_what_a_report_needs_is_there_in_plain_values(planned, registry):
    made = planned()
    card = made.settings["copy_memory(length=5)"]
    task = registry.task("copy_memory").cls(length=5)
    anchors = asdict(task.anchors)
    assert {name: card[name] for name in anchors} == anchors
    assert (card["notes"], card["leaks"], card["files"]) == ([], [], {})
    assert card["test"] == {"count": 2048 * task.sequence_length, "of": "target", "worth": None}
    one = made.settings["adding_uniform(length=10)"]["test"]
    assert one == {"count": 2048, "of": "sequence", "worth": None}
    assert (card["metric"], card["direction"], card["causal"]) == ("cross_entropy", "min", True)
    assert card["path"] == {
        "forward": task.shortest_path(False),
        "bidirectional": task.shortest_path(True),
    }
    assert made.architectures["bilstm"]["layers"] == 2
    assert made.architectures["lstm"]["bounds"]["forget_bias"] == (None, None)
    assert made.architectures["lstm"]["options"] == {"forget_bias": 1.0, "init": "uniform"}


def test_where_only_leaves_the_reference_out_the_first_one_stands_in(planned):
    assert (planned().reference, planned().contrasts) == (
        "lstm",
        (("tanh", "lstm"), ("bilstm", "lstm")),
    )
    made = planned(only=["architecture=tanh,bilstm"])
    assert (made.reference, made.contrasts) == ("tanh", (("bilstm", "tanh"),))


def test_contrasts_whose_sides_are_there_stay(planned):
    change = ("reference: lstm", "contrasts: [[tanh, bilstm], [tanh, lstm]]")
    made = planned(change, only=["architecture=tanh,bilstm"])
    assert made.contrasts == (("tanh", "bilstm"),)


# matched without a remainder, in generations that see each other, on seeds enough for 6 comparisons
EXACT = ("parameters: 1000", "hidden: 8")
LEARNING = ("search:\n", "search:\n  generation: 2\n")
ENOUGH = ("seeds: 6", "seeds: 8")


def test_a_plan_that_can_show_what_it_asks_has_no_warnings(planned):
    assert planned(EXACT, LEARNING, ENOUGH).warnings == ()


def test_seeds_too_few_after_holms_correction_are_warned_of(planned):
    (warning,) = planned(EXACT, LEARNING, ("seeds: 6", "seeds: 7")).warnings
    assert warning.startswith("7 seeds cannot show a difference between two architectures")
    assert "0.0156" in warning
    assert "counts 5 comparisons; 8 seeds could" in warning


def test_replicates_count_instead_of_seeds_where_there_are_some(planned):
    replicated = ("search:\n", "search:\n  generation: 2\n  replicates: 2\n")
    (warning,) = planned(EXACT, ENOUGH, replicated).warnings
    assert warning.startswith("2 replicates cannot show a difference")


def test_sizes_that_stay_apart_are_warned_of(planned):
    made = planned(LEARNING, ENOUGH, only=["architecture=tanh,lstm"])
    mismatch = only(made, "lstm", "copy_memory(length=5)").mismatch
    assert made.warnings == (
        f"sizes differ by up to {abs(mismatch):.1%} (lstm on copy_memory(length=5)): "
        "hidden sizes are whole numbers",
    )


SPACE = "  space:\n    learning_rate: {log: [1.0e-4, 3.0e-2]}\n"


def test_fixed_hyperparameters_are_said_openly(planned):
    made = planned(EXACT, ENOUGH, (SPACE, "  sampler: tpe\n"))
    assert made.warnings == (
        "no search: hyperparameters are fixed, and every run uses the suite's",
    )


def test_tuning_some_architectures_only_is_warned_of(planned):
    own = ("lstm: {cell: lstm}", "lstm: {cell: lstm, search: true}")
    made = planned(EXACT, ENOUGH, own, (SPACE, "  generation: 2\n"))
    assert made.warnings == (
        "unequal tuning: tanh, bilstm have fixed hyperparameters while others are searched",
    )


def test_a_sampler_that_never_sees_a_result_is_warned_of(planned):
    (warning,) = planned(EXACT, ENOUGH).warnings
    assert warning == (
        "one generation holds all 4 trials, so tpe never sees a result; lower search.generation"
    )


def test_a_metric_is_applied_where_it_fits_and_refused_where_it_fits_nowhere(planned, refusal):
    made = planned(("match:", "metrics: [accuracy]\nmatch:"))
    names = [name for name, _ in only(made, "lstm", "adding_uniform(length=10)").template.metrics]
    assert "accuracy" not in names
    text = refusal(
        ("  - {task: copy_memory, length: 5}\n", ""),
        ("adding_uniform: 30, copy_memory: 40", "adding_uniform: 30"),
        ("match:", "metrics: [accuracy]\nmatch:"),
    )
    assert "metric `accuracy` fits no task of this suite" in text


def test_settings_that_would_do_nothing_are_refused(refusal):
    momentum = ("training: {", "training: {momentum: 0.5, ")
    assert "momentum belongs to sgd; the optimizer is adam" in refusal(momentum)


def test_a_search_space_beyond_the_bounds_of_an_option_is_refused(planned, registry, tmp_path):
    component = registry.cell("lstm")
    options = {**component.cls.options, "forget_bias": Option(1.0, low=0.0, high=2.0)}
    bounded = type("Bounded", (component.cls,), {"options": options})
    cells = {**registry.cells, "lstm": replace(component, cls=bounded)}
    path = tmp_path / "y.yaml"
    path.write_text(
        TEXT.replace("{cell: lstm", "{cell: lstm, search: {forget_bias: {between: [0, 3]}}", 1)
    )
    with pytest.raises(SuiteError, match="option `forget_bias` is at most 2, not 3"):
        plan(read_suite(path), replace(registry, cells=cells))


def test_noise_without_its_option_is_refused_before_training(registry, tmp_path):
    component = registry.cell("rnn")
    noisy = type(
        "Noisy",
        (component.cls,),
        {"noise": lambda self, hidden: {"n": Noise("mask", hidden, "gone")}},
    )
    path = tmp_path / "y.yaml"
    path.write_text(TEXT)
    cells = {**registry.cells, "rnn": replace(component, cls=noisy)}
    with pytest.raises(PluginError, match="strength `gone`, which is no numeric option"):
        plan(read_suite(path), replace(registry, cells=cells))


def test_a_backend_that_the_environment_forces_is_a_warning(planned):
    said = [text for text in planned(backend="loop").warnings if "RNNBENCH_BACKEND" in text]
    assert said == ["RNNBENCH_BACKEND asks for backend `loop`, whatever the suite says (auto)"]
    assert not any("RNNBENCH_BACKEND" in text for text in planned().warnings)


def test_a_batch_that_a_task_cannot_give_is_refused_before_training(refusal):
    digits = ("{task: copy_memory, length: 5}", "{task: sequential_digits}")
    updates = ("copy_memory: 40", "sequential_digits: 40")
    text = refusal(digits, updates, ("batch: 16", "batch: 5000"))
    assert "no batch of 5000" in text
    assert "1085 training scans" in text


def test_a_plugin_that_raises_while_it_is_planned_is_named(planned, registry, tmp_path):
    component = registry.cell("rnn")

    def weights(self, inputs, hidden):
        raise KeyError("W")

    broken = type("Broken", (component.cls,), {"weights": weights})
    cells = {**registry.cells, "rnn": replace(component, cls=broken)}
    path = tmp_path / "y.yaml"
    path.write_text(TEXT)
    with pytest.raises(PluginError, match=r"cell rnn of plugin `rnn` .* raises KeyError"):
        plan(read_suite(path), replace(registry, cells=cells))


def faked(registry, **changes):
    """The registry with the task `copy_memory` changed."""
    component = registry.task("copy_memory")
    cls: type[Task] = type("Faked", (component.cls,), changes)
    return replace(registry, tasks={**registry.tasks, "copy_memory": replace(component, cls=cls)})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"metrics": ("solved",)}, "is scored by `solved`, which scores no predictions"),
        ({"metrics": ("nonsense",)}, "unknown metric `nonsense`"),
        ({"pattern": "one-to-many"}, "is one-to-many, and its targets are Classes"),
    ],
)
def test_a_task_that_cannot_be_scored_or_built_is_refused(tmp_path, registry, changes, message):
    path = tmp_path / "x.yaml"
    path.write_text(TEXT)
    with pytest.raises(SuiteError, match=rf"x\.yaml:10:\d+: .*{message}"):
        plan(read_suite(path), faked(registry, **changes))


RATES = "    learning_rate: {log: [1.0e-4, 3.0e-2]}\n"
LAYERS = (RATES, RATES + "    layers: {choice: [1, 2]}\n")


def test_each_network_that_may_be_chosen_is_matched_and_counted(planned):
    study = only(
        planned(
            LAYERS,
            (
                "tanh: {cell: rnn}",
                "tanh: {cell: rnn, search: {nonlinearity: {choice: [tanh, relu]}}}",
            ),
        ),
        "tanh",
    )
    every = [study, *study.variants]
    networks = {
        (one.template.architecture.layers, one.template.architecture.structure["nonlinearity"])
        for one in every
    }
    assert networks == {(1, "tanh"), (1, "relu"), (2, "tanh"), (2, "relu")}
    for one in every:
        net = one.template.architecture
        assert abs(one.parameters - 1000) <= 50
        counted = sum(
            weight.numel()
            for weight in build(
                RNN(**net.structure),
                AddingUniform(length=10),
                hidden=net.hidden,
                layers=net.layers,
                backend="loop",
                generator=torch.Generator(),
            ).parameters()
        )
        assert counted == one.parameters
        chosen = {"layers": net.layers, "nonlinearity": net.structure["nonlinearity"]}
        member = study.member(chosen, "tuning", 0)
        assert study.built(member) is one
    assert study.defaults == {"learning_rate": 0.003, "layers": 1, "nonlinearity": "tanh"}


def test_an_architecture_that_fixes_its_layers_still_searches_them(planned):
    study = only(planned(LAYERS), "bilstm")
    assert study.template.architecture.layers == 2
    assert [one.template.architecture.layers for one in study.variants] == [1]


def test_a_direction_that_does_not_apply_is_refused_where_it_is_searched(refusal):
    both = (RATES, RATES + "    bidirectional: {choice: [false, true]}\n")
    assert refusal(both).startswith(
        "x.yaml:16:5: not every choice applies to `tanh` on `copy_memory(length=5)`: tanh is "
        "bidirectional"
    )


def test_layers_stand_beside_cells(planned):
    made = planned(("tanh: {cell: rnn}", "tanh: {layer: bag_of_words, nonlinearity: tanh}"))
    study = only(made, "tanh")
    net = study.template.architecture
    assert (net.kind, net.cell, net.structure) == (
        "layer",
        "bag_of_words",
        {"nonlinearity": "tanh"},
    )
    assert (study.state_size, study.template.backend) == (0, "torch")
    assert abs(study.mismatch) < 0.05
    assert made.architectures["tanh"]["kind"] == "layer"


def test_a_layer_is_skipped_where_it_does_not_apply(planned):
    made = planned(("tanh: {cell: rnn}", "tanh: {layer: mlp}"))
    assert only(made, "tanh").skipped == ""
    assert only(made, "tanh", "copy_memory(length=5)").skipped == (
        "mlp is for one-to-one and many-to-one, and copy_memory is many-to-many"
    )


def test_chunks_are_read_in_order(planned):
    made = planned(("batch: 16", "batch: 16, chunk: 4"), ("copy_memory, length: 5", "copy_memory"))
    assert only(made, "lstm").template.recipe.chunk == 4
    # with one target each direction has chunks of its own
    assert only(made, "bilstm").skipped == ""


@pytest.mark.parametrize(
    ("architecture", "message"),
    [
        ("{layer: bag}", "x.yaml:4:17: unknown layer `bag`"),
        (
            "{layer: mlp, cell: rnn}",
            "x.yaml:4:3: an architecture has a `cell` or a `layer`, not both",
        ),
        ("{layers: 2}", "x.yaml:4:3: an architecture has a `cell` or a `layer`, not neither"),
        ("{layer: mlp, window: 2}", "x.yaml:4:22: unknown key of an architecture with layer `mlp`"),
        ("{layer: autoregressive, window: 0}", "x.yaml:4:41: option `window` is at least 1, not 0"),
    ],
)
def test_a_layer_that_cannot_be_had_is_located(refusal, architecture, message):
    assert message in refusal(("tanh: {cell: rnn}", f"tanh: {architecture}"))


def test_the_content_of_data_files_is_part_of_a_setting(tmp_path, registry):
    component = registry.task("copy_memory")
    options = {**component.cls.options, "data": Option("", file=True)}
    cls = type("Filed", (component.cls,), {"options": options})
    filed = replace(registry, tasks={**registry.tasks, "copy_memory": replace(component, cls=cls)})
    path = tmp_path / "x.yaml"
    path.write_text(TEXT.replace("length: 5", "length: 5, data: words.txt"))

    def made():
        planned = plan(read_suite(path), filed, files=DataFiles((tmp_path / "data",)))
        return only(planned, "lstm", "copy_memory(data=words.txt, length=5)").template

    with pytest.raises(SuiteError, match=r"x\.yaml:10:42: no data file `words\.txt`: looked in"):
        made()
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "words.txt").write_text("one")
    before = made()
    assert before.setting.options["data"] == "words.txt"
    assert len(before.setting.files["data"]) == 64
    task = Tasks(filed, DataFiles((tmp_path / "data",))).of(before.setting)
    assert task.data == str(tmp_path / "data" / "words.txt")
    (tmp_path / "data" / "words.txt").write_text("two")
    assert made().key != before.key
    with pytest.raises(DataError, match="has changed since the run was planned"):
        Tasks(filed, DataFiles((tmp_path / "data",))).of(before.setting)


def test_an_error_about_a_file_stands_at_the_option_that_names_it(tmp_path, registry):
    (tmp_path / "words.tsv").write_text("text\tlabel\n" + "good\t1\nbad\t0\n" * 40)
    (tmp_path / "broken.tsv").write_text("text\tlabel\n")
    path = tmp_path / "x.yaml"
    filed = "{task: text_classification, data: words.tsv, test: broken.tsv}"
    path.write_text(
        TEXT.replace("{task: copy_memory, length: 5}", filed).replace(
            "copy_memory", "text_classification"
        )
    )
    with pytest.raises(SuiteError, match=r"x\.yaml:10:56: .*broken\.tsv"):
        plan(read_suite(path), registry, files=DataFiles((tmp_path,)))


def test_what_a_reader_must_know_of_the_data_is_said_beforehand(planned):
    made = planned(
        ("{task: copy_memory, length: 5}", "{task: char_lm, text: hello}"),
        ("copy_memory: 40", "char_lm: 40"),
    )
    assert made.notes
    assert made.notes[0] == "data of char_lm(text=hello):"
    assert all(note.startswith("  ") for note in made.notes[1:])
    assert planned().notes == ()


SPOKEN = (
    ("  - {task: copy_memory, length: 5}\n", "  - {task: reverse, shortest: 2, longest: 4}\n"),
    ("updates: {adding_uniform: 30, copy_memory: 40}", "updates: 30"),
)
REVERSE = "reverse(longest=4, shortest=2)"


def test_attention_and_decoders_are_skipped_where_they_do_not_apply(planned):
    made = planned(
        *SPOKEN,
        (
            "  bilstm: {cell: lstm, bidirectional: true, layers: 2, dropout: 0.1}\n",
            "  looks: {cell: lstm, attention: dot}\n"
            "  both: {cell: lstm, attention: dot, bidirectional: true}\n"
            "  tcn: {layer: tcn}\n",
        ),
    )
    skipped = {(s.architecture, s.setting): s.skipped for s in made.studies if s.skipped}
    assert skipped["looks", "adding_uniform(length=10)"] == (
        "attention needs a decoder, and adding_uniform has none"
    )
    assert "encoder of two directions says twice as much" in skipped["both", REVERSE]
    assert "tcn is for" in skipped["tcn", REVERSE]
    assert only(made, "looks", REVERSE).skipped == ""
    assert only(made, "lstm", REVERSE).template.architecture.attention == "none"


def test_attention_may_be_searched_and_each_is_matched_to_the_size(planned):
    space = ("  space:\n", "  space:\n    attention: {choice: [none, general, additive]}\n")
    adding = ("  - {task: adding_uniform, length: [10, 20]}\n", "")
    size = ("match: {parameters: 1000}", "match: {parameters: 4000}")
    study = only(planned(*SPOKEN, space, adding, size), "lstm", REVERSE)
    assert {one.template.architecture.attention for one in study.variants} == {
        "general",
        "additive",
    }
    assert all(abs(one.mismatch) < 0.1 for one in (study, *study.variants))
    chosen = study.member({"learning_rate": 0.01, "attention": "general"}, "tuning", 0)
    assert chosen.architecture.attention == "general"
    assert chosen.architecture.hidden < study.template.architecture.hidden


def test_a_choice_that_does_not_apply_is_refused_at_its_dimension(refusal):
    space = ("  space:\n", "  space:\n    attention: {choice: [none, dot]}\n")
    message = refusal(*SPOKEN, space)
    assert message.startswith("x.yaml:15:5: ")
    assert "not every choice applies to `tanh` on `adding_uniform(length=10)`" in message


def test_only_runs_are_listened_to_with_a_beam(planned):
    beams = [
        only(
            planned(*SPOKEN, ("search:\n", f"evaluation: {{beam: {beam}}}\nsearch:\n")),
            "lstm",
            REVERSE,
        )
        for beam in (1, 5)
    ]
    values = {"learning_rate": 0.01}
    trials = {study.member(values, "tuning", 0).key for study in beams}
    runs = [study.member(values, "evaluation", 0) for study in beams]
    assert len(trials) == 1
    assert [run.recipe.beam for run in runs] == [1, 5]
    assert runs[0].key != runs[1].key


def test_settings_of_the_budget_own_are_said(planned):
    own = ("standard: {", "standard: {settings: [{task: adding_uniform, length: 10}], ")
    updates = ("updates: {adding_uniform: 30, copy_memory: 40}", "updates: 30")
    said = "budget standard has settings of its own; the suite's are not used"
    assert said in planned(own, updates).warnings
    assert said not in planned().warnings


def test_what_is_for_decoders_alone_is_said_where_there_is_none(planned):
    said = "teacher_forcing and beam are for decoders, and no setting has one"
    told = ("batch: 16", "batch: 16, teacher_forcing: 0.5")
    assert said in planned(told).warnings
    assert said not in planned(told, *SPOKEN).warnings
    assert said not in planned().warnings


def test_a_suite_of_which_nothing_applies_is_refused(refusal):
    changes = [(f"  {label}\n", "") for label in ("tanh: {cell: rnn}", "lstm: {cell: lstm}")]
    only_layer = ("  bilstm: {cell: lstm, bidirectional: true, layers: 2, dropout: 0.1}\n",)
    message = refusal(
        *changes,
        (*only_layer, "  bag: {layer: bag_of_words}\n"),
        ("reference: lstm", "reference: bag"),
        ("  - {task: adding_uniform, length: [10, 20]}\n", ""),
        *SPOKEN,
    )
    assert "nothing of this suite applies: bag_of_words is for" in message
