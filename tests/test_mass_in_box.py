import math

import pytest
import torch

from rnnbench_metrics.mass_in_box import MassInBox

NOTHING = (math.nan,) * 4


def measured(weights, *boxes):
    return MassInBox().measure(torch.tensor(weights), torch.tensor([list(boxes)]))


EVEN = [[0.25, 0.25], [0.25, 0.25]]
CORNER = [[1.0, 0.0], [0.0, 0.0]]
UPPER_LEFT = (0.0, 0.0, 0.5, 0.5)


def test_an_even_look_scores_one_whatever_the_box():
    for box in (UPPER_LEFT, (0.1, 0.2, 0.9, 0.35), (0.0, 0.0, 1.0, 1.0)):
        assert measured([[EVEN]], box) == pytest.approx(1)


def test_a_look_at_the_right_quarter_is_four_times_as_much_and_at_another_none():
    assert measured([[CORNER]], UPPER_LEFT) == 4
    assert measured([[CORNER]], (0.5, 0.5, 1.0, 1.0)) == 0


def test_a_place_that_lies_half_in_the_box_counts_half():
    # the left half of the upper left place: an eighth of the picture, half of the look
    assert measured([[CORNER]], (0.0, 0.0, 0.5, 0.25)) == pytest.approx(0.5 / 0.125)


def test_words_that_name_nothing_do_not_count_and_the_others_alike():
    assert measured([[CORNER, EVEN]], UPPER_LEFT, NOTHING) == 4
    # masses 1 and 1/2 in boxes of a quarter and a half
    assert measured([[CORNER, EVEN]], UPPER_LEFT, (0.0, 0.0, 1.0, 0.5)) == pytest.approx(
        (1 + 0.5) / (0.25 + 0.5)
    )


def test_what_cannot_be_scored_is_said():
    with pytest.raises(ValueError, match="no word names anything"):
        measured([[EVEN]], NOTHING)
    with pytest.raises(ValueError, match="do not belong to boxes"):
        measured([[EVEN]], UPPER_LEFT, UPPER_LEFT)
