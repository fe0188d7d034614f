import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import rnnbench
from rnnbench import DataError
from rnnbench_metrics.bleu import Bleu
from rnnbench_tasks.captioned_images import CaptionedImages
from rnnbench_tasks.typical_caption import typical

REAL = Path(os.environ.get("RNNBENCH_DATA", "absent")) / "caption"
real_data = pytest.mark.skipif(
    not REAL.is_dir(), reason="RNNBENCH_DATA names no folder with caption"
)
PARTS = ("train", "valid", "test")
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "grey": (90, 90, 90)}
SIZE = (12, 8)


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def bleu(task, said, batch):
    texts = [task.targets.text(numbers) for numbers in said.T.tolist()]
    return Bleu().measure(texts, batch.references)


def colour(number):
    return list(COLOURS)[number % len(COLOURS)]


def described(count, start=0):
    """Pictures of one colour each, with two captions: one says which, one a number."""
    return [
        {
            "image": f"{number}.png",
            "captions": [f"A card that is {colour(number)}.", f"card {number}"],
        }
        for number in range(start, start + count)
    ]


def captions_of(number):
    """Return the captions of a picture as its references are written."""
    return f"a card that is {colour(number)} .", f"card {number}"


@pytest.fixture
def collection(tmp_path):
    """Write captions, a folder of pictures, an array of them, and features; return the options."""

    def write(count, start=0, name="data", places=4):
        given = described(count, start)
        captions = tmp_path / f"{name}.json"
        captions.write_text(json.dumps(given))
        (tmp_path / "folder").mkdir(exist_ok=True)
        pixels = []
        for number, one in enumerate(given, start):
            picture = np.full((*SIZE, 3), COLOURS[colour(number)], dtype=np.uint8)
            picture[0, 0] = number
            Image.fromarray(picture).save(tmp_path / "folder" / one["image"])
            pixels.append(picture)
        np.savez(tmp_path / f"{name}.npz", images=np.stack(pixels))
        features = np.stack(pixels)[:, 0, :places, :].astype(np.float16)
        np.savez(tmp_path / f"{name}_features.npz", features=features)
        return {
            "captions": str(captions),
            "folder": str(tmp_path / "folder"),
            "array": str(tmp_path / f"{name}.npz"),
            "features": str(tmp_path / f"{name}_features.npz"),
        }

    return write


def problem(**chosen):
    task = CaptionedImages(**chosen)
    with pytest.raises(DataError) as caught:
        task.inputs, task.targets, task.anchors, task.notes  # noqa: B018
    assert "\n" not in str(caught.value)
    return str(caught.value)


def numbers_of(batch):
    """Which picture each row shows: the grey of its first pixel, if none was squeezed."""
    return (batch.inputs[0, :, 0, 0, 0] * 255).round().long().tolist()


def split(task):
    held_out = {part: task.held_out(part, seeded(0)) for part in PARTS[1:]}
    return {part: [row[1] for row in batch.references] for part, batch in held_out.items()}


@pytest.mark.parametrize("given", ["folder", "array"])
def test_a_picture_goes_with_its_captions(collection, given):
    files = collection(40)
    task = CaptionedImages(data=files["captions"], images=files[given], side=0)
    test = task.held_out("test", seeded(0))
    assert test.inputs.shape == (1, 4, 3, *SIZE)
    assert test.inputs.dtype == torch.float32
    assert test.inputs.max() <= 1
    for row, number in enumerate(numbers_of(test)):
        assert test.references[row] == captions_of(number)
        assert task.targets.text(test.targets[:, row].tolist()) == test.references[row][0]


def test_a_training_batch_draws_different_pictures_and_any_of_their_captions(collection):
    files = collection(40)
    task = CaptionedImages(data=files["captions"], images=files["array"], side=0)
    seen = set()
    for seed in range(60):
        batch = task.batch(16, seeded(seed))
        shown = numbers_of(batch)
        assert len(set(shown)) == 16
        assert batch.inputs.shape == (1, 16, 3, *SIZE)
        assert batch.targets.shape == (task.target_length, 16)
        assert (batch.targets[-1] == task.targets.end).all()
        for number, said in zip(shown, batch.targets.T.tolist(), strict=True):
            seen.add((number, captions_of(number).index(task.targets.text(said))))
    assert seen == set(itertools.product({number for number, _ in seen}, (0, 1)))
    assert len(seen) == 64


