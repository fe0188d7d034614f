"""Pairs of sequences laid side by side."""

import torch

from rnnbench_tasks import pairs
from rnnbench_tasks.pairs import Pair

END = 9
PAIRS = (Pair([1, 2, 3], [4]), Pair([5], [6, 7, 8]))


def test_pairs_stand_side_by_side_and_each_target_is_closed_and_padded_with_end():
    batch = pairs.batch(PAIRS, END)
    assert batch.inputs.T.tolist() == [[1, 2, 3], [5, 0, 0]]
    assert batch.targets.T.tolist() == [[4, 9, 9, 9], [6, 7, 8, 9]]
    assert batch.lengths.tolist() == [3, 1]
    assert batch.mask is None and batch.references is None


def test_the_empty_target_is_end_alone():
    assert pairs.batch([Pair([1], [])], END).targets.T.tolist() == [[END]]


def test_references_go_with_their_rows():
    batch = pairs.batch(PAIRS, END, references=[["a"], ["b", "c"]])
    chosen = batch.choose(torch.tensor([1]), "sequence-to-sequence")
    assert chosen.references == (("b", "c"),)


def test_shared_counts_the_held_out_sources_that_training_has():
    held_out = [Pair([5], [0]), Pair([5], [1]), Pair([6], [6, 7, 8])]
    assert pairs.shared(PAIRS, held_out) == 2


def test_what_was_said_is_cut_or_closed_to_the_steps_asked_for():
    said = torch.tensor([[1], [2], [3]])
    assert pairs.fit(said, 2, END).T.tolist() == [[1, 2]]
    assert pairs.fit(said, 5, END).T.tolist() == [[1, 2, 3, END, END]]


def test_answers_to_a_batch_have_its_target_steps():
    batch = pairs.batch(PAIRS, END)
    assert pairs.answered([[4], []], batch, END).T.tolist() == [[4, 9, 9, 9], [9, 9, 9, 9]]
    assert pairs.answered([[1] * 5, [2]], batch, END).T.tolist() == [[1, 1, 1, 1], [2, 9, 9, 9]]
