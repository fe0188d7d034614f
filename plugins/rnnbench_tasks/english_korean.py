"""A small parallel grammar: English sentences, and the one Korean sentence that each becomes.

English has the subject, the verb, the object and the place in this order, Korean the subject, the
place, the object and the verb. Korean marks the subject by 이 or 가 and the object by 을 or 를,
whichever suits the sound before it, and counts animals, people and things in words of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count as numbers_from
from math import prod
from typing import NamedTuple

from rnnbench_tasks.hangul import direct_object, subject


@dataclass(frozen=True)
class Noun:
    """A noun: one of it, several, in Korean, and the Korean word that counts it."""

    one: str
    several: str
    korean: str
    counter: str


@dataclass(frozen=True)
class Verb:
    """A verb: its English base, third person and past; its Korean present, past and future."""

    base: str
    third: str
    past: str
    korean: tuple[str, str, str]


def _nouns(table: str) -> tuple[Noun, ...]:
    return tuple(Noun(*row.split()) for row in table.strip().splitlines())


def _verbs(table: str) -> tuple[Verb, ...]:
    rows = (row.split() for row in table.strip().splitlines())
    return tuple(Verb(*row[:3], (row[3], row[4], f"{row[5]} 것이다")) for row in rows)


def _words(table: str) -> tuple[tuple[str, str], ...]:
    rows = (row.rpartition(" ") for row in table.strip().splitlines())
    return tuple((english.strip(), korean) for english, _, korean in rows)


BEINGS = _nouns("""
    dog dogs 개 마리
    cat cats 고양이 마리
    bear bears 곰 마리
    horse horses 말 마리
    fox foxes 여우 마리
    duck ducks 오리 마리
    rabbit rabbits 토끼 마리
    snake snakes 뱀 마리
    student students 학생 명
    doctor doctors 의사 명
    farmer farmers 농부 명
    king kings 왕 명
    singer singers 가수 명
    teacher teachers 선생님 명
    child children 아이 명
    guest guests 손님 명
""")
THINGS = _nouns("""
    book books 책 권
    apple apples 사과 개
    car cars 차 대
    flower flowers 꽃 송이
    pencil pencils 연필 자루
    tree trees 나무 그루
    letter letters 편지 통
    chair chairs 의자 개
    ball balls 공 개
    photo photos 사진 장
    bicycle bicycles 자전거 대
    umbrella umbrellas 우산 개
""")
OBJECTS = BEINGS + THINGS
VERBS = _verbs("""
    see sees saw 본다 보았다 볼
    find finds found 찾는다 찾았다 찾을
    draw draws drew 그린다 그렸다 그릴
    like likes liked 좋아한다 좋아했다 좋아할
    carry carries carried 나른다 날랐다 나를
    hide hides hid 숨긴다 숨겼다 숨길
    touch touches touched 만진다 만졌다 만질
    push pushes pushed 민다 밀었다 밀
    pull pulls pulled 당긴다 당겼다 당길
    catch catches caught 잡는다 잡았다 잡을
    choose chooses chose 고른다 골랐다 고를
    move moves moved 옮긴다 옮겼다 옮길
""")
ADJECTIVES = _words("""
    small 작은
    big 큰
    white 하얀
    black 까만
    pretty 예쁜
    strange 이상한
    heavy 무거운
    clean 깨끗한
    dirty 더러운
    quiet 조용한
""")
PLACES = _words("""
    in the park 공원에서
    at the school 학교에서
    in the garden 정원에서
    in the forest 숲에서
    at home 집에서
    at the station 역에서
    on the street 길에서
    at the market 시장에서
    in the kitchen 부엌에서
    on the island 섬에서
