"""A small grammar of English in which many a word's tag shows only later in the sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from numpy.random import RandomState

from rnnbench_tasks.conllu import Sentence

WORDS = {
    "they": ("PRON", "we they you"),
    "she": ("PRON", "she he"),
    "her": ("PRON", "her that him them"),
    "name": ("PROPN", "anna kim tom ada"),
    "the": ("DET", "the a her that his"),
    "light": ("ADJ", "light kind fast hard old green"),
    "plan": ("NOUN", "plan watch walk play hope light kind dog storm child"),
    "walk": ("VERB", "plan watch walk play hope like"),
    "slept": ("VERB", "slept stopped fell watched walked played"),
    "saw": ("VERB", "saw felt heard watched"),
    "knew": ("VERB", "saw felt heard knew said hoped"),
    "wanted": ("VERB", "wanted planned hoped"),
    "hard": ("ADV", "hard fast again"),
    "with": ("ADP", "with to like before after since until"),
    "to": ("PART", "to"),
    "whether": ("SCONJ", "that whether"),
    "because": ("SCONJ", "because before after since until"),
    ",": ("PUNCT", ","),
    ".": ("PUNCT", "."),
}
"""The tag of each kind of words, and the words."""

RULES = {
    "sentence": ("clause .", "because clause , clause .", "with object , clause ."),
    "clause": (
        "they walk object",
        "they walk with object",
        "they walk to walk",
        "subject slept",
        "subject slept hard",
        "subject slept with object",
        "subject slept because subject slept",
        "subject saw object",
        "subject saw her walk object",
        "subject knew whether subject slept",
        "subject wanted to walk object",
    ),
    "subject": ("they", "she", "name", "thing", "thing"),
    "object": ("her", "name", "thing", "thing"),
    "thing": ("the plan", "the light plan"),
}
"""What each part of a sentence may consist of; what stands twice is twice as likely."""

# Its stream of numbers never changes with NumPy's version.
_SEED = 0


def sentences(count: int) -> list[Sentence]:
    """Return `count` different sentences, the same ones for ever; each choice is a fair one."""
    random, found = RandomState(_SEED), {}
    while len(found) < count:
        pairs = list(_drawn("sentence", random))
        words, tags = zip(*pairs, strict=True)
        found.setdefault(words, Sentence(words, tags))
    return list(found.values())


def _drawn(part: str, random: RandomState) -> Iterator[tuple[str, str]]:
    """Yield the words and tags of a part of a sentence."""
    if part in WORDS:
        tag, words = WORDS[part]
        choices = words.split()
        yield choices[random.randint(len(choices))], tag
        return
    ways = RULES[part]
    for inner in ways[random.randint(len(ways))].split():
        yield from _drawn(inner, random)


def taggings(
    words: Sequence[str], parts: tuple[str, ...] = ("sentence",)
) -> Iterator[tuple[str, ...]]:
    """Yield each way in which the grammar tags words that `parts` make up: one, for a sentence."""
    if not parts:
        if not words:
            yield ()
        return
    first, rest = parts[0], parts[1:]
    if first not in WORDS:
        for way in dict.fromkeys(RULES[first]):
            yield from taggings(words, (*way.split(), *rest))
        return
    tag, known = WORDS[first]
    if words and words[0] in known.split():
        for others in taggings(words[1:], rest):
            yield (tag, *others)
