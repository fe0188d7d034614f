"""What layers read of inputs of every kind."""

import math

import pytest
import torch
from looking import PICTURE, B, caption, generator, given
from torch.nn.functional import conv2d, linear

from rnnbench import Features, Images, Reals, Tokens
from rnnbench.nn.reader import (
    Reader,
    activations,
    depth,
    input_width,
    reader_flops,
    reader_weights,
)

KINDS = [
    Reals(3),
    Tokens(5),
    Tokens(5, embedding=2),
    PICTURE,
    Images(3, 9, 7, filters=(4,), embedding=3),
    Features(6, 4),
    Features(6, 4, embedding=3),
]


@pytest.mark.parametrize("inputs", KINDS, ids=str)
@pytest.mark.parametrize("leading", [(1, B), (3, B)])
def test_every_kind_becomes_vectors_as_wide_as_it_says(inputs, leading):
    reader = Reader(inputs, generator=generator())
    read = reader(given(inputs, *leading), torch.float32)
    assert read.shape == (*leading, input_width(inputs))
    assert sum(p.numel() for p in reader.parameters()) == sum(
        math.prod(one.shape) for one in reader_weights(inputs).values()
    )


def test_a_picture_is_read_by_its_convolutions_and_a_map_of_all_places():
    reader, pictures = Reader(PICTURE, generator=generator()), given(PICTURE, 3, B)
    seen = 2 * pictures.flatten(0, 1) - 1
    for number in (0, 1):
        weight = getattr(reader, f"filter_{number}")
        bias = getattr(reader, f"filter_bias_{number}")
        seen = conv2d(seen, weight, bias, stride=2, padding=1).relu()
    places = reader.places(pictures)
    rows, columns = PICTURE.grid
    assert places.shape == (3, B, rows * columns, PICTURE.depth)
    # place 3 of a grid of 2 × 2 is the second row's second
    assert (rows, columns) == (2, 2)
    torch.testing.assert_close(places.flatten(0, 1)[:, 3], seen[:, :, 1, 1])
    expected = linear(seen.flatten(2).mT.flatten(1), reader.weight, reader.bias)
    torch.testing.assert_close(reader(pictures, torch.float32).flatten(0, 1), expected)


def test_every_frame_is_read_alike():
    reader, frames = Reader(PICTURE, generator=generator()), given(PICTURE, 3, B)
    alone = torch.stack([reader(frame, torch.float32) for frame in frames])
    torch.testing.assert_close(reader(frames, torch.float32), alone)


def test_the_middle_grey_is_nothing():
    reader = Reader(PICTURE, generator=generator())
    grey = torch.full((1, B, 2, 8, 6), 0.5)
    assert (reader(grey, torch.float32) == 0).all()


def test_features_are_read_as_they_are_or_through_a_map():
    features = given(Features(6, 4), 1, B)
    plain = Reader(Features(6, 4), generator=generator())(features, torch.float32)
    assert torch.equal(plain, features.flatten(2))
    mapped = Reader(Features(6, 4, embedding=3), generator=generator())
    assert torch.equal(mapped.places(features), features)
    expected = linear(features.flatten(2), mapped.weight, mapped.bias)
    torch.testing.assert_close(mapped(features, torch.float32), expected)


def test_whoever_looks_at_places_has_no_map_of_all():
    assert set(reader_weights(PICTURE, whole=False)) == {
        "filter_0", "filter_bias_0", "filter_1", "filter_bias_1",
    }  # fmt: skip
    assert reader_weights(Features(6, 4, embedding=3), whole=False) == {}
    assert depth(PICTURE) == 5
    assert depth(Reals(3)) == 3


def test_products_and_what_is_kept_are_counted_layer_by_layer():
    # 8 × 6 becomes 4 × 3, and that 2 × 2
    convolutions = 2 * (3 * 2 * 9 * 12 + 5 * 3 * 9 * 4)
    assert reader_flops(PICTURE, whole=False) == convolutions
    assert reader_flops(PICTURE) == convolutions + 2 * 7 * 20
    assert reader_flops(Tokens(5)) == 0
    assert activations(PICTURE) == 2 * 48 + 3 * 12 + 5 * 4
    assert activations(caption(Reals(3)).inputs) == 0


@pytest.mark.parametrize(("places", "grid"), [(49, (7, 7)), (1, (1, 1)), (36, (6, 6)), (6, (0, 0))])
def test_places_of_features_are_a_square_or_lie_as_is_said(places, grid):
    assert Features(places, 4).grid == grid
    assert Features(6, 4, rows=2).grid == (2, 3)
