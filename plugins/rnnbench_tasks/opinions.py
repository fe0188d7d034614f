"""Short opinions on films in English and Korean, in which the order of the words decides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, product
from typing import Literal, get_args

import rnnbench
from rnnbench_tasks.hangul import topic
from rnnbench_tasks.parts import Part

Language = Literal["english", "korean"]
Pair = tuple[str, str]

LANGUAGES: tuple[Language, ...] = get_args(Language)
LABELS = ("negative", "positive")
SHARES: Mapping[Part, float] = {"train": 0.7, "valid": 0.15, "test": 0.15}
HELD_OUT: Mapping[Part, int] = {"valid": 20, "test": 40}
"""How many sentences of each pattern and label a held-out part has."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True)
class Pattern:
    """A sentence about the subject {a}, and {b}, with the words {x} and {y}.

    x, y  whether the word agrees with what the sentence says as a whole
    """

    text: str
    x: bool
    y: bool | None = None


@dataclass(frozen=True)
class Lexicon:
    """What opinions in a language are about, and the words for and against."""

    subjects: tuple[str, ...]
    against: tuple[str, ...]
    praise: tuple[str, ...]
    patterns: tuple[Pattern, ...]

    def positive(self, word: str) -> bool:
        """Tell whether a word praises."""
        return word in self.praise


ENGLISH = Lexicon(
    subjects=_words(
        "plot acting music ending dialogue script cast humour camerawork story hero villain "
        "opening finale score pacing editing romance premise narration"
    ),
    against=_words(
        "bad dull awful clumsy boring weak stale flat silly cold tedious dreadful predictable "
        "shallow annoying lifeless"
    ),
    praise=_words(
        "good great lovely brilliant clever charming moving fresh funny warm wonderful gripping "
        "elegant honest delightful superb"
    ),
    patterns=(
        Pattern("The {a} is {x}.", x=True),
        Pattern("The {a} is really {x}.", x=True),
        Pattern("The {a} is {x} and the {b} is {y}.", x=True, y=True),
        Pattern("The {a} is {x} and {y}.", x=True, y=True),
        Pattern("The {a} is not {x}.", x=False),
        Pattern("The {a} is not {x} at all.", x=False),
        Pattern("The {a} is {x}, not {y}.", x=True, y=False),
        Pattern("The {a} is {x} but the {b} is {y}.", x=False, y=True),
        Pattern("The {a} is {x} but the {b} is not {y}.", x=False, y=False),
        Pattern("The {a} is not {x} but the {b} is {y}.", x=True, y=True),
        Pattern("Although the {a} is {x}, the {b} is {y}.", x=False, y=True),
        Pattern("The {a} is {x}, although the {b} is {y}.", x=True, y=False),
    ),
)

KOREAN = Lexicon(
    subjects=_words(
        "이야기 연기 음악 결말 대사 장면 연출 편집 각본 영상 주제 구성 전개 농담 노래 묘사 배경 "
        "화면 설정 분위기"
    ),
    against=_words(
        "나쁘 지루하 어색하 뻔하 답답하 유치하 지겹 촌스럽 시시하 산만하 엉성하 밋밋하 억지스럽 "
        "허술하 어설프 진부하"
    ),
    praise=_words(
        "좋 멋지 재미있 예쁘 새롭 즐겁 따뜻하 자연스럽 매끄럽 괜찮 신선하 놀랍 사랑스럽 섬세하 "
        "유쾌하 탄탄하"
    ),
    patterns=(
        Pattern("{a} {x}다.", x=True),
        Pattern("{a} 정말 {x}다.", x=True),
        Pattern("{a} {x}고 {b} {y}다.", x=True, y=True),
        Pattern("{a} {x}지 않다.", x=False),
        Pattern("{a} 전혀 {x}지 않다.", x=False),
        Pattern("{a} {x}지 않고 {y}다.", x=False, y=True),
        Pattern("{a} {x}지만 {b} {y}다.", x=False, y=True),
        Pattern("{a} {x}다, {b} {y}지만.", x=True, y=False),
        Pattern("{a} {x}다. 하지만 {b} {y}다.", x=False, y=True),
        Pattern("{a} {x}다. 그러나 {b} {y}다.", x=False, y=True),
        Pattern("{a} 안 {x}다. 하지만 {b} {y}다.", x=True, y=True),
        Pattern("{a} {x}다. 하지만 {b} 안 {y}다.", x=False, y=False),
    ),
)

