# SPDX-License-Identifier: Apache-2.0
"""What a combination cannot do there is no failure: it is grouped by its reason, over benchmarks, combinations and hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.model.estimates import Notice
from orchestrator.model.samples import TrialCount
from orchestrator.stats.sentences import listed

UNTOLD = "no reason was recorded"
MOST_NAMED = 6
TrialKey = tuple[str, str, str]
"""Host, benchmark, combination."""


def unsupported(trials: Sequence[TrialCount]) -> Iterator[Notice]:
    """One a reason: of how many trials, of what, and where."""
    grouped: dict[str, dict[TrialKey, int]] = {}
    for count in trials:
        for reason, number in _reasons(count).items():
            found = grouped.setdefault(reason.rstrip("."), {})
            where = (count.host, count.benchmark, count.combination)
            found[where] = found.get(where, 0) + number
    everywhere = {count.host for count in trials}
    for reason, found in grouped.items():
        yield _notice(reason, found, everywhere)


def _reasons(count: TrialCount) -> dict[str, int]:
    """Those without a reason too: none is lost, and none is counted twice."""
    untold = count.unsupported - sum(count.lacks.values())
    return {**count.lacks, UNTOLD: untold} if untold > 0 else dict(count.lacks)


def _notice(reason: str, found: dict[TrialKey, int], everywhere: set[str]) -> Notice:
    hosts = list(dict.fromkeys(host for host, _, _ in found))
    combinations: dict[str, dict[str, None]] = {}
    for _, benchmark, combination in found:
        combinations.setdefault(benchmark, {})[combination] = None
    told = [f"{listed(list(names))} in {benchmark}" for benchmark, names in combinations.items()]
    more = f"; and in {len(told) - MOST_NAMED} more benchmarks" if len(told) > MOST_NAMED else ""
    number = sum(found.values())
    trials = f"{number} trial{'s are' if number != 1 else ' is'}"
    return Notice(
        hosts[0] if len(hosts) == 1 else None,
        f"{trials} not supported ({'; '.join(told[:MOST_NAMED])}{more}{_on(hosts, everywhere)}): {reason}.",
        "They are no failures and no numbers: what cannot be done there is not compared.",
    )


def _on(hosts: Sequence[str], everywhere: set[str]) -> str:
    """Of one host the notice says it itself."""
    if len(hosts) == 1:
        return ""
    if set(hosts) == everywhere:
        return f"; on all {len(hosts)} hosts"
    named = listed(list(hosts)) if len(hosts) <= MOST_NAMED else f"{len(hosts)} hosts"
    return f"; on {named}"
