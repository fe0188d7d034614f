from dataclasses import fields, replace

import pytest
from studies import template

from rnnbench.contests import Contest
from rnnbench.errors import SealedError
from rnnbench.member import Architecture, Member, Recipe, Seed, Setting

MEMBER = template()

# one other value for every field that decides a result
OTHER = {
    Architecture: {
        "cell": "gru",
        "version": "2",
        "structure": {"reset": "before"},
        "numeric": {"forget_bias": 2.0},
        "layers": 2,
        "bidirectional": True,
        "dropout": 0.5,
        "hidden": 9,
        "kind": "layer",
        "attention": "general",
        "conditioning": "step",
        "fusion": "product",
        "without": "image",
    },
    Setting: {
        "task": "copy_memory",
        "version": "2",
        "options": {"length": 11},
        "files": {"data": "0123"},
    },
    Recipe: {
        "optimizer": "sgd",
        "learning_rate": 0.002,
        "schedule": "cosine",
        "weight_decay": 0.1,
        "clip": None,
        "momentum": 0.5,
        "beta1": 0.8,
        "beta2": 0.99,
        "batch": 8,
        "updates": 20,
        "points": 4,
        "clip_value": 1.0,
        "chunk": 5,
        "teacher_forcing": 0.5,
        "teacher_schedule": "linear",
        "beam": 4,
    },
    Seed: {"role": "evaluation", "replicate": 1, "index": 1},
}
PARTS = {"architecture": Architecture, "setting": Setting, "recipe": Recipe, "seed": Seed}
PLAIN = {
    "metrics": (("accuracy", "1"),),
    "backend": "torch",
    "device": "cuda",
    "precision": "float64",
    "way": "together",
    "contest": Contest((3,), 3, "x"),
}


def changed() -> dict[str, Member]:
    """The same member with one field changed, for every field."""
    members = {name: replace(MEMBER, **{name: value}) for name, value in PLAIN.items()}
    for name, kind in PARTS.items():
        for field, value in OTHER[kind].items():
            part = replace(getattr(MEMBER, name), **{field: value})
            members[f"{name}.{field}"] = replace(MEMBER, **{name: part})
    return members


def differ(of) -> set[str]:
    """The fields whose change changes `of(member)`."""
    return {name for name, member in changed().items() if of(member) != of(MEMBER)}


def test_these_are_all_the_fields_there_are():
    assert {field.name for field in fields(Member)} == PARTS.keys() | PLAIN.keys()
    for kind, other in OTHER.items():
        assert {field.name for field in fields(kind)} == other.keys()


def test_the_key_depends_on_every_field():
    assert differ(lambda member: member.key) == changed().keys()
    assert len({member.key for member in changed().values()}) == len(changed())


def test_the_key_does_not_depend_on_the_order_of_options():
    ways = [
        replace(MEMBER, setting=replace(MEMBER.setting, options=options))
        for options in ({"a": 1, "b": 2}, {"b": 2, "a": 1})
    ]
    assert ways[0].key == ways[1].key


def test_the_key_stays_what_it_was():
    # by it stored results are found: another key would train everything again
    assert MEMBER.key == "844f9fccf64e908e13ed"


def test_training_data_depends_on_setting_and_seed_alone():
    of_setting = {"setting.task", "setting.options", "setting.files"}
    of_data = {*of_setting, "seed.role", "seed.replicate", "seed.index"}
    assert differ(lambda member: member.batch_seeds().of(1)) == of_data


def test_initial_weights_and_dropout_also_depend_on_the_architecture_but_not_on_its_size():
    expected = {
        "setting.task",
        "setting.options",
        "setting.files",
        "seed.role",
        "seed.replicate",
        "seed.index",
        "architecture.cell",
        "architecture.structure",
        "architecture.layers",
        "architecture.bidirectional",
        "architecture.attention",
        "architecture.conditioning",
        "architecture.fusion",
        "architecture.without",
    }
    assert differ(lambda member: member.weights_seed) == expected
    assert differ(lambda member: member.dropout_seeds().of(1)) == expected


RUN = replace(MEMBER, seed=Seed("evaluation", 0, 0))


def test_held_out_data_is_fixed_for_a_setting():
    assert differ(lambda member: member.held_out_seed("valid")) == {
        "setting.task",
        "setting.options",
        "setting.files",
    }


def test_a_tuning_member_has_no_seed_for_test_data():
    tuning = replace(MEMBER, seed=Seed("tuning", 0, 0))
    with pytest.raises(SealedError, match="test data is sealed"):
        tuning.held_out_seed("test")


def test_every_stream_has_seeds_of_its_own():
    seeds = [
        MEMBER.weights_seed,
        *(MEMBER.batch_seeds().of(update) for update in (1, 2)),
        *(MEMBER.dropout_seeds().of(update) for update in (1, 2)),
        *(RUN.held_out_seed(split) for split in ("valid", "test")),
    ]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("index", range(3))
def test_tuning_and_evaluation_never_share_a_seed(index):
    tuning, evaluation = (
        replace(MEMBER, seed=Seed(role, 0, index)) for role in ("tuning", "evaluation")
    )
    assert tuning.weights_seed != evaluation.weights_seed
    assert tuning.batch_seeds().of(1) != evaluation.batch_seeds().of(1)


def test_a_data_file_is_told_by_its_content_wherever_it_lies():
    named = [
        replace(MEMBER, setting=replace(MEMBER.setting, options=options, files={"data": "0123"}))
        for options in ({"data": "a.txt"}, {"data": "/home/me/a.txt"})
    ]
    assert named[0].key == named[1].key
    assert named[0].batch_seeds().of(1) == named[1].batch_seeds().of(1)
    other = replace(named[0], setting=replace(named[0].setting, files={"data": "4567"}))
    assert other.key != named[0].key
    assert other.held_out_seed("valid") != named[0].held_out_seed("valid")
