import gzip
import json

import pytest

from rnnbench import DataError
from rnnbench_tasks.caption_files import Described, read_captions, words

DOGS = {"image": "a.jpg", "captions": ["Two dogs play.", "Dogs on a beach"]}
BOY = {"image": "b.jpg", "captions": ["A boy's hat ."]}
READ = [
    Described("a.jpg", (("two", "dogs", "play", "."), ("dogs", "on", "a", "beach"))),
    Described("b.jpg", (("a", "boy's", "hat", "."),)),
]
COCO = {
    "info": {"year": 2014},
    "images": [
        {"id": 9, "file_name": "a.jpg", "height": 480},
        {"id": 4, "file_name": "b.jpg", "height": 640},
    ],
    "annotations": [
        {"id": 1, "image_id": 4, "caption": "A boy's hat ."},
        {"id": 2, "image_id": 9, "caption": "Two dogs play."},
        {"id": 3, "image_id": 9, "caption": "Dogs on a beach"},
    ],
}


def write(path, content):
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    data = text.encode()
    path.write_bytes(gzip.compress(data, mtime=0) if path.suffix == ".gz" else data)
    return path


def coco(**changed):
    return {**COCO, **changed}


@pytest.mark.parametrize("name", ["captions.json", "captions.json.gz"])
@pytest.mark.parametrize("content", [[DOGS, BOY], COCO], ids=["list", "COCO"])
def test_both_forms_say_the_same(tmp_path, content, name):
    assert read_captions(write(tmp_path / name, content)) == READ


def test_captions_are_cut_into_words_in_small_letters_and_punctuation():
    assert words("  A man,\n riding\ta HORSE! ") == ("a", "man", ",", "riding", "a", "horse", "!")
    assert words("café") == words("cafe\u0301")


def test_korean_captions_are_cut_into_words(tmp_path):
    korean = [{"image": "a.jpg", "captions": ["두 마리의 개가 해변에서 논다."]}]
    (read,) = read_captions(write(tmp_path / "korean.json", korean))
    assert read.captions == (("두", "마리의", "개가", "해변에서", "논다", "."),)
    assert words("해변") == words("\u1112\u1162\u1107\u1167\u11ab")


MALFORMED = {
    "no JSON": ("two dogs", ":1: no JSON"),
    "deep": ("[" * 100_000, "no JSON"),
    "a word": ('"dogs"', "no captions of a known form"),
    "nothing in it": ([], "no picture"),
    "no pictures": (coco(images=[], annotations=[]), "no picture"),
    "another list": ([["a.jpg", "dogs"]], "no captions of a known form"),
    "another object": ({"a.jpg": ["dogs"]}, "no captions of a known form"),
    "one caption, not a list": ([{"image": "a.jpg", "captions": "dogs"}], "of a known form"),
    "an image without a name": (coco(images=[{"id": 1}]), "of a known form"),
    "an annotation without an image": (coco(annotations=[{"caption": "dogs"}]), "of a known form"),
    "the same name twice": ([DOGS, BOY, DOGS], "1 names of images are there more than once"),
    "the same id twice": (
        coco(images=[{"id": 4, "file_name": name} for name in ("a.jpg", "b.jpg")]),
        "1 ids of images are there more than once, such as 4",
    ),
    "the same file twice": (
        coco(images=[{"id": number, "file_name": "a.jpg"} for number in (4, 9)]),
        "such as 'a.jpg'",
    ),
    "a caption of no picture": (
        coco(images=COCO["images"][1:]),
        "annotation 2 is of image 9, which `images` does not list",
    ),
    "an empty caption": (
        [DOGS, {"image": "b.jpg", "captions": ["a hat .", " \n"]}],
        "caption 2 of image `b.jpg` is empty",
    ),
    "a number for a caption": (
        coco(annotations=[*COCO["annotations"], {"image_id": 4, "caption": 7}]),
        "caption 2 of image `b.jpg` is no text",
    ),
    "a picture without captions": (
        coco(annotations=COCO["annotations"][:1]),
        "image `a.jpg` has no caption",
    ),
    "an empty list of captions": ([DOGS, {"image": "b.jpg", "captions": []}], "has no caption"),
}


@pytest.mark.parametrize(("content", "said"), MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_file_is_one_clear_line(tmp_path, content, said):
    path = write(tmp_path / "captions.json", content)
    with pytest.raises(DataError) as caught:
        read_captions(path)
    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
    assert "expected" in str(caught.value) or "add" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_files_are_named(tmp_path):
    whole = write(tmp_path / "a.json.gz", [DOGS]).read_bytes()
    for content in (whole[:-12], b"", '[{"image": "é"}]'.encode("latin-1")):
        (tmp_path / "b.json.gz").write_bytes(content)
        with pytest.raises(DataError, match=r"b\.json\.gz"):
            read_captions(tmp_path / "b.json.gz")
    with pytest.raises(DataError, match=r"no\.json: cannot be read"):
        read_captions(tmp_path / "no.json")
