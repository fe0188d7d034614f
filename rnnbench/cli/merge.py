"""`rnnbench merge`: results folders of one suite, from several machines, to one."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnnbench.cli.kept import tell

if TYPE_CHECKING:
    from rnnbench.merging import Clash, Joined, Part

MOST_VALUES = 3
"""Differing values of one member that are printed."""


def command(
    folders: Annotated[
        list[Path], typer.Argument(help="Results folders of one suite.", show_default=False)
    ],
    results: Annotated[
        Path,
        typer.Option(
            help="The folder that receives <suite>/. What that holds already takes part.",
            show_default=False,
        ),
    ],
    prefer: Annotated[
        Path | None,
        typer.Option(help="The folder whose members count where two differ. [default: stop]"),
    ] = None,
) -> None:
    """Join results folders of one suite that were made on several machines.

    None of them is changed but <results>/<suite>. Members that two folders have must agree.
    """
    from rnnbench.cli.console import say
    from rnnbench.cli.summary import print_summary
    from rnnbench.errors import InputError
    from rnnbench.findings.wording import counted
    from rnnbench.folder import STUDIES, read_results
    from rnnbench.merging import join, read_part
    from rnnbench.report import write_report
    from rnnbench.results import write_tables
    from rnnbench.suite.values import slug

    parts = [read_part(folder) for folder in dict.fromkeys(folders)]
    try:
        target = results / slug(str(parts[0].manifest["suite"]))
    except ValueError:
        raise InputError(f"{folders[0]}: its suite's name is not that of a folder") from None
    there = next((part for part in parts if _same(target, part.folder)), None)
    if there is None and (target / STUDIES).exists():
        there = read_part(target)
        parts.append(there)
    chosen = None
    if prefer is not None:
        chosen = next((part.folder for part in parts if _same(part.folder, prefer)), None)
        if chosen is None:
            raise InputError(f"--prefer {prefer}: that is none of the folders to join")
    joined = join(parts, shlex.join(["rnnbench", *sys.argv[1:]]), chosen)
    for part in parts:
        say(f"read    {part.folder}: {counted(len(part.stored), 'member')}")
    for note in joined.notes:
        say(f"note    {note}")
    if joined.clashes:
        for clash in joined.clashes:
            say(_line(clash), err=True)
        raise InputError(
            f"{counted(len(joined.clashes), 'member')} with numbers that differ by more than "
            "rounding, listed above; nothing was written. Say --prefer FOLDER to let one folder's "
            "count"
        )
    lost = _write(joined, target, there)
    if lost:
        say(f"note    the weights of {counted(lost, 'run')} are lost")
    say(f"merged  {target}: {counted(len(joined.kept), 'member')}")
    made = read_results(target)
    write_tables(made, target)
    report = write_report(made, target)
    print_summary(report.summary)
    typer.echo()
    say(f"report  {report.path}")


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _line(clash: Clash) -> str:
    found = [
        f"{one.place} is {one.one} in {clash.one} and {one.other} in {clash.other}"
        for one in clash.differences[:MOST_VALUES]
    ]
    left = len(clash.differences) - len(found)
    return f"{clash.name}: {'; '.join(found)}" + (f"; and {left} more values" if left else "")


def _write(joined: Joined, target: Path, before: Part | None) -> int:
    """Keep what was joined; return how many runs have lost their weights.

    before  what the target held when it was read; None: nothing

    Raises:
        InputError: it holds something else now.
    """
    from rnnbench.errors import InputError
    from rnnbench.files import own_file, write_atomically
    from rnnbench.findings.wording import counted
    from rnnbench.folder import STUDIES, read_artifact, write_manifest, write_studies
    from rnnbench.merging import read_part
    from rnnbench.store import Store

    texts = [own_file(joined.latest.folder, name) for name in ("suite.yaml", "suite.resolved.json")]
    contents = {path.name: path.read_bytes() for path in texts if path.is_file()}
    lost = 0
    with Store(target) as store:
        for line in store.mended:
            tell(line)
        there = store.read()
        if before is None and there:
            raise InputError(
                f"{target} holds {counted(len(there), 'member')} but no {STUDIES}, and nothing was "
                "merged: run its suite there, or choose another --results"
            )
        if before is not None and read_part(before.folder) != before:
            raise InputError(f"{target} changed while it was read; merge again")
        for key, (part, stored) in joined.kept.items():
            name = stored.finished.weights
            if name is not None and not (store.artifacts / name).is_file():
                weights = read_artifact(part.folder, name)
                lost += weights is None
                if weights is not None:
                    write_atomically(store.artifacts / name, weights)
            if there.get(key) != stored:
                store.commit(part.members[key], stored.finished, stored.made_by, None)
        for name, content in contents.items():
            write_atomically(store.folder / name, content)
        write_studies(store.folder, joined.studies)
        write_manifest(store.folder, joined.manifest)
    return lost
