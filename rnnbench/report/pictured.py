"""Pictures beside what was said of them, and where a network looked for each word."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from pandas import DataFrame

from rnnbench.results import Results

PNG = b"\x89PNG\r\n\x1a\n"
"""How every PNG begins."""

WIDEST = 4096
"""Pixels in a row or column of a picture that is shown."""

MOST_PLACES = 8
"""Maps of more rows or columns are shown by the sums of their blocks."""

STRONGEST = 0.7
"""How opaque the colour over a place is that all of an attention looks at."""


@dataclass(frozen=True)
class Picture:
    """A picture with what was read, right and said.

    uri     the picture itself; "" where what is stored is none
    symbol  what the maps are drawn upon
    maps    a word and where was looked for it, for each word that was said
    """

    number: int
    uri: str
    symbol: Markup
    read: str
    right: str
    said: str
    correct: bool
    maps: Sequence[tuple[str, Markup]]


@dataclass(frozen=True)
class Pictured:
    """The pictures of one architecture on one setting; `without` is what it was not shown."""

    architecture: str
    setting: str
    without: str
    pictures: Sequence[Picture]

    @property
    def maps(self) -> bool:
        """Whether there is any map of where it looked."""
        return any(picture.maps for picture in self.pictures)


def pictured(results: Results) -> list[Pictured]:
    """Return the pictures that were kept of each architecture."""
    table = results.pictures
    if table.empty:
        return []
    found: list[Pictured] = []
    for (setting, architecture), every in table.groupby(["setting", "architecture"], sort=False):
        rows = every[every["replicate"] == every["replicate"].min()]
        looks = results.looks
        mine = looks[looks["key"].isin(rows["key"])]
        pictures = []
        for row in rows.to_dict("records"):
            uri = _uri(str(row["png"]))
            grid = mine[mine["picture"] == row["picture"]]
            name, maps = f"picture-{len(found)}-{int(row['picture'])}", []
            if len(grid):
                maps = _maps(grid, name, int(row["rows"]), int(row["columns"]))
            pictures.append(
                Picture(
                    int(row["picture"]),
                    uri,
                    _symbol(name, uri) if maps else Markup(""),
                    str(row["read"]),
                    str(row["right"]),
                    str(row["said"]),
                    bool(row["correct"]),
                    maps,
                )
            )
        missing = str(results.manifest["architectures"][str(architecture)].get("without", "none"))
        without = "" if missing == "none" else missing
        found.append(Pictured(str(architecture), str(setting), without, pictures))
    return found


def _uri(png: str) -> str:
    """Return a picture as an address; nothing where it is no PNG, whoever stored it."""
    try:
        content = base64.b64decode(png, validate=True)
    except (binascii.Error, ValueError):
        return ""
    # the header is first, and in it the size: a few bytes may ask for gigabytes of pixels
    if not content.startswith(PNG) or content[12:16] != b"IHDR":
        return ""
    width, height = (int.from_bytes(content[at : at + 4]) for at in (16, 20))
    if max(width, height) > WIDEST:
        return ""
    return "data:image/png;base64," + base64.b64encode(content).decode()


def _maps(looks: DataFrame, name: str, rows: int, columns: int) -> list[tuple[str, Markup]]:
    """Draw for each word the picture, and over it how much was looked at each place."""
    maps = []
    for _, word in looks.groupby("said_step", sort=True):
        weights = np.zeros((rows, columns))
        weights[word["row"].astype(int), word["column"].astype(int)] = word["weight"].astype(float)
        maps.append((str(word["said"].iloc[0]), _map(weights, name)))
    return maps


def _map(weights: np.ndarray, name: str) -> Markup:
    """Draw a map of blocks of places, of which there are at most `MOST_PLACES` each way."""
    rows, columns = weights.shape
    down, across = (range(0, size, -(-size // MOST_PLACES)) for size in (rows, columns))
    summed = np.add.reduceat(np.add.reduceat(weights, down, 0), across, 1)
    shades = Markup("").join(
        Markup('<rect x="{}" y="{}" width="{}" height="{}" fill-opacity="{}"/>').format(
            left,
            top,
            min(across.step, columns - left),
            min(down.step, rows - top),
            f"{STRONGEST * math.sqrt(summed[row, column]):.2f}",
        )
        for row, top in enumerate(down)
        for column, left in enumerate(across)
    )
    return Markup(
        '<svg class="look" viewBox="0 0 {0} {1}" role="img" aria-label="where it looked">'
        '<use href="#{2}" width="{0}" height="{1}"/>{3}</svg>'
    ).format(columns, rows, name, shades)


def _symbol(name: str, uri: str) -> Markup:
    """Define a picture once, for all of its maps."""
    return Markup(
        '<svg class="symbol" aria-hidden="true"><symbol id="{0}" viewBox="0 0 1 1" '
        'preserveAspectRatio="none"><image href="{1}" width="1" height="1" '
        'preserveAspectRatio="none"/></symbol></svg>'
    ).format(name, uri)
