"""What a task maps to what."""

from __future__ import annotations

from typing import Literal

Pattern = Literal[
    "one-to-one", "one-to-many", "many-to-one", "many-to-many", "sequence-to-sequence"
]
"""What a task maps to what; many-to-many is aligned: one target a step."""

ONE_TARGET: tuple[Pattern, ...] = ("one-to-one", "many-to-one")
"""The patterns with one target a sequence, read at its last step; one-to-one has but one step."""

SPOKEN: tuple[Pattern, ...] = ("one-to-many", "sequence-to-sequence")
"""The patterns whose targets are sequences that a decoder says."""
