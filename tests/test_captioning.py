"""Generated pictures and their captions: one caption is true, and says what is painted."""

import itertools
import math
import re

import pytest
import torch

from rnnbench.errors import OptionError
from rnnbench_tasks import paint, shape_scenes
from rnnbench_tasks.captioning import Captioning
from rnnbench_tasks.shape_scenes import MARGIN, SIZES, captions, drawn

ONE, TWO, THREE = (Captioning(objects=objects) for objects in (1, 2, 3))
APART = tuple(Captioning(objects=objects, unseen=True) for objects in (1, 2, 3))
every_task = pytest.mark.parametrize("task", (ONE, TWO, THREE), ids=lambda task: task.objects)
NAME = re.compile(rf"a ({'|'.join(SIZES)}) ({'|'.join(paint.COLOURS)}) ({'|'.join(paint.SHAPES)})")


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def texts(task, batch):
    return [task.targets.text(column) for column in batch.targets.T.tolist()]


def exact(said, batch):
    return (said == batch.targets).all(0).double().mean().item()


@pytest.fixture(scope="module")
def some():
    """Scenes of all kinds with their captions, as text."""
    scenes = drawn(3, 3000, seeded(0))
    words, lengths, _ = captions(scenes)
    said = [
        " ".join(shape_scenes.WORDS[number] for number in column[:length])
        for column, length in zip(words.T.tolist(), lengths.tolist(), strict=True)
    ]
    return scenes, said


def looked_at(boxes):
    """Return what can be said of where boxes are, as captions say it; the boxes in any order.

    Written apart from the module: by what lies wholly in which half.
    """
    first = [(box[2] <= 0.5, box[3] <= 0.5) for box in boxes]
    second = [(box[0] >= 0.5, box[1] >= 0.5) for box in boxes]
    if len(boxes) == 1:
        down = "upper" if first[0][0] else "lower" if second[0][0] else ""
        across = "left" if first[0][1] else "right" if second[0][1] else ""
        return {"in the middle" if not down + across else f"in the {down} {across}": [0]}
    found = {}
    for axis, relation in enumerate(("above", "left of")):
        before = [number for number in range(len(boxes)) if first[number][axis]]
        after = [number for number in range(len(boxes)) if second[number][axis]]
        if before and after and len(before) + len(after) == len(boxes):
            groups = [
                sorted(group, key=lambda number: boxes[number][1 - axis])
                for group in (before, after)
            ]
            words = [" and ".join("_" for _ in group) for group in groups]
            found[f"{words[0]} {relation} {words[1]}"] = [*groups[0], *groups[1]]
    return found


@every_task
def test_batches_have_the_declared_shapes(task):
    train, test = task.batch(32, seeded(0)), task.held_out("test", seeded(0))
    assert train.inputs.shape == (1, 32, 3, 32, 32)
    assert train.targets.shape == (task.target_length, 32)
    assert (train.inputs.dtype, train.targets.dtype) == (torch.float32, torch.int64)
    assert train.boxes is train.kinds is train.lengths is None
    assert test.boxes.shape == (*test.targets.shape, 4)
    assert len(test) == len(test.kinds) == 768
    assert len(task.held_out("valid", seeded(0))) == 256
    assert 0 == train.inputs.min() < train.inputs.max() <= 1


@pytest.mark.parametrize("side", [24, 33, 64])
def test_pictures_are_as_large_as_asked(side):
    task = Captioning(side=side)
    assert task.batch(2, seeded(0)).inputs.shape == (1, 2, 3, side, side)
    assert (task.inputs.height, task.inputs.width) == (side, side)


