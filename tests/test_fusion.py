"""Questions about pictures: how both meet, and what is left when one of them is missing."""

import pytest
import torch
from looking import MAP, PICTURE, H, S, asked, caption, network, question
from torch.nn.functional import linear

from rnnbench import Classes, Sequences
from rnnbench.errors import InputError
from rnnbench.nn.fusion import GAIN, fusion_weights
from rnnbench.nn.loss import costs, loss
from rnnbench.nn.sizes import flops, layer_inputs, sizes
from rnnbench_cells.gru import GRU
from rnnbench_cells.rnn import RNN
from rnnbench_layers.bag_of_words import BagOfWords

WAYS = [{}, {"fusion": "product"}, {"without": "image"}, {"without": "question"}]
IDS = [" ".join(way.values()) or "both" for way in WAYS]


def parts(made, batch):
    """What was read of the questions, and seen of the pictures."""
    _, last, _ = made.stack(made.reader(batch.inputs, torch.float32), batch.lengths)
    return last, made.picture(batch.images, torch.float32)


@pytest.mark.parametrize("image", [PICTURE, MAP], ids=["picture", "features"])
def test_both_are_put_together_as_the_docstring_says(image):
    batch = asked(image)
    for fusion in ("concatenation", "product"):
        made = network(question(image), fusion=fusion).eval()
        q, v = parts(made, batch)
        maps = made.fused.maps
        if fusion == "concatenation":
            fused = linear(torch.cat([q, v], -1), maps["W"], maps["b"]).relu()
        else:
            fused = torch.tanh(linear(q, maps["W"], maps["b"]))
            fused = fused * torch.tanh(linear(v, maps["V"], maps["c"]))
        torch.testing.assert_close(made(batch), made.readout(fused, fused))


def test_a_question_alone_sees_no_picture_and_a_picture_alone_reads_no_question():
    batch, other = asked(seed=1), asked(seed=5)
    swapped = asked(seed=1)
    object.__setattr__(swapped, "images", other.images)
    reworded = asked(seed=1)
    object.__setattr__(reworded, "inputs", other.inputs)
    for without, image_counts, question_counts in (
        ("none", True, True), ("image", False, True), ("question", True, False),
    ):  # fmt: skip
        made = network(question(), without=without).eval()
        assert torch.equal(made(batch), made(swapped)) != image_counts
        assert torch.equal(made(batch), made(reworded)) != question_counts


@pytest.mark.parametrize("way", WAYS, ids=IDS)
@pytest.mark.parametrize("cell", [GRU(), RNN(), BagOfWords()], ids=lambda cell: cell.name)
def test_parameters_are_counted_before_they_exist_and_learn(cell, way):
    task = question()
    made, counted = network(task, cell, **way), sizes(cell, task, hidden=H, **way)
    assert counted.parameters == sum(p.numel() for p in made.parameters())
    read = [] if way.get("without") == "question" else [3]
    assert list(layer_inputs(cell, task, hidden=H, **way)) == read
    made.cost(asked(), task)[0].backward()
    for name, parameter in made.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_products_of_a_question_and_its_picture_are_counted():
    seen = 2 * (3 * 2 * 9 * 12 + 5 * 3 * 9 * 4) + 2 * 7 * 20
    says = 2 * H * 3
    reads = S * 2 * H * (3 + H)
    both = flops(RNN(), question(), hidden=H)
    assert both == round((reads + seen + 2 * H * (H + 7) + says) / S)
    blind = flops(RNN(), question(), hidden=H, without="image")
    assert blind == round((reads + 2 * H * H + says) / S)
    unread = flops(RNN(), question(), hidden=H, without="question")
    assert unread == round((seen + 2 * H * 7 + says) / S)


def test_two_directions_may_read_a_question():
    made = network(question(), bidirectional=True, layers=2)
    assert made.fused.maps["W"].shape == (H, 2 * H + 7)
    assert made(asked()).shape == (4, 3)


@pytest.mark.parametrize(
    ("task", "way", "message"),
    [
        (question(), {"attention": "general"}, "attention needs a decoder"),
        (question(), {"conditioning": "step"}, "conditioning is of a decoder"),
        (question(image=None), {"fusion": "product"}, "fusion puts a question"),
        (question(image=None), {"without": "image"}, "has no image to be without"),
        (question(pattern="many-to-many"), {}, "is many-to-many, not many-to-one"),
        (caption(image=PICTURE), {}, "is one-to-many, not many-to-one"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(task, way, message):
    with pytest.raises(InputError, match=message):
        network(task, **way)


def test_a_target_that_is_no_class_costs_nothing_and_has_no_gradient():
    task = question()
    batch = asked()
    object.__setattr__(batch, "targets", torch.tensor([0, -1, 1, -1]))
    logits = torch.randn(4, 3, requires_grad=True)
    each = costs(logits, batch, task)
    assert (each == 0).tolist() == [False, True, False, True]
    loss(logits, batch, task).backward()
    assert (logits.grad[1] == 0).all()
    assert isinstance(task.targets, Classes)
    assert not isinstance(task.targets, Sequences)


def test_a_question_has_larger_weights_at_first_than_its_picture():
    maps = fusion_weights("concatenation", question=40, picture=50, hidden=60)
    drawn = maps["W"].draw(torch.Generator().manual_seed(0))
    of_question, of_picture = drawn.split([40, 50], 1)
    assert of_question.abs().max().item() == pytest.approx(GAIN * 90**-0.5, rel=0.01)
    assert of_picture.abs().max() < 0.2
    alone = fusion_weights("concatenation", question=40, picture=0, hidden=60)["W"]
    assert alone.draw(torch.Generator().manual_seed(0)).abs().max() <= 40**-0.5
