import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from rnnbench.checkpoints import Checkpoint, Checkpoints

CODE = {"cell lstm": "c", "torch": "2"}
TENSORS = {"weights": torch.arange(5.0), "empty": torch.zeros(0)}
LEFT = Checkpoint(7, TENSORS, {"curve": [[1, 0.5], [2, float("nan")]], "pruned": ""})


@pytest.fixture
def kept(tmp_path: Path) -> Checkpoints:
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    checkpoints.write("key", CODE, LEFT)
    return checkpoints


def test_a_checkpoint_is_read_back_as_it_was(kept: Checkpoints) -> None:
    read = kept.read("key", CODE)
    assert read is not None
    assert read.update == 7
    assert json.dumps(read.facts) == json.dumps(LEFT.facts)
    assert all(torch.equal(read.tensors[name], one) for name, one in TENSORS.items())
    kept.remove("key")
    assert kept.read("key", CODE) is None
    kept.remove("key")


def test_there_is_none_of_another_member_or_where_none_is_kept(kept: Checkpoints) -> None:
    assert kept.read("other", CODE) is None
    nowhere = Checkpoints()
    nowhere.write("key", CODE, LEFT)
    assert nowhere.read("key", CODE) is None


def test_what_other_code_made_is_not_gone_on_from(kept: Checkpoints) -> None:
    assert kept.read("key", CODE | {"torch": "3"}) is None
    assert kept.read("key", {"cell lstm": "c"}) is None


def test_a_flipped_or_missing_byte_anywhere_makes_it_begin_anew(kept: Checkpoints) -> None:
    path = kept.folder / "key.safetensors"
    sound = path.read_bytes()
    for place in range(0, len(sound), 3):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 4]) + sound[place + 1 :])
        read = kept.read("key", CODE)
        # blanks of the header say nothing
        assert read is None or sound[place : place + 1] == b" ", place
        path.write_bytes(sound[:place])
        assert kept.read("key", CODE) is None


def test_a_file_of_somebody_else_is_not_gone_on_from(kept: Checkpoints) -> None:
    from safetensors.torch import save

    path = kept.folder / "key.safetensors"
    for foreign in (b"", b"none of ours", save(dict(TENSORS)), save({}, {"checkpoint": "[]"})):
        path.write_bytes(foreign)
        assert kept.read("key", CODE) is None


def test_it_is_a_safetensors_file_that_others_can_open(kept: Checkpoints) -> None:
    with safe_open(kept.folder / "key.safetensors", framework="pt") as file:
        assert set(file.keys()) == set(TENSORS)


def test_a_worker_that_does_not_see_the_drivers_folder_keeps_none(kept: Checkpoints) -> None:
    marked = kept.marked()
    assert marked.read("key", CODE) is not None
    marked.write("other", CODE, LEFT)
    elsewhere = Checkpoints(marked.folder, mark="of another driver")
    assert elsewhere.read("key", CODE) is None
    elsewhere.write("third", CODE, LEFT)
    elsewhere.remove("key")
    assert sorted(path.stem for path in marked.folder.iterdir()) == ["driver", "key", "other"]
    for key in ("key", "other"):
        marked.remove(key)
    marked.tidy()
    assert not marked.folder.exists()
    assert Checkpoints(Path("/proc/nowhere"), mark="m").read("key", CODE) is None
