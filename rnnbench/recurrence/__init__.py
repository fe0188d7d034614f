"""Run a cell over a sequence: the loop, which defines the result, and quicker ways to it.

From a plain `step` to a kernel, one file after the other:

    loop         what it means to run a cell
    trace        one call of `step` as a graph, with the author's lines (watch: what it must not do)
    equations    the graph as products of data with weights, and elementwise expressions
                 (operands: what depends on weights alone; moves, reductions: how torch's
                 operations on columns are read; expressions: equal parts are one object)
    plan         products and expressions in order: columns, levels, blocks
    segments     the loops over elements between the products
    gradients    the order of the backward pass
    emit         segments and their derivatives as C++ (elementwise: one operation; segment.hpp)
    numbers      the plan as numbers, which kernel.cpp follows (products.hpp, plan.hpp)
    build        C++ to a loaded library, kept safely
    engine       the loaded code; run: its tensors; autograd: its place among torch's functions
    kernel       all of it as one thing that is called as the loop is
    verify       a kernel compared with the loop, before anything is trained on it
    members      a runner inside torch's vmap and a trace
    fused        for a GPU: the step of all members, compiled by Inductor
    backend      which way a cell runs, and why
"""

from rnnbench.recurrence.backend import NAMES, Backend, Chooser, runner
from rnnbench.recurrence.build import silently
from rnnbench.recurrence.lengths import reverse, within
from rnnbench.recurrence.loop import Runner, output_of
from rnnbench.recurrence.members import for_members

__all__ = [
    "NAMES",
    "Backend",
    "Chooser",
    "Runner",
    "for_members",
    "output_of",
    "reverse",
    "runner",
    "silently",
    "within",
]
