"""What decides a result, its key, and what training it leaves behind: plain values both ways."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from typing import Literal

from rnnbench.contests import Contest
from rnnbench.direction import Direction
from rnnbench.errors import SealedError
from rnnbench.hyperparameters import AttentionKind, Conditioning, Fusion, Without
from rnnbench.options import Value
from rnnbench.seeds import Seeds, seed_of

Role = Literal["tuning", "evaluation"]
"""What a seed is for; names differ, so tuning and evaluation seeds are disjoint."""

Way = Literal["together", "in turn"]
"""How the members of a group train: as one program whose tensors have a dimension of members, or
one by one."""

Status = Literal[
    "ok",
    "diverged",
    "out_of_memory",
    "timeout",
    "crashed",
    "error",
    "skipped",
    "pruned",
]
"""How a member ended."""

FAILURES: frozenset[Status] = frozenset(
    {"diverged", "out_of_memory", "timeout", "crashed", "error"}
)
"""The statuses that count as failed: a score was due and there is none."""


LOOKING = {"conditioning": "state", "fusion": "concatenation", "without": "none"}
"""What only networks that look at pictures differ in, as it usually is; keys and seeds of others do
not know of it."""


@dataclass(frozen=True)
class Architecture:
    """A cell or layer and how it is stacked.

    `cell` is its name, `structure` shapes its equations, `numeric` are its values.
    """

    cell: str
    version: str
    structure: Mapping[str, Value]
    numeric: Mapping[str, float]
    layers: int
    bidirectional: bool
    dropout: float
    hidden: int
    kind: Literal["cell", "layer"] = "cell"
    attention: AttentionKind = "none"
    conditioning: Conditioning = "state"
    fusion: Fusion = "concatenation"
    without: Without = "none"

    @property
    def names(self) -> list[object]:
        """What tells networks apart, whatever their size and values: for named seeds."""
        own = [self.cell, dict(self.structure), self.layers, self.bidirectional, self.attention]
        return own + [[name, getattr(self, name)] for name in LOOKING if name not in self.usual]

    @property
    def usual(self) -> tuple[str, ...]:
        """Which of `LOOKING` are as they are unless said otherwise."""
        return tuple(name for name, value in LOOKING.items() if getattr(self, name) == value)


@dataclass(frozen=True)
class Setting:
    """A task with its parameters fixed; `files` are the hashes of its data files, by option."""

    task: str
    version: str
    options: Mapping[str, Value]
    files: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> dict[str, Value]:
        """The options with the hashes of data files for their names, wherever they lie."""
        return {**self.options, **self.files}


@dataclass(frozen=True)
class Recipe:
    """How a member is trained: the optimiser, its hyperparameters and the budget.

    clip        the largest global norm of a gradient; None: any
    clip_value  the largest absolute value of each of its numbers, before the norm; None: any
    chunk       steps after which the gradient is cut; None: after the whole sequence
    teacher_forcing  share of symbols that a decoder is told in training; `teacher_schedule`: in
                all updates, or linear: at the last one, from all at the first
    beam        beginnings that a decoder follows when a run is scored; 1: the likeliest alone
    """

    optimizer: str
    learning_rate: float
    schedule: str
    weight_decay: float
    clip: float | None
    momentum: float
    beta1: float
    beta2: float
    batch: int
    updates: int
    points: int
    clip_value: float | None = None
    chunk: int | None = None
    teacher_forcing: float = 1.0
    teacher_schedule: str = "constant"
    beam: int = 1


@dataclass(frozen=True)
class Seed:
    """Which of the named seeds a member uses."""

    role: Role
    replicate: int
    index: int


@dataclass(frozen=True)
class Member:
    """One trial or run: all that decides its numbers, and nothing else.

    `metrics` are (name, version) pairs; the first is the score. A `contest` may drop a trial early.
    """

    architecture: Architecture
    setting: Setting
    recipe: Recipe
    seed: Seed
    metrics: tuple[tuple[str, str], ...]
    backend: str
    device: str = "cpu"
    precision: str = "float32"
    way: Way = "in turn"
    contest: Contest | None = None

    @cached_property
    def key(self) -> str:
        """Name the member by what decides its result."""
        parts = asdict(self)
        parts["setting"] = {**parts["setting"], "options": self.setting.content}
        for name in self.architecture.usual:
            del parts["architecture"][name]
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:20]

    @cached_property
    def shape(self) -> str:
        """Name what members of one group share: all but seeds, and numbers that are mere values.

        Members of one shape train in one group.
        """
        net, recipe = self.architecture, self.recipe
        plain = replace(
            self,
            # a network without dropout has no sites that draw
            architecture=replace(
                net, numeric=dict.fromkeys(net.numeric, 0.0), dropout=float(net.dropout > 0)
            ),
            recipe=replace(
                recipe,
                learning_rate=0.0,
                schedule="",
                weight_decay=0.0,
                clip=None,
                clip_value=None,
                momentum=0.0,
                beta1=0.0,
                beta2=0.0,
                # without one that is always right, the decoder's own symbols are looked for
                teacher_forcing=float(recipe.teacher_forcing < 1),
                teacher_schedule="",
            ),
            seed=replace(self.seed, replicate=0, index=0),
        )
        return plain.key

    @property
    def weights_seed(self) -> int:
        """Seed of the initial weights: setting, seed and architecture.

        Numeric options and sizes stay out, so that trials of a study start alike.
        """
        return seed_of("weights", *self._data_names(), self.architecture.names)

    def batch_seeds(self) -> Seeds:
        """Seeds of the training batches, by update; the same for all architectures."""
        return Seeds("batch", *self._data_names())

    def dropout_seeds(self) -> Seeds:
        """Seeds of the dropout masks, by update."""
        return Seeds("dropout", *self._data_names(), self.architecture.names)

    def sample_seeds(self) -> Seeds:
        """Seeds of what the network makes of its own, by update."""
        return Seeds("sample", *self._data_names(), self.architecture.names)

    def held_out_seed(self, split: str) -> int:
        """Seed of a held-out set, fixed for the setting.

        Raises:
            SealedError: test data for a member that tunes.
        """
        if split == "test" and self.seed.role != "evaluation":
            raise SealedError("test data is sealed: this member tunes, it does not evaluate")
        return seed_of("held out", self.setting.task, self.setting.content, split)

    def _data_names(self) -> tuple[object, ...]:
        seed = self.seed
        return (self.setting.task, self.setting.content, seed.role, seed.replicate, seed.index)


@dataclass(frozen=True)
class Score:
    """One metric's value on a held-out set."""

    split: Literal["valid", "test"]
    metric: str
    value: float
    direction: Direction
    censored: bool = False


