import pytest

from rnnbench.errors import InputError
from rnnbench.matching import match


def parameters(hidden: int) -> int:
    """A plain recurrent network with 2 inputs and 1 target, counted by hand."""
    return hidden * (2 + hidden + 1) + hidden + 1


def solve(quantity, target, reached=parameters):
    return match(quantity, target, reached, "`x` on `y`")


def test_a_size_that_exists_is_met_exactly():
    # 10 · (2 + 10 + 1) + 10 + 1 = 141
    matched = solve("parameters", 141)
    assert (matched.hidden, matched.mismatch) == (10, 0.0)


def test_a_size_between_two_takes_the_nearer_one_and_its_signed_mismatch():
    # 141 with 10, 166 with 11
    assert (solve("parameters", 150).hidden, solve("parameters", 156).hidden) == (10, 11)
    assert solve("parameters", 150).mismatch == pytest.approx(-9 / 150)
    assert solve("parameters", 156).mismatch == pytest.approx(10 / 156)


def test_hidden_state_and_products_can_be_matched():
    assert solve("hidden", 7).hidden == 7
    assert solve("hidden", 7).mismatch == 0.0
    assert solve("state", 12, lambda hidden: hidden).hidden == 12
    assert solve("flops", 2 * 130, lambda hidden: 2 * hidden * (3 + hidden)).hidden == 10


def nearest(target: int) -> int:
    return min(abs(parameters(hidden) - target) for hidden in range(1, 100))


@pytest.mark.parametrize("target", range(200, 5000, 37))
def test_bisection_finds_what_trying_every_size_finds(target):
    matched = solve("parameters", target)
    assert abs(parameters(matched.hidden) - target) == nearest(target)


def test_a_size_that_cannot_be_met_is_refused_with_the_two_nearest():
    # 6 with 1 and 13 with 2
    with pytest.raises(InputError) as caught:
        solve("parameters", 9)
    assert str(caught.value) == (
        "`x` on `y` cannot be matched to 9 parameters within 10%: "
        "it has 6 with hidden size 1 and 13 with hidden size 2"
    )


def test_a_size_below_the_smallest_network_is_refused():
    with pytest.raises(InputError, match=r"it has 6 with hidden size 1$"):
        solve("parameters", 2)


def test_a_cell_whose_size_does_not_grow_is_refused_rather_than_tried_for_ever():
    with pytest.raises(InputError, match="cannot be matched to 100 state"):
        solve("state", 100, lambda _: 1)