""")
COUNTS = (("the", ""), ("two", "두"), ("three", "세"), ("four", "네"), ("five", "다섯"))
PRESENT, PAST, FUTURE = range(3)


class Sentence(NamedTuple):
    """What is said, by numbers; adjectives and the place count from 1, and 0 is none.

    acting, acted_on   how many, which adjective and which noun
    """

    acting: tuple[int, int, int]
    verb: int
    tense: int
    acted_on: tuple[int, int, int]
    place: int


RADICES = (
    *(len(COUNTS), len(ADJECTIVES) + 1, len(BEINGS)),
    *(len(VERBS), 3),
    *(len(COUNTS), len(ADJECTIVES) + 1, len(OBJECTS)),
    len(PLACES) + 1,
)
TOTAL = prod(RADICES)


def sentence(number: int) -> Sentence:
    """Return one of the `TOTAL` sentences, 0 ≤ number < TOTAL."""
    digits = []
    for radix in RADICES:
        number, digit = divmod(number, radix)
        digits.append(digit)
    return Sentence(
        (digits[0], digits[1], digits[2]),
        *digits[3:5],
        (digits[5], digits[6], digits[7]),
        digits[8],
    )


def sentences() -> Iterator[Sentence]:
    """Yield different sentences without end (there are 536 million), by hash and so ever alike."""
    seen: set[int] = set()
    for n in numbers_from():
        number = int.from_bytes(hashlib.sha256(b"%d" % n).digest()[:8]) % TOTAL
        if number not in seen:
            seen.add(number)
            yield sentence(number)


def english(said: Sentence) -> str:
    """Say in English that two small dogs saw the car in the park."""
    verb = VERBS[said.verb]
    present = verb.base if said.acting[0] else verb.third
    does = (present, verb.past, f"will {verb.base}")[said.tense]
    words = [_english(said.acting), does, _english(said.acted_on)]
    if said.place:
        words.append(PLACES[said.place - 1][0])
    text = " ".join(words)
    return text[0].upper() + text[1:] + "."


def korean(said: Sentence) -> str:
    """Say in Korean that 작은 개 두 마리가 공원에서 차를 보았다."""
    acting, acted_on = _korean(said.acting), _korean(said.acted_on)
    place = [PLACES[said.place - 1][1]] if said.place else []
    words = [acting + subject(acting), *place, acted_on + direct_object(acted_on)]
    return " ".join([*words, VERBS[said.verb].korean[said.tense]]) + "."


def _english(phrase: tuple[int, int, int]) -> str:
    count, adjective, noun = phrase
    words = [COUNTS[count][0]]
    if adjective:
        words.append(ADJECTIVES[adjective - 1][0])
    return " ".join([*words, OBJECTS[noun].several if count else OBJECTS[noun].one])


def _korean(phrase: tuple[int, int, int]) -> str:
    count, adjective, noun = phrase
    words = [ADJECTIVES[adjective - 1][1]] if adjective else []
    words.append(OBJECTS[noun].korean)
    if count:
        words += [COUNTS[count][1], OBJECTS[noun].counter]
    return " ".join(words)


def read(words: list[str]) -> Sentence:
    """Understand the words of an English sentence, in small letters and without its full stop."""
    left = list(words)
    acting = _phrase(left)
    future = left[0] == "will"
    does = left.pop(1 if future else 0)
    verb, tense = _VERB[does]
    if future:
        left.pop(0)
        tense = FUTURE
    acted_on = _phrase(left)
    return Sentence(acting, verb, tense, acted_on, _PLACE[" ".join(left)])


def _phrase(left: list[str]) -> tuple[int, int, int]:
    """Take how many, of what kind and of what off the words that are left."""
    count = _COUNT[left.pop(0)]
    adjective = _ADJECTIVE.get(left[0], 0)
    if adjective:
        left.pop(0)
    return count, adjective, _NOUN[left.pop(0)]


_COUNT = {english: count for count, (english, _) in enumerate(COUNTS)}
_ADJECTIVE = {english: place for place, (english, _) in enumerate(ADJECTIVES, 1)}
_NOUN = {word: n for n, noun in enumerate(OBJECTS) for word in (noun.one, noun.several)}
_PLACE = {"": 0} | {english: place for place, (english, _) in enumerate(PLACES, 1)}
_VERB = {
    word: (number, tense)
    for number, verb in enumerate(VERBS)
    for word, tense in ((verb.base, PRESENT), (verb.third, PRESENT), (verb.past, PAST))
}
