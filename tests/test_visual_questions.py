import gzip
import json
import os
from pathlib import Path

import numpy as np
import pluggy
import pytest
import torch
from PIL import Image

from rnnbench import DataError, Features, hookspecs
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_tasks import visual_questions
from rnnbench_tasks.question_prefixes import Prefixes
from rnnbench_tasks.visual_questions import VisualQuestions

REAL = Path(os.environ.get("RNNBENCH_DATA", "absent"))
real_data = pytest.mark.skipif(
    not (REAL / "vqa").is_dir(), reason="RNNBENCH_DATA names no folder with questions"
)
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def accuracy(predictions, batch):
    return Accuracy().measure(predictions, batch.targets, None)


def coloured(count):
    """Return pictures of one colour each, in turn, and all but unnoticeably different."""
    pixels = np.zeros((count, 8, 8, 3), np.uint8)
    for place in range(count):
        pixels[place] = list(COLOURS.values())[place % 3]
        pixels[place, 0, 0] = place
    return pixels


def questions(count):
    return [
        row
        for place in range(count)
        for row in (
            ["What color is it?", list(COLOURS)[place % 3], place],
            ["Is it red?", "yes" if place % 3 == 0 else "no", place],
            ["How many are there?", 1, place],
        )
    ]


def sequences(task, batch):
    columns = zip(batch.inputs.T.tolist(), batch.lengths.tolist(), strict=True)
    return [
        " ".join(task.inputs.symbols[number] for number in numbers[:length])
        for numbers, length in columns
    ]


@pytest.fixture
def made(tmp_path):
    """Write questions and pictures of the same number, and return the options that name them."""

    def write(rows=None, count=30, name="questions.json", pixels=None, **features):
        path = tmp_path / name
        text = json.dumps(questions(count) if rows is None else rows).encode()
        path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
        np.savez(tmp_path / "pictures.npz", images=coloured(count) if pixels is None else pixels)
        found = {"data": str(path), "images": str(tmp_path / "pictures.npz"), "side": 8}
        if features:
            np.savez(tmp_path / "features.npz", **features)
            found["features"] = str(tmp_path / "features.npz")
        return found

    return write


@pytest.fixture
def folder(tmp_path):
    """Write pictures as files of their numbers, and return the folder."""
    path = tmp_path / "pictures"
    path.mkdir()
    for number, pixels in enumerate(coloured(12)):
        Image.fromarray(pixels).save(path / f"{number}.png")
    return path


def refused(**chosen):
    with pytest.raises(DataError) as error:
        VisualQuestions(**chosen).anchors  # noqa: B018  reading is the test
    assert "\n" not in str(error.value)
    return str(error.value)


def test_the_module_provides_its_task():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(visual_questions)
    manager.check_pending()
    assert manager.hook.rnnbench_provide_tasks() == [[VisualQuestions]]


def test_batches_have_the_declared_shapes(made):
    for task in (VisualQuestions(), VisualQuestions(**made())):
        batch = task.batch(6, seeded(0))
        image = task.image
        assert batch.inputs.shape == (task.sequence_length, 6)
        assert batch.inputs.dtype == batch.targets.dtype == batch.lengths.dtype == torch.int64
        assert batch.images.shape == (6, image.channels, image.height, image.width)
        assert batch.images.dtype == torch.float32
        assert 0 <= batch.images.min() < batch.images.max() <= 1
        assert 0 <= batch.targets.min() <= batch.targets.max() < task.targets.count
        for predict in (task.trivial, task.question_only, task.image_only):
            assert predict(batch).shape == (6, task.targets.count)
            assert predict(batch).dtype == torch.float32


def test_a_seed_decides_the_batch_and_nothing_else_is_random(made):
    before = torch.random.get_rng_state()
    task = VisualQuestions(**made())
    first, same, other = (task.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.images, same.images)
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.images, other.images)
    assert task.anchors == VisualQuestions(**task.chosen).anchors
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_picture_stands_beside_the_question_about_it(made):
    task = VisualQuestions(**made(name="questions.json.gz"))
    names = task.targets.names
    for batch in (task.batch(60, seeded(0)), task.held_out("test", seeded(0))):
        for text, target, seen in zip(
            sequences(task, batch), batch.targets.tolist(), batch.images, strict=True
        ):
            colour = list(COLOURS)[seen[:, 4, 4].argmax()]
            told = {
                "what color is it ?": colour,
                "is it red ?": "yes" if colour == "red" else "no",
                "how many are there ?": "1",
            }
            assert names[target] == told[text]