def test_a_seed_decides_the_pictures_and_another_seed_others():
    first, same, other = (THREE.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert torch.equal(first.targets, same.targets)
    assert not torch.equal(first.inputs, other.inputs)


def test_only_the_given_generator_is_drawn_from():
    before = torch.random.get_rng_state()
    fresh = Captioning()
    fresh.held_out("test", seeded(0))
    assert fresh.anchors == THREE.anchors
    assert torch.equal(before, torch.random.get_rng_state())


def test_one_caption_is_true_of_a_scene(some):
    scenes, said = some
    for number, caption in enumerate(said):
        boxes = scenes.boxes[: scenes.objects[number], number].tolist()
        there = looked_at(boxes)
        (where,) = there
        assert (
            NAME.sub("_", caption).removeprefix("_ in").strip() == where.removeprefix("in").strip()
        )
        assert there[where] == list(range(len(boxes)))


def test_all_relations_and_places_are_said(some):
    _, said = some
    forms = {NAME.sub("_", caption) for caption in said}
    assert forms == {
        *(
            f"_ in the {down} {across}"
            for down in ("upper", "lower")
            for across in ("left", "right")
        ),
        "_ in the middle",
        *(f"_ {relation} _" for relation in ("above", "left of")),
        *(f"_ and _ {relation} _" for relation in ("above", "left of")),
        *(f"_ {relation} _ and _" for relation in ("above", "left of")),
    }


def test_every_number_of_objects_is_alike_frequent(some):
    scenes, _ = some
    shares = scenes.objects.bincount()[1:] / 3000
    # five standard errors of a share of one third
    assert (shares - 1 / 3).abs().max() < 5 * (2 / 9 / 3000) ** 0.5


def test_objects_keep_apart_and_from_the_edge(some):
    scenes, _ = some
    boxes = scenes.boxes[:, scenes.objects > 1]
    assert scenes.boxes.nan_to_num(0.5).min() > MARGIN - 1e-6
    assert scenes.boxes.nan_to_num(0.5).max() < 1 - MARGIN + 1e-6
    for one, other in itertools.combinations(boxes.nan_to_num(-9), 2):
        gaps = torch.stack((one[:, :2] - other[:, 2:], other[:, :2] - one[:, 2:])).amax((0, 2))
        assert gaps.min() >= 2 * MARGIN - 1e-6


def test_small_and_large_objects_differ_by_a_margin(some):
    scenes, _ = some
    wide = scenes.boxes[..., 3] - scenes.boxes[..., 1]
    assert wide[scenes.size == 0].max() < 0.27 < 0.35 < wide[scenes.size == 1].min()


def test_what_is_named_is_painted_where_its_box_is():
    """A reader of pixels finds size, colour and shape of what each word names."""
    batch = THREE.held_out("test", seeded(3))
    pictures = batch.inputs[0]
    for number, caption in enumerate(texts(THREE, batch)[:200]):
        words = caption.split()
        boxes = batch.boxes[:, number]
        named = [step for step in range(len(words)) if not boxes[step].isnan().any()]
        assert [words[step] for step in named] == " ".join(
            " ".join(name) for name in NAME.findall(caption)
        ).split()
        for first in named[::3]:
            size, colour, shape = words[first : first + 3]
            assert torch.equal(boxes[first], boxes[first + 1])
            assert torch.equal(boxes[first], boxes[first + 2])
            top, left, bottom, right = (32 * boxes[first]).tolist()
            rows = slice(math.floor(top), math.ceil(bottom))
            seen = pictures[number, :, rows, math.floor(left) : math.ceil(right)]
            middle = seen[:, seen.shape[1] // 2, seen.shape[2] // 2]
            assert torch.allclose(middle, torch.tensor(paint.COLOURS[colour]), atol=1e-4)
            share = (seen / torch.tensor(paint.COLOURS[colour])[:, None, None]).mean(0).sum().item()
            share /= (bottom - top) * (right - left)
            areas = {"circle": math.pi / 4, "square": 1.0, "triangle": 0.5}
            assert share == pytest.approx(areas[shape], abs=0.09)
            assert size == ("small" if bottom - top < 10 else "large")


def test_nothing_is_painted_outside_of_the_boxes():
    scenes = drawn(3, 200, seeded(4))
    pictures = scenes.pictures(32)
    middles = (torch.arange(32) + 0.5) / 32
    for picture, boxes in zip(pictures, scenes.boxes.transpose(0, 1), strict=True):
        free = torch.ones(32, 32, dtype=torch.bool)
        for top, left, bottom, right in boxes[~boxes[:, 0].isnan()].tolist():
            rows = (middles > top - 1 / 32) & (middles < bottom + 1 / 32)
            columns = (middles > left - 1 / 32) & (middles < right + 1 / 32)
            free &= ~(rows.unsqueeze(1) & columns)
        assert picture[:, free].max() == 0


def test_kinds_count_the_objects():
    batch = THREE.held_out("valid", seeded(0))
    for caption, kinds in zip(texts(THREE, batch), batch.kinds, strict=True):
        count = len(NAME.findall(caption))
        assert kinds == (f"{count} object{'s' if count > 1 else ''}",)
    assert {len(NAME.findall(caption)) for caption in texts(TWO, TWO.batch(64, seeded(0)))} == {
        1,
        2,
    }


@pytest.mark.parametrize("task", APART, ids=lambda task: task.objects)
def test_no_caption_is_in_two_parts_if_they_are_to_be_unseen(task):
    train = set(texts(task, task.batch(3000, seeded(0))))
    valid, test = (set(texts(task, task.held_out(part, seeded(0)))) for part in ("valid", "test"))
    assert not train & valid
    assert not train & test
    assert not valid & test


def test_captions_may_be_shared_by_parts_and_pictures_are_not():
    task = ONE
    train, test = task.batch(500, seeded(0)), task.held_out("test", seeded(1))
    assert set(texts(task, train)) & set(texts(task, test))
    pictures = [
        {picture.numpy().tobytes() for picture in batch.inputs[0]} for batch in (train, test)
    ]
    assert [len(part) for part in pictures] == [500, 768]
    assert not pictures[0] & pictures[1]


def test_captions_are_no_longer_than_declared(some):
    _, said = some
    for most in (1, 2, 3):
        longest = max(
            len(caption.split()) for caption in said if len(NAME.findall(caption)) <= most
        )
        assert shape_scenes.longest(most) == longest == Captioning(objects=most).target_length - 1


@pytest.mark.parametrize("task", [THREE, ONE, APART[2]])
def test_anchors_are_what_predictors_measure(task):
    test = task.held_out("test", seeded(0))
    assert exact(task.trivial(test), test) == task.anchors.trivial < 0.05
    assert task.oracle(test) is task.anchors.oracle is None
    assert 0 < task.anchors.chance < 1e-5
    assert all(floor < task.anchors.solved for floor in task.anchors.floors.values())


def test_the_nearest_picture_has_a_chance_only_if_captions_are_shared():
    floors = [task.anchors.floors["nearest picture"] for task in (*APART, THREE, TWO, ONE)]
    assert floors[:3] == [0, 0, 0]
    assert 0.1 < floors[3] < floors[4] < floors[5] < 0.7


def test_a_picture_is_as_many_steps_from_its_last_word_as_it_has_words():
    words = [len(caption.split()) for caption in texts(THREE, THREE.batch(3000, seeded(5)))]
    assert THREE.shortest_path(False) == pytest.approx(sum(words) / 3000, abs=0.5)
    assert THREE.shortest_path(False) == THREE.shortest_path(True)


def test_the_caption_in_the_docstring_is_one():
    (line,) = [line for line in Captioning.__doc__.splitlines() if line.split()[:1] == ["target"]]
    caption = line.split("target")[1].strip().removesuffix("<END>").strip()
    assert NAME.sub("_", caption) == "_ above _ and _"
    assert set(caption.split()) <= set(shape_scenes.WORDS)


@pytest.mark.parametrize(
    "chosen", [{"objects": 0}, {"objects": 4}, {"side": 23}, {"embedding": -1}]
)
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        Captioning(**chosen)
