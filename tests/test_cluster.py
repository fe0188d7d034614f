from rnnbench.cluster import slots_for
from rnnbench.crew import Slot


def test_a_worker_a_core_sees_no_gpu() -> None:
    assert slots_for(2, ()) == (Slot("cpu-0"), Slot("cpu-1"))


def test_a_worker_a_gpu_sees_that_gpu_alone_however_many_cores_there_are() -> None:
    slots = slots_for(16, ("0", "2"))
    assert [(slot.name, slot.gpu) for slot in slots] == [("gpu-0-0", "0"), ("gpu-2-0", "2")]


def test_several_workers_of_a_gpu_are_asked_for_and_every_gpu_has_its_first_one_first() -> None:
    slots = slots_for(16, ("0", "2"), per_gpu=2)
    assert [slot.gpu for slot in slots] == ["0", "2"] * 2
    assert len({slot.name for slot in slots}) == 4