def test_all_questions_about_a_picture_are_in_one_part(made):
    task = VisualQuestions(**made(count=50))
    parts = [
        {tuple(seen[:, 0, 0].tolist()) for seen in batch.images}
        for batch in (
            task.batch(120, seeded(0)),
            task.held_out("valid", seeded(0)),
            task.held_out("test", seeded(0)),
        )
    ]
    assert [len(part) for part in parts] == [40, 5, 5]
    assert len(set.union(*parts)) == 50
    assert task.leaks == ()
    assert task.notes == (
        "120 training questions about 40 pictures, 15 validation questions about 5 pictures, "
        "15 test questions about 5 pictures; training and validation and test dealt from `data` "
        "by picture".replace("training and validation", "validation"),
        "pictures are brought to 8 × 8 pixels (`side`)",
    )


def test_kinds_are_types_of_answers_and_beginnings_of_questions(made):
    task = VisualQuestions(**made())
    test = task.held_out("test", seeded(0))
    told = dict(zip(sequences(task, test), test.kinds, strict=True))
    assert told == {
        "what color is it ?": ("other", "what color …"),
        "is it red ?": ("yes/no", "is it …"),
        "how many are there ?": ("number", "how many …"),
    }


def test_rare_answers_are_no_classes(made):
    rows = questions(30)
    rows += [["Is it odd?", "perhaps", place] for place in range(28)]
    rows += [["Is it odd?", "never", 28], ["Is it odd?", "never", 29]]
    task = VisualQuestions(**made(rows), answers=4)
    assert task.targets.names[:3] == ("1", "perhaps", "no")
    assert task.targets.count == 4
    left_out = [note for note in task.notes if "left out" in note]
    assert len(left_out) == 1
    everything = VisualQuestions(**made(rows))
    for split in ("valid", "test"):
        whole, few = (each.held_out(split, seeded(0)) for each in (everything, task))
        names = [everything.targets.names[target] for target in whole.targets.tolist()]
        known = [
            task.targets.names.index(name) if name in task.targets.names else -1 for name in names
        ]
        assert few.targets.tolist() == known
    missing = int((task.held_out("test", seeded(0)).targets == -1).sum())
    assert missing > 0
    assert any(note.startswith(f"{missing} of") and "test questions" in note for note in task.notes)


def test_anchors_are_what_predictors_measure(made):
    task = VisualQuestions(**made())
    test, floors = task.held_out("test", seeded(0)), task.anchors.floors
    assert accuracy(task.trivial(test), test) == floors["majority"] == task.anchors.trivial
    assert accuracy(task.question_only(test), test) == floors["question only"]
    assert accuracy(task.image_only(test), test) == floors["image only, nearest picture"]
    assert task.anchors.solved == max(floors.values())
    assert task.oracle(test) is task.anchors.oracle is None
    # the only answer to `how many`, and no to `is it red`
    assert floors["question only"] >= 1 / 3


def test_the_question_floor_falls_back_to_what_is_known_of_its_beginning():
    known = Prefixes([(1, 2, 3), (1, 2, 3), (1, 2, 3, 4), (1, 5), (6,)], [0, 0, 2, 1, 1])
    asked = [(1, 2, 3), (1, 2, 3, 4), (1, 2), (1, 2, 9), (1, 5, 5), (7,), (6,)]
    assert known.likely(asked).tolist() == [0, 2, 0, 0, 1, 0, 1]


def test_words_are_counted_that_training_does_not_have(made, tmp_path):
    test = tmp_path / "test.json"
    test.write_text(json.dumps([["Is the hue RED?", "yes", 0]]))
    task = VisualQuestions(**made(), test=str(test))
    batch = task.held_out("test", seeded(0))
    assert sequences(task, batch) == ["is <unk> <unk> red ?"]
    assert "40.00% of the words of test questions are unknown" in task.notes


