import gzip
import hashlib
import os
import pickle
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pluggy
import pytest
import torch

from rnnbench import DataError, hookspecs
from rnnbench.errors import OptionError
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_tasks import sequential_images
from rnnbench_tasks.idx_file import parse_idx
from rnnbench_tasks.nearest_image import nearest_image
from rnnbench_tasks.sequential_digits import SequentialDigits
from rnnbench_tasks.sequential_images import SequentialImages

SHARED = os.environ.get("RNNBENCH_DATA")
CODES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def accuracy(logits, batch):
    return Accuracy().measure(logits, batch.targets, None)


def sequences(batch):
    return {sequence.numpy().tobytes() for sequence in batch.inputs.transpose(0, 1).contiguous()}


def images(count=40, height=6, width=4, seed=0, classes=2):
    """Make images of noise, whose top is bright in odd classes, and their labels in turn."""
    labels = np.arange(count, dtype=np.uint8) % classes
    values = np.random.default_rng(seed).integers(0, 100, (count, height, width), dtype=np.uint8)
    values[labels % 2 == 1, : height // 2] += 150
    values[0, 0, 0], values[1, 0, 0] = 0, 255
    return values, labels


def idx(array, kind="u1"):
    """Return an array in the idx format."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, CODES[kind], array.ndim, *array.shape)
    return header + array.astype(f">{kind}").tobytes()


def idx_files(folder, values, labels, name="train", kind="u1", pack=bytes):
    """Write images and labels as MNIST's are; return the options that name them."""
    first, second = folder / f"{name}-images-idx3-ubyte", folder / f"{name}-labels-idx1-ubyte"
    first.write_bytes(pack(idx(values, kind)))
    second.write_bytes(pack(idx(labels)))
    keys = ("data", "labels") if name == "train" else ("test", "test_labels")
    return dict(zip(keys, (str(first), str(second)), strict=True))


def npz(folder, name="images.npz", **arrays):
    np.savez(folder / name, **arrays)
    return str(folder / name)


def keras(folder, extra=(), name="images.npz", **changed):
    """Write an .npz file with these parts beside the training one, some arrays changed."""
    arrays = {}
    for place, part in enumerate(("train", *extra)):
        arrays[f"x_{part}"], arrays[f"y_{part}"] = images(40 - 10 * place, seed=place)
    arrays = {key: array for key, array in {**arrays, **changed}.items() if array is not None}
    return npz(folder, name, **arrays)


def planned(**chosen):
    """Ask a task for all that planning asks of it."""
    task = SequentialImages(**chosen)
    return task, task.sequence_length, task.inputs, task.targets, task.anchors, task.notes


def refused(**chosen):
    """Return the line with which data is refused."""
    with pytest.raises(DataError) as error:
        planned(**chosen)
    message = str(error.value)
    assert "\n" not in message
    return message


def test_the_module_provides_its_task():
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(sequential_images)
    manager.check_pending()
    assert manager.hook.rnnbench_provide_tasks() == [[SequentialImages]]


@pytest.mark.parametrize("order", ["pixels", "rows"])
@pytest.mark.parametrize("split", ["valid", "test"])
def test_the_scans_are_read_as_the_sequential_digits_are(order, split):
    task, digits = SequentialImages(order=order), SequentialDigits(order=order)
    assert (task.sequence_length, task.inputs) == (digits.sequence_length, digits.inputs)
    ours, theirs = task.held_out(split, seeded()), digits.held_out(split, seeded())
    assert torch.equal(ours.inputs, theirs.inputs)
    assert torch.equal(ours.targets, theirs.targets)
    first, second = task.batch(50, seeded(1)), digits.batch(50, seeded(1))
    assert torch.equal(first.inputs, second.inputs)
    assert torch.equal(first.targets, second.targets)


def test_the_scan_in_the_docstring_is_the_first_one():
    words = SequentialImages.__doc__.partition("input ")[2].partition("\n\n")[0].split()
    assert words[-2:] == ["target", "0"]
    shown = torch.tensor([int(word) for word in words[:-2]]) / 64
    train = SequentialImages(side=4).batch(1085, seeded())
    (place,) = (shown == train.inputs[..., 0].T).all(1).nonzero()[:, 0].tolist()
    assert train.targets[place] == 0


def test_batches_have_the_declared_shapes():
    task = SequentialImages(order="rows", side=4)
    batch = task.batch(6, seeded())
    assert batch.inputs.shape == (4, 6, 4) == (task.sequence_length, 6, task.inputs.width)
    assert batch.inputs.dtype == torch.float32
    assert batch.targets.shape == (6,)
    assert batch.targets.dtype == torch.int64
    assert batch.lengths is batch.mask is None
    assert task.trivial(batch).shape == (6, task.targets.count) == (6, 10)
    assert task.oracle(batch) is None


def test_a_seed_decides_the_batch_and_the_global_generators_are_left_alone():
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    task = SequentialImages(order="permuted")
    first, same, other = (task.batch(16, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, other.inputs)
    assert task.anchors
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


def test_a_permutation_is_fixed_by_hashes_and_the_same_for_every_image():
    pixels = SequentialImages().held_out("test", seeded()).inputs
    for number in (0, 7):
        permuted = SequentialImages(order="permuted", permutation=number)
        order = sorted(
            range(64), key=lambda pixel: hashlib.sha256(f"{number} {pixel}".encode()).hexdigest()
        )
        assert torch.equal(permuted.held_out("test", seeded()).inputs, pixels[order])
    assert not torch.equal(
        permuted.held_out("test", seeded()).inputs,
        SequentialImages(order="permuted").held_out("test", seeded()).inputs,
    )


def test_a_lower_resolution_is_the_mean_of_squares():
    whole = SequentialImages(order="rows").held_out("test", seeded()).inputs
    half = SequentialImages(order="rows", side=4).held_out("test", seeded()).inputs
    corner = (whole[0, :, :2] + whole[1, :, :2]).sum(-1) / 4
    assert torch.allclose(half[0, :, 0], corner)
    assert torch.allclose(half.mean((0, 2)), whole.mean((0, 2)))
    assert SequentialImages(side=4).sequence_length == 16


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize(("chosen", "steps"), [({}, 64), ({"order": "rows"}, 8)])
def test_every_step_counts_for_the_path(chosen, steps, bidirectional):
    ways = [min(step, steps - 1 - step) if bidirectional else step for step in range(steps)]
    assert SequentialImages(**chosen).shortest_path(bidirectional) == max(ways)


@pytest.mark.parametrize("chosen", [{}, {"side": 4, "order": "permuted"}])
def test_anchors_are_what_predictors_measure(chosen):
    task = SequentialImages(**chosen)
    train, test = task.batch(1085, seeded()), task.held_out("test", seeded())
    anchors = task.anchors
    assert accuracy(task.trivial(test), test) == anchors.trivial
    assert (anchors.chance, anchors.oracle) == (0.1, None)
    seen, asked = (batch.inputs[..., 0].T.double() for batch in (train, test))
    means = torch.stack([seen[train.targets == digit].mean(0) for digit in range(10)])
    nearest = train.targets[torch.cdist(asked, seen).argmin(1)]
    assert anchors.floors == {
        "nearest mean image": pytest.approx(accuracy(-torch.cdist(asked, means), test)),
        "1-NN": pytest.approx((nearest == test.targets).double().mean().item()),
    }
    assert anchors.solved == anchors.floors["nearest mean image"]


def test_the_scans_have_the_floors_of_the_sequential_digits():
    floors = SequentialDigits().anchors.floors
    assert list(SequentialImages().anchors.floors.values()) == list(floors.values())


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_idx_files_are_read_plain_or_packed(tmp_path, pack):
    values, labels = images()
    files = idx_files(tmp_path, values, labels, pack=pack)
    files |= idx_files(tmp_path, *images(10, seed=1), name="test", pack=pack)
    task = planned(**files, order="rows")[0]
    test = task.held_out("test", seeded())
    wanted, named = images(10, seed=1)
    assert torch.equal(test.inputs.transpose(0, 1), torch.from_numpy(wanted / np.float32(255)))
    assert test.targets.tolist() == named.tolist()
    train, valid = task.batch(32, seeded()), task.held_out("valid", seeded())
    assert len(sequences(train) | sequences(valid)) == 40
    assert (len(train), len(valid)) == (32, 8)
    assert train.targets.bincount().tolist() == [16, 16]
    assert task.notes == (
        "32 images for training, 8 for validation, 10 for the test, 6 × 4 pixels, of 2 classes",
        "the files have no validation part: it is 20% of their training images, dealt label by "
        "label",
    )
    assert task.leaks == ()


@pytest.mark.parametrize("kind", CODES)
def test_every_numeric_type_of_idx_is_read_and_scaled_alike(tmp_path, kind):
    values = images()[0] // 2
    array = parse_idx(tmp_path / "x", idx(values, kind))
    assert array.dtype == np.dtype(kind).newbyteorder("=")
    assert np.array_equal(array, values)
    task = SequentialImages(**idx_files(tmp_path, values, images()[1], kind=kind))
    train = task.batch(32, seeded()).inputs
    assert (train.min(), train.max()) == (0, 1)
    as_bytes = SequentialImages(**idx_files(tmp_path, values, images()[1]))
    assert torch.allclose(train, as_bytes.batch(32, seeded()).inputs)


@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "bool", "int64"])
def test_every_numeric_type_of_npz_is_scaled_to_the_unit_interval(tmp_path, kind):
    values, labels = images()
    values = (values > 128) if kind == "bool" else values.astype(kind) - 1000
    task = planned(data=npz(tmp_path, x_train=values, y_train=labels))[0]
    train = task.batch(32, seeded()).inputs
    assert (train.min(), train.max()) == (0, 1)


