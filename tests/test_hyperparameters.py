"""The dimensions that a search shares among architectures, and whose numbers they are."""

import pytest
from studies import of_four_networks, study

from rnnbench.errors import SuiteError
from rnnbench.hyperparameters import SHARED, foreign
from rnnbench.options import Between, Choice
from rnnbench.search import propose
from rnnbench.suite import read_suite

TEXT = """\
suite: x
question: Which?
architectures: {lstm: {cell: lstm}}
settings: [{task: adding_uniform}]
match: {hidden: 8}
training: {TRAINING}
search: {space: {SPACE}}
budget: {standard: {updates: 1, trials: 1, seeds: 1}}
"""


def space_of(tmp_path, space, training=""):
    path = tmp_path / "x.yaml"
    path.write_text(TEXT.replace("SPACE", space).replace("TRAINING", training))
    return read_suite(path).search.space


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        ("chunk: {choice: [10, 25]}", Choice((10, 25))),
        ("optimizer: {choice: [adam, sgd]}", Choice(("adam", "sgd"))),
        ("dropout: {between: [0, 0.5]}", Between(0.0, 0.5)),
        ("clip_value: {choice: [1, 5]}", Choice((1.0, 5.0))),
        ("schedule: {choice: [constant, cosine]}", Choice(("constant", "cosine"))),
        ("layers: {choice: [1, 3]}", Choice((1, 3))),
        ("bidirectional: {choice: [true, false]}", Choice((True, False))),
    ],
)
def test_what_can_be_searched(tmp_path, space, expected):
    assert list(space_of(tmp_path, space).values()) == [expected]


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("chunk: {between: [10, 25]}", "`chunk` takes a choice of whole numbers, 1 or more"),
        ("chunk: {choice: [0]}", "`chunk` takes a choice of whole numbers, 1 or more"),
        ("chunk: {choice: [2.5]}", "`chunk` takes a choice of whole numbers, 1 or more"),
        ("optimizer: {choice: [adam, lion]}", "`optimizer` takes a choice of adam, adamw"),
        ("dropout: {between: [0, 1]}", "`dropout` is a number at least 0 and below 1, not 1"),
        ("clip_value: {choice: [0]}", "`clip_value` is a number above 0, not 0"),
        ("momentum: {choice: [0.5]}", "momentum belongs to sgd; the optimizer is adam"),
        ("layers: {between: [1, 2]}", "`layers` takes a choice of whole numbers, 1 or more"),
        ("bidirectional: {choice: [0, 1]}", "`bidirectional` takes a choice of true and false"),
        ("hidden: {choice: [1, 2]}", "unknown dimension of the search `hidden`"),
    ],
)
def test_what_cannot(tmp_path, space, message):
    with pytest.raises(SuiteError, match=r"x\.yaml:7:\d+: ") as caught:
        space_of(tmp_path, space)
    assert message in str(caught.value)


def test_a_number_may_belong_to_one_of_the_optimizers_that_are_searched(tmp_path):
    space = "optimizer: {choice: [adam, sgd]}, momentum: {choice: [0.5, 0.9]}"
    assert list(space_of(tmp_path, space)) == ["optimizer", "momentum"]
    assert foreign("beta1", ("rmsprop", "sgd")) == (
        "beta1 belongs to adam and adamw; the optimizer is rmsprop or sgd"
    )


VALUES = {
    "learning_rate": 1,
    "clip_value": 2,
    "chunk": 25,
    "optimizer": "sgd",
    "dropout": 0.25,
    "forget_bias": 3,
}


def test_each_value_reaches_its_home_as_its_type():
    one = study().member(VALUES, "tuning", 0)
    assert (one.recipe.learning_rate, one.recipe.clip_value) == (1.0, 2.0)
    assert type(one.recipe.learning_rate) is type(one.recipe.clip_value) is float
    assert (one.recipe.chunk, type(one.recipe.chunk)) == (25, int)
    assert one.recipe.optimizer == "sgd"
    assert one.architecture.dropout == 0.25
    assert one.architecture.numeric == {"forget_bias": 3.0}


def test_defaults_come_from_where_each_belongs():
    spaces = {
        "dropout": Choice((0.0, 0.5)),
        "chunk": Choice((2, 3)),
        "optimizer": Choice(("adam",)),
    }
    assert study(shared=spaces).defaults == {
        "dropout": 0.0,
        "chunk": None,
        "optimizer": "adam",
        "forget_bias": 1.0,
    }


def test_proposals_of_counts_are_whole_numbers():
    one = study(shared={"chunk": Choice((2, 3)), "optimizer": Choice(("adam", "sgd"))}, own={})
    names = {"setting": ["s"], "study": ["s", "a"]}
    defaults = {"chunk": 2, "optimizer": "adam"}
    for trial in propose(one.search, names, defaults, "min", [], range(8)):
        assert type(trial.values["chunk"]) is int
        assert trial.values["optimizer"] in ("adam", "sgd")


def test_members_that_differ_in_more_than_values_do_not_share_a_group():
    base = study()
    shapes = {
        base.member(values, "tuning", 0).shape
        for values in ({}, {"chunk": 2}, {"chunk": 3}, {"optimizer": "sgd"}, {"dropout": 0.1})
    }
    assert len(shapes) == 5
    mere = [{"learning_rate": 0.1}, {"clip": 1}, {"clip_value": 1}, {"schedule": "cosine"}]
    assert {base.member(values, "tuning", 0).shape for values in mere} == {
        base.member({}, "tuning", 0).shape
    }
    assert len({base.member({"dropout": rate}, "tuning", 0).shape for rate in (0.1, 0.2)}) == 1


def test_a_choice_among_networks_is_matched_and_counted_as_what_it_is():
    one = of_four_networks()
    values = {"layers": 2, "init": "orthogonal", "forget_bias": 2}
    chosen = one.member(values, "tuning", 0)
    net = chosen.architecture
    assert (net.layers, net.structure, net.hidden) == (2, {"init": "orthogonal"}, 7)
    assert net.numeric == {"forget_bias": 2.0}
    assert one.built(chosen).parameters == 102
    assert one.built(one.member({}, "tuning", 0)) is one
    assert one.defaults == {"layers": 1, "init": "uniform", "forget_bias": 1.0}


def test_all_names_are_known():
    assert set(VALUES) - {"forget_bias"} <= set(SHARED)
