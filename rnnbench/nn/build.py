"""A cell or a layer, and a task, to a network that predicts the task's targets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from torch import Generator

from rnnbench.contracts import Cell, Features, Images, Layer, Sequences, Task
from rnnbench.errors import InputError, UnknownNameError
from rnnbench.hyperparameters import WORDS, AttentionKind, Conditioning, Fusion, Without
from rnnbench.nn.applying import why_not
from rnnbench.nn.attention import Attention
from rnnbench.nn.bridge import Bridge, Opening
from rnnbench.nn.encoder import OneLook, SequenceEncoder
from rnnbench.nn.encoder_decoder import EncoderDecoder, beside, told
from rnnbench.nn.fusion import Answerer, Fused
from rnnbench.nn.hard_attention import HardAttention
from rnnbench.nn.network import Network
from rnnbench.nn.predictor import Predictor
from rnnbench.nn.reader import Reader, depth, input_width, look_width
from rnnbench.nn.readout import Readout, target_width
from rnnbench.nn.stack import Stack
from rnnbench.nn.teacher import Teacher


def build(
    unit: Cell | Layer,
    task: Task,
    *,
    hidden: int,
    layers: int = 1,
    bidirectional: bool = False,
    attention: AttentionKind = "none",
    conditioning: Conditioning = "state",
    fusion: Fusion = "concatenation",
    without: Without = "none",
    dropout: float = 0.0,
    numeric: Mapping[str, float] | None = None,
    backend: str,
    generator: Generator,
    chunk: int | None = None,
    sampled: bool = False,
) -> Network:
    """Build a network for `task` out of a cell or a layer.

    Where targets are sequences there is a decoder, and before it an encoder of the same cell, size
    and depth, which may be bidirectional; of one step, such as a picture, there is no encoder but a
    look at it. Where the task has an image beside each sequence, it is put together with what was
    read of the sequence.

    attention     how a decoder looks at what the encoder said, or at the places of a picture
    conditioning  where a picture enters a decoder: its first states, or every step
    fusion        how a question and its picture are put together
    without       what is not shown: the image, or the question that goes with it
    numeric       values of numeric options; those not named are as chosen in the cell or layer
    dropout       rate after each layer; see `rekey`
    backend       how a cell is run, `kernel`, `torch`, `fused` or `loop`; a layer runs as it is
    chunk         steps after which the gradient is cut in training; None: never
    sampled       whether a decoder has to take some symbols from itself in training; see `Teacher`
    generator     all initial values come from it, in the order in which data passes through: what
                  reads, layer by layer, forward then backward, weights in declared order, then the
                  first state; what leads to a decoder, what it reads, its layers, the attention; or
                  what looks at an image, and the fusion; last the read-out

    Raises:
        UnknownNameError: `numeric`, `attention`, `conditioning`, `fusion` or `backend` is no name
            of what there is.
        OptionError: a numeric value is outside its option's range.
        InputError: the backend cannot run the cell, the dropout rate is no rate, or the task has
            nothing of what these arguments are about; see `why_not`.
        PluginError: the cell or layer contradicts itself.
    """
    given = {"attention": attention, "conditioning": conditioning, "fusion": fusion}
    for name, word in given.items():
        if word not in WORDS[name]:
            raise UnknownNameError(name, word, WORDS[name])
    if without not in get_args(Without):
        raise UnknownNameError("without", without, get_args(Without))
    if against := why_not(
        unit,
        task,
        layers=layers,
        bidirectional=bidirectional,
        attention=attention,
        conditioning=conditioning,
        fusion=fusion,
        without=without,
    ):
        raise InputError(against)
    values = _numeric(unit, numeric or {})

    def stack(inputs: int, steps: int, *, bidirectional: bool, chunk: int | None) -> Stack:
        return Stack(
            unit,
            inputs,
            hidden,
            steps,
            layers=layers,
            bidirectional=bidirectional,
            dropout=dropout,
            numeric=values,
            backend=backend,
            generator=generator,
            chunk=chunk,
        )

    def reading() -> tuple[Reader, Stack]:
        width, steps = input_width(task.inputs), task.sequence_length
        reader = Reader(task.inputs, generator=generator)
        return reader, stack(width, steps, bidirectional=bidirectional, chunk=chunk)

    def readout(width: int) -> Readout:
        return Readout(task.pattern, width, target_width(task.targets), generator=generator)

    targets = task.targets
    if isinstance(targets, Sequences):
        assert isinstance(unit, Cell)  # noqa: S101  a layer has no state to open a decoder
        states = {name: first.shape[0] for name, first in unit.state(hidden).items()}
        encoder: SequenceEncoder | OneLook
        if task.pattern == "one-to-many":
            encoder = _look(task, states, layers, attention, conditioning, without, generator)
            keys = depth(task.inputs)
        else:
            reader, layered = reading()
            bridge = Bridge(states, layers, bidirectional, generator=generator)
            encoder, keys = SequenceEncoder(reader, layered, bridge), layered.width
        said = told(targets)
        said_reader = Reader(said, generator=generator)
        width = input_width(said) + beside(task, attention, conditioning, without)
        decoder = stack(width, task.target_length, bidirectional=False, chunk=None)
        looks = _attention(attention, decoder.width, keys, generator)
        return EncoderDecoder(
            targets,
            encoder,
            said_reader,
            decoder,
            looks,
            readout(decoder.width),
            Teacher() if sampled else None,
            _grid(task),
        )
    if task.image is None:
        reader, layered = reading()
        return Predictor(reader, layered, readout(layered.width))
    question = None if without == "question" else reading()
    picture = None if without == "image" else Reader(task.image, generator=generator)
    fused = Fused(
        fusion,
        question[1].width if question else 0,
        input_width(task.image) if picture else 0,
        hidden,
        generator=generator,
    )
    return Answerer(question, picture, fused, readout(hidden))


def _grid(task: Task) -> tuple[int, int]:
    """Return in how many rows and columns the places of a picture lie that is said in words."""
    if not isinstance(task.inputs, Images | Features) or task.pattern != "one-to-many":
        return 0, 0
    return task.inputs.grid


def _look(
    task: Task,
    states: Mapping[str, int],
    layers: int,
    attention: AttentionKind,
    conditioning: Conditioning,
    without: Without,
    generator: Generator,
) -> OneLook:
    if without == "image":
        return OneLook(None, None, beside=False, again=False)
    again = attention != "none"
    reader = Reader(task.inputs, whole=not again, generator=generator)
    opening = None
    if conditioning == "state":
        seen = look_width(task.inputs, again=again)
        opening = Opening(states, layers, seen, generator=generator)
    return OneLook(reader, opening, beside=conditioning == "step", again=again)


def _attention(
    kind: AttentionKind, queries: int, keys: int, generator: Generator
) -> Attention | None:
    match kind:
        case "none":
            return None
        case "hard":
            return HardAttention(queries, keys, generator=generator)
        case _:
            return Attention(kind, queries, keys, generator=generator)


def _numeric(unit: Cell | Layer, given: Mapping[str, float]) -> dict[str, float]:
    options = {name: option for name, option in unit.options.items() if option.numeric}
    for name in given:
        if name not in options:
            kind = "layer" if isinstance(unit, Layer) else "cell"
            raise UnknownNameError(f"numeric option of {kind} `{unit.name}`", name, options)
    return {
        name: float(option.check(name, given.get(name, unit.chosen[name])))
        for name, option in options.items()
    }
