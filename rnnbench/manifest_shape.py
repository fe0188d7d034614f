"""What a manifest must hold for a report to be made of it, whoever wrote the file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, with_config
from typing_extensions import TypedDict

Count = Annotated[int, Field(ge=0, le=10**15)]
Finite = Annotated[float, Field(ge=-1e100, le=1e100)]
Word = bool | int | float | str | None
Texts = dict[str, str]
Spaces = dict[str, "Space"]

_OPEN = ConfigDict(extra="allow", strict=True)


@with_config(_OPEN)
class Space(TypedDict):
    """Where a hyperparameter is searched."""

    kind: Literal["log", "between", "choice"]
    low: NotRequired[Finite]
    high: NotRequired[Finite]
    values: NotRequired[Annotated[list[bool | int | float | str], Field(min_length=1)]]


@with_config(_OPEN)
class Budget(TypedDict):
    """How much was spent."""

    name: str
    updates: Count | dict[str, Count]
    trials: Count
    confirm: Count
    confirm_seeds: NotRequired[Count]
    seeds: Count


@with_config(_OPEN)
class Architecture(TypedDict):
    """The card of an architecture."""

    cell: str
    version: str
    options: dict[str, Word]
    bounds: NotRequired[dict[str, tuple[float | None, float | None]]]
    layers: Count
    bidirectional: bool
    attention: NotRequired[str]
    conditioning: NotRequired[str]
    fusion: NotRequired[str]
    without: NotRequired[str]
    dropout: Finite
    equations: str
    reference: str
    summary: str
    card: Texts


@with_config(_OPEN)
class Tested(TypedDict):
    """What a test score is the mean of."""

    count: Count
    of: str
    worth: Finite | None


@with_config(_OPEN)
class Path(TypedDict):
    """Steps that relevant input travels."""

    forward: Finite
    bidirectional: Finite


@with_config(_OPEN)
class Setting(TypedDict):
    """The card of a setting."""

    task: str
    options: dict[str, Word]
    stated: NotRequired[dict[str, Any]]
    notes: NotRequired[list[str]]
    leaks: NotRequired[list[str]]
    test: NotRequired[Tested]
    metric: str
    direction: Literal["min", "max"]
    metrics: list[str]
    chance: Finite
    trivial: Finite
    oracle: Finite | None
    solved: Finite
    floors: NotRequired[dict[str, Finite]]
    best: Finite | None
    causal: bool
    pattern: str
    sequence_length: Count
    summary: str
    path: Path


@with_config(_OPEN)
class Size(TypedDict):
    """How large a network is."""

    hidden: Count
    parameters: Count
    mismatch: Finite


@with_config(_OPEN)
class Search(TypedDict):
    """How configurations were looked for."""

    sampler: str
    generation: Count
    pruner: NotRequired[dict[str, Any] | None]
    replicates: Annotated[int, Field(ge=1, le=10**6)]
    space: Spaces
    own: dict[str, Spaces]
    trials: dict[str, dict[str, Count]]


@with_config(_OPEN)
class Git(TypedDict):
    """The commit of the code."""

    commit: str
    dirty: bool


@with_config(_OPEN)
class Hardware(TypedDict):
    """A machine."""

    cpu: str
    cores: Count
    memory_bytes: Count | None
    system: str
    gpus: list[str]


@with_config(_OPEN)
class Origin(TypedDict):
    """Where a part of a merged folder comes from."""

    command: str
    run_id: str
    started_at: str
    finished_at: str | None
    hardware: Hardware


@with_config(_OPEN)
class Manifest(TypedDict):
    """What was run, on what and by which code."""

    suite: str
    question: str
    run_id: str
    budget: Budget
    quick: bool
    reference: str
    primary_contrasts: list[tuple[str, str]]
    architectures: Annotated[dict[str, Architecture], Field(min_length=1)]
    settings: Annotated[dict[str, Setting], Field(min_length=1)]
    match: dict[str, Count]
    sizes: dict[str, dict[str, Size]]
    search: Search
    training: dict[str, Word]
    evaluation: NotRequired[dict[str, Word]]
    versions: Texts
    compiler: NotRequired[str | None]
    plugins: list[Texts]
    git: Git | None
    hardware: Hardware
    flags: dict[str, Word]
    workers: Count
    started_at: str
    finished_at: str | None
    command: str
    warnings: list[str]
    parts: NotRequired[Annotated[list[Origin], Field(min_length=1)]]


MANIFEST: TypeAdapter[Manifest] = TypeAdapter(Manifest)
