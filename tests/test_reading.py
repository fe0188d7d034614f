import gzip

import pytest

from rnnbench.errors import DataError
from rnnbench.reading import read_bytes, read_text


def test_a_file_is_read_compressed_or_not(tmp_path):
    plain, packed = tmp_path / "a.txt", tmp_path / "b.txt.gz"
    plain.write_bytes(b"words")
    packed.write_bytes(gzip.compress(b"words"))
    assert read_bytes(plain) == read_bytes(packed) == b"words"


def test_every_line_ending_is_a_newline_and_no_mark_is_left(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes("\ufeffone\r\ntwo\rthree\n".encode())
    assert read_text(file) == "one\ntwo\nthree\n"


def test_other_encodings_are_read(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes("개가 철수를 물었다".encode("cp949"))
    assert read_text(file, "cp949") == "개가 철수를 물었다"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_mark_tells_the_encoding(tmp_path, encoding):
    file = tmp_path / "a.txt"
    file.write_bytes("개가\r\n철수를".encode(encoding))
    assert read_text(file) == "개가\n철수를"
    assert read_text(file, encoding) == "개가\n철수를"


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_advised(tmp_path, encoding):
    file = tmp_path / "a.txt"
    file.write_bytes("plain\nletters".encode(encoding))
    with pytest.raises(DataError, match=r":1: a zero byte.*`encoding`.*utf-16-le or utf-16-be"):
        read_text(file)
    assert read_text(file, encoding) == "plain\nletters"


def cut_off(content):
    return gzip.compress(content * 1000, mtime=0)[:-20]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read: No such file"),
        (b"", "the file is empty"),
        (b" \n\n", "the file is empty"),
        (b"\xff\xfe", "the file is empty"),
        (b"\xff\xfea\0\n\0\0\xd8", ":2: byte 0x00 is not utf-16; set `encoding`"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (cut_off(b"abc"), "the gzip file is damaged or cut off"),
        (b"\x1f\x8bnothing", "the gzip file is damaged or cut off"),
        ("a\nb\n개".encode("cp949"), ":3: byte 0xb0 is not utf-8; set `encoding`"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_on_one_line(tmp_path, content, message):
    file = tmp_path / "a.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_text(file)
    assert str(caught.value).startswith(str(file))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_encoding_that_nobody_knows_is_named(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"a")
    with pytest.raises(DataError, match="no encoding is called `utf-9`"):
        read_text(file, "utf-9")


def test_a_byte_is_named_as_it_stands_in_the_file_behind_a_mark_too(tmp_path):
    file = tmp_path / "a.txt"
    file.write_bytes(b"\xef\xbb\xbfa\n\xff")
    with pytest.raises(DataError, match=":2: byte 0xff is not utf-8"):
        read_text(file)
