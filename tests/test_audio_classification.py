import gzip
import io
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch
from scipy.io import wavfile
from scipy.signal import ShortTimeFFT
from scipy.signal.windows import hann

from rnnbench import DataError
from rnnbench.errors import OptionError
from rnnbench_metrics.accuracy import Accuracy
from rnnbench_tasks.audio_classification import AudioClassification
from rnnbench_tasks.log_spectra import SILENCE, filters, framing
from rnnbench_tasks.voices import CLASSES, voices
from rnnbench_tasks.wav_folder import read_wav

LOW, HIGH = 400, 1600


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def tone(hertz, rate=8000, seconds=0.1, loud=0.5):
    return loud * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate)


def encoded(sound, kind):
    """Samples of −1 … 1 in one of the encodings of WAV files."""
    match kind:
        case "uint8":
            return np.round(sound * 127 + 128).astype(np.uint8)
        case "int16" | "int32":
            return np.round(sound * np.iinfo(kind).max).astype(kind)
        case _:
            return sound.astype(kind)


def wav(path, sound, rate=8000, kind="int16"):
    path.parent.mkdir(parents=True, exist_ok=True)
    wavfile.write(path, rate, encoded(sound, kind))
    return path


def wav24(path, sound, rate=8000):
    """A file of 24 bits, which SciPy reads but does not write."""
    words = np.round(sound * (2**23 - 1)).astype("<i4")
    data = words.view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    form = b"fmt " + np.array([16], "<u4").tobytes() + np.array([1, 1], "<u2").tobytes()
    form += np.array([rate, rate * 3], "<u4").tobytes() + np.array([3, 24], "<u2").tobytes()
    body = b"WAVE" + form + b"data" + np.array([len(data)], "<u4").tobytes() + data
    path.write_bytes(b"RIFF" + np.array([len(body)], "<u4").tobytes() + body)
    return path


def folder(path, each=10, **kinds):
    """Write `each` low and high tones, of different loudness and length."""
    for name, hertz in (("high", HIGH), ("low", LOW)):
        for n in range(each):
            sound = tone(hertz, kinds.get("rate", 8000), 0.1 + 0.01 * n, 0.2 + 0.05 * n)
            wav(path / name / f"{n}.wav", sound, **kinds)
    return path


def read(path, **chosen):
    task = AudioClassification(data=str(path), **chosen)
    assert task.anchors
    return task


@pytest.fixture(scope="module")
def drawn():
    task = AudioClassification()
    assert task.anchors
    return task


def test_drawn_sounds_have_the_declared_shapes(drawn):
    batch = drawn.batch(32, seeded(0))
    assert batch.inputs.shape == (drawn.sequence_length, 32, 16)
    assert batch.inputs.dtype == torch.float32
    assert batch.targets.dtype == batch.lengths.dtype == torch.int64
    # a quarter to half a second, a frame every 10 ms
    assert 25 <= batch.lengths.min() < batch.lengths.max() <= drawn.sequence_length == 50
    assert drawn.targets.count == len(CLASSES) == 12
    counts = [drawn.held_out(split, seeded(0)).targets.bincount() for split in ("valid", "test")]
    assert [count.tolist() for count in counts] == [[20] * 12, [60] * 12]
    after = torch.arange(50).unsqueeze(1) >= batch.lengths
    assert (batch.inputs[after] == 0).all()