@dataclass(frozen=True)
class Point:
    """One point of a learning curve."""

    update: int
    split: Literal["train", "valid"]
    metric: str
    value: float


@dataclass(frozen=True)
class Sample:
    """What a network made of its own at some update, in words."""

    update: int
    title: str
    text: str


@dataclass(frozen=True)
class LengthScore:
    """A metric's value on the `count` test targets that are `low` to `high` symbols long."""

    metric: str
    low: int
    high: int
    count: int
    value: float


@dataclass(frozen=True)
class KindScore:
    """A metric's value on the `count` test sequences of a kind."""

    metric: str
    kind: str
    count: int
    value: float


@dataclass(frozen=True)
class Shown:
    """A picture of the test part, or frames of a clip side by side, and what was said of it.

    number   its place in the part
    png      the picture, base64
    read     the question about it, if there is one
    right    the right answers
    grid     in how many rows and columns its places lie
    words    what was said word by word, where an attention looked
    weights  one row for each word, one number for each place
    """

    number: int
    png: str
    read: str
    right: tuple[str, ...]
    said: str
    correct: bool
    grid: tuple[int, int] = (0, 0)
    words: tuple[str, ...] = ()
    weights: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        """Refuse a map of other places than there are.

        Raises:
            ValueError: a row of weights does not fit the grid.
        """
        rows, columns = self.grid
        if min(rows, columns) < 0 or any(len(row) != rows * columns for row in self.weights):
            raise ValueError(f"a map of {rows} × {columns} places has another number of weights")


@dataclass(frozen=True)
class Alignment:
    """Where an attention looked in a sequence that was read, for each symbol that was said.

    weights  one row for each symbol said, one number for each symbol read
    """

    read: tuple[str, ...]
    said: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Finished:
    """What training a member leaves behind.

    exception      the class of what was raised, if anything was
    updates        how many were made
    failed_update  the update at which it failed, if it was at one
    best_update    the update whose weights were kept, by validation score
    valid_score    the task's first metric on validation data at `best_update`
    valid_loss     the loss there
    peak_bytes     the largest resident size of its worker up to its end
    hardware_host  the CPU or GPU model that trained it; "" where that was not recorded
    """

    status: Status
    reason: str = ""
    traceback: str = ""
    exception: str = ""
    updates: int = 0
    failed_update: int | None = None
    best_update: int | None = None
    valid_score: float | None = None
    valid_loss: float | None = None
    scores: tuple[Score, ...] = ()
    curve: tuple[Point, ...] = ()
    samples: tuple[Sample, ...] = ()
    lengths: tuple[LengthScore, ...] = ()
    kinds: tuple[KindScore, ...] = ()
    alignments: tuple[Alignment, ...] = ()
    shown: tuple[Shown, ...] = ()
    seconds: Mapping[str, float] = field(default_factory=dict)
    peak_bytes: int | None = None
    finished_at: str = ""
    worker_host: str = ""
    hardware_host: str = ""
    weights: str | None = None