@pytest.mark.parametrize(
    ("extra", "counts", "dealt"),
    [
        ((), (32, 4, 4), ["validation", "test"]),
        (("val",), (36, 30, 4), ["test"]),
        (("test",), (32, 8, 30), ["validation"]),
        (("val", "test"), (40, 30, 20), []),
    ],
    ids=["train", "train and val", "train and test", "all"],
)
def test_parts_keep_their_names_and_what_is_missing_is_dealt_from_training(
    tmp_path, extra, counts, dealt
):
    task = planned(data=keras(tmp_path, extra))[0]
    sizes, *notes = task.notes
    assert sizes.startswith("{} images for training, {} for validation, {} for the".format(*counts))
    assert [note.split()[4] for note in notes] == dealt
    held_out = [task.held_out(split, seeded()) for split in ("valid", "test")]
    assert tuple(map(len, held_out)) == counts[1:]
    train = task.batch(counts[0], seeded())
    assert len(set().union(*map(sequences, (train, *held_out)))) == sum(counts)


def test_a_test_part_of_another_file_stands_beside_an_npz_file(tmp_path):
    test = keras(tmp_path, ("test",), "test.npz", x_train=None, y_train=None)
    task = planned(data=keras(tmp_path, ("val",)), test=test)[0]
    assert task.notes[0].startswith("40 images for training, 30 for validation, 30 for the test")
    assert len(task.notes) == 1


