"""Generated clips and their captions: the order of frames decides what is true."""

import pytest
import torch

from rnnbench.errors import OptionError
from rnnbench_tasks import shape_clips
from rnnbench_tasks.paint import COLOURS, SHAPES
from rnnbench_tasks.shape_clips import DIRECTIONS, MARGIN, MOST, captions, drawn
from rnnbench_tasks.video_captioning import VideoCaptioning

ONE, TWO = VideoCaptioning(objects=1), VideoCaptioning()
every_task = pytest.mark.parametrize("task", (ONE, TWO), ids=lambda task: task.objects)
MOVE = 0.01
OPPOSITE = {"right": "left", "left": "right", "up": "down", "down": "up"}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def texts(task, batch):
    return [task.targets.text(column) for column in batch.targets.T.tolist()]


def exact(said, batch):
    return (said == batch.targets).all(0).double().mean().item()


@pytest.fixture(scope="module")
def some():
    """Clips of all kinds with their captions, as text."""
    clips = drawn(2, 8, 2000, seeded(0))
    words, lengths = captions(clips)
    said = [
        " ".join(shape_clips.WORDS[number] for number in column[:length])
        for column, length in zip(words.T.tolist(), lengths.tolist(), strict=True)
    ]
    return clips, said


def moves(boxes):
    """Return the directions of an object's steps from frame to frame: boxes [frames, 4]."""
    down, across = (boxes[1:, :2] - boxes[:-1, :2]).T.tolist()
    names = []
    for vertical, level in zip(down, across, strict=True):
        if max(abs(vertical), abs(level)) < MOVE:
            names.append("")
        elif abs(vertical) > abs(level):
            names.append("down" if vertical > 0 else "up")
        else:
            names.append("right" if level > 0 else "left")
    return names


def told(objects):
    """Say what happens, from each object's name and boxes [frames, 4]; written apart."""
    steps = {name: moves(boxes) for name, boxes in objects}
    if len(objects) == 2:
        at_once = all(all(each) for each in steps.values())
        corner = {name: boxes[0, :2] for name, boxes in objects}
        axis = 1 if {"up", "down"} & {step for each in steps.values() for step in each} else 0
        order = (
            sorted(steps, key=lambda name: corner[name][axis])
            if at_once
            else sorted(steps, key=lambda name: not steps[name][0])
        )
        one, other = (f"{name} moves {max(steps[name])}" for name in order)
        return f"{one} {'while' if at_once else 'then'} {other}"
    ((name, each),) = steps.items()
    first, last = each[0], each[-1]
    if not first:
        return f"{name} waits and moves {last}"
    if not last:
        return f"{name} moves {first} and stops"
    return f"{name} moves {first}" + (" and turns back" if first != last else "")


def names(clips, number):
    shapes, colours = list(SHAPES), list(COLOURS)
    return [
        f"a {colours[clips.colour[one, number]]} {shapes[clips.shape[one, number]]}"
        for one in range(clips.objects[number])
    ]


def backwards(caption):
    """Say what a clip that is played backwards shows."""
    words = [OPPOSITE.get(word, word) for word in caption.split()]
    if "then" in words:
        turn = words.index("then")
        words = [*words[turn + 1 :], "then", *words[:turn]]
    text = " ".join(words)
    if "turns back" in text:
        return caption
    if "stops" in text:
        return text.replace("moves", "waits and moves").removesuffix(" and stops")
    if "waits" in text:
        return text.replace("waits and ", "") + " and stops"
    return text


@every_task
def test_batches_have_the_declared_shapes(task):
    train, test = task.batch(32, seeded(0)), task.held_out("test", seeded(0))
    assert train.inputs.shape == (task.sequence_length, 32, 3, 16, 16)
    assert train.targets.shape == (task.target_length, 32)
    assert (train.inputs.dtype, train.targets.dtype) == (torch.float32, torch.int64)
    assert train.kinds is train.lengths is None
    assert len(test) == len(test.kinds) == 512
    assert len(task.held_out("valid", seeded(0))) == 256
    assert 0 == train.inputs.min() < train.inputs.max() <= 1


