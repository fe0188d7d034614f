import pluggy
import pytest
import torch

from rnnbench import hookspecs
from rnnbench.errors import OptionError
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_tasks import clips, moving_shapes
from rnnbench_tasks.clips import SIDE, drawn, every_frame, pictures, wall
from rnnbench_tasks.moving_shapes import ActionLabel, FrameLabels

WAITS, TURNS, SWELLS = range(3)
FRAMES, CLIP = FrameLabels(), ActionLabel()
both = pytest.mark.parametrize("task", [FRAMES, CLIP], ids=lambda task: task.name)
sizes = pytest.mark.parametrize(("length", "wide"), [(24, 16), (24, 12), (24, 32), (25, 13)])


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def accuracy(predictions, batch):
    return Accuracy().measure(predictions, batch.targets, batch.mask)


def standing(scene):
    """Return the frame before each shape first stands still, and the last in which it does."""
    times = torch.arange(len(scene.acting)).unsqueeze(1)
    first = torch.where(scene.acting, times, len(times)).amin(0)
    return first - 1, torch.where(scene.acting, times, -1).amax(0)


def at(frames, times):
    return frames.gather(0, times.unsqueeze(0))[0]


def test_the_module_provides_both_tasks():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(moving_shapes)
    manager.check_pending()
    assert manager.hook.rnnbench_provide_tasks() == [[FrameLabels, ActionLabel]]


@both
def test_batches_have_the_declared_shapes(task):
    batch = task.batch(6, seeded(0))
    steps = (24,) if task.pattern == "many-to-many" else ()
    assert batch.inputs.shape == (24, 6, 80) == (task.sequence_length, 6, task.inputs.width)
    assert batch.inputs.dtype == torch.float32
    assert batch.targets.shape == (*steps, 6)
    assert batch.targets.dtype == torch.int64
    assert task.trivial(batch).shape == (*steps, 6, task.targets.count)
    assert task.trivial(batch).dtype == torch.float32
    assert batch.lengths is None


