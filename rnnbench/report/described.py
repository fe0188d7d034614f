"""A manifest in words: the settings, the architectures, the search, and where it all ran."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rnnbench.findings.floors import threshold
from rnnbench.findings.standings import perfect
from rnnbench.findings.tuning import amount, tuned
from rnnbench.findings.wording import GAP, counted, number, space

SPOKEN = ("one-to-many", "sequence-to-sequence")
"""The patterns of tasks whose answers a decoder says."""


def moment(iso: str) -> str:
    """Write `2026-11-20T14:02:00Z` as `2026-11-20 14:02 UTC`."""
    return f"{iso[:10]} {iso[11:16]} UTC" if len(iso) >= 16 else "not finished"


def setting(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    """Describe a setting: what it asks, how it is scored, and what is known beforehand.

    Options are those that the suite states.
    """
    path = entry["path"]
    return {
        "name": name,
        "task": str(entry["task"]),
        "options": ", ".join(
            f"{option}={str(value).lower() if isinstance(value, bool) else value}"
            for option, value in entry.get("stated", entry["options"]).items()
        ),
        "summary": str(entry["summary"]),
        "metric": f"{entry['metric'].replace('_', ' ')}, "
        + ("higher is better" if entry["direction"] == "max" else "lower is better"),
        "measure": f"{entry['metric'].replace('_', ' ')} "
        + ("↑" if entry["direction"] == "max" else "↓"),
        "length": f"{entry['sequence_length']:,}",
        "path": " / ".join(f"{round(path[way], 1):g}" for way in ("forward", "bidirectional")),
        "pattern": str(entry["pattern"]) + (", causal" if entry["causal"] else ""),
        "chance": number(float(entry["chance"])),
        "trivial": number(float(entry["trivial"])) + (" (perfect)" if perfect(entry) else ""),
        "oracle": GAP if entry["oracle"] is None else number(float(entry["oracle"])),
        "notes": "; ".join((*entry.get("notes", ()), *entry.get("leaks", ()))),
        "solved": _solved(entry),
    }


def _solved(entry: Mapping[str, Any]) -> str:
    """Write the threshold, and whose score it is where it is a naive predictor's."""
    text = ("≥ " if entry["direction"] == "max" else "≤ ") + number(float(entry["solved"]))
    naive = threshold(entry)
    return f"{text} ({naive})" if naive else text


def provenance(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say where the results come from: command, code, versions, machine."""
    git, machines = manifest["git"], manifest.get("machines", [manifest["hardware"]])
    code = f"rnnbench {manifest['versions']['rnnbench']} from a package"
    if git is not None:
        code = str(git["commit"]) + (" with uncommitted changes" if git["dirty"] else ", clean")
    versions = ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
    members = manifest["members"]
    return [
        ("command", str(manifest["command"])),
        ("run", f"{manifest['run_id']}, {manifest['started_at']} to {manifest['finished_at']}"),
        (
            "trials and runs",
            f"{members['asked']:,} asked for, {members['present']:,} present, "
            f"{members['failed']:,} failed",
        ),
        ("code", code),
        ("versions", versions),
        ("compiler of kernels", str(manifest.get("compiler") or "none")),
        *(("machine", _machine(hardware)) for hardware in machines),
        ("workers", f"{manifest['workers']}"),
        ("flags", ", ".join(f"{name}={value}" for name, value in manifest["flags"].items())),
    ]


def _machine(hardware: Mapping[str, Any]) -> str:
    size = hardware["memory_bytes"]
    memory = f"{size / 2**30:.1f} GiB" if size else "unknown memory"
    gpus = ", ".join(map(str, hardware["gpus"])) or "no GPU"
    return (
        f"{hardware['cpu']}, {counted(hardware['cores'], 'core')}, {memory}, {gpus}, "
        f"{hardware['system']}"
    )


def card(architecture: Mapping[str, Any], searched: Collection[str]) -> list[tuple[str, str]]:
    """Say what an architecture is made of; `searched` names what the search chose."""
    each = {
        name: "searched" if name in searched else value
        for name, value in architecture["options"].items()
    }
    options = ", ".join(f"{name}={value}" for name, value in each.items())
    stack = {
        "layers": counted(architecture["layers"], "layer"),
        "bidirectional": "both directions" if architecture["bidirectional"] else "one direction",
        "dropout": f"dropout {architecture['dropout']:g}",
    }
    looks = {
        "attention": ("none", "attention {}"),
        "conditioning": ("state", "the picture at every {}"),
        "fusion": ("concatenation", "question and picture put together by {}"),
        "without": ("none", "without the {}"),
    }
    for name, (usual, text) in looks.items():
        value = architecture.get(name, usual)
        if value != usual or name in searched:
            stack[name] = text.format(value)
    shown = [f"{name} searched" if name in searched else text for name, text in stack.items()]
    return [
        (
            str(architecture.get("kind", "cell")),
            f"{architecture['cell']}, version {architecture['version']}",
        ),
        ("options", options or "defaults"),
        ("stack", ", ".join(shown)),
        ("reference", str(architecture["reference"]) or GAP),
        *((str(term), str(text)) for term, text in architecture["card"].items()),
    ]


def search(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Say how configurations were searched and trained."""
    budget = manifest["budget"]
    updates = budget["updates"]
    spoken = any(entry["pattern"] in SPOKEN for entry in manifest["settings"].values())
    each = updates.items() if isinstance(updates, dict) else ()
    training = ", ".join(f"{task} {count:,}" for task, count in each) or f"{updates:,}"
    return [
        ("budget", f"{budget['name']}: {training} updates, {counted(budget['seeds'], 'seed')}"),
        *_searched(manifest),
        *(
            (f"training: {name}", str(value))
            for name, value in manifest["training"].items()
            if spoken or not name.startswith("teacher_")
        ),
        *([("decoding", _decoding(manifest))] if spoken else []),
    ]


def _decoding(manifest: Mapping[str, Any]) -> str:
    beam = manifest.get("evaluation", {}).get("beam", 1)
    if beam == 1:
        return "the likeliest symbol at each step"
    return (
        f"what runs say in the end is looked for with a beam of {beam}; in trials, curves and "
        "samples it is the likeliest symbol at each step"
    )


def _pruned(found: Mapping[str, Any]) -> str:
    pruner = found.get("pruner")
    if not pruner:
        return ""
    return f", {pruner['kind'].replace('_', ' ')} by a factor of {pruner['factor']}"


def _searched(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    found, budget = manifest["search"], manifest["budget"]
    if not tuned(manifest):
        return [("search", "no search: the suite fixes the hyperparameters")]
    return [
        (
            "search",
            f"{found['sampler']}, {amount(manifest)} in generations of "
            f"{found['generation']}{_pruned(found)}, the best {budget['confirm']} confirmed; "
            f"{counted(found['replicates'], 'search', 'searches')} each",
        ),
        *((f"space: {name}", space(entry)) for name, entry in found["space"].items()),
        *(
            (f"space of {architecture}: {name}", space(entry))
            for architecture, own in found["own"].items()
            for name, entry in own.items()
        ),
    ]
