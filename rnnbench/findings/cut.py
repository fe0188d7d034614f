"""Whom a time limit cut: wall-clock time stops slow architectures where quick ones train on."""

from __future__ import annotations

from collections import Counter

from rnnbench.findings.wording import counted, listed, percent
from rnnbench.results import Results


def cut(results: Results) -> tuple[bool, str]:
    """Return whether a time limit cut all architectures alike, and what it did in a sentence.

    Alike means the same share of trials and runs on every setting; "" where nobody was cut.
    """
    every: Counter[tuple[str, str]] = Counter()
    ended: Counter[tuple[str, str]] = Counter()
    for table in (results.trials, results.runs):
        if table.empty:
            continue
        there = table[table["status"] != "skipped"]
        pairs = zip(there["architecture"].map(str), there["setting"].map(str), strict=True)
        for pair, status in zip(pairs, there["status"], strict=True):
            every[pair] += 1
            ended[pair] += int(status == "timeout")
    if not ended.total():
        return True, ""
    shares: dict[str, set[float]] = {}
    for (architecture, setting), members in every.items():
        shares.setdefault(setting, set()).add(ended[architecture, setting] / members)
    if all(len(share) == 1 for share in shares.values()):
        share = percent(ended.total() / every.total())
        return True, f"time limits cut all architectures alike: {share} of trials and runs"
    by_name: dict[str, list[int]] = {}
    for (architecture, setting), members in every.items():
        sums = by_name.setdefault(architecture, [0, 0])
        sums[0] += ended[architecture, setting]
        sums[1] += members
    worst = sorted(by_name.items(), key=lambda item: -item[1][0] / item[1][1])
    who = listed([f"{name} {n:,} of {counted(m, 'time')}" for name, (n, m) in worst])
    return False, (
        f"time limits cut {who} (trials and runs): comparisons favour the quick; "
        f"raise budget.{results.manifest['budget']['name']}.time_limit, then --retry timeout"
    )
