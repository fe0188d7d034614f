import gzip
import json
import os
from itertools import pairwise
from math import log
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from rnnbench import Batch, DataError
from rnnbench.errors import OptionError
from rnnbench.nn.loss import valid_mask
from rnnbench_metrics.frame_nll import FrameNLL
from rnnbench_tasks.polyphonic_music import PolyphonicMusic

SHARED = os.environ.get("RNNBENCH_DATA")
recorded = pytest.mark.skipif(SHARED is None, reason="RNNBENCH_DATA names no folder of real data")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def nll(predictions, batch, task):
    return FrameNLL().measure(predictions, batch.targets, valid_mask(batch, task))


def pieces(count=12, seed=0, longest=40, keys=(40, 60)):
    """Make pieces of random notes: lists of frames, which are lists of MIDI numbers."""
    random = np.random.default_rng(seed)
    return [
        [
            sorted({int(note) for note in random.integers(*keys, random.integers(1, 5))})
            for _ in range(random.integers(2, longest))
        ]
        for _ in range(count)
    ]


def whole(**parts):
    return {"train": pieces(12, 1), "valid": pieces(3, 2), "test": pieces(4, 3), **parts}


def rolls(songs):
    """Return pieces as arrays [frames, 88]."""
    made = []
    for song in songs:
        roll = np.zeros((len(song), 88), dtype=np.uint8)
        for place, frame in enumerate(song):
            roll[place, [note - 21 for note in frame]] = 1
        made.append(roll)
    return made


def as_json(folder, parts, name="songs.json"):
    path = folder / name
    path.write_text(json.dumps(parts))
    return str(path)


def as_npz(folder, parts, **changed):
    arrays = {}
    for part, songs in parts.items():
        made = rolls(songs)
        arrays[f"{part}_roll_packed"] = np.packbits(np.concatenate(made), axis=1)
        arrays[f"{part}_len"] = np.array([len(roll) for roll in made], dtype=np.int32)
    path = folder / "songs.npz"
    np.savez(path, **{k: v for k, v in {**arrays, **changed}.items() if v is not None})
    return str(path)


def as_mat(folder, parts):
    arrays = {}
    for part, songs in parts.items():
        cells = np.empty((1, len(songs)), dtype=object)
        cells[0, :] = rolls(songs)
        arrays[f"{part}data"] = cells
    path = folder / "songs.mat"
    savemat(path, arrays)
    return str(path)


def task(data, **chosen):
    return PolyphonicMusic(**{"data": data, "length": 16, **chosen})


def refused(data, **chosen):
    """Return what a task says of its data when a suite is planned."""
    with pytest.raises(DataError) as caught:
        task(data, **chosen).anchors  # noqa: B018  the access is the test
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(data)
    return str(caught.value).removeprefix(data)


# made pieces


def notes_of(frame):
    return (frame.nonzero()[:, 0] + 21).tolist()


def test_made_batches_have_the_declared_shapes():
    one = PolyphonicMusic(length=21)
    batch = one.batch(5, seeded())
    assert batch.inputs.shape == batch.targets.shape == (21, 5, 88)
    assert batch.inputs.dtype == batch.targets.dtype == torch.float32
    assert batch.lengths is None
    assert torch.equal(batch.inputs[1:], batch.targets[:-1])
    assert len(one.held_out("valid", seeded())) == 128
    assert len(one.held_out("test", seeded())) == 512


def test_a_bar_is_a_chord_and_then_its_tones_one_by_one():
    inputs = PolyphonicMusic(length=32).batch(40, seeded()).inputs
    orders = set()
    for sequence in inputs.unbind(1):
        for bar in range(8):
            bass, *chord = notes_of(sequence[4 * bar])
            assert len(chord) == 3
            assert (chord[0] - bass) % 12 == 0
            tones = [notes_of(sequence[4 * bar + beat]) for beat in (1, 2, 3)]
            heard = [tone - 12 for (tone,) in tones]
            assert heard in (chord, chord[::-1])
            orders.add(heard == chord)
    assert orders == {True, False}


