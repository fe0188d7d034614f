import torch

from rnnbench.fit import Best


def test_the_lower_loss_decides_between_equal_scores_and_the_earlier_update_after_that() -> None:
    best = Best(update=1, score=0.5, loss=0.3, row=torch.ones(3))
    assert best.beaten_by(0.6, 9.0, "max")
    assert best.beaten_by(0.4, 9.0, "min")
    assert best.beaten_by(0.5, 0.2, "max")
    assert best.beaten_by(0.5, 0.2, "min")
    assert not best.beaten_by(0.5, 0.3, "max")
    assert not best.beaten_by(0.4, 0.1, "max")
    assert not best.beaten_by(0.6, 0.1, "min")
