import pluggy
import pytest
import torch

from rnnbench import Batch, hookspecs
from rnnbench.errors import OptionError
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_tasks import sort_of_clevr
from rnnbench_tasks.coloured_objects import COLOURS, GROUND, Scenes, drawn, pictures, read, size_of
from rnnbench_tasks.object_questions import ANSWERS, KINDS, Questions
from rnnbench_tasks.sort_of_clevr import SortOfClevr

TASK = SortOfClevr()
settings = pytest.mark.parametrize(
    "task",
    [TASK, SortOfClevr(objects=3), SortOfClevr(questions="relational", side=40)],
    ids=["six", "three", "relational"],
)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def accuracy(predictions, batch):
    return Accuracy().measure(predictions, batch.targets, None)


def asked(task, batch):
    columns = zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
    return [
        " ".join(task.inputs.symbols[number] for number in numbers[:length])
        for numbers, length in columns
    ]


@pytest.fixture
def scene():
    """A red square at the top left, a green circle beside it, and a blue square far below."""
    return Scenes(
        torch.tensor([[0], [1], [24]]),
        torch.tensor([[0], [8], [17]]),
        torch.tensor([[False], [True], [False]]),
        32,
    )


def answers(scene, colour):
    """Return the answer to every question about a colour, as text."""
    questions = Questions(KINDS, 3)
    told = questions.answers(scene)[:, 0].tolist()
    return {
        text: ANSWERS[answer]
        for text, answer in zip(questions.texts, told, strict=True)
        if text.split()[-1] == colour
    }


def test_the_module_provides_its_task():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(sort_of_clevr)
    manager.check_pending()
    assert manager.hook.rnnbench_provide_tasks() == [[SortOfClevr]]


@settings
def test_batches_have_the_declared_shapes(task):
    batch = task.batch(6, seeded(0))
    image = task.image
    assert batch.inputs.shape == (task.sequence_length, 6)
    assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
    assert batch.inputs.max() < task.inputs.vocabulary == len(task.inputs.symbols)
    assert batch.images.shape == (6, image.channels, image.height, image.width)
    assert batch.images.dtype == torch.float32
    assert 0 <= batch.images.min() <= batch.images.max() <= 1
    for predict in (task.trivial, task.oracle, task.question_only, task.image_only):
        assert predict(batch).shape == (6, task.targets.count)
        assert predict(batch).dtype == torch.float32


@settings
def test_a_seed_decides_the_batch_and_nothing_else_is_random(task):
    before = torch.random.get_rng_state()
    first, same, other = (task.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.images, same.images)
    assert torch.equal(first.inputs, same.inputs)
    assert torch.equal(first.targets, same.targets)
    assert not torch.equal(first.images, other.images)
    assert type(task)(**task.chosen).anchors == task.anchors
    assert torch.equal(before, torch.random.get_rng_state())


