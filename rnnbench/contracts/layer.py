"""What an author of a layer writes: a map from a sequence to a sequence."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, final

from torch import Tensor

from rnnbench.contracts.pattern import Pattern
from rnnbench.initial import Initial
from rnnbench.options import Option, Value, resolve


class Layer(ABC):
    """A map from a whole sequence to a sequence, in plain PyTorch: what is no recurrence.

    Baselines are layers: they are tuned, matched and stacked as cells are. Numeric options are read
    from `w`, as in a cell.

        class Window(Layer):
            '''The last two inputs and nothing else.'''
            name = "window"
            reference = "Yule 1927"
            equations = "h_t = tanh(A x_t + B x_{t−1} + b)"

            def weights(self, inputs, hidden, steps):
                return {"A": uniform(hidden, inputs), "B": uniform(hidden, inputs),
                        "b": zeros(hidden)}

            def forward(self, x, lengths, w):
                before = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
                return torch.tanh(x @ w.A.T + before @ w.B.T + w.b)
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    reference: ClassVar[str]
    equations: ClassVar[str]
    card: ClassVar[Mapping[str, str]] = {}
    options: ClassVar[Mapping[str, Option]] = {}
    causal: ClassVar[bool] = True
    patterns: ClassVar[tuple[Pattern, ...]] = ("one-to-one", "many-to-one", "many-to-many")

    @final
    def __init__(self, **chosen: Value) -> None:
        """Choose options; those not named keep their defaults.

        Raises:
            UnknownNameError, OptionError: an option or value that the layer does not have.
        """
        self.chosen: dict[str, Value] = resolve(f"layer `{self.name}`", self.options, chosen)
        for name, option in self.options.items():
            if not option.numeric:
                setattr(self, name, self.chosen[name])

    @abstractmethod
    def weights(self, inputs: int, hidden: int, steps: int) -> dict[str, Initial]:
        """Declare the trained tensors by name; `steps` is the length of the longest sequence."""

    def width(self, hidden: int) -> int:
        """Return how wide the outputs are."""
        return hidden

    @abstractmethod
    def forward(self, x: Tensor, lengths: Tensor | None, w: Any) -> Tensor:
        """Map x [time, batch, inputs] to outputs [time, batch, width].

        lengths  [batch] int64, the valid steps of each sequence; None: all. Padding is zeros.

        A causal layer's output at a step depends on no later step. Many-to-one reads the output at
        the last valid step.
        """
