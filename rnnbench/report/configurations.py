"""What each search froze, as the rows of a table."""

from __future__ import annotations

from collections.abc import Mapping

from rnnbench.findings.frozen import frozen
from rnnbench.findings.wording import GAP
from rnnbench.results import Results

MOST_FROZEN = 100
"""More frozen configurations than this are left to the tables beside the report."""


def configurations(results: Results) -> list[dict[str, str]]:
    """Write each frozen configuration column by column; all have the same columns."""
    search = results.manifest["search"]
    return [
        {
            "setting": one.setting,
            "architecture": one.architecture,
            **({"search": str(one.replicate)} if search["replicates"] > 1 else {}),
            **{name: _value(one.shared.get(name, GAP)) for name in search["space"]},
            **({"of its own": _listed(one.own)} if search["own"] else {}),
            "hidden": f"{one.hidden:,}",
        }
        for one in frozen(results)
    ]


def _listed(own: Mapping[str, object]) -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in own.items())


def _value(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
