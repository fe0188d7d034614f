"""Who does what to whom, in English and Korean: the words of the word order task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, Protocol, get_args

from rnnbench_tasks.hangul import closed, direct_object, subject

Language = Literal["english", "korean"]
LANGUAGES: tuple[Language, ...] = get_args(Language)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


class Grammar(Protocol):
    """How a language says who did it.

    Where a word ends that is written together with the next stands `|`.
    """

    participants: tuple[str, ...]
    verbs: tuple[str, ...]

    def pairs(self) -> list[tuple[int, int]]:
        """Return who may meet whom, as numbers of participants."""
        ...

    def clause(self, actor: str, other: str, verb: str, inverted: bool) -> str:
        """Say that `actor` did it to `other`; inverted, the other is named first."""
        ...

    def question(self, verb: str, participant: str) -> str:
        """Ask whether the participant did it."""
        ...


@dataclass(frozen=True)
class English:
    """Subject, verb, object; inverted, the passive. A verb is its past and its participle."""

    participants: tuple[str, ...] = (
        *("the " + animal for animal in _words("dog cat rabbit duck bear horse hen sheep")),
        *_words("Chulsu Younghee Minsu Jiwoo Jimin Sujin Youngjun Seoyeon"),
    )
    verbs: tuple[str, ...] = _words(
        "bit/bitten chased/chased followed/followed pushed/pushed saw/seen found/found "
        "teased/teased helped/helped hugged/hugged called/called woke/woken greeted/greeted"
    )

    def pairs(self) -> list[tuple[int, int]]:
        """Return all pairs."""
        return list(combinations(range(len(self.participants)), 2))

    def clause(self, actor: str, other: str, verb: str, inverted: bool) -> str:
        """Say that `the dog bit Chulsu`, or `Chulsu was bitten by the dog`, and end the clause."""
        past, participle = verb.split("/")
        said = f"{other} was {participle} by {actor}" if inverted else f"{actor} {past} {other}"
        return said + ". "

    def question(self, verb: str, participant: str) -> str:
        """Ask `who bit? the dog`."""
        return f"who {verb.partition('/')[0]}? {participant}"


@dataclass(frozen=True)
class Korean:
    """Subject, object, verb; inverted, the object first. Particles are symbols of their own.

    Two that meet end alike, in a vowel or in a consonant: otherwise the particles that occur, 이 or
    가 and 을 or 를, would give away who is the subject wherever it stands.
    """

    participants: tuple[str, ...] = (
        *_words("개 토끼 고양이 오리 철수 영희 민수 지우"),
        *_words("곰 말 닭 뱀 지민 수진 영준 서연"),
    )
    verbs: tuple[str, ...] = _words(
        "물었다 쫓았다 따라갔다 밀었다 보았다 찾았다 놀렸다 도왔다 안았다 불렀다 깨웠다 반겼다"
    )

    def pairs(self) -> list[tuple[int, int]]:
        """Return the pairs that take the same particles."""
        ends = [closed(participant) for participant in self.participants]
        return [(a, b) for a, b in combinations(range(len(ends)), 2) if ends[a] == ends[b]]

    def clause(self, actor: str, other: str, verb: str, inverted: bool) -> str:
        """Say that `개가 철수를 물었다`, or `철수를 개가 물었다`, and end the clause."""
        named = f"{actor}|{subject(actor)}", f"{other}|{direct_object(other)}"
        return " ".join(reversed(named) if inverted else named) + f" {verb}. "

    def question(self, verb: str, participant: str) -> str:
        """Ask `누가 물었나? 개`."""
        return f"누가 {verb.removesuffix('다')}나? {participant}"


GRAMMARS: Mapping[Language, Grammar] = {"english": English(), "korean": Korean()}
