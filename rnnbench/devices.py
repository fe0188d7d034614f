"""Which GPUs to train on."""

from __future__ import annotations

import torch

from rnnbench.errors import InputError


def gpus_for(wanted: str) -> tuple[str, ...]:
    """Return the GPUs to use, as CUDA numbers them; none means the CPU.

    wanted   `auto` (all GPUs, if there are any), `cpu`, or numbers like `0,1`

    Raises:
        InputError: a GPU that is not there, or no such word.
    """
    if wanted == "cpu":
        return ()
    there = tuple(str(index) for index in range(torch.cuda.device_count()))
    if wanted == "auto":
        return there
    named = tuple(part.strip() for part in wanted.split(","))
    for one in named:
        if one not in there:
            known = ", ".join(there) or "none"
            raise InputError(
                f"--devices {wanted}: no GPU `{one}`; GPUs here: {known}; or say `cpu`"
            )
    return tuple(dict.fromkeys(named))
