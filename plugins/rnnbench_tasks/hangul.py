"""Korean particles, whose form depends on the sound before them."""

from __future__ import annotations

FIRST, FINALS = ord("가"), 28


def closed(word: str) -> bool:
    """Tell whether the last syllable of a word in Hangul ends in a consonant."""
    return (ord(word[-1]) - FIRST) % FINALS != 0


def topic(noun: str) -> str:
    """Return 은 or 는."""
    return "은" if closed(noun) else "는"


def subject(noun: str) -> str:
    """Return 이 or 가."""
    return "이" if closed(noun) else "가"


def direct_object(noun: str) -> str:
    """Return 을 or 를."""
    return "을" if closed(noun) else "를"
