"""Read a data file whole, compressed or not, and say in one line what is wrong with it."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path

from rnnbench.errors import DataError

_GZIP = b"\x1f\x8b"
_UTF8 = ("utf-8", "utf8", "utf_8")
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16's, with which it begins
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


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

    encoding  where this is UTF-8, a file that begins with the mark of UTF-16 or UTF-32 is read so

    Raises:
        DataError: as `read_bytes`; an unknown encoding, or text that is not in it or has zeros.
    """
    content = read_bytes(path)
    if encoding.lower() in _UTF8:
        marked = (each for mark, each in _MARKS.items() if content.startswith(mark))
        encoding = next(marked, "utf-8")
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].decode(encoding, "replace").count("\n") + 1
        raise DataError(
            f"{path}:{line}: byte {content[error.start]:#04x} is not {encoding}; "
            "set `encoding` to what the file is in, such as cp949 or latin-1"
        ) from None
    except LookupError:
        raise DataError(f"{path}: no encoding is called `{encoding}`") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError(
            f"{path}:{line}: a zero byte; expected a text: take another file, or set `encoding` "
            "to what the file is in, such as utf-16-le or utf-16-be"
        )
    if not text.strip():
        raise DataError(f"{path}: the file is empty")
    return text.replace("\r\n", "\n").replace("\r", "\n")