LEXICONS: Mapping[Language, Lexicon] = {"english": ENGLISH, "korean": KOREAN}


def opinions(language: Language, each: int) -> dict[Part, list[Pair]]:
    """Return the sentences of each part with their labels; 480 are for validation, 960 the test.

    each  how many of each pattern and label are for training; fewer are the first of more

    Each pairing of a subject with a word belongs to one part, so that the parts share words but say
    nothing alike. Patterns and labels are equally frequent. Choices are made by hash and are the
    same for ever.
    """
    lexicon = LEXICONS[language]
    pairs = list(product(lexicon.subjects, lexicon.against + lexicon.praise))
    dealt = rnnbench.deal(len(pairs), SHARES)
    wanted: Mapping[Part, int] = {"train": each, **HELD_OUT}
    return {
        part: [
            (sentence, label)
            for label, pattern in product(LABELS, lexicon.patterns)
            for sentence in _sentences(
                language, pattern, label, [pairs[n] for n in dealt[part]], wanted[part]
            )
        ]
        for part in SHARES
    }


def verdict(text: str, language: Language) -> str:
    """Return the label of an opinion, read word by word from the rules of its language."""
    words = rnnbench.symbols(text.lower(), "word")
    positive = _english(words) if language == "english" else _korean(words)
    return LABELS[positive]


def _english(words: list[str]) -> bool:
    """Take the main clause, and in it the first word of praise or blame, `not` reversing it."""
    comma = words.index(",") if "," in words else len(words)
    if words[:1] == ["although"]:
        words = words[comma:]
    elif "but" in words:
        words = words[words.index("but") :]
    else:
        words = words[:comma]
    valued = ENGLISH.against + ENGLISH.praise
    place = next((place for place, word in enumerate(words) if word in valued), None)
    return place is not None and ENGLISH.positive(words[place]) != ("not" in words[:place])


def _korean(words: list[str]) -> bool:
    """Take the last predicate that concedes nothing, 안 before or 않 behind reversing it."""
    valued = KOREAN.against + KOREAN.praise
    positive = False
    for before, word, behind in zip(["", *words], words, [*words[1:], ""], strict=False):
        stem = next(
            (stem for stem in valued if word in (f"{stem}다", f"{stem}고", f"{stem}지")), ""
        )
        if stem:
            positive = KOREAN.positive(stem) != (before == "안" or behind.startswith("않"))
    return positive


def _sentences(
    language: Language, pattern: Pattern, label: str, pairs: Sequence[Pair], number: int
) -> Iterator[str]:
    """Yield different sentences of one pattern that say what the label says."""
    wanted = label == "positive"
    lexicon, drawn = LEXICONS[language], set()
    first = [pair for pair in pairs if lexicon.positive(pair[1]) == (wanted == pattern.x)]
    second = [pair for pair in pairs if lexicon.positive(pair[1]) == (wanted == pattern.y)]
    for turn in count():
        a, x = _picked(first, pattern.text, label, turn, "first")
        b, y = "", ""
        if pattern.y is not None:
            fitting = [
                pair
                for pair in second
                if pair[1] != x and (pair[0] == a) != ("{b}" in pattern.text)
            ]
            if not fitting:
                continue
            b, y = _picked(fitting, pattern.text, label, turn, "second")
        if language == "korean":
            a, b = a + topic(a), b and b + topic(b)
        sentence = pattern.text.format(a=a, b=b, x=x, y=y)
        if sentence not in drawn:
            drawn.add(sentence)
            yield sentence
        if len(drawn) == number:
            return


def _picked(pairs: Sequence[Pair], *key: object) -> Pair:
    """Pick one by the hash of a key."""
    digest = hashlib.sha256(repr(key).encode()).digest()
    return pairs[int.from_bytes(digest[:8], "big") % len(pairs)]
