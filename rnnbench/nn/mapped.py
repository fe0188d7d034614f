"""A layer that is no recurrence, with its parameters."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from rnnbench.contracts import Layer, Tensors
from rnnbench.errors import PluginError
from rnnbench.recurrence import reverse, within


class Mapped(nn.Module):
    """A layer: [time, batch, inputs] -> [time, batch, width]; it carries no state.

    Weights are parameters and numeric options buffers, named as those of `Recurrent` are.
    """

    output = "last"
    """What `forward` calls the outputs at the last valid step."""

    width: int
    """The width of the outputs."""

    def __init__(
        self,
        layer: Layer,
        inputs: int,
        hidden: int,
        steps: int,
        *,
        numeric: Mapping[str, float],
        generator: Generator,
        backward: bool = False,
    ) -> None:
        super().__init__()
        self.layer, self.backward, self.width = layer, backward, layer.width(hidden)
        weights = layer.weights(inputs, hidden, steps)
        if both := set(weights) & set(numeric):
            raise PluginError(
                f"layer `{layer.name}` has weights and options of one name: "
                + ", ".join(sorted(both))
            )
        for name, weight in weights.items():
            self.register_parameter(f"weight_{name}", nn.Parameter(weight.draw(generator)))
        for name, value in numeric.items():
            self.register_buffer(f"option_{name}", torch.tensor(float(value)))
        self._weights, self._options = tuple(weights), tuple(numeric)

    def forward(self, x: Tensor, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """Map x [time, batch, inputs]; return outputs and the last valid ones [batch, width].

        Of a sequence without steps these are zeros. What stands in the padding is zeros for the
        layer. Backward, each sequence is read from its own last step to its first, and the last
        output is that of the first step.

        Raises:
            PluginError: the layer returns another shape.
        """
        w = Tensors(
            {name: getattr(self, f"weight_{name}") for name in self._weights}
            | {name: getattr(self, f"option_{name}") for name in self._options}
        )
        if lengths is not None:
            x = x.masked_fill(~within(lengths, len(x)).unsqueeze(-1), 0)
        outputs = self.layer.forward(reverse(x, lengths) if self.backward else x, lengths, w)
        expected = (*x.shape[:2], self.width)
        if outputs.shape != expected:
            raise PluginError(
                f"layer `{self.layer.name}` returns {list(outputs.shape)}, not {list(expected)}"
            )
        if lengths is None:
            last = outputs[-1]
        else:
            place = (lengths - 1).clamp(min=0).view(1, -1, 1).expand(1, -1, self.width)
            last = outputs.gather(0, place)[0].masked_fill((lengths == 0).unsqueeze(-1), 0)
        if self.backward:
            outputs = reverse(outputs, lengths)
        return outputs, Tensors(last=last)