def test_a_phrase_returns_to_the_tonic_in_every_key():
    inputs = PolyphonicMusic(length=33).batch(400, seeded()).inputs
    assert torch.equal(inputs[0], inputs[16])
    assert torch.equal(inputs[0], inputs[32])
    assert not torch.equal(inputs[0], inputs[4])
    assert {notes_of(frame)[0] for frame in inputs[0]} == set(range(36, 48))
    few = PolyphonicMusic(length=33, tonics=2).batch(400, seeded()).inputs
    assert {notes_of(frame)[0] for frame in few[0]} == {36, 37}


@pytest.mark.parametrize("length", [16, 17, 18, 19, 40])
def test_the_oracle_measures_its_anchor(length):
    one = PolyphonicMusic(length=length)
    batch = one.batch(800, seeded(1))
    blind = Batch(batch.inputs, torch.full_like(batch.targets, torch.nan))
    assert nll(one.oracle(blind), batch, one) == pytest.approx(one.anchors.oracle, rel=0.02)
    test = one.held_out("test", seeded(2))
    assert nll(one.oracle(test), test, one) == pytest.approx(one.anchors.oracle, rel=0.03)


def test_the_oracle_is_certain_but_for_chords_and_directions():
    one = PolyphonicMusic(length=16)
    batch = one.batch(200, seeded())
    probability = one.oracle(batch).sigmoid()
    certain = ((probability < 1e-6) | (probability > 1 - 1e-6)).all(-1)
    assert certain[[1, 2, 5, 6, 15]].all()
    assert not certain[[0, 4, 8, 12]].any()
    right = (probability > 0.5) == batch.targets.bool()
    assert right[[1, 2, 5, 6, 15]].all()
    assert nll(one.oracle(batch)[:1], Batch(batch.inputs[:1], batch.targets[:1]), one) == (
        pytest.approx(2 * log(2))
    )


def test_the_oracle_hears_no_later_frame():
    one = PolyphonicMusic(length=24)
    batch, other = one.batch(9, seeded(1)), one.batch(9, seeded(2))
    mixed = torch.cat([batch.inputs[:10], other.inputs[10:]])
    there = one.oracle(Batch(mixed, batch.targets))
    assert torch.equal(there[:10], one.oracle(batch)[:10])


def test_anchors_of_made_pieces_are_what_predictors_measure():
    one = PolyphonicMusic(length=32)
    test, anchors = one.held_out("test", seeded(3)), one.anchors
    assert nll(one.trivial(test), test, one) == pytest.approx(anchors.trivial, rel=0.02)
    assert nll(torch.zeros_like(test.targets), test, one) == pytest.approx(88 * log(2))
    assert anchors.chance == 88 * log(2)
    assert anchors.trivial == anchors.floors["marginal"] > anchors.floors["last frame"]
    best = min(anchors.floors.values())
    assert anchors.solved == pytest.approx(0.9 * anchors.oracle + 0.1 * best)


def test_validation_and_test_pieces_differ_by_parity():
    one = PolyphonicMusic(length=18)
    for split, parity in (("valid", 0), ("test", 1)):
        batch = one.held_out(split, seeded(4))
        frames = torch.cat([batch.inputs, batch.targets[-1:]])
        rises = torch.stack(
            [frames[4 * b + 1].argmax(-1) < frames[4 * b + 2].argmax(-1) for b in range(4)]
        )
        # the fifth bar's direction is told by the tone on its second beat alone
        root = frames[16].argmax(-1) + 36
        rises = torch.cat([rises, (frames[17].argmax(-1) == root)[None]])
        assert (rises.sum(0) % 2 == parity).all()
        assert 0.4 < rises[0].double().mean() < 0.6


def test_a_seed_decides_the_pieces():
    one = PolyphonicMusic()
    first, same, other = (one.batch(8, seeded(seed)).inputs for seed in (1, 1, 2))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("chosen", [{"length": 15}, {"limit": -1}, {"tonics": 13}])
def test_settings_that_make_no_sense_are_refused(chosen):
    with pytest.raises(OptionError):
        PolyphonicMusic(**chosen)


# files


