import os
import sys

from rnnbench.crew import Crew, Slot, environment_of


def test_a_worker_has_one_thread_and_sees_its_own_gpu_or_none() -> None:
    inherited = {"HOME": "/home/me", "OMP_NUM_THREADS": "8", "CUDA_VISIBLE_DEVICES": "0,1"}
    found = environment_of(Slot("gpu-1-0", "1"), inherited)
    assert (found["HOME"], found["OMP_NUM_THREADS"]) == ("/home/me", "1")
    assert found["CUDA_VISIBLE_DEVICES"] == "1"
    assert environment_of(Slot("cpu-0"), inherited)["CUDA_VISIBLE_DEVICES"] == ""


def test_a_worker_finds_modules_where_the_driver_does() -> None:
    found = environment_of(Slot("cpu-0"), {"PYTHONPATH": "elsewhere"})["PYTHONPATH"]
    assert found.split(os.pathsep) == [path for path in sys.path if path]


def test_a_process_that_its_scheduler_never_hears_of_is_replaced(monkeypatch) -> None:
    monkeypatch.setattr("rnnbench.crew.START_SECONDS", -1.0)
    with Crew([Slot("cpu-0")], "tcp://127.0.0.1:1", os.environ) as crew:
        ended: list[str] = []
        while not ended:
            ended = crew.mend()
        assert ended == ["cpu-0.0"]
        assert crew.obituary("cpu-0.0")[0] == "SIGKILL"
        # the scheduler knows the next one
        assert crew.mend(["cpu-0.1"]) == []
        assert crew.obituary("cpu-0.1") == ("", "")