@both
def test_a_seed_decides_the_clips_and_another_seed_others(task):
    first, same, other = (task.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert torch.equal(first.targets, same.targets)
    assert not torch.equal(first.inputs, other.inputs)


@both
def test_only_the_given_generator_is_drawn_from(task):
    before = torch.random.get_rng_state()
    fresh = type(task)()
    fresh.batch(4, seeded(0))
    assert fresh.anchors == task.anchors
    assert fresh.shortest_path(True) == task.shortest_path(True)
    assert torch.equal(before, torch.random.get_rng_state())


def test_no_clip_of_validation_is_in_the_test_with_the_least_noise():
    task = FrameLabels(noise=0.01)
    valid, test = task.held_out("valid", seeded(1)), task.held_out("test", seeded(2))
    found = [
        {clip.numpy().tobytes() for clip in part.inputs.transpose(0, 1)} for part in (valid, test)
    ]
    assert [len(part) for part in found] == [256, 1024]
    assert not found[0] & found[1]


def test_both_tasks_ask_about_the_same_clips():
    frames, clip = FrameLabels().batch(200, seeded(3)), ActionLabel().batch(200, seeded(3))
    assert torch.equal(frames.inputs, clip.inputs)
    assert torch.equal(frames.targets.amax(0) - 2, clip.targets)


@sizes
def test_a_shape_goes_one_pixel_a_frame_and_turns_at_the_ends(length, wide):
    scene = drawn(length, wide, 500, seeded(0))
    step = scene.left[1:] - scene.left[:-1]
    acting = scene.acting[1:]
    assert (step[acting] == 0).all()
    assert (step[~acting] == torch.where(scene.right[1:], 1, -1)[~acting]).all()
    assert scene.left.min() == 0
    assert scene.left.max() == wide - SIDE
    reversed_ = (scene.right[1:] != scene.right[:-1]) & ~acting
    at_an_end = (scene.left[:-1] == 0) | (scene.left[:-1] == wide - SIDE)
    resumed = scene.acting[:-1] & ~acting
    assert (at_an_end[reversed_ & ~resumed]).all()
    assert reversed_[at_an_end & ~acting].all()


@sizes
def test_a_shape_acts_once_in_full_sight_where_before_and_after_can_be_seen(length, wide):
    scene = drawn(length, wide, 2000, seeded(0))
    stop, last = standing(scene)
    frames = last - stop
    assert torch.equal(scene.acting.sum(0), frames)
    assert set(frames.tolist()) == {3, 4, 5, 6}
    assert stop.min() >= 1
    assert last.max() == length - 2
    start, end = wall(wide)
    place = at(scene.left, stop)
    assert ((place + SIDE <= start) | (place >= end)).all()
    assert not torch.isin(place, torch.tensor([0, wide - SIDE])).any()
    assert not at(scene.hidden, torch.zeros_like(stop)).any()


def test_only_a_shape_that_turns_goes_back_and_only_one_that_swells_grows():
    scene = drawn(24, 16, 3000, seeded(0))
    stop, last = standing(scene)
    came, goes = at(scene.right, stop), at(scene.right, last + 1)
    assert torch.equal(came != goes, scene.action == TURNS)
    lit = (pictures(scene) == 1).flatten(2).sum(-1)
    grown = at(lit, last) > at(lit, stop)
    assert torch.equal(grown, scene.action == SWELLS)
    assert torch.equal(at(lit, last + 1).clamp(max=at(lit, stop).max()), at(lit, last + 1))


def test_actions_are_alike_frequent_whatever_was_seen_before():
    scene = drawn(24, 16, 30_000, seeded(0))
    stop, last = standing(scene)
    early = stop <= 8
    for group in (early, ~early, at(scene.right, stop), last - stop == 6):
        actions = scene.action[group]
        shares = actions.bincount() / len(actions)
        # five standard errors of a share of one third
        assert (shares - 1 / 3).abs().max() < 5 * (2 / 9 / len(actions)) ** 0.5


def test_the_wall_hides_what_is_behind_it():
    start, end = wall(16)
    assert (start, end) == (5, 11)
    scene = drawn(24, 16, 300, seeded(0))
    frames = pictures(scene)
    assert (frames[..., start:end] == 0.5).all()
    outside = torch.cat((frames[..., :start], frames[..., end:]), -1)
    # every column of every kind has a pixel, so that what sticks out is seen
    assert torch.equal(outside.flatten(2).any(-1), ~scene.hidden)
    assert scene.hidden.float().mean() > 0.2


def test_a_swollen_shape_is_larger_by_a_pixel_all_round():
    plain, swollen = every_frame(16)
    ring = (plain[0, 1, 11] == 1).nonzero().tolist()
    assert len(ring) == 8
    around = {(r + dr, c + dc) for r, c in ring for dr in (-1, 0, 1) for dc in (-1, 0, 1)}
    lit = {tuple(place) for place in (swollen[0, 1, 11] == 1).nonzero().tolist()}
    assert lit == {(r, c) for r, c in around if 0 <= r < 5 and 11 <= c < 16}


def test_noise_is_added_to_every_pixel():
    quiet, loud = (FrameLabels(noise=noise).batch(300, seeded(5)) for noise in (0.01, 0.21))
    difference = loud.inputs - quiet.inputs
    assert difference.std().item() == pytest.approx(0.2, rel=0.01)
    assert difference.mean().item() == pytest.approx(0, abs=0.002)


def test_the_first_frame_alone_does_not_count():
    batch = FrameLabels().batch(5, seeded(0))
    assert not batch.mask[0].any()
    assert batch.mask[1:].all()


def test_the_clip_in_each_docstring_is_one():
    scene = drawn(24, 16, 2000, seeded(0))
    hidden = torch.where(scene.hidden, -1, scene.left).T.tolist()
    labels = torch.where(scene.acting, 2 + scene.action, scene.right.long()).T.tolist()
    actions = [[action] for action in scene.action.tolist()]
    for task, targets in ((FrameLabels, labels), (ActionLabel, actions)):
        rows = dict(line.split(maxsplit=1) for line in task.__doc__.splitlines() if line.strip())
        shown = [-1 if word == "w" else int(word) for word in rows["input"].split()]
        target = [int(word) for word in rows["target"].split()]
        assert (shown, target) in list(zip(hidden, targets, strict=True))


def test_the_frames_in_the_docstring_are_drawn_as_such():
    lines = [line.split() for line in FrameLabels.__doc__.splitlines() if "%" in line]
    marks = {".": 0.0, "%": 0.5, "X": 1.0}
    for place, left in enumerate((2, 3, 4)):
        shown = torch.tensor([[marks[mark] for mark in line[place]] for line in lines])
        assert torch.equal(shown, every_frame(16)[0, 2, 1, left])


def test_the_frequent_label_is_right_as_often_as_its_anchor_says():
    batch = FRAMES.batch(4000, seeded(0))
    # five standard errors of a mean over clips, of which each may be all left or all right
    error = 5 * 0.5 / 4000**0.5
    assert accuracy(FRAMES.trivial(batch), batch) == pytest.approx(
        FRAMES.anchors.trivial, abs=error
    )
    guesses = torch.rand(*batch.targets.shape, 5, generator=seeded(1))
    assert accuracy(guesses, batch) == pytest.approx(FRAMES.anchors.chance, abs=0.01)


def test_a_constant_action_is_right_in_a_third_of_clips():
    task = CLIP
    batch = task.batch(20_000, seeded(0))
    error = 5 * (2 / 9 / 20_000) ** 0.5
    assert accuracy(task.trivial(batch), batch) == pytest.approx(task.anchors.trivial, abs=error)
    assert task.anchors.trivial == task.anchors.chance == 1 / 3


@both
def test_no_rule_is_always_right_in_noise(task):
    assert task.oracle(task.batch(2, seeded(0))) is task.anchors.oracle is None


def test_memory_is_worth_more_than_a_frame_and_the_one_before():
    one, two = FRAMES.anchors.floors.values()
    assert FRAMES.anchors.trivial + 0.05 < one < two - 0.1
    assert two < 0.8


def test_the_order_of_frames_matters_to_the_action():
    floors = CLIP.anchors.floors
    assert floors["mean frame, logistic regression"] < 0.7
    assert max(floors.values()) < CLIP.anchors.solved


def test_a_reader_of_the_past_alone_reaches_what_the_notes_say():
    task = FRAMES
    scene = drawn(24, 16, 20_000, seeded(0))
    truth = torch.where(scene.acting, 2 + scene.action, scene.right.long())[1:]
    past = torch.where(truth == 2 + TURNS, 2 + WAITS, truth)
    assert (past == truth).float().mean().item() == pytest.approx(1 - 1.5 / 23, abs=0.002)
    assert "at most 93.5% of frames" in task.notes[0]
    assert task.anchors.solved == pytest.approx(1 - 0.75 / 23)


def test_paths_are_steps_to_what_tells():
    frames, clip = FRAMES, CLIP
    assert 1 < frames.shortest_path(True) < frames.shortest_path(False) < 4
    assert 0 < clip.shortest_path(True) < clip.shortest_path(False) < 24
    scene = drawn(24, 16, 5000, seeded(9))
    stop, _ = standing(scene)
    # from the frame before it stops to the last one
    forward = (24 - 1 - (stop - 1)).float().mean().item()
    assert clip.shortest_path(False) == pytest.approx(forward, abs=0.3)


@pytest.mark.parametrize(
    "chosen",
    [
        {"length": 23},
        {"size": 11},
        {"size": 33},
        {"noise": 0.0},
        {"noise": float("nan")},
        {"frames": "grey"},
    ],
)
@both
def test_settings_that_make_no_sense_are_refused(task, chosen):
    with pytest.raises(OptionError):
        type(task)(**chosen)


def test_clips_are_as_long_and_wide_as_asked():
    batch = FrameLabels(length=40, size=20).batch(3, seeded(0))
    assert batch.inputs.shape == (40, 3, clips.HEIGHT * 20)


@pytest.mark.parametrize("cls", [FrameLabels, ActionLabel])
def test_frames_may_be_given_as_images(cls):
    pixels, task = cls(), cls(frames="images")
    plain, images = (each.batch(40, seeded(2)) for each in (pixels, task))
    assert images.inputs.shape == (24, 40, 1, clips.HEIGHT, 16)
    assert (task.inputs.channels, task.inputs.height, task.inputs.width) == (1, clips.HEIGHT, 16)
    assert torch.equal(images.inputs.flatten(2), plain.inputs.clamp(0, 1))
    assert torch.equal(images.targets, plain.targets)
    assert accuracy(task.trivial(images), images) == accuracy(pixels.trivial(plain), plain)
    assert task.anchors.trivial == pixels.anchors.trivial
    assert task.anchors.floors.keys() == pixels.anchors.floors.keys()
