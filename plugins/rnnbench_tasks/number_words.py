"""Numbers in English words, in Korean and in digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import NamedTuple

ONES = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")

SINO_KOREAN = "일이삼사오육칠팔구"
UNITS = ("천", "백", "십", "")
MYRIAD = "만"


class Script(NamedTuple):
    """A way to write numbers.

    symbols  all that occur
    between  what stands between two symbols of a text
    write    a number from 1 to 999,999 -> its symbols
    """

    symbols: tuple[str, ...]
    between: str
    write: Callable[[int], list[str]]


def english(number: int) -> list[str]:
    """Write a number in American English, in words: 45,012 is forty five thousand twelve."""
    thousands, rest = divmod(number, 1000)
    before = [*_below_1000(thousands), "thousand"] if thousands else []
    return [*before, *_below_1000(rest)]


def korean(number: int) -> list[str]:
    """Write a number in Sino-Korean, syllable by syllable: 12,345 is 만 이천삼백사십오.

    A space stands behind 만 and nowhere else (Hangul orthography, article 44). One is silent before
    천, 백 and 십, and before 만 if it stands alone: 만 천백십, but 십일만 (110,000).
    """
    myriads, rest = divmod(number, 10_000)
    parts = [_below_10000(rest)] if rest else []
    if myriads:
        parts.insert(0, (_below_10000(myriads) if myriads > 1 else "") + MYRIAD)
    return list(" ".join(parts))


def digits(number: int) -> list[str]:
    """Write a number in digits, without separators."""
    return list(str(number))


@cache
def _below_1000(number: int) -> tuple[str, ...]:
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return ONES[hundreds - 1], "hundred", *_below_1000(rest)
    if rest >= 20:
        return TENS[rest // 10 - 2], *_below_1000(rest % 10)
    return (("", *ONES, *TEENS)[rest],) if rest else ()


@cache
def _below_10000(number: int) -> str:
    syllables = ""
    for digit, unit in zip(map(int, f"{number:04}"), UNITS, strict=True):
        silent = digit == 1 and unit
        syllables += ("" if silent else SINO_KOREAN[digit - 1]) + unit if digit else ""
    return syllables


SCRIPTS: Mapping[str, Script] = {
    "english": Script((*ONES, *TEENS, *TENS, "hundred", "thousand"), " ", english),
    "korean": Script((*SINO_KOREAN, "십", "백", "천", MYRIAD, " "), "", korean),
    "digits": Script(tuple("0123456789"), "", digits),
}
