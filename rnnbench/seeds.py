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
    return _seed(hashlib.sha256(_text(names)))


class Seeds:
    """The seeds that belong to some names and a number behind them: `seed_of(*names, number)`.

    What they share is hashed once.
    """

    def __init__(self, *names: object) -> None:
        self._shared = hashlib.sha256(_text(names)[:-1] + (b"," if names else b""))

    def of(self, number: int) -> int:
        """Return the seed of a number."""
        hashed = self._shared.copy()
        hashed.update(b"%d]" % number)
        return _seed(hashed)


def _text(names: tuple[object, ...]) -> bytes:
    return json.dumps(names, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _seed(hashed: hashlib._Hash) -> int:
    return int.from_bytes(hashed.digest()[:8], "big") >> 1
