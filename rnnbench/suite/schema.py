"""What a suite file may say, key by key, and what a reader is told when it says something else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from rnnbench.errors import SuiteError, UnknownNameError
from rnnbench.hyperparameters import AttentionKind, Conditioning, Fusion, Without
from rnnbench.options import Space
from rnnbench.suite.source import Place, Source, printable
from rnnbench.suite.spaces import own, shared
from rnnbench.suite.values import (
    allowance,
    fault,
    label,
    scalar,
    scalars,
    shown,
    slug,
    updates,
    word,
)

_SHOWN_ERRORS = 5

Word = Annotated[str, AfterValidator(word)]
Label = Annotated[str, AfterValidator(label)]
Spaces = Annotated[dict[str, Space], PlainValidator(shared)]
Own = Annotated[bool | dict[str, Space], PlainValidator(own)]
Updates = Annotated[int | dict[str, int], PlainValidator(updates)]
_COUNT = "a whole number, 1 or more"


class Section(BaseModel):
    """A mapping of the file with fixed keys; a field's description is what messages say of it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Architecture(Section):
    """A cell or a layer and how it is stacked; other keys are options of the cell or layer."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Annotated[Any, PlainValidator(scalar)]] = Field(init=False)

    cell: Word | None = Field(default=None, description="the name of a cell")
    layer: Word | None = Field(default=None, description="the name of a layer")
    layers: int = Field(default=1, ge=1, description=_COUNT)
    bidirectional: bool = Field(default=False, description="true or false")
    attention: AttentionKind = Field(
        default="none", description="none, dot, general, additive or hard: how a decoder looks back"
    )
    conditioning: Conditioning = Field(
        default="state", description="state or step: where a picture enters a decoder"
    )
    fusion: Fusion = Field(
        default="concatenation",
        description="concatenation or product: how a question meets its picture",
    )
    without: Without = Field(
        default="none", description="none, image or question: what the network is not shown"
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="a number from 0 up to but not 1")
    search: Own = Field(default=False, description="true or dimensions of its own")

    @model_validator(mode="after")
    def _cell_or_layer(self) -> Architecture:
        if (self.cell is None) == (self.layer is None):
            both = "both" if self.cell is not None else "neither"
            raise fault(f"an architecture has a `cell` or a `layer`, not {both}", key=True)
        return self


class Setting(Section):
    """A task; other keys are its options, and a list of values makes a setting of each."""

    model_config = ConfigDict(frozen=True, extra="allow", strict=True)
    __pydantic_extra__: dict[str, Annotated[Any, PlainValidator(scalars)]] = Field(init=False)

    task: Word = Field(description="the name of a task")


class Match(Section):
    """The size that all architectures share: exactly one of four."""

    parameters: int | None = Field(default=None, gt=0, description=_COUNT)
    hidden: int | None = Field(default=None, gt=0, description=_COUNT)
    state: int | None = Field(default=None, gt=0, description=_COUNT)
    flops: int | None = Field(default=None, gt=0, description=_COUNT)

    @model_validator(mode="after")
    def _exactly_one(self) -> Match:
        given = list(self.model_dump(exclude_none=True))
        if len(given) != 1:
            raise fault(
                "`match` takes exactly one of parameters, hidden, state and flops,"
                f" not {' and '.join(given) or 'none'}"
            )
        return self

    @property
    def quantity(self) -> Literal["parameters", "hidden", "state", "flops"]:
        """What is matched."""
        if self.parameters is not None:
            return "parameters"
        if self.hidden is not None:
            return "hidden"
        return "state" if self.state is not None else "flops"

    @property
    def value(self) -> int:
        """How much of it each architecture gets."""
        return int(getattr(self, self.quantity))


class Training(Section):
    """How every member is trained, unless the search says otherwise."""

    optimizer: Literal["adam", "adamw", "rmsprop", "sgd"] = Field(
        default="adam", description="adam, adamw, rmsprop or sgd"
    )
    batch: int = Field(default=32, ge=1, description=_COUNT)
    learning_rate: float = Field(default=1e-3, gt=0, description="a number above 0")
    schedule: Literal["constant", "cosine", "linear"] = Field(
        default="constant", description="constant, cosine or linear"
    )
    weight_decay: float = Field(default=0.0, ge=0, description="a number, 0 or more")
    clip: float | None = Field(
        default=1.0, gt=0, description="a number above 0 (the global norm), or null for none"
    )
    clip_value: float | None = Field(
        default=None, gt=0, description="a number above 0 (of each gradient), or null for none"
    )
    chunk: int | None = Field(
        default=None,
        ge=1,
        description="the steps after which the gradient is cut, or null for the whole sequence",
    )
    momentum: float = Field(default=0.9, ge=0, lt=1, description="a number from 0 up to but not 1")
    beta1: float = Field(default=0.9, ge=0, lt=1, description="a number from 0 up to but not 1")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="a number from 0 up to but not 1")
    teacher_forcing: float = Field(
        default=1.0, ge=0, le=1, description="the share of symbols a decoder is told, 0 to 1"
    )
    teacher_schedule: Literal["constant", "linear"] = Field(
        default="constant", description="constant, or linear: from all symbols to that share"
    )
    backend: Literal["auto", "kernel", "torch", "fused", "loop"] = Field(
        default="auto", description="auto, kernel, torch, fused or loop: how cells are run"
    )


class PrunerSection(Section):
    """How trials are dropped before their end."""

    kind: Literal["successive_halving", "hyperband"] = Field(
        description="successive_halving or hyperband"
    )
    factor: int = Field(default=3, ge=2, description="a whole number, 2 or more")
    min_updates: int | None = Field(default=None, ge=1, description=_COUNT)


class Search(Section):
    """Where and how hyperparameters are looked for; an empty space is a fixed configuration."""

    sampler: Literal["tpe", "random", "grid", "qmc", "gp"] = Field(
        default="tpe", description="tpe, random, grid, qmc or gp"
    )
    generation: int = Field(default=8, ge=1, description=_COUNT)
    replicates: int = Field(default=1, ge=1, description=_COUNT)
    confirm_seeds: int = Field(default=2, ge=0, description="a whole number, 0 or more")
    pruner: PrunerSection | None = Field(
        default=None, description="a mapping such as {kind: hyperband, factor: 3}"
    )
    space: Spaces = Field(default_factory=dict, description="dimensions by name")


class Evaluation(Section):
    """How often a training is scored on validation data."""

    points: int = Field(default=20, ge=1, description=_COUNT)
    beam: int = Field(
        default=1, ge=1, le=100, description="a whole number from 1 to 100: beginnings followed"
    )


class Only(Section):
    """What a budget keeps of the suite."""

    architectures: list[str] | None = Field(
        default=None, min_length=1, description="a list of at least one architecture"
    )
    settings: list[str] | None = Field(
        default=None, min_length=1, description="a list of at least one task or setting"
    )


class BudgetSection(Section):
    """How much is spent, and on what."""

    updates: Updates = Field(description=f"{_COUNT}, or one for each task")
    trials: int = Field(ge=1, description=_COUNT)
    confirm: int = Field(default=3, ge=0, description="a whole number, 0 or more")
    seeds: int = Field(ge=1, description=_COUNT)
    only: Only = Field(default=Only(), description="a mapping with architectures, settings or both")
    settings: list[Setting] | None = Field(
        default=None, min_length=1, description="a list of settings"
    )
    match: Match | None = Field(default=None, description="a mapping such as {parameters: 5000}")
    time_limit: float | None = Field(
        default=None, gt=0, description="the seconds that a member may take, or null for any"
    )


class Slurm(Section):
    """Jobs of Slurm that the workers run in."""

    interface: Word = Field(
        description="the network interface that nodes reach this machine by, such as ib0"
    )
    memory: str = Field(
        pattern=r"^[0-9]+(\.[0-9]+)? ?[KMGT]i?B$", description="what a job gets, such as 4GB"
    )
    walltime: str = Field(
        pattern=r"^([0-9]+-)?[0-9]+(:[0-9]{2}){0,2}$",
        description='how long a job may take, as Slurm writes it: "01:00:00"',
    )
    jobs: int = Field(default=1, ge=1, description=_COUNT)
    cores: int = Field(default=1, ge=1, description=f"{_COUNT}: a worker each")
    queue: Word | None = Field(default=None, description="the name of a partition")
    account: Word | None = Field(default=None, description="the name of an account")
    job_extra: list[Word] = Field(
        default=[], description="a list of options of sbatch such as [--constraint=avx2]"
    )
    prologue: list[Word] = Field(
        default=[], description="a list of shell commands that a job begins with"
    )


class Executor(Section):
    """Where workers come from, if not from this machine."""

    slurm: Slurm | None = Field(
        default=None, description="a mapping such as {interface: ib0, memory: 4GB, jobs: 4}"
    )


class SuiteFile(Section):
    """The whole file."""

    suite: Annotated[str, AfterValidator(slug)] = Field(description="a name such as my_suite")
    question: str = Field(description="a sentence, the question that the suite answers")
    architectures: dict[Label, Architecture] = Field(
        min_length=1, description="at least one label and cell, such as `lstm: {cell: lstm}`"
    )
    reference: str | None = Field(default=None, description="the label of an architecture")
    contrasts: list[Annotated[list[str], Field(min_length=2, max_length=2)]] | None = Field(
        default=None,
        min_length=1,
        description="a list of pairs of labels such as [gru, lstm]",
    )
    settings: list[Setting] = Field(
        min_length=1, description="a list of at least one setting such as {task: adding_uniform}"
    )
    match: Match = Field(description="a mapping such as {parameters: 5000}")
    training: Training = Field(
        default=Training(), description="a mapping such as {optimizer: adam}"
    )
    metrics: list[Word] = Field(default=[], description="a list of names of metrics")
    search: Search = Field(
        default=Search(), description="a mapping such as {sampler: tpe, space: …}"
    )
    evaluation: Evaluation = Field(
        default=Evaluation(), description="a mapping such as {points: 20}"
    )
    budget: dict[Word, BudgetSection] = Field(
        min_length=1,
        description="at least one name and budget such as"
        " `standard: {updates: 2000, trials: 9, seeds: 5}`",
    )
    executor: Executor = Field(default=Executor(), description="a mapping with slurm")
    allow_failures: Annotated[int | float, PlainValidator(allowance)] = Field(
        default=0, description="a share such as 10%, or a number of members"
    )


def checked(source: Source) -> SuiteFile:
    """Return the file's values as records.

    Raises:
        SuiteError: with the first few places where the file says something else.
    """
    try:
        return SuiteFile.model_validate(source.tree)
    except ValidationError as error:
        found = [_located(source, detail) for detail in error.errors(include_url=False)]
    texts = list(dict.fromkeys(str(located) for located in found))
    for said in dict.fromkeys(source.overrides.values()):
        texts = _joined(f"{said}: ", texts)
    more = len(texts) - _SHOWN_ERRORS
    shown = [*texts[:_SHOWN_ERRORS], *([f"… and {more} more"] if more > 0 else [])]
    raise SuiteError("\n".join(shown))


def _joined(said: str, texts: list[str]) -> list[str]:
    """Put what is wrong with one option of the command line on one line, in front."""
    own = [text.removeprefix(said) for text in texts if text.startswith(said)]
    others = [text for text in texts if not text.startswith(said)]
    return [said + "; ".join(own), *others] if own else texts


def _located(source: Source, detail: ErrorDetails) -> SuiteError:
    place: Place = detail["loc"]
    context = detail.get("ctx", {})
    if place and place[-1] == "[key]":
        return source.error(place[:-1], str(context.get("message")))
    if detail["type"] == "suite":
        at = (*place, *context["inside"])
        return source.error(at, context["message"], value=not context["key"])
    owner = ".".join(map(str, place[:-1])) or "the suite"
    name = printable(str(place[-1])) if place else owner
    section = _section(place[:-1])
    if detail["type"] == "extra_forbidden" and section:
        known = section.model_fields
        return source.error(place, str(UnknownNameError(f"key of {printable(owner)}", name, known)))
    if detail["type"] == "missing" and section:
        takes = section.model_fields[name].description
        return source.error(place, f"{printable(owner)} lacks `{name}`: {takes}")
    subject = f"`{name}`"
    if place and isinstance(place[-1], int):
        subject = f"entry {place[-1] + 1} of {printable(owner)}"
    message = f"{subject} takes {_expected(place)}, not {shown(detail['input'])}"
    if detail["type"] == "bool_type" and str(detail["input"]).lower() in ("yes", "no", "on", "off"):
        message += "; in YAML 1.2 that is a word: write true or false"
    if detail["type"] == "literal_error" and section and isinstance(detail["input"], str):
        known_words = section.model_fields[name].annotation.__args__  # type: ignore[union-attr]  # a Literal
        message = str(UnknownNameError(name, printable(detail["input"]), known_words))
    return source.error(place, message, value=True)


def _section(place: Place) -> type[Section] | None:
    """Return the section that stands at a place, None where something else does."""
    match place:
        case ():
            return SuiteFile
        case ("architectures", _):
            return Architecture
        case ("budget", _):
            return BudgetSection
        case (*_, "settings", int()):
            return Setting
        case ("budget", _, "only"):
            return Only
        case ("match",) | ("budget", _, "match"):
            return Match
        case ("search", "pruner"):
            return PrunerSection
        case ("executor", "slurm"):
            return Slurm
        case (("training" | "search" | "evaluation" | "executor") as name,):
            sections: dict[str, type[Section]] = {
                "training": Training,
                "search": Search,
                "evaluation": Evaluation,
                "executor": Executor,
            }
            return sections[name]
    return None


def _expected(place: Place) -> str:
    """Return what the innermost key that has a description takes."""
    if place and isinstance(place[-1], int):
        if place[0] == "contrasts" and len(place) == 2:
            return "a pair of labels such as [gru, lstm]"
        return "a mapping such as {task: adding_uniform}" if _section(place) else "a word"
    section = _section(place)
    if section and section not in (Match, Only, PrunerSection):
        return f"a mapping with {', '.join(section.model_fields)}"
    around = _section(place[:-1])
    known = around.model_fields.get(str(place[-1])) if around and place else None
    return known.description or "" if known else "something else"
