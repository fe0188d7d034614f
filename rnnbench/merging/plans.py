"""What several folders of one suite asked for, as one: their studies and manifests."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import combinations
from typing import Any

from rnnbench.errors import InputError
from rnnbench.merging.differences import differences
from rnnbench.merging.part import Part
from rnnbench.study import Study

ALIKE = (
    "suite",
    "reference",
    "contrasts",
    "architectures",
    "settings",
    "match",
    "training",
    "metrics",
    "search",
    "evaluation",
)
"""The parts of a suite that decide what is compared with what."""

NAMED = (
    "summary",
    "reference",
    "equations",
    "card",
    "notes",
    "leaks",
    "bounds",
    "options",
    "stated",
)
"""What a manifest says of architectures and settings in words, and where data files lie."""

OF_ONE = "of one of the folders: "
"""How a warning begins that was not given to all."""

PROVENANCE = ("command", "run_id", "started_at", "finished_at", "git", "versions", "hardware")
"""What a manifest says of one folder alone."""


def joined_studies(parts: Sequence[Part]) -> tuple[Study, ...]:
    """Return the studies of all parts, each once, in the order of the suite.

    Raises:
        InputError: the parts are not of one suite and budget; says where they differ.
    """
    for one, other in combinations(parts, 2):
        _agree(one, other, {name: (one.suite.get(name), other.suite.get(name)) for name in ALIKE})
        _agree(one, other, {"budget": (_budget(one), _budget(other))})
        for kind in ("architectures", "settings"):
            mine, theirs = one.manifest[kind], other.manifest[kind]
            for label in mine.keys() & theirs.keys():
                pair = (_facts(mine[label]), _facts(theirs[label]))
                _agree(one, other, {f"{kind}.{label}": pair})
        places = {_place(study): study for study in other.studies}
        for study in one.studies:
            same = places.get(_place(study))
            if same is not None:
                pair = (asdict(_essence(study)), asdict(_essence(same)))
                _agree(one, other, {f"{study.architecture} on {study.setting}": pair})
    seeds = max(part.manifest["budget"]["seeds"] for part in parts)
    found = {_place(study): study for part in parts for study in part.studies}
    settings, architectures = _order(parts, "settings"), _order(parts, "architectures")
    return tuple(
        replace(study, budget=replace(study.budget, seeds=seeds))
        for study in sorted(
            found.values(),
            key=lambda study: (
                settings.index(study.setting),
                architectures.index(study.architecture),
                study.replicate,
            ),
        )
    )


def joined_manifest(parts: Sequence[Part], command: str) -> dict[str, Any]:
    """Describe what the parts are together; what they do not share is as the last one says.

    `parts` in it says of each where, when and by which code it was trained.
    """
    manifests = [part.manifest for part in parts]
    last = manifests[-1]
    origins = _each(origin for one in manifests for origin in one.get("parts", [_origin(one)]))
    origins.sort(key=lambda origin: (str(origin["started_at"]), _text(origin)))
    names = {kind: _order(parts, kind) for kind in ("architectures", "settings")}
    described = {
        kind: {name: _last(manifest[kind].get(name) for manifest in manifests) for name in order}
        for kind, order in names.items()
    }
    reference = str(parts[-1].suite["reference"])
    if reference not in names["architectures"]:
        reference = names["architectures"][0]
    search = {
        **last["search"],
        "own": _united([manifest["search"]["own"] for manifest in manifests]),
        "trials": _nested([manifest["search"]["trials"] for manifest in manifests]),
    }
    seeds = max(manifest["budget"]["seeds"] for manifest in manifests)
    runs = sorted({str(origin["run_id"]) for origin in origins})
    return {
        **last,
        **described,
        "run_id": hashlib.sha256(" ".join(runs).encode()).hexdigest()[:8],
        "budget": {**last["budget"], "seeds": seeds},
        "reference": reference,
        "primary_contrasts": _contrasts(parts, names["architectures"], reference),
        "sizes": _nested([manifest["sizes"] for manifest in manifests]),
        "search": search,
        "plugins": sorted(_each(p for m in manifests for p in m["plugins"]), key=_text),
        "warnings": _each(_warnings(manifests)),
        "parts": origins,
        "started_at": origins[0]["started_at"],
        "finished_at": max(str(origin["finished_at"] or "") for origin in origins) or None,
        "command": command,
    }


def _agree(one: Part, other: Part, pairs: Mapping[str, tuple[object, object]]) -> None:
    for name, (mine, theirs) in pairs.items():
        for found in differences(mine, theirs, name):
            raise InputError(
                f"{one.folder} and {other.folder} do not fit together: {found.place} is "
                f"{found.one} in the first and {found.other} in the second; run both with one "
                "suite and budget"
            )


def _budget(part: Part) -> dict[str, Any]:
    """Return what studies may spend; more seeds of the same choice fit those that are there."""
    budget = part.manifest["budget"]
    return {name: budget[name] for name in budget if name != "seeds"} | {
        "match": part.manifest["match"]
    }


def _facts(described: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in described.items() if name not in NAMED}


def _essence(study: Study) -> Study:
    """Return a study without seeds, places of files, the code and what is said of that."""
    setting = study.template.setting
    content = replace(setting, options=setting.content, files={})
    return replace(
        study,
        template=replace(study.template, setting=content),
        budget=replace(study.budget, seeds=0),
        backend_reason="",
        way_reason="",
        compiler="",
        cell_source="",
        task_source="",
        metric_sources={},
        member_bytes=0,
        variants=tuple(map(_essence, study.variants)),
    )


def _place(study: Study) -> tuple[str, str, int]:
    return study.architecture, study.setting, study.replicate


def _order(parts: Sequence[Part], kind: str) -> list[str]:
    """Return the names of architectures or settings as the suite orders them, companions last."""
    names = list(dict.fromkeys(name for part in parts for name in part.manifest[kind]))
    suite = parts[-1].suite
    if kind == "architectures":
        known = list(suite["architectures"])
        return sorted(names, key=lambda name: known.index(name) if name in known else len(known))
    entries = suite["budget"][parts[-1].manifest["budget"]["name"]]["settings"]
    described = {name: one for part in parts for name, one in part.manifest["settings"].items()}

    def place(name: str) -> int:
        stated = {"task": described[name]["task"], **described[name]["stated"]}
        found = [number for number, one in enumerate(entries) if stated.items() <= one.items()]
        return found[0] if found else len(entries)

    return sorted(names, key=place)


def _contrasts(parts: Sequence[Part], there: Sequence[str], reference: str) -> list[list[str]]:
    """Return the suite's contrasts between those that are there, as a run of all would."""
    suite = parts[-1].suite
    kept = [list(pair) for pair in suite.get("contrasts", ()) if set(pair) <= set(there)]
    beside = [[name, reference] for name in there if name not in suite["architectures"]]
    return kept + beside if kept else [[name, reference] for name in there if name != reference]


def _warnings(manifests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield what all were warned of; what one was may not hold of all."""
    for manifest in manifests:
        for text in manifest["warnings"]:
            shared = all(text in one["warnings"] for one in manifests)
            yield text if shared or text.startswith(OF_ONE) else f"{OF_ONE}{text}"


def _origin(manifest: Mapping[str, Any]) -> dict[str, Any]:
    return {name: manifest[name] for name in PROVENANCE}


def _last(values: Iterable[Any]) -> Any:
    return [value for value in values if value is not None][-1]


def _united(mappings: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    return {name: value for mapping in mappings for name, value in mapping.items()}


def _nested(mappings: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    names = dict.fromkeys(name for mapping in mappings for name in mapping)
    return {name: _united([mapping.get(name, {}) for mapping in mappings]) for name in names}


def _each(values: Iterable[Any]) -> list[Any]:
    return list({_text(value): value for value in values}.values())


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True)
