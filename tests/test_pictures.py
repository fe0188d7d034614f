import gzip
import io

import numpy as np
import pytest
from PIL import Image

from rnnbench import DataError
from rnnbench_tasks import pictures

RED, BLUE = (255, 0, 0), (0, 0, 255)


def paint(path, colour, size=(6, 4), mode="RGB", **how):
    Image.new(mode, size, colour).save(path, **how)


def halves(width=8, height=8):
    """Red on the left, blue on the right: [height, width, 3]."""
    picture = np.zeros((height, width, 3), dtype=np.uint8)
    picture[:, : width // 2], picture[:, width // 2 :] = RED, BLUE
    return picture


def saved(path, **arrays):
    np.savez(path, **arrays)
    return path


def problem(read, *given):
    with pytest.raises(DataError) as caught:
        read(*given)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_files_of_a_folder_are_read_by_name_in_the_order_asked_for(tmp_path):
    paint(tmp_path / "a.png", RED)
    paint(tmp_path / "b.bmp", BLUE)
    read = pictures.read_folder(tmp_path, ["b.bmp", "a.png", "b.bmp"])
    assert read.dtype == np.uint8
    assert read.shape == (3, 3, 4, 6)
    assert read[:, :, 0, 0].tolist() == [list(BLUE), list(RED), list(BLUE)]


def test_a_folder_lists_its_image_files_by_name_and_nothing_else(tmp_path):
    for name in ("b.PNG", "a.png", "_c.png", ".d.png"):
        paint(tmp_path / name, RED)
    (tmp_path / "readme.txt").write_text("pictures")
    assert pictures.names_in(tmp_path) == ["a.png", "b.PNG"]


def test_a_picture_is_squeezed_whole_into_a_square(tmp_path):
    Image.fromarray(halves(16, 8)).save(tmp_path / "a.png")
    (squeezed,) = pictures.read_folder(tmp_path, ["a.png"], side=4)
    assert (squeezed.transpose(1, 2, 0) == halves(4, 4)).all()
    Image.fromarray(halves(160, 80)).save(tmp_path / "b.jpg", quality=95)
    (photo,) = pictures.read_folder(tmp_path, ["b.jpg"], side=4)
    assert np.abs(photo.transpose(1, 2, 0).astype(int) - halves(4, 4)).max() < 30


def test_each_pixel_is_the_mean_of_what_it_covers(tmp_path):
    stripes = np.zeros((1, 4, 4), dtype=np.uint8)
    stripes[..., ::2] = 200
    path = saved(tmp_path / "a.npz", images=stripes)
    assert (pictures.read_array(path, side=2) == 100).all()


def test_transparent_is_white_and_grey_is_a_colour(tmp_path):
    paint(tmp_path / "a.png", (255, 0, 0, 0), mode="RGBA")
    paint(tmp_path / "b.png", 90, mode="L")
    clear, grey = pictures.read_folder(tmp_path, ["a.png", "b.png"])
    assert (clear == 255).all()
    assert (grey == 90).all()


def test_a_photo_is_turned_as_its_camera_says(tmp_path):
    turned = Image.Exif()
    turned[0x0112] = 6
    paint(tmp_path / "a.jpg", RED, size=(6, 4), exif=turned)
    assert pictures.read_folder(tmp_path, ["a.jpg"]).shape == (1, 3, 6, 4)


@pytest.mark.parametrize("shape", [(5, 4, 6), (5, 4, 6, 1), (5, 4, 6, 3)])
def test_arrays_become_channels_first(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    path = saved(tmp_path / "a.npz", images=array, other=array[:1])
    expected = array.reshape(5, 4, 6, -1).transpose(0, 3, 1, 2)
    assert (pictures.read_array(path) == expected).all()
    assert pictures.read_array(path, side=3).shape == (5, expected.shape[1], 3, 3)


def test_a_single_array_may_have_any_name_or_none_and_be_compressed(tmp_path):
    array = halves()[np.newaxis]
    npy = tmp_path / "a.npy"
    np.save(npy, array)
    (tmp_path / "b.npy.gz").write_bytes(gzip.compress(npy.read_bytes()))
    for path in (saved(tmp_path / "c.npz", photos=array), npy, tmp_path / "b.npy.gz"):
        assert (pictures.read_array(path)[0].transpose(1, 2, 0) == array[0]).all()


@pytest.mark.parametrize("shape", [(5, 8), (5, 4, 8)])
@pytest.mark.parametrize("kind", ["float16", "float32", "float64"])
def test_features_are_read_in_their_order_as_places(tmp_path, shape, kind):
    array = np.random.default_rng(0).random(shape).astype(kind)
    read = pictures.read_features(saved(tmp_path / "a.npz", features=array))
    assert read.shape == (5, 1 if len(shape) == 2 else 4, 8)
    assert read.dtype == ("float16" if kind == "float16" else "float32")
    assert np.allclose(read.reshape(shape), array)


def test_a_file_that_is_no_picture_is_named(tmp_path):
    (tmp_path / "a.jpg").write_text("<html>not found</html>")
    said = problem(pictures.read_folder, tmp_path, ["a.jpg"], 8)
    assert str(tmp_path / "a.jpg") in said
    assert "does not decode" in said


def test_a_picture_cut_off_is_named(tmp_path):
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(content, "JPEG")
    (tmp_path / "a.jpg").write_bytes(content.getvalue()[:2000])
    assert "does not decode" in problem(pictures.read_folder, tmp_path, ["a.jpg"], 8)


def test_a_deep_picture_would_be_all_white_and_is_refused(tmp_path):
    paint(tmp_path / "a.png", 40_000, mode="I;16")
    assert "more than 8 bits" in problem(pictures.read_folder, tmp_path, ["a.png"])


def test_a_missing_file_or_folder_is_named(tmp_path):
    assert "a.png: no such file" in problem(pictures.read_folder, tmp_path, ["a.png"])
    assert "is no folder" in problem(pictures.read_folder, tmp_path / "no", ["a.png"])
    assert "is no folder" in problem(pictures.names_in, tmp_path / "no")
    assert "no image file" in problem(pictures.names_in, tmp_path)
    assert "cannot be read" in problem(pictures.read_array, tmp_path / "no.npz")
    assert "cannot be read" in problem(pictures.read_features, tmp_path)


def test_sizes_that_differ_ask_for_a_side(tmp_path):
    paint(tmp_path / "a.png", RED, size=(6, 4))
    paint(tmp_path / "b.png", RED, size=(4, 6))
    said = problem(pictures.read_folder, tmp_path, ["a.png", "b.png"])
    assert "b.png: 4 × 6 pixels, but `a.png` has 6 × 4" in said
    assert "side" in said


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 4, 4, 3), dtype=np.float32),
        np.zeros((2, 3, 4, 4), dtype=np.uint8),
        np.zeros((4, 4), dtype=np.uint8),
        np.zeros((0, 4, 4), dtype=np.uint8),
    ],
)
def test_other_arrays_are_no_pictures(tmp_path, array):
    said = problem(pictures.read_array, saved(tmp_path / "a.npz", images=array))
    assert f"{array.dtype} {list(array.shape)}; expected uint8" in said


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 4), dtype=np.uint8),
        np.zeros(4, dtype=np.float32),
        np.zeros((2, 7, 7, 4), dtype=np.float32),
        np.zeros((2, 0), dtype=np.float32),
    ],
)
def test_other_arrays_are_no_features(tmp_path, array):
    said = problem(pictures.read_features, saved(tmp_path / "a.npz", features=array))
    assert f"{array.dtype} {list(array.shape)}; expected float16" in said


def test_features_must_be_finite(tmp_path):
    array = np.zeros((3, 4), dtype=np.float16)
    array[1, 2] = np.inf
    said = problem(pictures.read_features, saved(tmp_path / "a.npz", features=array))
    assert "picture 1 (counted from 0) have a NaN or infinite" in said


def test_a_file_without_the_array_lists_what_it_has(tmp_path):
    path = saved(tmp_path / "a.npz", one=np.zeros(1), two=np.zeros(2))
    assert "no array `images`; there are one, two" in problem(pictures.read_array, path)
    assert "no array `features`; there are one, two" in problem(pictures.read_features, path)


def test_damaged_arrays_are_named(tmp_path):
    whole = saved(tmp_path / "a.npz", images=np.zeros((20, 8, 8), dtype=np.uint8)).read_bytes()
    for content in (b"", b"nothing like it", whole[:200], b"\x1f\x8bnot gzip"):
        (tmp_path / "b.npz").write_bytes(content)
        assert "b.npz" in problem(pictures.read_array, tmp_path / "b.npz")
    pickled = np.array([{"a": 1}], dtype=object)
    np.save(tmp_path / "c.npy", pickled, allow_pickle=True)
    assert "c.npy" in problem(pictures.read_array, tmp_path / "c.npy")
