"""Read a data file whole, compressed or not, and say in one line what is wrong with it."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from rnnbench.errors import DataError

_GZIP = b"\x1f\x8b"
_UTF8 = ("utf-8", "utf8", "utf_8")


def read_bytes(path: Path) -> bytes:
    """Return the content of a file; one that begins as gzip does is unpacked.

    Raises:
        DataError: there is no such file, it is empty, or its compression breaks off.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    if content.startswith(_GZIP):
        try:
            content = gzip.decompress(content)
        except (EOFError, OSError, zlib.error) as error:
            raise DataError(
                f"{path}: the gzip file is damaged or cut off ({error}); fetch it again"
            ) from None
    if not content.strip():
        raise DataError(f"{path}: the file is empty")
    return content


def read_text(path: Path, encoding: str = "utf-8") -> str:
    """Return a text file, a byte-order mark dropped and every line ending made a newline.

    Raises:
        DataError: as `read_bytes`; an unknown encoding, or text that is not in it.
    """
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig" if encoding.lower() in _UTF8 else encoding)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}:{line}: byte {error.object[error.start]:#04x} is not {encoding}; "
            "set `encoding` to what the file is in, such as cp949 or latin-1"
        ) from None
    except LookupError:
        raise DataError(f"{path}: no encoding is called `{encoding}`") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