def test_many_images_beside_a_test_part_leave_five_thousand_for_validation(tmp_path):
    values, labels = images(30_000, 2, 2)
    x, y = images(10, 2, 2, seed=1)
    task = planned(data=npz(tmp_path, x_train=values, y_train=labels, x_test=x, y_test=y))[0]
    assert task.notes[:2] == (
        "25,000 images for training, 5,000 for validation, 10 for the test, 2 × 2 pixels, "
        "of 2 classes",
        "the files have no validation part: it is 17% of their training images, dealt label by "
        "label",
    )
    assert task.notes[2] == "the nearest neighbour is sought among 5,000 training images"


def test_images_need_not_be_square_and_shrink_by_squares(tmp_path):
    data = keras(tmp_path)
    assert SequentialImages(data=data).sequence_length == 24
    rows, small = SequentialImages(data=data, order="rows"), SequentialImages(data=data, side=3)
    assert (rows.sequence_length, rows.inputs.width) == (6, 4)
    assert small.sequence_length == 6
    assert "a pixel is the mean of 2 × 2 pixels of the file" in small.notes


def test_a_colour_image_has_three_values_a_pixel(tmp_path):
    grey, labels = images()
    colour = np.stack((grey, grey, 255 - grey), -1)
    data = npz(tmp_path, x_train=colour, y_train=labels)
    for order, shape in (("pixels", (24, 3)), ("rows", (6, 12)), ("permuted", (24, 3))):
        task = SequentialImages(data=data, order=order)
        assert (task.sequence_length, task.inputs.width) == shape
        batch = task.batch(8, seeded())
        one, two, three = batch.inputs.view(*batch.inputs.shape[:2], -1, 3).unbind(-1)
        assert torch.equal(one, two)
        assert torch.allclose(one + three, torch.ones(()))


def test_a_last_axis_of_one_and_labels_in_a_column_are_as_without(tmp_path):
    values, labels = images()
    flat = SequentialImages(data=npz(tmp_path, x_train=values, y_train=labels))
    deep = npz(tmp_path, "b.npz", x_train=values[..., None], y_train=labels[:, None])
    ours, theirs = (task.batch(9, seeded()) for task in (SequentialImages(data=deep), flat))
    assert torch.equal(ours.inputs, theirs.inputs)
    assert torch.equal(ours.targets, theirs.targets)


