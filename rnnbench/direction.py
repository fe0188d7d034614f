"""Which way of a score is better; apart from the contracts, so that reports need no torch."""

from __future__ import annotations

from typing import Literal

Direction = Literal["max", "min"]
"""Whether a larger or a smaller score is better."""
