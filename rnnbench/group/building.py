"""A member's network."""

from __future__ import annotations

from torch import Generator

from rnnbench.contracts import ONE_TARGET, Cell, Layer, Task
from rnnbench.member import Member
from rnnbench.nn.network import Network, build


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
        dropout=net.dropout,
        numeric=net.numeric,
        backend=member.backend,
        generator=Generator().manual_seed(member.weights_seed),
        # with a target at every step each chunk is an update of its own
        chunk=member.recipe.chunk if task.pattern in ONE_TARGET else None,
    ).to(member.device)