def test_labels_may_be_any_whole_numbers_as_emnists_which_begin_with_one(tmp_path):
    values, labels = images(130, classes=26)
    task = planned(data=npz(tmp_path, x_train=values, y_train=labels + np.uint8(1)))[0]
    assert task.targets.count == 26
    everything = torch.cat(
        [
            task.batch(78, seeded()).targets,
            task.held_out("valid", seeded()).targets,
            task.held_out("test", seeded()).targets,
        ]
    )
    assert everything.unique().tolist() == list(range(26))


def test_a_label_that_training_lacks_is_a_class_of_its_own(tmp_path):
    labels = images(30)[1].astype(np.int64)
    labels[:3] = (9, -1, 9)
    task = planned(data=keras(tmp_path, ("test",), y_test=labels))[0]
    assert task.targets.count == 3
    test = task.held_out("test", seeded())
    assert test.targets[:4].tolist() == [2, 2, 2, 1]
    assert task.anchors.chance == 1 / 2
    assert task.trivial(test).shape == (30, 3)
    assert accuracy(task.trivial(test), test) == task.anchors.trivial
    assert task.notes[-1].startswith("3 held-out images have a label that training has not")


def test_images_that_come_again_in_another_part_are_counted(tmp_path):
    values = images(30, seed=1)[0]
    values[:5] = images()[0][:5]
    task = SequentialImages(data=keras(tmp_path, ("val",), x_val=values))
    (leak,) = task.leaks
    assert leak.endswith("of 30 validation images are also in the training part")


def test_a_batch_larger_than_the_training_part_is_drawn_with_replacement(tmp_path):
    task = SequentialImages(data=keras(tmp_path))
    assert len(sequences(task.batch(32, seeded()))) == 32
    assert len(task.batch(100, seeded())) == 100


def test_no_file_but_those_named_is_read(tmp_path):
    """Arrays that nobody asks for may be anything, even objects."""
    strange = np.array([object], dtype=object)
    assert planned(data=keras(tmp_path, idx_train=strange))