def test_a_seed_decides_the_batch_and_global_generators_are_left_alone(drawn):
    before, numpy_before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    first, same, other = (drawn.batch(8, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first.inputs, same.inputs)
    assert not torch.equal(first.inputs, other.inputs)
    assert voices(1, 20.0, 0)[0].samples.tolist() == voices(1, 20.0, 0)[0].samples.tolist()
    assert torch.equal(before, torch.random.get_rng_state())
    assert np.array_equal(numpy_before, np.random.get_state()[1])


def test_no_sound_is_in_two_parts(drawn):
    parts = [
        drawn.batch(1200, seeded(0)),
        drawn.held_out("valid", seeded(0)),
        drawn.held_out("test", seeded(0)),
    ]
    found = {row.numpy().tobytes() for part in parts for row in part.inputs.transpose(0, 1)}
    assert len(found) == 1200 + 240 + 720


def test_the_mean_spectrum_names_all_but_the_order(drawn):
    (neighbour,) = drawn.anchors.floors.values()
    # half of the vowel pairs and of the gliding tones are right by luck
    assert neighbour == pytest.approx(0.75, abs=5 * (0.75 * 0.25 / 720) ** 0.5)
    assert neighbour < drawn.anchors.solved
    test = drawn.held_out("test", seeded(0))
    trivial = Accuracy().measure(drawn.trivial(test), test.targets, None)
    assert trivial == drawn.anchors.trivial == drawn.anchors.chance == 1 / 12


def test_the_order_is_in_the_first_and_last_frames(drawn):
    """Nearest mean of a few frames at both ends: pairs and glides come apart."""
    train, test = drawn.batch(1200, seeded(0)), drawn.held_out("test", seeded(0))

    def ends(batch):
        rows = torch.arange(len(batch))
        return torch.cat(
            [batch.inputs[n] for n in range(4, 8)]
            + [batch.inputs[batch.lengths - n, rows] for n in range(5, 9)],
            1,
        )

    means = torch.stack([ends(train)[train.targets == n].mean(0) for n in range(12)])
    guess = torch.cdist(ends(test), means).argmin(1)
    for pair in (("ai", "ia"), ("au", "ua"), ("falling", "rising")):
        one, other = (sorted(CLASSES).index(name) for name in pair)
        mixed = ((test.targets == one) & (guess == other)) | (
            (test.targets == other) & (guess == one)
        )
        assert mixed.sum() <= 6


def test_noise_hides_the_sounds():
    (neighbour,) = AudioClassification(snr=-20.0).anchors.floors.values()
    assert neighbour < 0.3


def test_the_row_shown_is_one():
    lines = AudioClassification.__doc__.splitlines()
    start = next(n for n, line in enumerate(lines) if line.split()[:1] == ["input"])
    rows = [[float(word) for word in line.split()[-8:]] for line in lines[start : start + 6]]
    train = AudioClassification(bands=8).batch(1200, seeded(0))
    near = (train.inputs[:36:6] - torch.tensor(rows).unsqueeze(1)).abs().amax((0, 2))
    assert near.min() <= 0.051
    assert lines[start + 6].split()[:2] == ["target", str(train.targets[near.argmin()].item())]


def test_every_encoding_reads_as_the_same_sound(tmp_path):
    sound = tone(LOW)
    paths = [
        wav(tmp_path / f"{kind}.wav", sound, kind=kind)
        for kind in ("uint8", "int16", "int32", "float32", "float64")
    ]
    for path in (*paths, wav24(tmp_path / "int24.wav", sound)):
        rate, samples = read_wav(path)
        assert rate == 8000
        assert samples.dtype == np.float32
        assert np.abs(samples - sound).max() < (0.01 if "uint8" in path.name else 1e-4)


def test_channels_are_averaged(tmp_path):
    both = np.stack([tone(LOW), np.zeros(800)], 1)
    _, samples = read_wav(wav(tmp_path / "stereo.wav", both))
    assert np.abs(samples - tone(LOW) / 2).max() < 1e-4


def test_rates_become_the_most_frequent_one_of_training(tmp_path):
    plain = read(folder(tmp_path / "plain"))
    mixed = folder(tmp_path / "mixed")
    for name, hertz in (("high", HIGH), ("low", LOW)):
        wav(mixed / name / "3.wav", tone(hertz, 22050, 0.13, 0.35), 22050, "float32")
    task = read(mixed)
    assert "2 of 20 sounds were resampled to 8000 samples a second" in task.notes
    ours, theirs = task.batch(16, seeded(0)), plain.batch(16, seeded(0))
    assert torch.equal(ours.lengths, theirs.lengths)
    # what a resampled tone keeps is its loudest band
    middle = slice(3, 7)
    assert torch.equal(ours.inputs[middle].argmax(-1), theirs.inputs[middle].argmax(-1))


def test_frames_follow_the_hop_and_the_limit_cuts_them(tmp_path):
    path = folder(tmp_path / "sounds")
    assert read(path).sequence_length == 19
    assert read(path, hop=20.0).sequence_length == 10
    cut = read(path, limit=12)
    assert cut.sequence_length == 12
    assert any("longer than 12 steps and lost their end" in note for note in cut.notes)
    assert read(path, frame=1.0, hop=30.0, bands=64).inputs.width == 64


def test_frames_are_those_of_a_short_time_fourier_transform():
    rate, width, step = 8000, 200, 80
    sound = np.random.default_rng(0).uniform(-1, 1, 1234).astype(np.float32)
    found = framing(rate, 16, 25.0, 10.0)(sound)
    points, weights = filters(rate, 16, width)
    transform = ShortTimeFFT(hann(width, sym=False) / width, step, rate, mfft=points)
    energy = weights @ transform.spectrogram(sound, p0=0, p1=16)
    assert found.shape == (16, 16)
    assert np.allclose(found, np.log(energy + SILENCE).T, atol=1e-4)


def test_a_long_sound_has_the_frames_of_its_pieces():
    frames = framing(8000, 16, 25.0, 10.0)
    sound = np.random.default_rng(0).uniform(-1, 1, 80 * 2500).astype(np.float32)
    found = frames(sound)
    assert found.shape == (2500, 16)
    # far from the ends of a piece nothing tells that it is one
    assert np.allclose(found[1010:2490], frames(sound[80 * 1000 :])[10:1490], atol=1e-4)


def test_of_many_sounds_one_at_a_time_is_in_memory(tmp_path):
    count, seconds = 8, 20
    for n in range(count):
        for name in ("high", "low"):
            wav(tmp_path / "long" / name / f"{n}.wav", tone(LOW, seconds=seconds))
    one = seconds * 8000 * 4
    _ = AudioClassification(data=str(tmp_path / "long"), hop=1000.0, limit=1).anchors
    tracemalloc.start()
    task = AudioClassification(data=str(tmp_path / "long"), hop=1000.0)
    _ = task.anchors
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < count * one


def test_bands_rise_with_the_pitch(tmp_path):
    task = read(folder(tmp_path / "sounds"))
    train = task.batch(16, seeded(0))
    for number in (0, 1):
        rows = train.inputs[4, train.targets == number]
        loudest = rows.mean(0).argmax()
        assert (loudest > 4) == (number == 0)


def test_a_folder_is_dealt_class_by_class_and_a_test_folder_is_the_test(tmp_path):
    data = folder(tmp_path / "data")
    (data / ".hidden").mkdir()
    (data / "_noise_").mkdir()
    (data / "README.txt").write_text("hello")
    alone = read(data)
    assert alone.notes == (
        "16 sounds for training, 2 for validation, 2 for the test, of 2 classes",
    )
    other = folder(tmp_path / "test", each=3)
    (other / "low").rename(other / "middle")
    task = read(data, test=str(other))
    assert task.notes[0].startswith("16 sounds for training, 4 for validation, 6 for the test")
    assert "3 held-out sounds have a label that training has not; they count as wrong" in task.notes
    assert task.held_out("test", seeded(0)).targets.tolist() == [0, 0, 0, 2, 2, 2]
    assert task.targets.count == 3


def test_a_sound_shorter_than_a_frame_is_one_step(tmp_path):
    path = folder(tmp_path / "sounds")
    wav(path / "low" / "0.wav", np.full(3, 0.5))
    lengths = read(path, test=str(path)).held_out("test", seeded(0)).lengths
    assert lengths.min() == 1


def test_silence_is_finite(tmp_path):
    path = folder(tmp_path / "sounds")
    wav(path / "low" / "0.wav", np.zeros(800))
    test = read(path, test=str(path)).held_out("test", seeded(0))
    assert test.inputs.isfinite().all()


@pytest.fixture
def sounds(tmp_path):
    return folder(tmp_path / "sounds")


def mulaw(content):
    return content[:20] + b"\x07\x00" + content[22:]


BAD_FILES = {
    "text": (lambda _: b"hello, I am no sound", r"0.wav: is no WAV file that can be read"),
    "AIFF": (lambda content: b"FORM" + content[4:], r"0.wav: is no WAV file that can be read"),
    "nothing": (lambda _: b"", r"0.wav: the file is empty"),
    "header only": (lambda content: content[:30], r"0.wav: is no WAV file that can be read"),
    "no samples chunk": (
        lambda content: content[:4] + np.array([28], "<u4").tobytes() + content[8:36],
        r"0.wav: is no WAV file that can be read",
    ),
    "cut off": (lambda content: content[:-101], r"0.wav: "),
    "cut off between samples": (lambda content: content[:-100], r"0.wav: the WAV file is cut off"),
    "mu-law": (mulaw, r"0.wav: is no WAV file that can be read \(Unknown wave file format: MULAW"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_bad_sound_is_named(sounds, name):
    damage, message = BAD_FILES[name]
    path = sounds / "low" / "0.wav"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=message) as caught:
        read(sounds)
    assert "\n" not in str(caught.value)


def test_sounds_without_samples_of_nan_or_of_no_rate_are_named(sounds):
    path = sounds / "low" / "0.wav"
    wav(path, np.zeros(0))
    with pytest.raises(DataError, match=r"0.wav: the WAV file has no samples"):
        read(sounds)
    wav(path, np.array([0.1, np.nan]), kind="float32")
    with pytest.raises(DataError, match=r"0.wav: a sample is NaN or infinite"):
        read(sounds)
    wav(path, tone(LOW), rate=10)
    with pytest.raises(DataError, match=r"0.wav: 10 samples a second; expected 1000 or more"):
        read(sounds)


def test_folders_that_hold_no_classes_are_named(tmp_path, sounds):
    with pytest.raises(DataError, match=r"0.wav: is no folder; expected one with a sub-folder"):
        read(sounds / "low" / "0.wav")
    with pytest.raises(DataError, match=r"low: found 0 sub-folders; expected at least two"):
        read(sounds / "low")
    (sounds / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no .wav file for this class"):
        read(sounds)
    one = tmp_path / "one"
    (one / "low").mkdir(parents=True)
    with pytest.raises(DataError, match=r"one: found 1 sub-folders; expected at least two"):
        read(one)
    with pytest.raises(DataError, match=r"few: no class has the 3 examples"):
        read(folder(tmp_path / "few", each=2))
    with pytest.raises(DataError, match=r"`test` without `data`"):
        _ = AudioClassification(test=str(sounds)).sequence_length


@pytest.mark.parametrize(
    "chosen", [{"bands": 0}, {"hop": 0.0}, {"frame": 0.5}, {"limit": -1}, {"snr": float("nan")}]
)
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        AudioClassification(**chosen)


def test_listing_the_task_does_not_import_scipy():
    code = "import sys, rnnbench_tasks.audio_classification; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_wav_files_may_be_compressed(tmp_path):
    buffer = io.BytesIO()
    wavfile.write(buffer, 8000, encoded(tone(LOW), "int16"))
    (tmp_path / "a.wav").write_bytes(gzip.compress(buffer.getvalue()))
    assert read_wav(tmp_path / "a.wav")[0] == 8000