def test_long_questions_are_cut_at_their_end(made):
    rows = [*questions(30), [" ".join(["very"] * 50_000), "yes", 3]]
    task = VisualQuestions(**made(rows), limit=3)
    assert task.sequence_length == 3
    assert set(sequences(task, task.batch(90, seeded(0)))) >= {"what color is", "how many are"}
    assert any("cut to their first 3 words" in note for note in task.notes)
    assert VisualQuestions(**made(), limit=99).sequence_length == 5


def test_fewer_held_out_questions_are_asked_if_told_so(made):
    task = VisualQuestions(**made(), most=4)
    assert len(task.held_out("test", seeded(0))) == 4
    assert "4 of 9 test questions are asked, evenly spread" in task.notes


def test_pictures_may_be_files_of_a_folder(made, folder):
    array = VisualQuestions(**made(count=12))
    files = VisualQuestions(**{**array.chosen, "images": str(folder)})
    one, other = (task.held_out("test", seeded(0)) for task in (array, files))
    assert torch.equal(one.images, other.images)
    assert torch.equal(one.targets, other.targets)


def test_files_are_squeezed_to_one_side(made, folder):
    task = VisualQuestions(**{**made(count=12), "images": str(folder), "side": 4})
    assert task.image.height == task.image.width == 4
    assert task.batch(2, seeded(0)).images.shape == (2, 3, 4, 4)


def test_features_stand_instead_of_pictures_that_are_still_shown(made):
    made_of = np.arange(30, dtype=np.float32)[:, None, None] * np.ones((30, 4, 5), np.float32)
    task = VisualQuestions(**made(features=made_of))
    assert task.image == Features(4, 5, 64)
    test = task.held_out("test", seeded(0))
    assert test.images.shape == (9, 4, 5)
    assert test.pictures.shape == (9, 3, 8, 8)
    # the first pixel is the number of the picture, and so are its features
    assert torch.equal(test.pictures[:, 0, 0, 0].mul(255).round(), test.images[:, 0, 0])
    alone = VisualQuestions(**{**task.chosen, "images": ""})
    assert alone.held_out("test", seeded(0)).pictures is None
    assert torch.equal(alone.batch(5, seeded(1)).images, task.batch(5, seeded(1)).images)


def test_held_out_questions_may_have_files_of_their_own(made, tmp_path):
    held_out = tmp_path / "held_out.json"
    held_out.write_text(json.dumps([["Is it red?", "yes", 1], ["Is it red?", "yes", 1]]))
    np.save(tmp_path / "other.npy", coloured(4)[::-1].copy())
    options = made()
    task = VisualQuestions(
        **options, test=str(held_out), test_images=str(tmp_path / "other.npy"), valid=str(held_out)
    )
    test, valid = (task.held_out(split, seeded(0)) for split in ("test", "valid"))
    assert (test.images[:, :, 4, 4] == torch.tensor([0, 0, 1.0])).all()
    assert (valid.images[:, :, 4, 4] == torch.tensor([0, 1.0, 0])).all()
    assert task.leaks == (
        "1 of 1 validation pictures are also in the training part",
        "1 of 1 test pictures are also in the training part",
    )
    assert task.batch(90, seeded(0)).images.shape[0] == 90


def test_paths_are_shorter_with_two_directions(made):
    task = VisualQuestions(**made())
    assert task.shortest_path(False) == pytest.approx((4 + 3 + 4) / 3)
    assert task.shortest_path(True) == pytest.approx((2 + 1 + 2) / 3)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ["is it red?", None, 3],
            'question 91 (counted from 1), "is it red?", has the answer null',
        ),
        (["is it red?", "", 3], 'has the answer ""'),
        (["is it red?", " ", 3], 'has the answer " "'),
        (["is it red?", True, 3], "has the answer true"),
        (["is it red?", ["yes"], 3], 'has the answer ["yes"]'),
        (["is it red?", "yes"], 'question 91 (counted from 1) is ["is it red?", "yes"]; expected'),
        ("is it red?", 'is "is it red?"; expected [question, answer, picture]'),
        (["", "yes", 3], "without words"),
        ([None, "yes", 3], "without words"),
        (["is it red?", "yes", None], "is about the picture null"),
        (["is it red?", "yes", 1.5], "is about the picture 1.5"),
        (["is it red?", "yes", 30], "about the picture `30`, but"),
        (["is it red?", "yes", -1], "about the picture `-1`, but"),
    ],
)
def test_a_question_that_is_none_is_named(made, row, message):
    assert message in refused(**made([*questions(30), row]))


