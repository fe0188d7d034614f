"""The network around a cell: layers, directions, dropout, read-out, loss and sizes."""

from rnnbench.nn.build import build
from rnnbench.nn.dropout import rekey
from rnnbench.nn.loss import loss, valid_mask
from rnnbench.nn.network import Network
from rnnbench.nn.sizes import Sizes, flops, sizes

__all__ = ["Network", "Sizes", "build", "flops", "loss", "rekey", "sizes", "valid_mask"]