def test_clips_are_as_long_and_large_as_asked():
    task = VideoCaptioning(frames=13, side=21)
    assert task.batch(2, seeded(0)).inputs.shape == (13, 2, 3, 21, 21)
    assert (task.inputs.height, task.inputs.width) == (21, 21)


def test_a_seed_decides_the_clips_and_another_seed_others():
    first, same, other = (TWO.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert torch.equal(first.targets, same.targets)
    assert not torch.equal(first.inputs, other.inputs)


def test_only_the_given_generator_is_drawn_from():
    before = torch.random.get_rng_state()
    fresh = VideoCaptioning()
    fresh.held_out("test", seeded(0))
    assert fresh.anchors == TWO.anchors
    assert torch.equal(before, torch.random.get_rng_state())


def test_captions_tell_what_the_boxes_do(some):
    clips, said = some
    for number, caption in enumerate(said):
        objects = list(zip(names(clips, number), clips.boxes[:, :, number], strict=False))
        assert caption == told(objects)


def test_a_clip_backwards_is_told_as_one(some):
    clips, said = some
    for number, caption in enumerate(said):
        objects = [
            (name, boxes.flip(0))
            for name, boxes in zip(names(clips, number), clips.boxes[:, :, number], strict=False)
        ]
        assert backwards(caption) == told(objects)
    alike = {most: [] for most in (1, 2)}
    for caption in said:
        alike[1 + (" then " in caption or " while " in caption)].append(
            caption == backwards(caption)
        )
    shares = [sum(each) / len(each) for each in alike.values()]
    # five standard errors of a share of one quarter of a thousand clips
    assert shares[0] == pytest.approx(0.25, abs=5 * (3 / 16 / len(alike[1])) ** 0.5)
    assert shares[1] == 0
    assert shape_clips.told_alike_backwards(1) == 0.25
    assert shape_clips.told_alike_backwards(2) == 0.125


def test_starts_and_ends_are_alike_whether_a_clip_is_played_forwards_or_backwards():
    clips = drawn(1, 8, 20_000, seeded(1))
    for story, mirrored in ((0, 0), (1, 2), (3, 3)):
        for way in (0, 1):
            start = clips.boxes[0, 0, (clips.story == story) & (clips.direction[0] == way), 1]
            other = way if story == 3 else 1 - way
            end = clips.boxes[0, -1, (clips.story == mirrored) & (clips.direction[0] == other), 1]
            assert start.mean().item() == pytest.approx(end.mean().item(), abs=0.02)
            assert start.std().item() == pytest.approx(end.std().item(), abs=0.02)


def test_objects_keep_apart_and_from_the_edge(some):
    clips, _ = some
    assert clips.boxes.nan_to_num(0.5).min() > MARGIN - 1e-6
    assert clips.boxes.nan_to_num(0.5).max() < 1 - MARGIN + 1e-6
    one, other = clips.boxes[:, :, clips.objects == 2]
    gaps = torch.stack((one[..., :2] - other[..., 2:], other[..., :2] - one[..., 2:]))
    assert gaps.amax((0, -1)).min() >= 2 * MARGIN - 1e-6


def test_every_movement_can_be_seen(some):
    clips, _ = some
    steps = (clips.boxes[:, 1:] - clips.boxes[:, :-1])[..., :2].abs().amax(-1)
    far = (clips.boxes.amax(1) - clips.boxes.amin(1))[..., :2].amax(-1)
    there = clips.colour >= 0
    # more than two pixels in all, and never as much at once
    assert far[there].min() > 2 / 16
    assert steps[there.unsqueeze(1).expand_as(steps)].max() < 2 / 16


def test_all_stories_and_directions_are_told(some):
    clips, said = some
    words = {word for caption in said for word in caption.split()}
    assert words == set(shape_clips.WORDS) == set(TWO.targets.symbols[:-1])
    for count in (1, 2):
        counts = clips.story[clips.objects == count].bincount()
        counts = counts[counts > 0]
        share, total = 1 / len(counts), counts.sum()
        error = 5 * (share * (1 - share) / total) ** 0.5
        assert (counts / total - share).abs().max() < error
    assert (clips.objects == 2).float().mean().item() == pytest.approx(0.5, abs=0.06)


def test_kinds_count_the_objects():
    batch = TWO.held_out("valid", seeded(0))
    for caption, kinds in zip(texts(TWO, batch), batch.kinds, strict=True):
        assert kinds == ("2 objects" if {"then", "while"} & {*caption.split()} else "1 object",)
    assert not {"then", "while"} & {*" ".join(texts(ONE, ONE.batch(99, seeded(0)))).split()}


@pytest.mark.parametrize("objects", [1, 2])
def test_no_caption_is_in_two_parts_if_they_are_to_be_unseen(objects):
    task = VideoCaptioning(objects=objects, unseen=True)
    train = set(texts(task, task.batch(2000, seeded(0))))
    valid, test = (set(texts(task, task.held_out(part, seeded(0)))) for part in ("valid", "test"))
    assert not train & valid
    assert not train & test
    assert not valid & test


def test_captions_may_be_shared_by_parts_and_clips_are_not():
    task = ONE
    train, test = task.batch(500, seeded(0)), task.held_out("test", seeded(1))
    assert set(texts(task, train)) & set(texts(task, test))
    clips = [
        {clip.contiguous().numpy().tobytes() for clip in batch.inputs.transpose(0, 1)}
        for batch in (train, test)
    ]
    assert [len(part) for part in clips] == [500, 512]
    assert not clips[0] & clips[1]


def test_captions_are_no_longer_than_declared(some):
    clips, said = some
    for most in range(1, MOST + 1):
        few = (clips.objects <= most).tolist()
        longest = max(len(text.split()) for text, kept in zip(said, few, strict=True) if kept)
        assert VideoCaptioning(objects=most).target_length == longest + 1


@pytest.mark.parametrize("task", [ONE, TWO, VideoCaptioning(unseen=True)])
def test_anchors_are_what_predictors_measure(task):
    test = task.held_out("test", seeded(0))
    assert exact(task.trivial(test), test) == task.anchors.trivial < 0.05
    assert task.oracle(test) is task.anchors.oracle is None
    assert 0 < task.anchors.chance < 1e-5
    assert all(floor < task.anchors.solved for floor in task.anchors.floors.values())


def test_without_order_half_of_what_is_told_otherwise_backwards_is_wrong():
    assert ONE.anchors.floors["frames without their order, at best"] == 0.625
    assert TWO.anchors.floors["frames without their order, at best"] == 0.5625
    assert "at most 56.2% of clips" in TWO.notes[0]


def test_paths_go_through_frames_and_words():
    words = [len(caption.split()) for caption in texts(TWO, TWO.batch(3000, seeded(5)))]
    assert TWO.shortest_path(False) == pytest.approx(7 + sum(words) / 3000, abs=0.5)
    assert TWO.shortest_path(False) - TWO.shortest_path(True) == 4


def test_the_caption_in_the_docstring_is_one(some):
    (line,) = [
        line for line in VideoCaptioning.__doc__.splitlines() if line.split()[:1] == ["target"]
    ]
    caption = line.split("target")[1].strip().removesuffix("<END>").strip()

    def form(text):
        kinds = {**dict.fromkeys(COLOURS, "C"), **dict.fromkeys(SHAPES, "S")}
        return " ".join(kinds.get(word, word) for word in text.split())

    assert form(caption) in {form(text) for text in some[1]}
    assert set(DIRECTIONS) < set(shape_clips.WORDS)


@pytest.mark.parametrize(
    "chosen", [{"objects": 0}, {"objects": 3}, {"frames": 5}, {"side": 15}, {"embedding": -1}]
)
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        VideoCaptioning(**chosen)