def test_a_batch_may_be_larger_than_the_training_part(collection):
    files = collection(10)
    task = CaptionedImages(data=files["captions"], images=files["array"], side=0)
    assert len(task.batch(50, seeded(0))) == 50


def test_a_seed_decides_a_batch(collection):
    files = collection(40)
    task = CaptionedImages(data=files["captions"], images=files["array"])
    first, same, other = (task.batch(8, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert torch.equal(first.targets, same.targets)
    assert not torch.equal(first.targets, other.targets)


def test_a_file_is_dealt_by_picture(collection):
    files = collection(40)
    task = CaptionedImages(data=files["captions"], images=files["folder"])
    parts = split(task)
    assert {part: len(rows) for part, rows in parts.items()} == {"valid": 4, "test": 4}
    assert not set(parts["valid"]) & set(parts["test"])
    assert any("32 training pictures, 4 validation" in note for note in task.notes)
    assert any("validation and test dealt" in note for note in task.notes)
    assert task.leaks == ()


@pytest.mark.parametrize("part", PARTS[1:])
def test_a_part_may_have_files_of_its_own_and_the_other_is_dealt(collection, part):
    files, own = collection(45), collection(7, start=100, name="own")
    chosen = {part: own["captions"], f"{part}_images": own["array"]}
    task = CaptionedImages(data=files["captions"], images=files["array"], **chosen)
    parts = split(task)
    other = "test" if part == "valid" else "valid"
    assert parts[part] == [f"card {number}" for number in range(100, 107)]
    assert len(parts[other]) == 5
    assert f"; {'test' if other == 'test' else 'validation'} dealt" in task.notes[0]


def test_parts_may_lie_in_the_folder_of_the_others(collection):
    files, valid = collection(30), collection(5, start=50, name="valid")
    test = collection(6, start=70, name="test")
    task = CaptionedImages(
        data=files["captions"],
        images=files["folder"],
        valid=valid["captions"],
        test=test["captions"],
    )
    assert [len(task.held_out(part, seeded(0))) for part in PARTS[1:]] == [5, 6]
    assert len({*map(tuple, task.batch(30, seeded(0)).inputs[0].flatten(1).tolist())}) == 30
    assert "dealt" not in task.notes[0]


def test_features_are_read_instead_and_pictures_shown(collection):
    files = collection(40, places=4)
    task = CaptionedImages(
        data=files["captions"], images=files["array"], features=files["features"], side=0, width=16
    )
    assert task.inputs == rnnbench.Features(4, 3, 16)
    test = task.held_out("test", seeded(0))
    assert test.inputs.shape == (1, 4, 4, 3)
    assert test.inputs.dtype == torch.float32
    assert test.pictures.shape == (4, 3, *SIZE)
    ratio = test.inputs[0, :, 0] / test.pictures[:, :, 0, 0]
    assert torch.allclose(ratio, ratio[0, 0])
    assert task.batch(8, seeded(0)).inputs.shape == (1, 8, 4, 3)
    blind = CaptionedImages(data=files["captions"], features=files["features"])
    assert blind.held_out("test", seeded(0)).pictures is None


def test_features_of_a_place_are_of_length_1_by_those_of_training(collection, tmp_path):
    files, own = collection(40), collection(7, start=100, name="own")
    array = np.random.default_rng(0).random((40, 4, 3)).astype(np.float16)
    seen = []
    for times in (1, 100):
        for name, each in (("train", array), ("test", array[:7])):
            np.save(tmp_path / f"{name}.npy", (times * each).astype(np.float16))
        task = CaptionedImages(
            data=files["captions"],
            features=str(tmp_path / "train.npy"),
            test=own["captions"],
            test_features=str(tmp_path / "test.npy"),
        )
        batch = task.batch(40, seeded(0))
        lengths = batch.inputs.square().sum(-1)
        assert 0.9 < lengths.mean() < 1.1
        seen.append(task.held_out("test", seeded(0)).inputs)
    assert torch.allclose(*seen, rtol=2e-3)


def test_words_come_from_training_only_and_rare_ones_are_unknown(collection):
    files, own = collection(40), collection(7, start=100, name="own")
    chosen = {"data": files["captions"], "images": files["array"]}
    task = CaptionedImages(**chosen, test=own["captions"], test_images=own["array"])
    assert task.targets.symbols[0] == rnnbench.UNKNOWN
    assert task.targets.unknown == 0
    assert "100" not in task.targets.symbols
    assert any("of the words of test captions are unknown" in note for note in task.notes)
    often = CaptionedImages(**chosen, seen=2)
    assert set(often.targets.symbols[1:-1]) == {"a", "card", "that", "is", ".", *COLOURS}


def test_long_captions_are_cut_and_counted_in_training_alone(collection):
    files = collection(40)
    task = CaptionedImages(data=files["captions"], images=files["array"], limit=3)
    assert task.target_length == 4
    assert any("32 of 64 training captions cut to their first 3 words" in n for n in task.notes)
    test = task.held_out("test", seeded(0))
    assert test.references[0][0].startswith("a card that is ")
    whole = CaptionedImages(data=files["captions"], images=files["array"], limit=0)
    assert whole.target_length == 7
    assert not any("cut" in note for note in whole.notes)


def test_predictors_measure_the_anchors(collection):
    files = collection(80)
    task = CaptionedImages(data=files["captions"], images=files["array"], side=0)
    test, anchors = task.held_out("test", seeded(0)), task.anchors
    assert bleu(task, task.trivial(test), test) == pytest.approx(anchors.trivial)
    assert anchors.solved == max(anchors.trivial, *anchors.floors.values())
    assert anchors.floors.keys() == {"most frequent", "nearest"}
    assert anchors.oracle is None


def test_the_nearest_picture_knows_the_colour_and_one_caption_for_all_does_not(collection):
    files = collection(80)
    task = CaptionedImages(data=files["captions"], images=files["array"])
    assert task.anchors.floors["nearest"] > task.anchors.trivial


def test_the_typical_caption_suits_most_pictures():
    lonely = ("seven", "odd", "grey", "cats", "sleep")
    dog = ("a", "dog", "runs", "on", "grass")
    captions = [[lonely], [dog], [("a", "dog", "runs", "on", "sand")], [("a", "dog", "sits", "on")]]
    words = {word for each in captions for caption in each for word in caption}
    assert typical(captions, words) == dog
    assert typical(captions, words - {"grass"}) == captions[2][0]
    assert typical([[("dog",)], [("cat",)]], {"dog"}) == ("dog",)
    assert typical([[("dog",)]], set()) == ("dog",)


def test_the_typical_caption_has_the_best_bleu_of_all(collection):
    draws = np.random.default_rng(0)
    captions = [
        [tuple(draws.choice(list("abcd"), size=draws.integers(4, 9)).tolist()) for _ in range(3)]
        for _ in range(12)
    ]
    references = [[" ".join(caption) for caption in each] for each in captions]

    def score(caption):
        return Bleu().measure([" ".join(caption)] * len(captions), references)

    everyone = [caption for each in captions for caption in each]
    assert score(typical(captions, set("abcd"))) == pytest.approx(max(map(score, everyone)))


def test_larger_pictures_get_more_convolutions(collection):
    files = collection(10)
    grids = {
        side: CaptionedImages(data=files["captions"], images=files["folder"], side=side).inputs.grid
        for side in (32, 48, 64, 96, 224)
    }
    assert grids == {32: (4, 4), 48: (6, 6), 64: (8, 8), 96: (6, 6), 224: (7, 7)}


def test_a_picture_in_two_parts_is_a_leak(collection):
    files, again = collection(40), collection(6, start=0, name="again")
    task = CaptionedImages(
        data=files["captions"],
        images=files["array"],
        test=again["captions"],
        test_images=again["array"],
    )
    assert any("test pictures are also in the" in leak for leak in task.leaks)


def test_korean_captions_are_said_in_korean(tmp_path):
    given = [
        {"image": f"{n}.png", "captions": [f"빨간 사각형 {n}", "사각형이 하나 있다 ."]}
        for n in range(20)
    ]
    (tmp_path / "korean.json").write_text(json.dumps(given, ensure_ascii=False), encoding="utf-8")
    np.save(tmp_path / "a.npy", np.zeros((20, 8, 8), dtype=np.uint8))
    task = CaptionedImages(data=str(tmp_path / "korean.json"), images=str(tmp_path / "a.npy"))
    test = task.held_out("test", seeded(0))
    assert test.references[0][1] == "사각형이 하나 있다 ."
    assert bleu(task, task.trivial(test), test) == pytest.approx(100)
    assert task.inputs.channels == 1


def test_captions_need_pictures_and_pictures_captions(collection):
    files = collection(10)
    captions, array = files["captions"], files["array"]
    assert "captions without pictures" in problem(data=captions)
    assert "pictures need captions; set `data`" in problem(images=array)
    assert "set `test`" in problem(data=captions, images=array, test_images=array)
    assert "held-out pictures need some for training" in problem(valid=captions, valid_images=array)
    assert "captions without pictures" in problem(data=captions, images=array, valid=captions)


def test_counts_that_differ_are_refused(collection):
    files, other = collection(10), collection(9, start=50, name="other")
    said = problem(data=files["captions"], images=other["array"])
    assert f"images of 9 pictures, but {files['captions']} describes 10" in said
    said = problem(data=files["captions"], features=other["features"])
    assert f"features of 9 pictures, but {files['captions']} describes 10" in said


def test_a_missing_and_a_damaged_picture_are_named(collection):
    files = collection(10)
    picture = Path(files["folder"]) / "3.png"
    picture.write_text("no picture")
    assert "3.png: does not decode" in problem(data=files["captions"], images=files["folder"])
    picture.unlink()
    assert "3.png: no such file" in problem(data=files["captions"], images=files["folder"])


def test_parts_that_do_not_fit_one_another_are_refused(collection):
    files, own = collection(10), collection(9, start=50, name="own", places=3)
    chosen = {"data": files["captions"], "features": files["features"], "test": own["captions"]}
    said = problem(**chosen, test_features=own["features"])
    assert f"{own['features']}: what is read of a picture is [3, 3] numbers, but [4, 3]" in said
    assert "test pictures without features" in problem(**chosen, test_images=own["array"])


def test_too_few_pictures_or_words_are_refused(collection):
    files = collection(2)
    assert "2 pictures cannot be dealt into training and validation and test parts" in problem(
        data=files["captions"], images=files["array"]
    )
    files = collection(10)
    assert "no word is there 1000 times" in problem(
        data=files["captions"], images=files["array"], seen=1000
    )


@real_data
def test_flickr_is_read_and_no_naive_caption_comes_near_what_people_say():
    parts = {"": "train", "valid": "val"}
    files = {}
    for part, file in parts.items():
        files[part or "data"] = str(REAL / f"flickr1k_{file}_captions.json.gz")
        files[f"{part}_images".lstrip("_")] = str(REAL / f"flickr1k_{file}_images48.npz")
    task = CaptionedImages(**files, side=48)
    valid = task.held_out("valid", seeded(0))
    assert valid.inputs.shape == (1, 100, 3, 48, 48)
    assert all(len(captions) == 5 for captions in valid.references)
    assert len(task.held_out("test", seeded(0))) == 83
    assert len(task.batch(32, seeded(0))) == 32
    assert 5 < task.anchors.solved < 15
    assert any(note.startswith("people reach BLEU 2") for note in task.notes)
    assert task.leaks == ()


def test_without_files_drawn_pictures_are_dealt_and_always_the_same():
    task, again = CaptionedImages(), CaptionedImages()
    assert task.notes[0] == "320 training pictures, 40 validation pictures, 40 test pictures, drawn"
    assert task.leaks == ()
    test = task.held_out("test", seeded(1))
    assert torch.equal(test.inputs, again.held_out("test", seeded(2)).inputs)
    assert test.inputs.shape == (1, 40, *(3, 32, 32))
    assert all(caption.startswith("a ") for (caption,) in test.references)
    assert 0 < task.anchors.solved < 100
