"""The decoder's share of an update: with the right symbols told, told half of them, and freely.

Groups of eight members of one study are trained for a few updates, as they are and with a decoder
that computes nothing, in turn, in one process with one thread and the allocator tuned as in a
worker. The share is what is saved. The last column is what saying 512 answers takes, in updates of
one member.

    python benchmarks/decoder.py [SUITE] [--members 8] [--budget standard]
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["MKL_CBWR"] = "AUTO"

import torch  # noqa: E402  after the threads are set
from timing import alternate  # noqa: E402
from torch import Tensor  # noqa: E402

from rnnbench import allocator  # noqa: E402
from rnnbench.contracts import Sequences  # noqa: E402
from rnnbench.group.building import network_of  # noqa: E402
from rnnbench.group.data import Data  # noqa: E402
from rnnbench.group.group import Group  # noqa: E402
from rnnbench.group.steps import Programs  # noqa: E402
from rnnbench.nn.encoder_decoder import Encoded, EncoderDecoder  # noqa: E402
from rnnbench.plan import plan  # noqa: E402
from rnnbench.registry import Registry, load_registry  # noqa: E402
from rnnbench.study import Study  # noqa: E402
from rnnbench.suite import read_suite  # noqa: E402
from rnnbench.tasks import Tasks  # noqa: E402

ROUNDS = 7


def nothing(
    self: EncoderDecoder, given: Tensor, encoded: Encoded, states: Mapping[str, Tensor]
) -> tuple[Tensor, Mapping[str, Tensor], None]:
    """Stand in for the decoder: logits that depend on what the encoder said, and cost nothing."""
    read = encoded.keys.sum(0)[..., :1] + sum(state[..., :1] for state in states.values())
    return read.expand(len(given), -1, self.targets.count), states, None


@contextmanager
def without_decoder() -> Iterator[None]:
    """Replace the decoder for a while."""
    real = EncoderDecoder._decode
    EncoderDecoder._decode = nothing
    try:
        yield
    finally:
        EncoderDecoder._decode = real


def update_of(study: Study, registry: Registry, count: int) -> Callable[[], None]:
    """Return what makes one update of so many members of a study."""
    template = study.template
    members = [replace(template, seed=replace(template.seed, index=i)) for i in range(count)]
    task = Tasks(registry).of(template.setting)
    unit = registry.unit(template.architecture.kind, template.architecture.cell).cls
    group = Group([network_of(one, unit, task) for one in members], task, members, Programs())
    batches = Data(task, "cpu").batches(members, 1)

    def update() -> None:
        group.update(1, batches)

    update()  # what is traced once
    return update


def told(study: Study, share: float) -> Study:
    """Return the study with this share of the right symbols told."""
    recipe = replace(study.template.recipe, teacher_forcing=share)
    return replace(study, template=replace(study.template, recipe=recipe))


def main() -> None:
    """Print one line a study."""
    ask = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ask.add_argument("suite", nargs="?", default="suites/seq2seq.yaml", type=Path)
    ask.add_argument("--members", type=int, default=8)
    ask.add_argument("--budget", default=None)
    given = ask.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    torch.utils.deterministic.fill_uninitialized_memory = False
    allocator.tune()
    registry = load_registry(())
    planned = plan(read_suite(given.suite, budget=given.budget), registry)
    print(
        f"{'architecture':16} {'setting':34} {'ms a member-update':>18} {'decoder':>8}"
        f" {'half told':>10} {'decoder':>8} {'saying 512':>11}"
    )
    for study in planned.studies:
        task = Tasks(registry).of(study.template.setting)
        if study.skipped or not isinstance(task.targets, Sequences):
            continue
        sides = {
            "all": update_of(told(study, 1.0), registry, given.members),
            "half": update_of(told(study, 0.5), registry, given.members),
            "say": saying(study, registry),
        }
        with without_decoder():
            sides["encoder"] = update_of(told(study, 1.0), registry, given.members)
        timed = alternate(sides, ROUNDS, 0.0)
        took = {name: timing.median for name, timing in timed.items()}
        each = {name: took[name] / given.members for name in ("all", "half", "encoder")}
        print(
            f"{study.architecture:16} {study.setting:34} {1e3 * each['all']:18.2f}"
            f" {1 - each['encoder'] / each['all']:8.0%} {1e3 * each['half']:10.2f}"
            f" {1 - each['encoder'] / each['half']:8.0%} {took['say'] / each['all']:11.1f}",
            flush=True,
        )


def saying(study: Study, registry: Registry) -> Callable[[], None]:
    """Return what says 512 answers with the first weights."""
    task = Tasks(registry).of(study.template.setting)
    net = study.template.architecture
    network = network_of(study.template, registry.unit(net.kind, net.cell).cls, task).eval()
    assert isinstance(network, EncoderDecoder)  # noqa: S101  its targets are sequences
    batch = task.batch(512, torch.Generator().manual_seed(0))
    return lambda: network.say(batch, task.target_length)


if __name__ == "__main__":
    main()
