"""One thread and one way of rounding everywhere, as in workers."""

import os

# before torch is loaded: MKL reads it once
os.environ["MKL_CBWR"] = "AUTO"

import torch

torch.set_num_threads(1)
