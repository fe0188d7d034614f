"""What networks wrote while they trained: a few texts of each, and what stands in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rnnbench.report.described import SPOKEN
from rnnbench.results import Results
from rnnbench.text import UNKNOWN

SHORT = 160
"""Answers, and what they answer, are shown up to so many characters."""


@dataclass(frozen=True)
class Written:
    """What one architecture wrote on one setting: (update, text) from early to late, by title."""

    architecture: str
    setting: str
    answers: bool
    texts: Mapping[str, Sequence[tuple[str, str]]]

    @property
    def updates(self) -> Sequence[str]:
        """After how many updates each title has a text."""
        return [update for update, _ in next(iter(self.texts.values()))]


def written(results: Results) -> list[Written]:
    """Choose the first, a middle and the last text of each architecture that wrote any."""
    found = []
    places = results.samples.groupby(["setting", "architecture"], sort=False)
    for (setting_name, architecture), rows in places:
        first = rows[rows["replicate"] == rows["replicate"].min()]
        answers = results.manifest["settings"][str(setting_name)]["pattern"] in SPOKEN
        texts = {}
        for title, each in first.groupby("title", sort=False):
            ordered = each.sort_values("update")
            last = ordered["update"].iloc[-1]
            middle = (ordered["update"] - last / 2).abs().argmin()
            chosen = ordered.iloc[sorted({0, int(middle), len(ordered) - 1})]
            texts[_cut(title) if answers else str(title)] = [
                (f"{int(update):,}", _cut(text) if answers else str(text))
                for update, text in zip(chosen["update"], chosen["text"], strict=True)
            ]
        found.append(Written(str(architecture), str(setting_name), answers, texts))
    return found


def _cut(text: object) -> str:
    flat = " ".join(str(text).split())
    return flat if len(flat) <= SHORT else flat[: SHORT - 1] + "…"


def written_caption(results: Results) -> str:
    """Say where the texts come from, and what stands for something else in them."""
    patterns = {name: entry["pattern"] for name, entry in results.manifest["settings"].items()}
    texts = results.samples["text"]
    own = texts[~results.samples["setting"].map(patterns).isin(SPOKEN)]
    given = any(own.str.startswith("["))
    brackets = "What stands first, in brackets, was given. " if given else ""
    known = any(texts.str.contains(UNKNOWN, regex=False))
    unknown = f"{UNKNOWN} stands for every symbol that the vocabulary lacks. " if known else ""
    if len(own) < len(texts):
        unknown += "Answers are to sequences of the validation part; long ones are cut. "
    return (
        f"{brackets}{unknown}Drawn from the run with the first seed while it trained: the first, "
        "the one nearest to halfway, and the last. All of them: samples.csv."
    )