def test_a_picture_that_is_not_there_is_named_with_what_there_is(made, folder):
    rows = [*questions(12), ["is it red?", "yes", 99]]
    told = refused(**{**made(rows, count=12), "images": str(folder)})
    assert told.endswith("it has 12, from `0` to `9`")
    assert f"`99`, but {folder} has none of that name" in told


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"questions": []}', "is a JSON dict; expected a list of [question, answer, picture]"),
        (b"[]", "there are no questions in it"),
        (b"\n\n[[1, 2", "questions.json:3: is no JSON"),
        (b"", "the file is empty"),
        (b'[["caf\xe9", "yes", 0]]', "questions.json:1: byte 0xe9 is not utf-8"),
        (gzip.compress(b"[" + b" " * 9999, mtime=0)[:-9], "damaged or cut off"),
        (b"[" * 100_000, "is no JSON"),
    ],
)
def test_a_file_that_is_no_list_of_questions_is_refused(made, content, message):
    options = made()
    Path(options["data"]).write_bytes(content)
    assert message in refused(**options)


def test_one_answer_is_not_enough(made):
    rows = [["is it red?", "Yes", place] for place in range(30)]
    assert "has the answer `yes`; expected at least two answers" in refused(**made(rows))


def test_too_few_pictures_cannot_be_dealt(made):
    told = refused(**made(questions(2)))
    assert "questions about 2 pictures cannot be dealt into training and validation and" in told


def test_a_file_that_does_not_decode_is_named(made, folder):
    (folder / "4.png").write_bytes(b"no picture")
    told = refused(**{**made(count=12), "images": str(folder)})
    assert f"{folder / '4.png'}: does not decode" in told


def test_two_files_of_one_name_are_refused(made, folder):
    Image.fromarray(coloured(1)[0]).save(folder / "4.jpg")
    told = refused(**{**made(count=12), "images": str(folder)})
    assert "`4.jpg` and `4.png` are both the picture `4`" in told


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((30, 8, 8, 3), np.float32), "pictures are float32 [30, 8, 8, 3]; expected uint8"),
        (np.zeros((30, 8), np.uint8), "expected uint8"),
    ],
)
def test_an_array_of_something_else_is_refused(made, pixels, message):
    assert message in refused(**made(pixels=pixels))


def test_features_must_be_as_many_as_pictures(made):
    few = np.ones((29, 4), np.float32)
    assert "features of 29 pictures, but" in refused(**made(features=few))
    broken = np.full((30, 4), np.nan, np.float32)
    assert "NaN" in refused(**made(features=broken))


def test_questions_need_pictures(made):
    told = refused(data=made()["data"])
    assert "give images (a folder or an array) or features of them" in told


@pytest.mark.parametrize("option", ["images", "features", "test", "valid"])
def test_pictures_and_held_out_questions_need_training_questions(option):
    assert "set `data`" in refused(**{option: "/absent"})


def test_held_out_pictures_of_another_shape_are_refused(made, tmp_path):
    held_out = tmp_path / "held_out.json"
    held_out.write_text(json.dumps(questions(4)))
    np.save(tmp_path / "grey.npy", np.zeros((4, 8, 8), np.uint8))
    told = refused(**made(), test=str(held_out), test_images=str(tmp_path / "grey.npy"))
    assert "[1, 8, 8] numbers, but [3, 8, 8] in training" in told


@pytest.fixture(scope="module")
def easy():
    folder = REAL / "vqa"
    return VisualQuestions(
        data=str(folder / "easyvqa_train_questions.json.gz"),
        images=str(folder / "easyvqa_train_images.npz"),
    )


@real_data
def test_easy_vqa_has_its_thirteen_answers(easy):
    listed = (REAL / "vqa" / "answers.txt").read_text().split()
    assert set(easy.targets.names) == set(listed)
    assert "30,992 training questions about 3,200 pictures" in easy.notes[0]
    assert easy.leaks == ()


@real_data
def test_easy_vqa_has_floors_near_the_known_ones(easy):
    floors = easy.anchors.floors
    assert floors["majority"] == pytest.approx(0.373, abs=0.02)
    assert floors["question only"] == pytest.approx(0.670, abs=0.025)
    assert floors["image only, nearest picture"] < floors["majority"] + 0.05
