"""Who did what to whom, in English and Korean: the sentences of the word order task.

Where `|` stands, two words are written together that count as two.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import ClassVar, Literal, Protocol, get_args

from rnnbench_tasks.hangul import closed, direct_object, subject

Language = Literal["english", "korean"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


class Grammar(Protocol):
    """How a language says who did it, and asks."""

    animals: ClassVar[tuple[str, ...]]
    people: ClassVar[tuple[str, ...]]
    verbs: ClassVar[tuple[str, ...]]

    @staticmethod
    def meetings() -> list[tuple[str, str]]:
        """Return which animal may meet which person."""
        ...

    @staticmethod
    def clause(actor: str, other: str, verb: str, inverted: bool) -> str:
        """Say that `actor` did it to `other`; inverted, the other is named first."""
        ...

    @staticmethod
    def question(verb: str) -> str:
        """Ask who did it."""
        ...


class English:
    """Subject, verb, object; inverted, the passive. A verb is its past and its participle."""

    animals = tuple(
        f"the {animal}"
        for animal in _words("dog cat rabbit duck bear horse hen sheep cow fox goose goat")
    )
    people = _words(
        "Chulsu Younghee Minsu Jiwoo Sora Yuna Jimin Sujin Youngjun Seoyeon Harin Taeyang"
    )
    verbs = _words("bit/bitten chased/chased pushed/pushed saw/seen found/found woke/woken")

    @staticmethod
    def meetings() -> list[tuple[str, str]]:
        """Return all pairs."""
        return list(product(English.animals, English.people))

    @staticmethod
    def clause(actor: str, other: str, verb: str, inverted: bool) -> str:
        """Say that `the dog bit Chulsu`, or `Chulsu was bitten by the dog`, and end the clause."""
        past, participle = verb.split("/")
        said = f"{other} was {participle} by {actor}" if inverted else f"{actor} {past} {other}"
        return said + ". "

    @staticmethod
    def question(verb: str) -> str:
        """Ask `who bit?`."""
        return f"who {verb.partition('/')[0]}?"


class Korean:
    """Subject, object, verb; inverted, the object first. Particles are symbols of their own.

    Two that meet end alike, in a vowel or in a consonant: otherwise the particles that occur, 이 or
    가 and 을 or 를, would give away who is the subject wherever it stands.
    """

    animals = _words("개 토끼 고양이 오리 여우 염소 곰 말 닭 뱀 양 사슴")
    people = _words("철수 영희 민수 지우 소라 유나 지민 수진 영준 서연 하린 태양")
    verbs = _words("물었다 쫓았다 밀었다 보았다 찾았다 깨웠다")

    @staticmethod
    def meetings() -> list[tuple[str, str]]:
        """Return the pairs that take the same particles."""
        pairs = product(Korean.animals, Korean.people)
        return [(animal, person) for animal, person in pairs if closed(animal) == closed(person)]

    @staticmethod
    def clause(actor: str, other: str, verb: str, inverted: bool) -> str:
        """Say that `개가 철수를 물었다`, or `철수를 개가 물었다`, and end the clause."""
        named = f"{actor}|{subject(actor)}", f"{other}|{direct_object(other)}"
        return " ".join(reversed(named) if inverted else named) + f" {verb}. "

    @staticmethod
    def question(verb: str) -> str:
        """Ask `누가 물었나?`."""
        return f"누가 {verb.removesuffix('다')}나?"


GRAMMARS: Mapping[Language, type[Grammar]] = {"english": English, "korean": Korean}
