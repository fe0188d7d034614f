"""Pictures that are kept: which, with what beside them, and as what."""

import base64
import io
from dataclasses import replace

import pytest
import torch
from looking import END, MAP, PICTURE, asked, caption, captioned, network, question
from PIL import Image

from rnnbench import Batch, Classes, Images
from rnnbench.assessing import Assessed, assess, look
from rnnbench.showing_pictures import NO_CLASS, png, shown

SIZE = 40


def many(batch, pattern):
    """A batch of forty sequences out of four."""
    return batch.choose(torch.arange(SIZE) % 4, pattern)


def opened(encoded):
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


def test_some_from_everywhere_are_kept_and_as_many_of_the_wrong_ones():
    batch = many(asked(), "many-to-one")
    wrong = torch.tensor([5, 6, 11, 20, 21, 22, 30])
    said = batch.targets.clone()
    said[wrong] = (said[wrong] + 1) % 3
    kept = shown(network(question()), Assessed(batch, question(), 0.0, torch.eye(3)[said]))
    assert [one.number for one in kept] == [0, 5, 11, 13, 21, 26, 30, 39]
    assert [one.number for one in kept if not one.correct] == [5, 11, 21, 30]
    for one in kept:
        target = question().targets.names[batch.targets[one.number]]
        assert one.right == (target,)
        assert (one.said == target) == one.correct
        length = batch.lengths[one.number]
        words = [question().inputs.symbols[n] for n in batch.inputs[:length, one.number]]
        assert one.read == " ".join(words)
        assert opened(one.png).size == (6, 8)


def test_what_is_no_class_is_never_right():
    batch = replace(asked(), targets=torch.full((4,), -1))
    kept = shown(network(question()), Assessed(batch, question(), 0.0, torch.eye(3)[[0, 1, 2, 0]]))
    assert {one.right for one in kept} == {(NO_CLASS,)}
    assert not any(one.correct for one in kept)


@pytest.mark.parametrize("attention", ["general", "hard", "none"])
def test_a_caption_stands_with_where_was_looked_for_each_word(attention):
    task, batch = caption(), many(captioned(), "one-to-many")
    made = network(task, attention=attention)
    assessed = assess(made, batch, task)
    kept = shown(made, assessed)
    assert len(kept) >= 4
    weights = None if attention == "none" else made.eval().looked(batch, assessed.predictions)
    for one in kept:
        numbers = assessed.predictions[:, one.number].tolist()
        assert one.said == task.targets.text(numbers)
        assert one.read == ""
        if weights is None:
            assert (one.words, one.weights, one.grid) == ((), (), (0, 0))
            continue
        said = [*task.targets.until_end(numbers), END][: len(numbers)]
        assert one.words == tuple(task.targets.symbols[number] for number in said)
        assert one.grid == (2, 2)
        looked = weights[: len(said), one.number]
        assert torch.allclose(torch.tensor(one.weights), looked, atol=1e-4)


def test_where_the_network_has_features_the_pictures_of_the_batch_are_shown():
    batch = captioned(MAP)
    made = network(caption(MAP))
    assert shown(made, assess(made, batch, caption(MAP))) == ()
    pictures = torch.zeros(4, 3, 10, 12)
    pictures[:, 0] = 1
    kept = shown(made, assess(made, replace(batch, pictures=pictures), caption(MAP)))
    assert len(kept) == 4
    assert opened(kept[0].png).getpixel((5, 5)) == (255, 0, 0)


def test_tasks_without_pictures_or_words_show_nothing():
    nameless = question(targets=Classes(3))
    batch = asked()
    assert (
        shown(network(nameless), Assessed(batch, nameless, 0.0, torch.eye(3)[[0, 0, 0, 0]])) == ()
    )


def test_frames_of_a_clip_stand_side_by_side():
    task = caption(
        Images(1, 4, 4, filters=(3,), embedding=5),
        pattern="sequence-to-sequence",
        sequence_length=9,
    )
    frames = torch.linspace(0, 1, 9).view(9, 1, 1, 1, 1).expand(9, 4, 1, 4, 4)
    batch = Batch(frames.contiguous(), captioned().targets, torch.tensor([9, 3, 1, 9]))
    made = network(task)
    kept = shown(made, assess(made, batch, task))
    first = opened(kept[0].png)
    assert first.size == (6 * 4 + 5 * 2, 4)
    levels = [first.getpixel((6 * frame, 0)) for frame in range(6)]
    assert levels[0] == 0
    assert levels[-1] == 255
    assert levels == sorted(levels)
    assert opened(kept[2].png).size == (4, 4)
    assert kept[0].words == ()


def test_large_pictures_are_made_smaller_and_odd_channels_are_one():
    assert opened(png(torch.rand(1, 3, 300, 600))).size == (128, 64)
    assert opened(png(torch.rand(1, 5, 4, 4))).mode == "L"


def test_a_look_while_the_right_words_are_told_is_measured_against_boxes():
    task, batch = caption(), captioned()
    boxes = torch.full((5, 4, 4), torch.nan)
    boxes[1] = torch.tensor([0.0, 0.0, 0.5, 0.5])
    made = network(task, attention="general")
    assert look(made, batch) is None
    weights, given = look(made, replace(batch, boxes=boxes))
    assert weights.shape == (5, 4, 2, 2)
    assert given is not None
    assert made.training
    expected = made.eval().looked(batch, batch.targets)
    torch.testing.assert_close(weights.flatten(2), expected)
    assert look(network(task), replace(batch, boxes=boxes)) is None
    assert PICTURE.grid == (2, 2)
