"""Read commands and their actions as SCAN writes them: a line each, `IN: … OUT: …`."""

from __future__ import annotations

import re
from pathlib import Path

import rnnbench
from rnnbench_tasks.written_pairs import Written

MOST_WORDS = 1000
"""What a side may have at most; more is no command, and one such line makes every batch long."""

_LINE = re.compile(r"IN:(?P<source>.*?)\bOUT:(?P<target>.*)")


def read_commands(path: Path) -> list[Written]:
    """Read the pairs of a file; empty lines are left out.

    Raises:
        DataError: what `rnnbench.read_text` says; a line of another format, or with an empty side
            or one of more than `MOST_WORDS` words.
    """
    pairs = []
    for number, line in enumerate(rnnbench.read_text(path).split("\n"), 1):
        if not line.strip():
            continue
        parsed = _LINE.fullmatch(line.strip())
        if parsed is None:
            raise rnnbench.DataError(
                f"{path}:{number}: {line.strip()[:40]!r} is no command with its actions; "
                "expected `IN: … OUT: …`"
            )
        for side, name in (("source", "IN:"), ("target", "OUT:")):
            count = len(parsed[side].split())
            if not 1 <= count <= MOST_WORDS:
                raise rnnbench.DataError(
                    f"{path}:{number}: {count:,} words after `{name}`; expected 1 to {MOST_WORDS:,}"
                )
        pairs.append(Written(tuple(parsed["source"].split()), tuple(parsed["target"].split())))
    return pairs
