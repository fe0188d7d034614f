"""Run a cell as the layer of torch that it equals, with the cell's own weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from rnnbench.contracts import Cell, Tensors
from rnnbench.errors import InputError

_FUNCTION: dict[str, Callable[..., Any]] = {
    "LSTM": torch.lstm,
    "GRU": torch.gru,
    "RNN_TANH": torch.rnn_tanh,
    "RNN_RELU": torch.rnn_relu,
}


def torch_layer(
    cell: Cell,
    x: Tensor,
    state: Tensors,
    weights: Tensors,
    lengths: Tensor | None,
    noise: Tensors | None = None,
) -> tuple[Tensor, Tensors]:
    """Run `cell` over a sequence through torch's LSTM, GRU or RNN; see `loop` for the meaning.

    Raises:
        InputError: the cell declares no equal layer of torch, or it reads noise.
    """
    if noise:
        raise InputError(f"cell `{cell.name}` reads noise, so it equals no layer of torch")
    layer = cell.torch_layer()
    if layer is None:
        raise InputError(f"cell `{cell.name}` with these options equals no layer of torch")
    function = _FUNCTION[layer.kind]
    parameters = layer.weights(weights)
    before = [state[name].unsqueeze(0).contiguous() for name in layer.states]
    # packed sequences miss torch's quick LSTM, so only where they are needed
    if lengths is None or bool((lengths == len(x)).all()):
        outputs, after = _dense(function, x, before, parameters)
    else:
        outputs, after = _packed(function, x, before, parameters, lengths)
        empty = (lengths == 0).view(1, -1, 1)
        outputs = outputs.masked_fill(empty, 0)
        after = [torch.where(empty, *pair) for pair in zip(before, after, strict=True)]
    return outputs, Tensors(zip(layer.states, (s.squeeze(0) for s in after), strict=True))


def _dense(
    function: Callable[..., Any], x: Tensor, before: list[Tensor], parameters: tuple[Tensor, ...]
) -> tuple[Tensor, list[Tensor]]:
    outputs, *after = function(x, _hx(before), parameters, *_settings(), False)
    return outputs, after


def _packed(
    function: Callable[..., Any],
    x: Tensor,
    before: list[Tensor],
    parameters: tuple[Tensor, ...],
    lengths: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    # torch packs no empty sequence: one step of zeros stands for it, whose results are not used
    x = x.masked_fill((lengths == 0).view(1, -1, 1), 0)
    packed = pack_padded_sequence(x, lengths.cpu().clamp(min=1), enforce_sorted=False)
    longest_first, as_given = packed.sorted_indices, packed.unsorted_indices
    assert longest_first is not None and as_given is not None  # noqa: S101  tells mypy
    data, *after = function(
        packed.data,
        packed.batch_sizes,
        _hx([s.index_select(1, longest_first) for s in before]),
        parameters,
        *_settings(),
    )
    outputs, _ = pad_packed_sequence(
        PackedSequence(data, packed.batch_sizes, longest_first, as_given), total_length=len(x)
    )
    return outputs, [s.index_select(1, as_given) for s in after]


def _hx(states: list[Tensor]) -> Tensor | list[Tensor]:
    return states if len(states) > 1 else states[0]


def _settings() -> tuple[bool, int, float, bool, bool]:
    # has_biases, num_layers, dropout, train, bidirectional; cuDNN keeps what its backward
    # needs only when told to train
    return True, 1, 0.0, torch.is_grad_enabled(), False