@pytest.mark.parametrize("write", [as_json, as_npz, as_mat], ids=["json", "npz", "mat"])
def test_all_formats_say_the_same(tmp_path, write):
    parts = whole()
    one = task(write(tmp_path, parts))
    for split in ("valid", "test"):
        batch = one.held_out(split, seeded())
        assert batch.lengths.tolist() == [len(song) - 1 for song in parts[split]]
        for number, roll in enumerate(rolls(parts[split])):
            steps = len(roll) - 1
            assert batch.inputs[:steps, number].numpy().tolist() == roll[:-1].tolist()
            assert batch.targets[:steps, number].numpy().tolist() == roll[1:].tolist()
    assert one.notes == ("pieces: 12 train, 3 valid, 4 test",)


def test_a_compressed_file_is_read(tmp_path):
    path = tmp_path / "songs.json.gz"
    path.write_bytes(gzip.compress(json.dumps(whole()).encode()))
    assert task(str(path)).anchors.trivial > 0


def test_training_sequences_are_windows_of_the_pieces(tmp_path):
    parts = whole()
    one = task(as_json(tmp_path, parts))
    batch = one.batch(12, seeded())
    assert batch.inputs.shape == batch.targets.shape == (16, 12, 88)
    assert sorted(batch.lengths.tolist()) == sorted(
        min(len(song) - 1, 16) for song in parts["train"]
    )
    wholes = [roll.tobytes() for roll in rolls(parts["train"])]
    for number, length in enumerate(batch.lengths.tolist()):
        read, asked = batch.inputs[:, number], batch.targets[:, number]
        cut = torch.cat([read[:length], asked[length - 1 : length]]).to(torch.uint8)
        assert any(cut.numpy().tobytes() in piece for piece in wholes)
        assert torch.equal(read[1:length], asked[: length - 1])
        assert not read[length:].any()
        assert not asked[length:].any()


def test_more_sequences_than_pieces_are_drawn_with_repetition(tmp_path):
    batch = task(as_json(tmp_path, whole())).batch(50, seeded())
    assert len(batch) == 50
    assert batch.lengths.min() >= 1


def test_frames_of_long_and_short_pieces_are_drawn_alike(tmp_path):
    # one piece of 160 steps and ten of 16, told apart by their keys
    long, short = [[[60]] * 161], [[[70]] * 17] * 10
    one = task(as_json(tmp_path, whole(train=long + short)))
    inputs = one.batch(20_000, seeded()).inputs
    assert inputs[0, :, 60 - 21].mean().item() == pytest.approx(0.5, abs=0.02)


def test_windows_reach_both_ends_of_a_piece(tmp_path):
    song = [[21 + place] for place in range(20)]
    one = task(as_json(tmp_path, whole(train=[song])))
    batch = one.batch(500, seeded())
    assert batch.inputs[0].argmax(-1).unique().tolist() == [0, 1, 2, 3]
    assert batch.targets[-1].argmax(-1).unique().tolist() == [16, 17, 18, 19]


def test_floors_are_fitted_on_training_pieces_and_measured_on_test_pieces(tmp_path):
    parts = whole()
    one = task(as_json(tmp_path, parts))
    key = 30
    pairs = [
        (int(a[key]), int(b[key])) for roll in rolls(parts["train"]) for a, b in pairwise(roll)
    ]
    asked, after = [b for _, b in pairs], [b for a, b in pairs if a]
    assert one._fitted[0][key] == pytest.approx((sum(asked) + 0.5) / (len(asked) + 1))
    assert one._fitted[1][key] == pytest.approx((sum(after) + 0.5) / (len(after) + 1))
    batch = one.held_out("test", seeded())
    assert nll(one.trivial(batch), batch, one) == pytest.approx(one.anchors.trivial, rel=1e-5)
    on, off = (torch.tensor(chance).logit() for chance in one._fitted[1:])
    last = torch.where(batch.inputs.bool(), on, off)
    assert nll(last, batch, one) == pytest.approx(one.anchors.floors["last frame"], rel=1e-5)
    assert one.anchors.solved == min(one.anchors.floors.values())
    assert one.anchors.oracle is None
    assert one.oracle(batch) is None


