"""A member's network."""

from __future__ import annotations

from torch import Generator

from rnnbench.contracts import Cell, Layer, Task
from rnnbench.member import Member
from rnnbench.nn.build import build
from rnnbench.nn.network import Network


def network_of(member: Member, unit: type[Cell] | type[Layer], task: Task) -> Network:
    """Build a member's network, with its initial weights, on its device.

    Raises:
        InputError, PluginError: see `build`.
    """
    net = member.architecture
    return build(
        unit(**net.structure),
        task,
        hidden=net.hidden,
        layers=net.layers,
        bidirectional=net.bidirectional,
        attention=net.attention,
        conditioning=net.conditioning,
        fusion=net.fusion,
        without=net.without,
        dropout=net.dropout,
        numeric=net.numeric,
        backend=member.backend,
        generator=Generator().manual_seed(member.weights_seed),
        # with a target at every step each chunk is an update of its own
        chunk=None if task.pattern == "many-to-many" else member.recipe.chunk,
        sampled=member.recipe.teacher_forcing < 1,
    ).to(member.device)
