"""A seed from names, so that adding an architecture moves nobody else's numbers."""

from __future__ import annotations

import hashlib
import json


def seed_of(*names: object) -> int:
    """Return the 63-bit seed that belongs to these names.

    The names are written as canonical JSON, so ("a", 1) and ("a1",) differ, and hashed with
    SHA-256; the result fits `torch.Generator.manual_seed` and `numpy.random.default_rng`.

    Raises:
        TypeError: a name is not a plain JSON value.
    """
    text = json.dumps(names, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
