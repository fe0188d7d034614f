import hashlib
import re
from itertools import permutations

import numpy as np
import pytest

from rnnbench_tasks import prose

ALIKE = [1 / len(prose.ALPHABET)] * len(prose.ALPHABET)


@pytest.fixture(scope="module")
def text():
    return prose.text("a test", 200_000)


def sentences(text):
    """Cut lines into sentences, and drop what stands in parentheses."""
    for line in text.split("\n")[1:-1]:
        said = re.sub(r'^\w+ says: "|^\* |"( So says \w+\.)?$', "", line)
        while "(" in said:
            said = re.sub(r" \([^()]*\)", "", said)
        yield from re.findall(r"[A-Z][^.?]*[.?]", said)


def test_a_seed_gives_one_text_for_ever():
    digest = hashlib.sha256(prose.text("train", 500_000).encode()).hexdigest()
    assert digest == "b7785a3ffcb76a9b586e0ac38a0d1989a2a0647af251e60aa2c299c2b1423c25"
    assert prose.text("one", 1000) != prose.text("two", 1000)


def test_a_text_begins_with_a_line_end_and_has_as_many_characters_as_asked_for():
    assert prose.text("x", 1) == "\n"
    assert len(prose.text("x", 777)) == 777
    assert prose.text("x", 777) == prose.text("x", 1000)[:777]


def test_no_word_of_a_part_begins_another():
    for part, ways in prose.GRAMMAR.items():
        for (_, one, _), (_, other, _) in permutations(ways, 2):
            assert not other.startswith(one), (part, one, other)


def test_every_part_is_there_and_has_weight():
    asked = {name for ways in prose.GRAMMAR.values() for _, _, parts in ways for name in parts}
    assert asked <= prose.GRAMMAR.keys()
    assert prose.GRAMMAR.keys() == asked | {prose.START}
    assert all(weight > 0 for ways in prose.GRAMMAR.values() for weight, _, _ in ways)


def test_the_text_is_made_of_its_alphabet(text):
    assert set(text) == set(prose.ALPHABET)


def test_expectations_are_probabilities_and_never_exclude_what_comes(text):
    expected = prose.probabilities(text[:20_000], ALIKE)
    assert expected.sum(1) == pytest.approx(1)
    numbers = np.array([prose.ALPHABET.index(character) for character in text[1:20_000]])
    assert (expected[np.arange(len(numbers)), numbers] > 0).all()


def test_the_probability_of_a_sentence_is_the_product_of_its_rules():
    line = "\n* The dog sings."
    expected = prose.probabilities(line, ALIKE)
    places = [prose.ALPHABET.index(character) for character in line[1:]]
    product = np.prod(expected[np.arange(len(places)), places])

    def share(part, word):
        total = sum(weight for weight, _, _ in prose.GRAMMAR[part])
        return next(weight for weight, one, _ in prose.GRAMMAR[part] if one == word) / total

    rules = [("line", "* "), ("sentence", "The "), ("subject", "dog ")]
    rules += [("described ns", "sings"), ("end", ".")]
    assert product == pytest.approx(np.prod([share(*rule) for rule in rules]))


def test_expectations_are_how_often_characters_come(text):
    expected = prose.probabilities(text, ALIKE)[:-1]
    numbers = np.array([prose.ALPHABET.index(character) for character in text[1:]])
    came = np.bincount(numbers, minlength=len(prose.ALPHABET))
    error = np.sqrt((expected * (1 - expected)).sum(0))
    assert (np.abs(came - expected.sum(0)) < 5 * error + 1e-9).all()


def test_before_the_first_line_end_the_grammar_says_what_it_is_told(text):
    cut = text[5:600]
    first = cut.index("\n")
    expected = prose.probabilities(cut, ALIKE)
    assert (expected[:first] == ALIKE).all()
    assert (expected[first:] == prose.probabilities(cut[first:], ALIKE)).all()
    assert (prose.probabilities("The d", ALIKE) == ALIKE).all()


def test_quotes_and_parentheses_close(text):
    for line in text.split("\n")[1:-1]:
        assert line.count('"') in (0, 2)
        assert line.count("(") == line.count(")")
        assert (line.count('"') == 2) != line.startswith("* ")


def test_a_speaker_is_named_again(text):
    named = re.findall(r'^(\w+) says: .*" So says (\w+)\.$', text, re.MULTILINE)
    assert len(named) > 100
    assert all(first == last for first, last in named)


def test_questions_end_with_their_mark(text):
    asked = [sentence for sentence in sentences(text) if sentence.startswith(("Do ", "Does "))]
    assert len(asked) > 100
    assert all(sentence.endswith("?") for sentence in asked)
    assert sum(sentence.endswith("?") for sentence in sentences(text)) == len(asked)


def test_verbs_agree_with_their_subjects_across_a_clause(text):
    plain = "|".join(word.split()[0] for word in (*prose.SLEEP, *prose.SEE))
    across = rf"The (\w+) that the \w+ (?:{plain})s? ({plain})(s?)\b"
    found = re.findall(across, text)
    assert len(found) > 100
    for noun, _, end in found:
        assert (noun in prose.PLURALS) == (end == ""), noun
    assert {noun in prose.PLURALS for noun, _, _ in found} == {True, False}


def test_whom_a_name_sees_is_of_its_gender(text):
    found = re.findall(r"\b([A-Z]\w+) \w+s (herself|himself|itself|themselves)", text)
    assert len(found) > 50
    for name, own in found:
        assert prose.SELF[prose.NAMES[name]] == own