def test_held_out_pieces_are_cut_at_the_limit(tmp_path):
    parts = whole(valid=[[[60]] * 9], test=[[[60]] * 30, [[61]] * 11, [[62]] * 10])
    one = task(as_json(tmp_path, parts), limit=10)
    assert one.held_out("test", seeded()).lengths.tolist() == [10, 10, 9]
    assert "1 held-out pieces are cut after 10 frames" in one.notes
    batch = one.held_out("test", seeded())
    assert nll(one.trivial(batch), batch, one) == pytest.approx(one.anchors.trivial, rel=1e-5)


def test_pieces_that_ask_for_nothing_are_left_out_and_counted(tmp_path):
    parts = whole()
    silent = [[], [-1], []]
    more = {
        "train": [*parts["train"], [[60]], silent],
        "valid": parts["valid"],
        "test": [[], *parts["test"]],
    }
    one, other = task(as_json(tmp_path, more)), task(as_json(tmp_path, parts, "other.json"))
    assert one.anchors == other.anchors
    assert "train: 2 pieces left out, without a note or a second frame" in one.notes
    assert "test: 1 pieces left out, without a note or a second frame" in one.notes
    assert ": no piece for valid" in refused(as_json(tmp_path, whole(valid=[silent])))
    assert ": no piece for train" in refused(as_json(tmp_path, whole(train=[])))


def test_rests_are_frames_like_others(tmp_path):
    song = [[60, -1], [], [-1, -1], [60]]
    batch = task(as_json(tmp_path, whole(test=[song]))).held_out("test", seeded())
    assert batch.inputs.sum(-1)[:, 0].tolist() == [1, 0, 0]
    assert batch.targets.sum(-1)[:, 0].tolist() == [0, 0, 1]


@pytest.mark.parametrize("note", [20, 109, 60.0, "60", None, True, [60]])
def test_a_note_that_no_piano_has_is_refused(tmp_path, note):
    told = refused(as_json(tmp_path, whole(valid=[[[60], [60]], [[60], [61, note]]])))
    assert told.startswith(f": frame 1 of piece 1 of valid has the note {note!r}")
    assert "21 … 108" in told


def test_the_lowest_and_the_highest_key_are_read(tmp_path):
    song = [[21, 108], [60]]
    batch = task(as_json(tmp_path, whole(test=[song]))).held_out("test", seeded())
    assert batch.inputs[0, 0].nonzero()[:, 0].tolist() == [0, 87]


