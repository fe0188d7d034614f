import pytest

from rnnbench.text import UNKNOWN, Vocabulary, symbols, text_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I don't know, do you?\n", ["I", "don't", "know", ",", "do", "you", "?", "\n"]),
        ("개가 철수를 물었다.", ["개가", "철수를", "물었다", "."]),
        ("  spaced   out ", ["spaced", "out"]),
    ],
)
def test_a_text_is_cut_into_words_and_marks(text, words):
    assert symbols(text, "word") == words


def test_characters_are_put_together_as_they_were():
    text = "개가 bit\nChulsu."
    assert text_of(symbols(text, "character"), "character") == text
    assert text_of(["a", "b"], "word") == "a b"


def test_the_most_frequent_symbols_come_first_after_the_unknown():
    vocabulary = Vocabulary.of([["b", "a", "a"], ["c", "a", "b"]])
    assert vocabulary.symbols == (UNKNOWN, "a", "b", "c")
    assert len(vocabulary) == 4
    assert vocabulary.encode(["c", "x", "a"]) == [3, 0, 1]
    assert vocabulary.decode([3, 0, 1]) == ["c", UNKNOWN, "a"]


def test_a_vocabulary_may_be_cut():
    assert Vocabulary.of(["abracadabra"], most=3).symbols == (UNKNOWN, "a", "b")


def test_ties_are_broken_by_the_symbol_so_that_order_does_not_matter():
    assert Vocabulary.of(["ba"]) == Vocabulary.of(["ab"])


def test_the_unknown_symbol_of_a_text_is_the_unknown_symbol():
    assert Vocabulary.of([[UNKNOWN, "a"]]).symbols == (UNKNOWN, "a")


def test_a_vocabulary_has_a_place_for_the_unknown():
    assert Vocabulary.of(["ab"], most=1).symbols == (UNKNOWN,)
    with pytest.raises(ValueError, match="1 symbol at least, not 0"):
        Vocabulary.of(["ab"], most=0)
