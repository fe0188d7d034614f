"""The frozen configuration of a study and the run of it that did best on validation data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rnnbench.errors import InputError, UnknownNameError
from rnnbench.member import Finished, Member
from rnnbench.protocol import Progression
from rnnbench.store import Stored
from rnnbench.study import Study


@dataclass(frozen=True)
class Best:
    """One run of a frozen configuration; `weights` names its file among the artifacts."""

    study: Study
    member: Member
    finished: Finished

    @property
    def configuration(self) -> dict[str, Any]:
        """Everything needed to build and train the network again, and how well it did."""
        scores = {
            f"{score.split}_{score.metric}": score.value
            for score in self.finished.scores
            if not score.censored
        }
        return {
            "architecture": self.study.architecture,
            "setting": self.study.setting,
            "key": self.member.key,
            "member": asdict(self.member),
            "parameters": self.study.built(self.member).parameters,
            "best_update": self.finished.best_update,
            "scores": scores,
            "weights": self.finished.weights,
        }


def best_run(
    studies: Sequence[Study],
    stored: Mapping[str, Stored],
    architecture: str | None = None,
    setting: str | None = None,
    replicate: int = 0,
    seed: int | None = None,
) -> Best:
    """Find a frozen configuration's run: the given seed's, or the best on validation data.

    An architecture or setting of which there is but one need not be named.

    Raises:
        UnknownNameError: no such architecture or setting.
        InputError: one is not named where there are several, the study has not frozen a choice,
            or no such run succeeded.
    """
    architectures = tuple(dict.fromkeys(study.architecture for study in studies))
    settings = tuple(dict.fromkeys(study.setting for study in studies))
    asked = {"architecture": (architecture, architectures), "setting": (setting, settings)}
    missing = [
        f"--{kind}, one of {', '.join(f'`{one}`' for one in known)}"
        for kind, (name, known) in asked.items()
        if name is None and len(known) > 1
    ]
    if missing:
        raise InputError(f"say which: {'; and '.join(missing)}")
    for kind, (name, known) in asked.items():
        if name not in (None, *known):
            raise UnknownNameError(kind, str(name), known)
    architecture, setting = architecture or architectures[0], setting or settings[0]
    wanted = (architecture, setting, replicate)
    found = [s for s in studies if (s.architecture, s.setting, s.replicate) == wanted]
    if not found:
        raise InputError(f"{architecture} on {setting} has no replicate {replicate}")
    finished = {key: one.finished for key, one in stored.items()}
    runs = [
        Best(found[0], ask.member, finished[ask.member.key])
        for ask in Progression(found[0]).asks(finished)
        if ask.phase == "evaluation"
        and not ask.skipped
        and seed in (None, ask.seed_index)
        and ask.member.key in finished
        and finished[ask.member.key].status == "ok"
    ]
    if not runs:
        which = "no run" if seed is None else f"no run with seed {seed}"
        raise InputError(f"{architecture} on {setting}: {which} has succeeded")
    sign = 1 if found[0].direction == "max" else -1
    return max(runs, key=lambda run: sign * (run.finished.valid_score or 0.0))
