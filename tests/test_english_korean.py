from itertools import islice

import pytest

from rnnbench import symbols
from rnnbench_tasks.english_korean import (
    OBJECTS,
    TOTAL,
    VERBS,
    english,
    korean,
    read,
    sentence,
    sentences,
)
from rnnbench_tasks.hangul import closed

SOME = list(islice(sentences(), 3000))


def understood(text):
    return read(symbols(text.lower(), "word")[:-1])


@pytest.mark.parametrize(
    ("said", "translated"),
    [
        ("The dog sees the book.", "개가 책을 본다."),
        ("The bear saw the car.", "곰이 차를 보았다."),
        ("The student will draw three cars.", "학생이 차 세 대를 그릴 것이다."),
        ("Two small dogs see the king in the park.", "작은 개 두 마리가 공원에서 왕을 본다."),
        ("Five doctors hid two white flowers.", "의사 다섯 명이 하얀 꽃 두 송이를 숨겼다."),
    ],
)
def test_sentences_become_what_a_korean_would_say(said, translated):
    assert korean(understood(said)) == translated
    assert english(understood(said)) == said


def test_every_sentence_is_understood_from_its_english():
    assert [understood(english(said)) for said in SOME] == SOME


def test_each_sentence_has_an_english_and_a_korean_of_its_own():
    assert len({english(said) for said in SOME}) == len(SOME)
    assert len({korean(said) for said in SOME}) == len(SOME)


def test_sentences_are_always_the_same_and_all_different():
    assert list(islice(sentences(), 3000)) == SOME
    assert len(set(SOME)) == 3000
    assert english(SOME[0]) == "The small duck drew four pretty singers."
    assert sentence(0) != sentence(TOTAL - 1)
    with pytest.raises(IndexError):
        english(sentence(TOTAL - 1)._replace(verb=len(VERBS)))


def test_particles_follow_the_sound_before_them():
    for said in SOME:
        words = korean(said).removesuffix(".").split()
        assert all(closed(word[:-1]) for word in words if word.endswith("을"))
        assert not any(closed(word[:-1]) for word in words if len(word) > 1 and word[-1] in "를가")
    assert {closed(noun.korean) for noun in OBJECTS} == {True, False}
    assert {closed(noun.counter) for noun in OBJECTS} == {True, False}


def test_no_english_form_belongs_to_two_words():
    forms = [word for noun in OBJECTS for word in (noun.one, noun.several)]
    forms += [word for verb in VERBS for word in (verb.base, verb.third, verb.past)]
    assert len(forms) == len(set(forms))
