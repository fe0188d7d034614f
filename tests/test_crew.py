import os
import sys

from rnnbench.crew import Slot, environment_of


def test_a_worker_has_one_thread_and_sees_its_own_gpu_or_none() -> None:
    inherited = {"HOME": "/home/me", "OMP_NUM_THREADS": "8", "CUDA_VISIBLE_DEVICES": "0,1"}
    found = environment_of(Slot("gpu-1-0", "1"), inherited)
    assert (found["HOME"], found["OMP_NUM_THREADS"]) == ("/home/me", "1")
    assert found["CUDA_VISIBLE_DEVICES"] == "1"
    assert environment_of(Slot("cpu-0"), inherited)["CUDA_VISIBLE_DEVICES"] == ""


def test_a_worker_finds_modules_where_the_driver_does() -> None:
    found = environment_of(Slot("cpu-0"), {"PYTHONPATH": "elsewhere"})["PYTHONPATH"]
    assert found.split(os.pathsep) == [path for path in sys.path if path]
