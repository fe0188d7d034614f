"""Read captions of pictures from JSON."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import rnnbench

FORMS = (
    '[{"image": "a.jpg", "captions": ["a dog .", …]}, …] or, as COCO, {"images": [{"id": 1, '
    '"file_name": "a.jpg"}, …], "annotations": [{"image_id": 1, "caption": "a dog ."}, …]}'
)

Words = tuple[str, ...]


class Described(NamedTuple):
    """A picture, by the name of its file, and its captions in words, of which each has one."""

    picture: str
    captions: tuple[Words, ...]


def words(caption: str) -> Words:
    """Cut a caption into words in small letters and punctuation marks."""
    text = " ".join(unicodedata.normalize("NFC", caption).split())
    return tuple(rnnbench.symbols(text.lower(), "word"))


def read_captions(path: Path) -> list[Described]:
    """Return the pictures that a file describes, in its order.

    The file, compressed or not, is a list of pictures with their captions, or as COCO's are: a list
    of `images`, and one of `annotations`, each a caption of one of them.

    Raises:
        DataError: the file is damaged or of neither form, two pictures have the same name or
            number, one has no caption, or a caption no picture or no word.
    """
    try:
        content = json.loads(rnnbench.read_text(path))
    except (ValueError, RecursionError) as error:
        # an error in the text knows its line; one of its depth does not
        line = f":{error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise rnnbench.DataError(f"{path}{line}: no JSON ({error}); expected {FORMS}") from None
    if isinstance(content, list):
        given = list(_listed(path, content))
    elif isinstance(content, dict):
        given = list(_annotated(path, content))
    else:
        raise _neither(path)
    if not given:
        raise rnnbench.DataError(f"{path}: no picture; expected one at least")
    _different(path, "names", (picture for picture, _ in given))
    return [_described(path, picture, captions) for picture, captions in given]


def _listed(path: Path, content: list[Any]) -> Iterator[tuple[str, list[Any]]]:
    for one in content:
        match one:
            case {"image": str(picture), "captions": [*captions]}:
                yield picture, captions
            case _:
                raise _neither(path)


def _annotated(path: Path, content: dict[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    pictures: list[tuple[int | str, str]] = []
    captions: dict[int | str, list[Any]] = {}
    for one in _rows(path, content, "images"):
        match one:
            case {"id": int() | str() as number, "file_name": str(picture)}:
                pictures.append((number, picture))
                captions[number] = []
            case _:
                raise _neither(path)
    _different(path, "ids", (number for number, _ in pictures))
    for place, one in enumerate(_rows(path, content, "annotations"), start=1):
        match one:
            case {"image_id": int() | str() as number, "caption": caption}:
                if number not in captions:
                    raise rnnbench.DataError(
                        f"{path}: annotation {place} is of image {number!r}, which `images` does "
                        "not list; add it, or remove the caption"
                    )
                captions[number].append(caption)
            case _:
                raise _neither(path)
    for number, picture in pictures:
        yield picture, captions[number]


def _rows(path: Path, content: dict[str, Any], name: str) -> list[Any]:
    rows = content.get(name)
    if not isinstance(rows, list):
        raise _neither(path)
    return rows


def _different(path: Path, noun: str, given: Iterable[Hashable]) -> None:
    counts = Counter(given)
    again = [one for one, count in counts.items() if count > 1]
    if again:
        raise rnnbench.DataError(
            f"{path}: {len(again):,} {noun} of images are there more than once, such as "
            f"{again[0]!r}; expected each image once, with all its captions"
        )


def _described(path: Path, picture: str, captions: list[Any]) -> Described:
    if not captions:
        raise rnnbench.DataError(
            f"{path}: image `{picture}` has no caption; add one, or remove the image"
        )
    cut = []
    for place, caption in enumerate(captions, start=1):
        if not isinstance(caption, str) or not words(caption):
            raise rnnbench.DataError(
                f"{path}: caption {place} of image `{picture}` is "
                f"{'empty' if isinstance(caption, str) else 'no text'}; expected words: write "
                "some, or remove the caption"
            )
        cut.append(words(caption))
    return Described(picture, tuple(cut))


def _neither(path: Path) -> rnnbench.DataError:
    return rnnbench.DataError(f"{path}: no captions of a known form; expected {FORMS}")
