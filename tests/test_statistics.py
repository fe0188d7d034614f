import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnnbench.statistics import (
    best_so_far,
    expected_best,
    holm,
    mean_interval,
    paired_interval,
    seeds_needed,
    sign_flip_test,
    smallest_p,
    wilson_interval,
)

STUDENT_1908 = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
"""Hours of sleep gained, drug 2 over drug 1 (Student 1908)."""

DARWIN_1876 = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Eighths of an inch, crossed over self-fertilised maize (Fisher 1935, section 17)."""


def test_the_interval_of_students_sleep_data_is_the_one_in_print():
    found = mean_interval(STUDENT_1908)
    assert found.estimate == pytest.approx(1.58)
    assert (found.low, found.high) == pytest.approx((0.7001142, 2.4598858), abs=1e-7)
    assert found.n == 10


def test_a_paired_interval_is_that_of_the_differences():
    assert paired_interval([3.0, 5.0, 9.0], [1.0, 4.0, 6.0]) == mean_interval([2.0, 1.0, 3.0])


def test_fewer_than_three_values_have_a_mean_and_no_interval():
    two = mean_interval([1.0, 3.0])
    assert two.estimate == 2.0
    assert math.isnan(two.low)
    assert math.isnan(two.high)
    assert not two.excludes_zero
    assert math.isnan(mean_interval([]).estimate)


def test_one_tiny_value_among_zeros_is_no_certain_difference():
    assert not mean_interval([0, 0, 4e-274, 0, 0, 0, 0, 0]).excludes_zero
    assert not mean_interval([0, 0, 5e-324, 0, 0, 0, 0, 0]).excludes_zero


def test_equal_values_have_an_interval_without_width():
    found = mean_interval([0.1, 0.1, 0.1])
    assert found.low == found.estimate == found.high


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0, 0.1611),
     (1, 29, 0.0061, 0.1718)],
)  # fmt: skip
def test_wilson_intervals_are_those_of_newcombe_1998(successes, n, low, high):
    found = wilson_interval(successes, n)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_a_share_of_all_runs_reaches_one_exactly():
    assert wilson_interval(5, 5).high == 1.0
    assert math.isnan(wilson_interval(0, 0).low)


def test_sign_flips_of_darwins_maize_give_fishers_p():
    found = sign_flip_test(DARWIN_1876)
    assert found.exact
    assert found.p == 1726 / 32768


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=7))
def test_sign_flips_agree_with_counting_every_pattern(values):
    sums = [abs(sum(s * v for s, v in zip(signs, values, strict=True)))
            for signs in product((1, -1), repeat=len(values))]  # fmt: skip
    assert sign_flip_test(values).p == np.mean(np.array(sums) >= abs(sum(values)))


def test_ties_stay_ties_when_sums_round():
    # 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in the last place.
    assert sign_flip_test([0.1, 0.2, 0.3]).p == 2 / 8


def test_beyond_twenty_pairs_the_test_is_sampled_and_says_so():
    generator = np.random.default_rng(1)
    values = generator.normal(0.4, 1, 21)
    found = sign_flip_test(values)
    assert not found.exact
    assert found == sign_flip_test(values)
    by_hand = sign_flip_test(values, generator=np.random.default_rng(7))
    assert found.p == pytest.approx(by_hand.p, abs=0.01)


def test_five_seeds_cannot_go_below_a_sixteenth():
    assert smallest_p(5) == 0.0625
    assert sign_flip_test([1, 2, 3, 4, 5]).p == 0.0625
    assert smallest_p(0) == 1.0
    assert smallest_p(1) == 1.0


@pytest.mark.parametrize(("contrasts", "seeds"), [(1, 6), (2, 7), (15, 10), (42, 11)])
def test_seeds_needed_grow_with_the_number_of_contrasts(contrasts, seeds):
    assert seeds_needed(contrasts) == seeds
    assert smallest_p(seeds) * contrasts <= 0.05 < smallest_p(seeds - 1) * contrasts


def test_holm_gives_the_numbers_of_rs_p_adjust():
    assert holm([0.01, 0.02, 0.03, 0.04, 0.05]) == pytest.approx([0.05, 0.08, 0.09, 0.09, 0.09])
    assert holm([0.04, 0.01]) == pytest.approx([0.04, 0.02])


def test_holm_leaves_out_what_was_not_tested():
    found = holm([0.01, math.nan, 0.04])
    assert found[[0, 2]] == pytest.approx([0.02, 0.04])
    assert math.isnan(found[1])


def test_expected_best_of_three_scores_by_hand():
    # n = 2: 1·1/9 + 2·3/9 + 3·5/9; n = 3: 1·1/27 + 2·7/27 + 3·19/27 (Dodge et al. 2019, eq. 3).
    assert expected_best([3.0, 1.0, 2.0]) == pytest.approx([2, 22 / 9, 72 / 27])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(1, 4))
def test_expected_best_is_the_mean_over_all_draws(scores, n):
    n = min(n, len(scores))
    draws = [max(draw) for draw in product(scores, repeat=n)]
    assert expected_best(scores)[n - 1] == pytest.approx(np.mean(draws))


def test_best_so_far_never_falls():
    assert best_so_far([1, 3, 2, 4]).tolist() == [1, 3, 3, 4]
