"""One thread everywhere: sums in another order round differently."""

import torch

torch.set_num_threads(1)
