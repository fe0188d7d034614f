"""The nearest image: what distances between pixels tell of a label, without reading in order."""

from __future__ import annotations

import torch
from torch import Tensor

PART = 1024
"""How many images are compared at once; all distances together may be a matter of gigabytes."""


def nearest_mean(queries: Tensor, images: Tensor, classes: Tensor) -> Tensor:
    """Return the class whose mean image is nearest to each query: [queries] int64.

    queries  [queries, pixels]
    images   [images, pixels], with `classes` [images], every one of which has an image
    """
    count = int(classes.max()) + 1
    sums = images.new_zeros(count, images.shape[1]).index_add(0, classes, images)
    means = sums / classes.bincount(minlength=count).unsqueeze(1)
    return torch.cat([torch.cdist(part, means).argmin(1) for part in queries.split(PART)])


def nearest_neighbour(queries: Tensor, images: Tensor, classes: Tensor) -> Tensor:
    """Return the class of the image that is nearest to each query: [queries] int64."""
    near = [torch.cdist(part, images).argmin(1) for part in queries.split(PART)]
    return classes[torch.cat(near)]
