import pytest
import torch

from rnnbench.devices import gpus_for
from rnnbench.errors import InputError


@pytest.fixture(autouse=True)
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


def test_auto_takes_every_gpu_and_cpu_none() -> None:
    assert gpus_for("auto", None) == ("0", "1")
    assert gpus_for("cpu", None) == ()


def test_gpus_are_named_as_this_process_was_given_them() -> None:
    assert gpus_for("auto", ("2", "GPU-77")) == ("2", "GPU-77")
    assert gpus_for("1,1", ("2", "GPU-77")) == ("GPU-77",)


def test_a_gpu_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="no GPU `2`; GPUs here: 0, 1"):
        gpus_for("0,2", None)
