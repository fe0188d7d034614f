"""`rnnbench clean`: how large results folders are, and what they could do without."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rnnbench.cleaning import Kind, Spare

NAMED = 5
"""So many things of a kind are named where nothing is removed."""


def command(
    folders: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Results folders: results/<suite>. [default: all below results]",
            show_default=False,
        ),
    ] = None,
    remove: Annotated[
        list[str] | None,
        typer.Option(
            "--remove",
            metavar="KIND",
            help="Remove things of this kind, each named first: temporary, artifacts, checkpoints, "
            "set-aside, rows or kernels. May be given again.",
        ),
    ] = None,
) -> None:
    """Show how large results folders are and what could be removed; remove only what is asked."""
    from rnnbench.caches import KERNELS, cache_folder
    from rnnbench.cleaning import KINDS, old_kernels, spares
    from rnnbench.cleaning import remove as remove_spares
    from rnnbench.cli.console import say
    from rnnbench.cli.kept import in_bytes
    from rnnbench.errors import InputError, UnknownNameError
    from rnnbench.files import size_of
    from rnnbench.lock import held
    from rnnbench.mending import STORE

    for name in remove or ():
        if name not in KINDS:
            raise UnknownNameError("kind", name, KINDS)
    kinds = [kind for kind in KINDS if kind in (remove or ())]
    chosen = folders or sorted(path.parent for path in Path("results").glob(f"*/{STORE}"))
    for folder in chosen:
        if not (folder / STORE).is_file():
            raise InputError(f"{folder} is no results folder: it has no {STORE}")
    for folder in chosen:
        with held(folder) if set(kinds) - {"kernels"} else nullcontext():
            found = spares(folder)
            say(f"{folder}  {in_bytes(size_of(folder))}")
            for note in found.notes:
                say(f"  note: {note}")
            _show(found.found, kinds)
            remove_spares([spare for spare in found.found if spare.kind in kinds])
    cache = cache_folder(KERNELS)
    if cache.is_dir():
        kernels = old_kernels(cache)
        say(f"{cache}  {in_bytes(size_of(cache))}")
        _show(kernels, kinds)
        remove_spares(kernels if "kernels" in kinds else ())


def _show(found: tuple[Spare, ...], removing: list[Kind]) -> None:
    """Name what could be removed by kind: all that is to go, the first few of what stays."""
    from rnnbench.cleaning import KINDS
    from rnnbench.cli.console import say
    from rnnbench.cli.kept import in_bytes

    for kind in KINDS:
        these = [spare for spare in found if spare.kind == kind]
        if not these:
            continue
        word = "removing" if kind in removing else "could go"
        size = in_bytes(sum(spare.size for spare in these))
        say(f"  {word}  {kind}: {len(these)}, {size}")
        shown = these if kind in removing else these[:NAMED]
        for spare in shown:
            name = f"member {spare.key}" if spare.key else str(spare.path)
            say(f"    {name}  {in_bytes(spare.size)}")
        if len(these) > len(shown):
            say(f"    and {len(these) - len(shown)} more")
