"""What a plugin author writes: a Cell, a Task, a Metric, and the records that pass between them.

Layout is [time, batch, features] everywhere, as in `torch.nn.LSTM`.
"""

from rnnbench.contracts.batch import Batch
from rnnbench.contracts.cell import Cell, Noise, Tensors, TorchLayer
from rnnbench.contracts.data import (
    Classes,
    Features,
    Images,
    Inputs,
    Labels,
    Reals,
    Sequences,
    Targets,
    Tokens,
)
from rnnbench.contracts.layer import Layer
from rnnbench.contracts.metric import (
    AnyMetric,
    AttentionMetric,
    Measured,
    Metric,
    OfPredictions,
    Outcome,
    OutcomeMetric,
    TextMetric,
)
from rnnbench.contracts.pattern import ONE_TARGET, SPOKEN, Pattern
from rnnbench.contracts.task import Anchors, Split, Task

API_VERSION = 1
"""The version of these contracts; a plugin may declare `RNNBENCH_API = 1` in its module."""

__all__ = [
    "API_VERSION",
    "ONE_TARGET",
    "SPOKEN",
    "Anchors",
    "AnyMetric",
    "AttentionMetric",
    "Batch",
    "Cell",
    "Classes",
    "Features",
    "Images",
    "Inputs",
    "Labels",
    "Layer",
    "Measured",
    "Metric",
    "Noise",
    "OfPredictions",
    "Outcome",
    "OutcomeMetric",
    "Pattern",
    "Reals",
    "Sequences",
    "Split",
    "Targets",
    "Task",
    "Tensors",
    "TextMetric",
    "Tokens",
    "TorchLayer",
]
