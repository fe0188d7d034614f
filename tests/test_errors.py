import pickle

import pytest

from rnnbench import errors
from rnnbench.errors import InputError, RnnbenchError, UnknownNameError

TREE = [
    value for value in vars(errors).values() if getattr(value, "__module__", "") == errors.__name__
]


def test_every_error_belongs_to_the_tree():
    assert all(issubclass(kind, RnnbenchError) for kind in TREE)
    assert all(kind.__name__ in (errors.__doc__ or "") for kind in TREE)


def test_a_close_name_is_suggested():
    error = UnknownNameError("cell", "lsmt", ["rnn", "lstm"])
    assert str(error) == "unknown cell `lsmt`; did you mean `lstm`? Known: lstm, rnn."
    assert isinstance(error, InputError)


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (["rnn", "gru"], "unknown cell `zzz`; known: gru, rnn."),
        ([], "unknown cell `zzz`; known: none."),
    ],
)
def test_without_a_close_name_all_are_listed(known, text):
    assert str(UnknownNameError("cell", "zzz", known)) == text


def test_a_note_stands_at_the_end():
    assert str(UnknownNameError("cell", "x", [], "(see y)")).endswith("known: none. (see y)")


def test_an_unknown_name_travels_between_processes():
    error = UnknownNameError("cell", "lsmt", ["rnn", "lstm"], "(see there)")
    there = pickle.loads(pickle.dumps(error))
    assert (str(there), there.known) == (str(error), error.known)
