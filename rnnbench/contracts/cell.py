"""What an author of a cell writes: an update rule, its weights, states and noise."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

from torch import Tensor

from rnnbench.initial import Initial
from rnnbench.options import Option, Value, resolve


class Tensors(dict[str, Tensor]):
    """Named tensors that also read as attributes: `s.h`, `w.W`."""

    def __getattr__(self, name: str) -> Tensor:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"no tensor `{name}`; there are {', '.join(self)}") from None


@dataclass(frozen=True)
class TorchLayer:
    """The layer of torch that computes the same function as a cell.

    `states` names the cell's states in torch's order; `weights` maps the cell's weights (and
    numeric options) to torch's (weight_ih, weight_hh, bias_ih, bias_hh).
    """

    kind: Literal["LSTM", "GRU", "RNN_TANH", "RNN_RELU"]
    states: tuple[str, ...]
    weights: Callable[[Tensors], tuple[Tensor, Tensor, Tensor, Tensor]]


@dataclass(frozen=True)
class Noise:
    """Random numbers that a step reads from `w`: drawn in training, their mean otherwise.

    kind      mask     1 with probability `strength`, else 0; their mean is `strength`
              dropout  0 with probability `strength`, else 1/(1 − strength); their mean is 1
              normal   standard deviation `strength`; their mean is 0
    width     numbers a sequence and step
    strength  the numeric option that sets it; no gradient reaches it through the noise
    once      one draw for all steps of a sequence (Gal & Ghahramani 2016), not one a step; where
              sequences are trained in chunks, for all steps of a chunk
    """

    kind: Literal["mask", "dropout", "normal"]
    width: int
    strength: str
    once: bool = False


class Cell(ABC):
    """An update rule that is applied at every time step with the same weights.

    Write the equations once, in plain PyTorch, for a batch and no time. A numeric option (one
    with a float default) is read from `w` like a weight; any other option is an attribute.

        class Leaky(Cell):
            '''Leaky integrator (Jaeger et al. 2007).'''
            name = "leaky"
            reference = "Jaeger et al. 2007"
            equations = "h_t = (1 − a) h_{t−1} + a tanh(W x_t + U h_{t−1} + b)"
            options = {"leak": Option(0.5, search=Between(0.0, 1.0), low=0.0, high=1.0)}

            def weights(self, inputs, hidden):
                return {"W": uniform(hidden, inputs), "U": orthogonal(hidden, hidden),
                        "b": zeros(hidden)}

            def state(self, hidden):
                return {"h": zeros(hidden)}

            def step(self, x, s, w):
                new = torch.tanh(x @ w.W.T + s.h @ w.U.T + w.b)
                return {"h": (1 - w.leak) * s.h + w.leak * new}

    Random numbers are declared, never drawn inside `step`, so that runs can be repeated. With an
    option `zoneout`, zoneout (Krueger et al. 2017) is

            def noise(self, hidden):
                return {"keep": Noise("mask", hidden, strength="zoneout")}

    and `w.keep * s.h + (1 - w.keep) * new` in the step.
    """

    name: ClassVar[str]
    version: ClassVar[str] = "1"
    reference: ClassVar[str]
    equations: ClassVar[str]
    card: ClassVar[Mapping[str, str]] = {}
    options: ClassVar[Mapping[str, Option]] = {}
    output: ClassVar[str | None] = None

    @final
    def __init__(self, **chosen: Value) -> None:
        """Choose options; those not named keep their defaults.

        Raises:
            UnknownNameError, OptionError: an option or value that the cell does not have.
        """
        self.chosen: dict[str, Value] = resolve(f"cell `{self.name}`", self.options, chosen)
        for name, option in self.options.items():
            if not option.numeric:
                setattr(self, name, self.chosen[name])

    @abstractmethod
    def weights(self, inputs: int, hidden: int) -> dict[str, Initial]:
        """Declare the trained tensors by name."""

    @abstractmethod
    def state(self, hidden: int) -> dict[str, Initial]:
        """Declare the tensors carried from step to step, each one row: its width and first value.

        The first is the output unless `output` names another.
        """

    @abstractmethod
    def step(self, x: Tensor, s: Any, w: Any) -> dict[str, Tensor]:
        """Compute the next state: x [batch, inputs], s.h [batch, hidden] -> {"h": [batch, hidden]}.

        Use data @ weight, elementwise functions, and chunk, split, slice and cat along the last
        dimension. `s` and `w` are `Tensors`.
        """

    def noise(self, hidden: int) -> dict[str, Noise]:  # noqa: ARG002  the default has no use for it
        """Declare the random numbers that `step` reads as `w.<name>` [batch, width]."""
        return {}

    def torch_layer(self) -> TorchLayer | None:
        """Return torch's equal of this cell with these options, where there is one."""
        return None