BROKEN = {
    "cut in its numbers": (
        lambda good: good[:-5],
        "955 bytes follow the header, which announces 960 (40 × 6 × 4 of 1 bytes); fetch the file",
    ),
    "cut in its header": (lambda good: good[:9], "the file ends within its header; fetch it again"),
    "cut in its magic number": (lambda good: good[:2], "the magic number is 0x0000; expected an"),
    "too long": (lambda good: good + b"\1", "961 bytes follow the header, which announces 960"),
    "cut gzip": (lambda good: gzip.compress(good)[:-20], "the gzip file is damaged or cut off"),
    "low byte first": (
        lambda good: good[3::-1] + good[4:],
        "the magic number is 0x03080000; expected an idx file, as train-images-idx3-ubyte is: two",
    ),
    "unknown type": (lambda good: b"\0\0\x0a\3" + good[4:], "the magic number is 0x00000a03"),
    "no dimension": (lambda good: b"\0\0\x08\0" + good[4:], "the magic number is 0x00000800"),
    "a picture": (lambda good: b"\x89PNG\r\n\x1a\n", "the magic number is 0x89504e47; expected"),
    "a pickle": (lambda good: pickle.dumps([1]), "the magic number is 0x8004"),
    "empty": (lambda good: b"", "the file is empty"),
    "no image": (lambda good: idx(np.zeros((0, 6, 4))), " is 0 × 6 × 4 and holds no pixel; give"),
    "no pixel": (lambda good: idx(np.zeros((40, 0, 4))), " is 40 × 0 × 4 and holds no pixel"),
    "fewer images": (
        lambda good: idx(images(39)[0]),
        "labels-idx1-ubyte: 40 labels, but {data} has 39 images; one label an image is expected",
    ),
    "one image": (lambda good: idx(images()[0][:1]), "40 labels, but {data} has 1 image; one"),
    "flat": (lambda good: idx(np.zeros((40, 24))), " is 40 × 24; expected images [count, height,"),
    "NaN": (
        lambda good: idx(np.where(np.arange(960).reshape(40, 6, 4) == 30, np.nan, 1), "f4"),
        "image 2 has the pixel nan, in line 2, column 3; expected finite numbers",
    ),
    "endless": (
        lambda good: idx(np.where(np.arange(960).reshape(40, 6, 4) == 30, np.inf, 1), "f8"),
        "image 2 has the pixel inf, in line 2, column 3; expected finite numbers",
    ),
    "one colour": (
        lambda good: idx(np.full((40, 6, 4), 7)),
        ": every pixel of the training images is 7, so that there is nothing to see",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_idx_file_of_images_is_named(tmp_path, name):
    files = idx_files(tmp_path, *images())
    path = Path(files["data"])
    spoil, message = BROKEN[name]
    path.write_bytes(spoil(path.read_bytes()))
    line = refused(**files)
    assert str(tmp_path) in line.split(": ")[0]
    assert message.format(**files) in line


def test_bad_labels_are_named(tmp_path):
    values, labels = images()
    files = idx_files(tmp_path, values, labels)
    path = Path(files["labels"])
    for content, message in (
        (idx(labels[:-1]), f"{path}: 39 labels, but {files['data']} has 40 images; one label an"),
        (idx(np.zeros(40)), f"{path}: all training images are labelled 0; two classes are needed"),
        (idx(labels, "f4"), f"{path} is float32, 40; expected labels, one whole number an image"),
        (gzip.compress(idx(labels))[:-9], f"{path}: the gzip file is damaged or cut off"),
        (b"0\n1\n0\n1\n", f"{path}: the magic number is 0x300a310a; expected an idx file"),
    ):
        path.write_bytes(content)
        assert refused(**files).startswith(message)


def test_swapped_files_are_recognised(tmp_path):
    files = idx_files(tmp_path, *images())
    images_there = refused(data=files["labels"], labels=files["data"])
    assert images_there.startswith(f"{files['labels']} has one dimension, as labels have")
    assert images_there.endswith("are images and labels swapped?")
    twice = refused(data=files["data"], labels=files["data"])
    assert twice.startswith(f"{files['data']} is uint8, 40 × 6 × 4; expected labels")
    assert twice.endswith("are images and labels swapped?")


def test_files_that_need_another_beside_them_say_so(tmp_path):
    files = idx_files(tmp_path, *images())
    test = idx_files(tmp_path, *images(10, seed=1), name="test")
    data = files["data"]
    assert refused(data=data).startswith(f"{data}: images without labels; name the idx file of")
    assert refused(**files, test=test["test"]).startswith(f"{test['test']}: images without labels")
    for name, chosen in (
        ("labels", {"labels": files["labels"]}),
        ("test", test),
        ("test_labels", {"test_labels": test["test_labels"]}),
    ):
        assert f": `{name}` without `data`; name the training images" in refused(**chosen)
    assert refused(**files, test_labels=test["test_labels"]).endswith(
        ": `test_labels` without `test`; name the test images"
    )
    both = keras(tmp_path, ("test",))
    assert refused(data=both, labels=files["labels"]).startswith(
        f"{files['labels']}: labels beside {both}, an .npz file, which holds its own"
    )
    assert refused(data=both, **test).startswith(
        f"{test['test']}: a test part beside that of {both}; leave `test` away"
    )
    assert refused(data=str(tmp_path)).endswith("cannot be read: Is a directory")


def test_test_images_of_another_kind_are_refused(tmp_path):
    files = idx_files(tmp_path, *images())
    other = idx_files(tmp_path, *images(10, 4, 4), name="test")
    assert refused(**files, **other).endswith(
        "ubyte: the test images are 4 × 4 pixels of uint8, but those for training 6 × 4 pixels of "
        "uint8; both need the same"
    )
    floats = images(30)[0] / 255
    data = keras(tmp_path, ("val",), x_val=floats)
    assert refused(data=data) == (
        f"{data}: the validation images are 6 × 4 pixels of float64, but those for training "
        "6 × 4 pixels of uint8; both need the same"
    )


class Unpickled:
    """Says when somebody unpickles it."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


@pytest.mark.parametrize("name", ["x_train", "y_train"])
def test_objects_are_never_unpickled(tmp_path, name):
    objects = np.empty(40, dtype=object)
    objects[:] = [Unpickled() for _ in range(40)]
    data = keras(tmp_path, **{name: objects})
    assert refused(data=data) == (
        f"{data}: `{name}` holds Python objects, which are never unpickled, as that could run any "
        "code; save it as numbers"
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"x_train": None}, ": no array `x_train`; there are y_train; expected x_train, y_train,"),
        ({"y_train": None}, ": no array `y_train`; there are x_train; expected x_train, y_train,"),
        ({"x_test": images()[0]}, ": no array `y_test`; there are "),
        ({"y_val": images()[1]}, ": no array `x_val`; there are "),
        ({"y_train": images()[1][:7]}, ": `y_train`: 7 labels, but "),
        ({"y_train": images()[1] / 2}, ": `y_train` is float64, 40; expected labels, one whole"),
        ({"y_train": np.eye(40)}, ": `y_train` is float64, 40 × 40; expected labels, one whole"),
        ({"y_train": images()[1].astype(str)}, ": `y_train` is <U3, 40; expected labels, one"),
        ({"y_train": np.int64(3)}, ": `y_train` is int64, one number; expected labels, one whole"),
        ({"y_train": np.ones(40, int)}, ": all training images are labelled 1; two classes are"),
        ({"y_train": np.arange(40)}, ": no class has the 3 examples that dealing into train, "),
        ({"x_train": images()[0].reshape(40, 24)}, ": `x_train` is 40 × 24; expected images ["),
        ({"x_train": np.zeros((40, 3, 6, 5))}, ": `x_train` is 40 × 3 × 6 × 5; expected images ["),
        ({"x_train": images()[0] * 1j}, ": `x_train` is of type complex128; expected numbers as"),
        ({"x_train": images()[0] * np.nan}, ": `x_train`: image 1 has the pixel nan, in line 1, "),
        ({"x_train": np.full((40, 6, 4), 1e200)}, ": `x_train`: image 1 has the pixel 1e+200, in"),
        ({"x_train": images()[1], "y_train": images()[0]}, ": `x_train` has one dimension, as"),
    ],
)
def test_a_bad_npz_file_is_named(tmp_path, changed, message):
    data = keras(tmp_path, **changed)
    assert refused(data=data).startswith(f"{data}{message}")


def test_a_damaged_npz_file_is_named(tmp_path):
    path = Path(keras(tmp_path))
    good = path.read_bytes()
    endless = b"{'descr': '<f8', 'fortran_order': False, 'shape': (9999999999999, 9, 9), }\n"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x_train.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(endless)) + endless)
    bomb = path.read_bytes()
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("x_train.npy", b"no array")
    for content in (good[:300], good.replace(b"NUMPY", b"NOMPY"), bomb, path.read_bytes()):
        path.write_bytes(content)
        assert refused(data=str(path)).startswith(str(path))
    path.write_bytes(good[:300])
    assert ": a damaged .npz file (" in refused(data=str(path))


@pytest.mark.parametrize("side", [5, 7, 9, 28])
def test_a_side_that_squares_do_not_make_is_refused(side):
    assert refused(side=side) == (
        f"the scans: images of 8 × 8 pixels cannot become {side} lines high by averaging squares; "
        "`side` is one of 1, 2, 4, 8, or 0: as they are"
    )


def test_a_side_of_a_file_that_squares_do_not_make_is_refused(tmp_path):
    data = keras(tmp_path)
    assert refused(data=data, side=2).startswith(
        f"{data}: images of 6 × 4 pixels cannot become 2 lines high"
    )
    assert "`side` is one of 3, 6, or 0" in refused(data=data, side=12)


@pytest.mark.parametrize(
    "chosen", [{"order": "columns"}, {"side": -1}, {"permutation": -1}, {"side": 1.5}]
)
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        SequentialImages(**chosen)


def test_importing_the_task_reads_no_scan():
    code = "import sys, rnnbench_tasks.sequential_images; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(SHARED is None, reason="RNNBENCH_DATA names no folder of real data")
def test_real_digits_have_their_sizes_and_floors():
    data = str(Path(SHARED) / "seqimg" / "mnist_6k1k.npz")
    task = planned(data=data)[0]
    assert task.sequence_length == 784
    assert task.notes[0] == (
        "5,402 images for training, 1,000 for validation, 598 for the test, 28 × 28 pixels, "
        "of 10 classes"
    )
    train, valid = task.batch(5402, seeded()), task.held_out("valid", seeded())
    seen, asked = (batch.inputs[..., 0].T for batch in (train, valid))
    means = torch.stack([seen[train.targets == digit].mean(0) for digit in range(10)])
    named = nearest_image(asked, means, torch.arange(10))
    # 0.813 on 3000 other images; three standard errors of 1000
    assert (named == valid.targets).double().mean() == pytest.approx(0.813, abs=0.037)
    assert task.anchors.floors["nearest mean image"] == pytest.approx(0.813, abs=0.048)
    assert 0.92 < task.anchors.floors["1-NN"] < 0.95
    assert task.leaks == ()
