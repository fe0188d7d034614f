"""Stand-ins for tasks with pictures: only what a network reads of one."""

from types import SimpleNamespace

import torch

from rnnbench import Batch, Classes, Features, Images, Reals, Sequences, Tokens
from rnnbench.nn.build import build
from rnnbench_cells.lstm import LSTM

B, H, S, T = 4, 6, 3, 5
END = 3
SYMBOLS = Sequences(("a", "b", "c", "<END>"), END, " ")
PICTURE = Images(2, 8, 6, filters=(3, 5), embedding=7)
MAP = Features(6, 5, embedding=None)


def caption(inputs=PICTURE, **changes):
    """Stand in for a task that has a picture said."""
    return SimpleNamespace(
        **{
            "image": None,
            "name": "fake",
            "pattern": "one-to-many",
            "inputs": inputs,
            "targets": SYMBOLS,
            "loss_over_steps": "mean",
            "sequence_length": 1,
            "target_length": T,
        }
        | changes
    )


def question(image=PICTURE, **changes):
    """Stand in for a task that asks about a picture."""
    return SimpleNamespace(
        **{
            "image": image,
            "name": "fake",
            "pattern": "many-to-one",
            "inputs": Tokens(4, embedding=3, symbols=("what", "colour", "shape", "?"), between=" "),
            "targets": Classes(3, names=("red", "round", "square")),
            "loss_over_steps": "mean",
            "sequence_length": S,
            "target_length": S,
        }
        | changes
    )


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def given(inputs, *leading, seed=1):
    """Draw inputs of a kind."""
    match inputs:
        case Images():
            shape = (inputs.channels, inputs.height, inputs.width)
        case Features():
            shape = (inputs.places, inputs.depth)
        case Reals():
            shape = (inputs.width,)
        case Tokens():
            return torch.randint(inputs.vocabulary, leading, generator=generator(seed))
    return torch.rand(*leading, *shape, generator=generator(seed))


def captioned(inputs=PICTURE, seed=1):
    """Draw a batch of pictures with what is to be said of them."""
    targets = torch.randint(END, (T, B), generator=generator(seed + 1))
    targets[-1], targets[2, 1], targets[3:, 1] = END, END, END
    return Batch(given(inputs, 1, B, seed=seed), targets)


def asked(image=PICTURE, seed=1):
    """Draw a batch of questions with their pictures."""
    return Batch(
        given(question().inputs, S, B, seed=seed),
        torch.tensor([0, 2, 1, 0]),
        torch.tensor([3, 1, 2, 3]),
        images=given(image, B, seed=seed + 1),
    )


def network(task, cell=None, seed=7, **how):
    """Build a network for a stand-in."""
    return build(cell or LSTM(), task, hidden=H, backend="loop", generator=generator(seed), **how)
