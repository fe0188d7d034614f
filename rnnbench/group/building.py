"""A member's network."""

from __future__ import annotations

from torch import Generator

from rnnbench.contracts import Cell, Task
from rnnbench.member import Member
from rnnbench.nn.network import Network, build


def network_of(member: Member, cell: type[Cell], task: Task) -> Network:
    """Build a member's network, with its initial weights, on its device.

    Raises:
        InputError, PluginError: see `build`.
    """
    net = member.architecture
    return build(
        cell(**net.structure),
        task,
        hidden=net.hidden,
        layers=net.layers,
        bidirectional=net.bidirectional,
        dropout=net.dropout,
        numeric=net.numeric,
        backend=member.backend,
        generator=Generator().manual_seed(member.weights_seed),
    ).to(member.device)
