"""Which GPUs to train on, and what a device is."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rnnbench.errors import InputError
from rnnbench.machine import processor


def gpus_for(wanted: str, visible: Sequence[str] | None) -> tuple[str, ...]:
    """Return the GPUs to use, as CUDA_VISIBLE_DEVICES names them; none means the CPU.

    wanted    `auto` (all GPUs, if there are any), `cpu`, or torch's numbers like `0,1`
    visible   the GPUs that this process was given; torch numbers these from 0

    Raises:
        InputError: a GPU that is not there, or no such word.
    """
    if wanted == "cpu":
        return ()
    there = tuple(str(index) for index in range(torch.cuda.device_count()))
    names = dict(zip(there, visible or there, strict=False))
    if wanted == "auto":
        return tuple(names.values())
    named = tuple(part.strip() for part in wanted.split(","))
    for one in named:
        if one not in there:
            known = ", ".join(there) or "none"
            raise InputError(
                f"--devices {wanted}: no GPU `{one}`; GPUs here: {known}; or say `cpu`"
            )
    return tuple(names[one] for one in dict.fromkeys(named))


def hardware_of(device: str) -> str:
    """Name what a device type is in this process: the model of its GPU, or of the CPU."""
    return torch.cuda.get_device_name() if device == "cuda" else processor()