def test_what_is_wrong_with_json_is_said_on_one_line(tmp_path):
    path = tmp_path / "songs.json"
    path.write_text('{"train": [],\n"valid" [')
    assert refused(str(path)).startswith(":2: neither .npz nor .mat nor JSON")
    path.write_text("[1, 2]")
    assert ': expected {"train": [piece' in refused(str(path))
    assert ': expected {"train": [piece' in refused(
        as_json(tmp_path, {"train": pieces(), "valid": pieces()})
    )
    for wrong in (7, [60, 62], "abc", {"a": 1}):
        told = refused(as_json(tmp_path, whole(test=[wrong])))
        assert told.startswith(": piece 0 of test is no list of frames")
    path.write_bytes(b"\x80\x04\x95 a pickle")
    assert "neither .npz nor .mat nor JSON" in refused(str(path))
    path.write_text("")
    assert refused(str(path)) == ": the file is empty"
    path.write_bytes(gzip.compress(json.dumps(whole()).encode())[:-30])
    assert "damaged or cut off" in refused(str(path))
    packed = tmp_path / "packed.npz"
    np.savez_compressed(packed, train_roll_packed=np.arange(200, dtype=np.uint8))
    content = bytearray(packed.read_bytes())
    content[len(content) // 2] ^= 255
    packed.write_bytes(bytes(content))
    assert "a damaged .npz file" in refused(str(packed))
    path.write_text("[" * 200_000)
    assert "neither .npz nor .mat nor JSON" in refused(str(path))


def test_what_is_wrong_with_arrays_is_said_on_one_line(tmp_path):
    parts = whole()
    assert "no array `valid_len`; there are train_roll_packed" in refused(
        as_npz(tmp_path, parts, valid_len=None)
    )
    wide = np.zeros((9, 12), dtype=np.uint8)
    assert "`test_roll_packed` is uint8 [9, 12]; expected uint8 [frames, 11]" in refused(
        as_npz(tmp_path, parts, test_roll_packed=wide)
    )
    for lengths in (np.array([3]), np.array([[3]]), np.array([3.0]), np.array([10**6, 1 - 10**6])):
        assert "`train_len` does not cut" in refused(as_npz(tmp_path, parts, train_len=lengths))
    objects = np.array([[1], [2, 3]], dtype=object)
    assert "a damaged .npz file" in refused(as_npz(tmp_path, parts, test_len=objects))
    path = Path(as_npz(tmp_path, parts))
    path.write_bytes(path.read_bytes()[:-200])
    assert "a damaged .npz file" in refused(str(path))


def test_what_is_wrong_with_a_matlab_file_is_said_on_one_line(tmp_path):
    path = tmp_path / "songs.mat"
    savemat(path, {"traindata": np.zeros((1, 2))})
    assert "piece 0 of `traindata` is no array of 0 and 1" in refused(str(path))
    savemat(path, {"x": np.zeros(2)})
    assert "no array `traindata`" in refused(str(path))
    whole_file = Path(as_mat(tmp_path, whole())).read_bytes()
    path.write_bytes(whole_file[: len(whole_file) // 2])
    assert "a damaged .mat file" in refused(str(path))


def test_long_pieces_are_read(tmp_path):
    song = [[60 + place % 12] for place in range(50_000)]
    one = task(as_json(tmp_path, whole(train=[song], test=[song])))
    assert one.held_out("test", seeded()).lengths.tolist() == [49_999]
    assert one.batch(4, seeded()).lengths.tolist() == [16] * 4


def test_the_path_is_the_phrase_or_the_sequence(tmp_path):
    assert PolyphonicMusic().shortest_path(False) == 15
    assert task(as_json(tmp_path, whole()), length=40).shortest_path(True) == 39


def test_the_docstring_shows_the_next_frames():
    lines = [line.split() for line in PolyphonicMusic.__doc__.splitlines()]
    (read,) = [line[1:] for line in lines if line[:1] == ["read"]]
    (target,) = [line[1:] for line in lines if line[:1] == ["target"]]
    assert read[4:] == target[:-4]


# real data


def marginal_of_all_frames(one, path):
    """Return the marginal's loss where the first frame of a piece is asked for too."""
    train, test = (torch.cat(one._pieces[part]).numpy() for part in ("train", "test"))
    chance = (train.sum(0) + 0.5) / (len(train) + 1)
    return -np.log(np.where(test, chance, 1 - chance)).sum(1).mean()


@recorded
@pytest.mark.parametrize(
    ("file", "counts", "known", "here"),
    [
        ("JSB_Chorales.npz", "229 train, 76 valid, 77 test", 11.06, 11.091),
        ("Nottingham.npz", "694 train, 173 valid, 170 test", 10.25, 10.261),
    ],
)
def test_marginals_of_real_music_are_those_that_are_known(file, counts, known, here):
    path = Path(SHARED) / "music" / file
    one = PolyphonicMusic(data=str(path))
    assert one.notes == (f"pieces: {counts}",)
    assert marginal_of_all_frames(one, path) == pytest.approx(known, abs=0.005)
    assert one.anchors.trivial == pytest.approx(here, abs=1e-3)
    assert one.anchors.floors["last frame"] < one.anchors.trivial


@recorded
def test_the_chorales_are_the_same_in_both_formats():
    folder = Path(SHARED) / "music"
    one, other = (
        PolyphonicMusic(data=str(folder / name))
        for name in ("JSB_Chorales.npz", "jsb-chorales-quarter.json.gz")
    )
    assert one.anchors == other.anchors
    assert torch.equal(
        one.held_out("test", seeded()).inputs.sum((0, 1)),
        other.held_out("test", seeded()).inputs.sum((0, 1)),
    )
