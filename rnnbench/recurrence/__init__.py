"""Run a cell over a sequence: the loop, which defines the result, and quicker ways to it."""

from rnnbench.recurrence.backend import NAMES, Backend, Chooser, Runner, runner
from rnnbench.recurrence.build import silently
from rnnbench.recurrence.lengths import reverse, within
from rnnbench.recurrence.loop import output_of

__all__ = [
    "NAMES",
    "Backend",
    "Chooser",
    "Runner",
    "output_of",
    "reverse",
    "runner",
    "silently",
    "within",
]
