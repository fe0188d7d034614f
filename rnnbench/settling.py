"""What stored members still count for: those that failed, and those that other code made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from rnnbench.campaign import Campaign
from rnnbench.errors import StaleError
from rnnbench.member import FAILURES
from rnnbench.protocol import Ask
from rnnbench.store import Store, Stored
from rnnbench.study import Study

Stale = Literal["refuse", "refresh", "accept"]
"""What members made by other code count for."""


def made_by(ask: Ask, versions: Mapping[str, str]) -> dict[str, str]:
    """Name the code that makes a member's numbers: versions and source hashes."""
    study = ask.built
    metrics = {
        f"metric {name}": study.metric_sources[name]
        for name, _ in ask.member.metrics
        if name in study.metric_sources
    }
    return {
        "rnnbench": versions["rnnbench"],
        "torch": versions["torch"],
        "cell": study.cell_source,
        "task": study.task_source,
        **metrics,
        **({"compiler": study.compiler} if study.compiler else {}),
    }


def stale(
    campaign: Campaign, stored: Mapping[str, Stored], versions: Mapping[str, str]
) -> list[tuple[Ask, list[str]]]:
    """Return the stored members that other code made than is installed now, and what differs."""
    result = []
    for ask in campaign.asks:
        kept = stored.get(ask.member.key)
        if kept is None or ask.skipped:
            continue
        now = made_by(ask, versions)
        differs = [name for name in now if kept.made_by.get(name) != now[name]]
        if differs:
            result.append((ask, differs))
    return result


def settle(
    studies: Sequence[Study],
    store: Store,
    versions: Mapping[str, str],
    *,
    retry_failed: bool = False,
    stale_rows: Stale = "refuse",
) -> Campaign:
    """Decide what the stored members still count for, before anything is trained.

    retry_failed   members that failed are trained again
    stale_rows     what members made by other code count for: they are refused, trained again
                   (`refresh`), or count as made by this code (`accept`)

    Raises:
        StaleError: there are members made by other code, and they are to be refused.
    """
    campaign = Campaign(studies, store.read())
    if retry_failed:
        failed = {
            ask.member.key
            for ask in campaign.asks
            if not ask.skipped
            and (one := campaign.finished.get(ask.member.key))
            and one.status in FAILURES
        }
        store.forget(failed)
        campaign = Campaign(studies, store.read())
    # what is settled may let a study ask for more, which may be stale in its turn
    while old := stale(campaign, store.read(), versions):
        settle_stale(old, store, versions, stale_rows)
        campaign = Campaign(studies, store.read())
    return campaign


def settle_stale(
    old: Sequence[tuple[Ask, list[str]]],
    store: Store,
    versions: Mapping[str, str],
    stale_rows: Stale,
) -> None:
    """Refuse, forget or accept members that other code made."""
    match stale_rows:
        case "refresh":
            store.forget({ask.member.key for ask, _ in old})
        case "accept":
            store.accept({ask.member.key: made_by(ask, versions) for ask, _ in old})
        case "refuse":
            raise StaleError(_stale_text(old))


def _stale_text(old: Sequence[tuple[Ask, list[str]]]) -> str:
    changed = sorted({name for _, differs in old for name in differs})
    places = sorted({f"{ask.study.architecture} on {ask.study.setting}" for ask, _ in old})
    shown = "; ".join(places[:5]) + (f"; and {len(places) - 5} more" if len(places) > 5 else "")
    return (
        f"{len(old)} stored members were made by other code: {', '.join(changed)} changed "
        f"({shown}). Say --refresh to train them again, or --accept-stale to keep them"
    )
