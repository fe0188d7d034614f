"""Whether a network of some kind makes sense for a task."""

from __future__ import annotations

from rnnbench.contracts import ONE_TARGET, Cell, Features, Images, Layer, Sequences, Task
from rnnbench.hyperparameters import AttentionKind, Conditioning, Fusion, Without


def why_not(
    unit: Cell | Layer,
    task: Task,
    *,
    layers: int = 1,  # noqa: ARG001  any number fits; here so that all of a stacking can be given
    bidirectional: bool = False,
    attention: AttentionKind = "none",
    conditioning: Conditioning = "state",
    fusion: Fusion = "concatenation",
    without: Without = "none",
) -> str:
    """Return what `task` lacks of what such a network is about, in words; nothing if it fits."""
    name, spoken = task.name, isinstance(task.targets, Sequences)
    one = task.pattern == "one-to-many"
    pictured = task.image is not None
    if isinstance(unit, Layer) and task.pattern not in unit.patterns:
        return f"{unit.name} is for {' and '.join(unit.patterns)}, and {name} is {task.pattern}"
    if isinstance(unit, Layer) and spoken:
        return f"layer {unit.name} has no state for a decoder to begin with"
    if bidirectional and one:
        return f"two directions need a sequence to read, and {name} has one step"
    if attention != "none" and not spoken:
        return f"attention needs a decoder, and {name} has none"
    if conditioning != "state" and not one:
        return f"conditioning is of a decoder by a picture, and {name} is {task.pattern}"
    if fusion != "concatenation" and not pictured:
        return f"fusion puts a question and its picture together, and {name} has none"
    if without == "question" and not pictured:
        return f"without the question nothing is left of {name}"
    if without == "image" and not (pictured or one):
        return f"{name} has no image to be without"
    if without == "image" and (attention, conditioning) != ("none", "state"):
        return "without an image there is nothing to look at"
    if pictured and task.pattern not in ONE_TARGET:
        return f"{name} has an image beside each sequence and is {task.pattern}, not many-to-one"
    if attention != "none" and one and places(task) < 2:
        return f"attention needs several places to look at, and {name} has one"
    if attention == "dot" and (bidirectional or one):
        other = "the places of a picture are as deep as its features"
        if bidirectional:
            other = "an encoder of two directions says twice as much as its decoder"
        return f"attention `dot` compares vectors of one width, and {other}; `general` takes both"
    return ""


def places(task: Task) -> int:
    """Return how many places a picture that a task asks about has; 0 where it has none."""
    match task.inputs:
        case Images(grid=(rows, columns)):
            return rows * columns
        case Features(places=count):
            return count
        case _:
            return 0