def test_an_object_is_known_by_its_colour(scene):
    seen = pictures(scene)[0]
    red, green, blue, *_ = (torch.tensor(colour).view(3, 1) for colour in COLOURS.values())
    size = size_of(32)
    assert size == 7
    assert (seen[:, :size, :size].flatten(1) == red).all()
    assert (seen[:, 24:31, 17:24].flatten(1) == blue).all()
    # a circle reaches the edges of its box, but not its corners
    assert (seen[:, 1, 8] == 0.5).all()
    assert (seen[:, 1 + size // 2, 8:15] == green).all()
    assert (seen[:, 10:20] == 0.5).all()


def test_answers_follow_from_the_scene(scene):
    assert list(answers(scene, "red").items())[::2] == [
        ("what shape is red", "square"),
        ("on which side is red", "left"),
        ("how high is red", "top"),
        ("what shape is closest to red", "circle"),
        ("what shape is furthest from red", "square"),
        ("how many have the shape of red", "2"),
    ]
    told = {colour: list(answers(scene, colour).values())[::2] for colour in ("green", "blue")}
    assert told == {
        "green": ["circle", "left", "top", "square", "square", "1"],
        "blue": ["square", "right", "bottom", "circle", "square", "2"],
    }


def test_both_ways_to_ask_have_one_answer(scene):
    for colour in ("red", "green", "blue"):
        told = list(answers(scene, colour).values())
        assert told[::2] == told[1::2]
        assert len(told) == 12


@pytest.mark.parametrize(("objects", "side"), [(6, 24), (6, 32), (6, 75), (3, 33)])
def test_scenes_are_clear(objects, side):
    scenes = drawn(400, objects, side, seeded(0))
    size, count = size_of(side), scenes.top.shape[1]
    assert count > 100
    assert scenes.top.shape == scenes.left.shape == scenes.circle.shape == (objects, count)
    assert scenes.top.min() == scenes.left.min() == 0
    assert scenes.top.max() == scenes.left.max() == side // 4 * 4 - size
    middle = 2 * torch.stack([scenes.top, scenes.left]) + size
    assert ((middle - side).abs() > size // 2).all()
    for one in range(objects):
        others = [other for other in range(objects) if other != one]
        for other in others:
            across = (scenes.left[one] - scenes.left[other]).abs()
            down = (scenes.top[one] - scenes.top[other]).abs()
            assert (torch.maximum(across, down) >= size).all()
        far = scenes.distances[one, others].sort(0).values
        assert (far[0] < far[1]).all()
        assert (far[-1] > far[-2]).all()
    assert scenes.circle.double().mean().item() == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(("objects", "side"), [(6, 24), (6, 32), (4, 75)])
def test_a_picture_can_be_read_again(objects, side):
    scenes = drawn(300, objects, side, seeded(1))
    again = read(pictures(scenes), objects)
    assert torch.equal(again.columns, scenes.columns)


@settings
def test_held_out_pictures_are_asked_one_question_of_each_kind(task):
    kinds = [
        f"{kind.group}: {kind.name}"
        for kind in KINDS
        if kind.group in (task.questions, "relational") or task.questions == "all"
    ]
    test = task.held_out("test", seeded(3))
    assert len(test) == 1200
    assert len(task.held_out("valid", seeded(3))) == 300
    rows = list(zip(test.kinds, asked(task, test), strict=True))
    for place in range(0, 1200, len(kinds)):
        same = test.images[place : place + len(kinds)]
        assert (same == same[0]).all()
        assert [names[1] for names, _ in rows[place : place + len(kinds)]] == kinds
    for names, text in rows[:60]:
        (kind,) = (kind for kind in KINDS if names[1] == f"{kind.group}: {kind.name}")
        assert names[0] == kind.group
        assert any(text in {way.format(colour) for colour in COLOURS} for way in kind.asked)


def test_no_picture_is_in_two_parts():
    parts = [
        TASK.batch(600, seeded(1)),
        TASK.held_out("valid", seeded(1)),
        TASK.held_out("test", seeded(1)),
    ]
    columns = [
        {tuple(column) for column in read(part.images, 6).columns.T.tolist()} for part in parts
    ]
    assert [len(each) for each in columns] == [600, 50, 200]
    assert len(set.union(*columns)) == 850


@settings
def test_anchors_are_what_predictors_measure(task):
    test = task.held_out("test", seeded(0))
    floors = task.anchors.floors
    assert accuracy(task.trivial(test), test) == task.anchors.trivial == floors["majority"]
    assert accuracy(task.question_only(test), test) == floors["question only"]
    assert accuracy(task.image_only(test), test) == floors["image only, most frequent shape"]
    assert task.anchors.chance == 1 / task.targets.count


@settings
def test_the_rule_is_right_without_knowing_the_answers(task):
    batch = task.held_out("test", seeded(4))
    blind = Batch(batch.inputs, torch.zeros_like(batch.targets), batch.lengths, images=batch.images)
    assert accuracy(task.oracle(blind), batch) == task.anchors.oracle == 1


def test_the_question_alone_is_worth_what_the_notes_say():
    batch = TASK.batch(6000, seeded(9))
    relational = torch.tensor(
        [any(word in text for word in ("est ", "many")) for text in asked(TASK, batch)]
    )
    right = (TASK.question_only(batch).argmax(1) == batch.targets).double()
    assert right[~relational].mean().item() == pytest.approx(1 / 2, abs=0.03)
    assert right[relational].mean().item() == pytest.approx((1 + 10 / 32) / 3, abs=0.03)
    assert [note.split(" in ")[1].split()[0] for note in TASK.notes] == ["50.0%", "43.7%"]


def test_questions_of_one_half_are_asked_alone():
    task = SortOfClevr(questions="non-relational")
    assert not any(
        "closest" in text or "many" in text for text in asked(task, task.batch(99, seeded(0)))
    )
    assert len(task.notes) == 1
    assert {names[0] for names in task.held_out("valid", seeded(0)).kinds} == {"non-relational"}


def test_paths_are_shorter_with_two_directions():
    assert 0 < TASK.shortest_path(True) < TASK.shortest_path(False) < TASK.sequence_length


@pytest.mark.parametrize(
    "chosen", [{"objects": 2}, {"objects": 7}, {"side": 23}, {"questions": "no"}]
)
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        SortOfClevr(**chosen)


def test_all_colours_are_equally_far_from_the_ground():
    colours = torch.tensor(list(COLOURS.values()))
    apart = torch.cdist(colours, torch.tensor([GROUND]))
    assert torch.allclose(apart, apart[0].expand_as(apart))


def test_every_question_ends_in_the_colour_it_is_about():
    assert {text.split()[-1] for text in asked(TASK, TASK.batch(500, seeded(0)))} == set(COLOURS)
