"""Questions about pictures are never asked without both baselines."""

from dataclasses import replace

import pytest
import torch
from groups import Guess
from looking import PICTURE

from rnnbench.contracts import Anchors, Batch, Classes, Tokens
from rnnbench.errors import SuiteError
from rnnbench.plan import plan
from rnnbench.registry import load_registry
from rnnbench.suite import read_suite

TEXT = """\
suite: x
question: Who reads and looks?
architectures:
  lstm: {cell: lstm}
  bag: {layer: bag_of_words}
settings:
  - {task: asked}
  - {task: adding_uniform, length: 10}
match: {parameters: 1500}
budget:
  standard: {updates: 30, trials: 1, seeds: 12}
"""


class Asked(Guess):
    """Which of two?

    A question about noise.
    """

    name = "asked"
    options = {}
    metrics = ("accuracy",)
    pattern = "many-to-one"
    sequence_length = property(lambda self: 3)
    inputs = property(lambda self: Tokens(4))
    image = property(lambda self: PICTURE)
    targets = property(lambda self: Classes(2, names=("yes", "no")))
    anchors = property(lambda self: Anchors(0.5, 0.5, None, 0.9))

    def shortest_path(self, bidirectional):
        return 2.0

    def batch(self, size, generator):
        return Batch(
            torch.randint(4, (3, size), generator=generator),
            torch.randint(2, (size,), generator=generator),
            images=torch.rand(size, 2, 8, 6, generator=generator),
        )

    def trivial(self, batch):
        return torch.zeros(len(batch), 2)


@pytest.fixture(scope="module")
def registry():
    found = load_registry()
    like = replace(found.task("copy_memory"), cls=Asked, name="asked")
    return replace(found, tasks={**found.tasks, "asked": like})


@pytest.fixture
def planned(tmp_path, registry):
    def made(*changes, **options):
        text = TEXT
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "x.yaml"
        path.write_text(text)
        return plan(read_suite(path, **options), registry)

    return made


def asked(made):
    return [study for study in made.studies if study.setting == "asked"]


def test_both_baselines_run_beside_what_a_suite_lists(planned):
    made = planned()
    assert made.companions == ("lstm_question_only", "lstm_image_only")
    assert [study.architecture for study in asked(made)] == [
        "lstm", "bag", "lstm_question_only", "lstm_image_only",
    ]  # fmt: skip
    nets = {study.architecture: study.template.architecture for study in asked(made)}
    assert nets["lstm_question_only"].without == "image"
    assert nets["lstm_image_only"].without == "question"
    assert {net.cell for name, net in nets.items() if name != "bag"} == {"lstm"}
    sizes = {study.parameters for study in asked(made)}
    assert all(abs(size - 1500) < 150 for size in sizes)
    assert any("lstm_question_only and lstm_image_only" in note for note in made.notes)
    assert not any("backend" in warning for warning in made.warnings)


def test_they_do_not_run_where_there_is_no_picture(planned):
    made = planned()
    others = {s.architecture: s.skipped for s in made.studies if s.setting != "asked"}
    beside = "it stands beside questions about pictures, and adding_uniform asks none"
    assert others == {
        "lstm": "", "bag": "", "lstm_question_only": beside, "lstm_image_only": beside,
    }  # fmt: skip
    assert planned(("  - {task: asked}\n", "")).companions == ()


def test_what_a_suite_lists_itself_is_not_added_again(planned):
    blind = ("  bag:", "  blind: {cell: gru, without: image}\n  bag:")
    made = planned(blind)
    assert made.companions == ("lstm_image_only",)
    assert "blind" in [study.architecture for study in asked(made)]


def test_whatever_is_left_of_a_suite_has_its_baselines(planned):
    assert ("lstm_question_only", "lstm") in planned().contrasts
    made = planned(only=["architecture=bag"])
    assert made.companions == ("bag_question_only", "bag_image_only")
    taken = ("  bag: {layer: bag_of_words}", "  lstm_image_only: {cell: gru}")
    assert planned(taken).companions == ("lstm_question_only", "lstm_image_only_")


def test_a_baseline_of_the_suite_runs_even_where_only_leaves_it_out(planned):
    own = ("  bag:", "  seen: {cell: gru, without: question}\n  bag:")
    made = planned(own, only=["architecture=lstm"])
    assert made.companions == ("lstm_question_only", "seen")
    (cell,) = {s.template.architecture.cell for s in made.studies if s.architecture == "seen"}
    assert cell == "gru"


@pytest.mark.parametrize("match", ["state: 24", "hidden: 12", "flops: 9000", "parameters: 1500"])
def test_baselines_are_matched_whatever_is_matched(planned, match):
    made = planned(("parameters: 1500", match), ("  - {task: adding_uniform, length: 10}\n", ""))
    nets = {study.architecture: study.template.architecture for study in asked(made)}
    if match == "state: 24":
        # a network that carries nothing has as many numbers in its one layer
        assert nets["lstm_image_only"].hidden == 24
    assert all(net.hidden > 0 for net in nets.values())


def test_a_task_whose_batches_lack_its_image_is_refused(planned, registry, tmp_path):
    bare = type("Bare", (Asked,), {"image": property(lambda self: None)})
    broken = replace(registry.task("asked"), cls=bare)
    path = tmp_path / "y.yaml"
    path.write_text(TEXT)
    with pytest.raises(SuiteError, match="has no `image`, and its batches have one in `images`"):
        plan(read_suite(path), replace(registry, tasks={**registry.tasks, "asked": broken}))


def test_an_attention_nobody_has_is_not_scored_in_silence(planned):
    cells = ("  bag: {layer: bag_of_words}\n", "")
    settings = (
        "  - {task: asked}\n  - {task: adding_uniform, length: 10}",
        "  - {task: captioning}",
    )
    metric = ("match: {parameters: 1500}", "match: {parameters: 50000}\nmetrics: [mass_in_box]")
    warned = planned(cells, settings, metric).warnings
    assert "mass_in_box scores attention, and no architecture has any" in warned


def test_baselines_apply_whatever_their_reference_does(planned):
    made = planned(
        ("  lstm: {cell: lstm}", "  lstm: {cell: lstm, attention: general}\n  gru: {cell: gru}"),
        ("  - {task: adding_uniform, length: 10}\n", ""),
    )
    skipped = {study.architecture: bool(study.skipped) for study in asked(made)}
    assert skipped == {
        "lstm": True, "gru": False, "bag": False,
        "lstm_question_only": False, "lstm_image_only": False,
    }  # fmt: skip
