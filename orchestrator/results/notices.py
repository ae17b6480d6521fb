# SPDX-License-Identifier: Apache-2.0
"""Warnings as data: what was seen, on which host, and what to do about it. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.model.estimates import Contaminant, Contamination, Notice
from orchestrator.model.run import RunSpec
from orchestrator.model.samples import HostRecord, TrialCount
from orchestrator.results.facts import changed, differing, flat
from orchestrator.results.provenance import provenance
from orchestrator.results.unsupported import unsupported

MOST_STEAL, MOST_LOAD = 0.01, 0.2
STEADY_CLOCKS = ("tsc", "kvm-clock")
QUIETER = "Run again when the machine is quieter, or trust the paired ratios more than the medians."


MOST_NAMED = 6


def notices(
    spec: RunSpec,
    hosts: Sequence[HostRecord],
    trials: Sequence[TrialCount],
    contamination: Contamination | None = None,
) -> tuple[Notice, ...]:
    """What a reader must know before believing the numbers: the run's notices first, then each host's."""
    found = [*_shared(spec), *_other_builds(hosts), *_unlike(hosts), *unsupported(trials)]
    for host in hosts:
        found += [
            *_journal(host),
            *_lacks(spec, host),
            *_noted(host),
            *_changed(host),
            *_settings(host),
            *_adapters(host),
        ]
        found += _noise(host)
        found += _flagged(host, contamination) if contamination else ()
        found += _trials([count for count in trials if count.host == host.host])
    return tuple(found)


def _flagged(host: HostRecord, contamination: Contamination) -> Iterator[Notice]:
    """How many counted blocks are flagged, for what, and whether it matters."""
    flagged = [one for one in contamination.flagged if one.host == host.host and not one.warmup]
    if not flagged:
        return
    kinds = {kind: sum(kind in {r.kind for r in one.reasons} for one in flagged) for kind in Contaminant}
    told = ", ".join(f"{kind} in {count}" for kind, count in kinds.items() if count)
    blocks = f"{len(flagged)} block{'s are' if len(flagged) != 1 else ' is'}"
    changes = sum(change.host == host.host for change in contamination.changes)
    verdicts = f"{changes} finding{'s' if changes != 1 else ''} would be another"
    matters = (
        f"Without them {verdicts}: the table of contaminated blocks has both; run again for blocks that are clean."
        if changes
        else "Claims rest on all blocks, and without these no finding would be another: nothing needs to be done."
    )
    yield Notice(host.host, f"{blocks} flagged as contaminated: {told}.", matters)


def _shared(spec: RunSpec) -> Iterator[Notice]:
    if spec.simulated:
        yield Notice(
            None,
            "The machines are declared, not real: hosts of this local lab stand on one machine, and took turns.",
            "What is said across machines is a simulation. Use hosts on machines of their own for a claim.",
        )
    machines: dict[str, list[str]] = {}
    for host in spec.hosts:
        machines.setdefault(host.machine, []).append(host.name)
    for machine, names in machines.items():
        if len(names) > 1:
            yield Notice(
                None,
                f"{' and '.join((', '.join(names[:-1]), names[-1]))} share the machine {machine} and took turns.",
                "They count as one machine. Add hosts on machines of their own for more than that.",
            )


def _other_builds(hosts: Sequence[HostRecord]) -> Iterator[Notice]:
    """A component that is another one on some host: the most that can be unlike, so it has a sentence of its own."""
    built = {host.host: provenance(host.facts)["components"] for host in hosts if host.facts}
    for name in sorted({name for components in built.values() for name in components}):
        found = {host: components.get(name) for host, components in built.items()}
        if len({json.dumps(about, sort_keys=True) for about in found.values()}) > 1:
            told = ", ".join(f"{_build(about)} on {host}" for host, about in found.items())
            yield Notice(
                None,
                f"The hosts do not run the same {name}: {told}.",
                "Compare combinations within a host, or provision all of them again.",
            )


def _build(about: Mapping[str, Any] | None) -> str:
    return "none" if about is None else f"{about['version']} ({about['source']}, {str(about['key'])[:8]})"


def _adapters(host: HostRecord) -> Iterator[Notice]:
    """Programs that stand in for real ones because the host lacks something; they cost a little of every trial."""
    names = sorted(provenance(host.facts).get("adapters", {}))
    if names:
        yield Notice(
            host.host,
            f"Adapters are in place: {', '.join(names)}.",
            "Each is a shell script that starts the real program, a few milliseconds a pod; `labctl doctor` says why it is there.",
        )


def _unlike(hosts: Sequence[HostRecord]) -> Iterator[Notice]:
    seen = [(host.host, flat(host.facts)) for host in hosts if host.facts]
    names = [
        name
        for name in differing([facts for _, facts in seen], hosts=True)
        if not name.startswith("components.")  # they have a sentence of their own
    ]
    if names:
        shown = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
        yield Notice(
            None,
            f"The hosts are not alike: {shown}.",
            "Compare combinations within a host; the host table shows what differs.",
        )


def _journal(host: HostRecord) -> Iterator[Notice]:
    restarts = host.starts - host.runs
    if restarts > 0:
        again = "once" if restarts == 1 else f"{restarts} times"
        yield Notice(
            host.host, f"The agent was started again {again} during the run.", "Look at the order over time."
        )
    for reason, times in host.redone.items():
        yield Notice(
            host.host,
            f"{times} attempt{'s were' if times != 1 else ' was'} torn and redone. {reason}",
            "The torn ones are in no number; trials.parquet has the attempt of each trial.",
        )
    if host.ended == "cancelled":
        yield Notice(
            host.host,
            "The run was cancelled before all blocks were done.",
            "Run the suite again for all of them.",
        )


def _lacks(spec: RunSpec, host: HostRecord) -> Iterator[Notice]:
    """A host that was lost before its end: the others' numbers stand, and its own are of fewer blocks."""
    if host.ended is not None or not host.starts:
        return
    yield Notice(
        host.host,
        "One of its runs has not ended here."
        if spec.runs
        else f"The run has not ended here: it has {_reached(spec, host)}.",
        "`labctl attach` goes on with a run that is under way, and `labctl fetch` pulls what the host has.",
    )


def _reached(spec: RunSpec, host: HostRecord) -> str:
    """How many blocks it has of what was asked; with a precision target nobody asked for a number, but for at most one."""
    lacking = []
    for plan in spec.benchmarks:
        done, asked = host.blocks.get(plan.name, 0), plan.warmup + plan.blocks
        if done < asked:
            most = "" if plan.precision is None else "at most "
            lacking.append(f"{done} of {most}{asked} blocks of {plan.name}")
    return ", ".join(lacking) or "all blocks, and no end"


def _noted(host: HostRecord) -> Iterator[Notice]:
    for note in host.notes:
        if note.level == "warning":
            yield Notice(host.host, note.message, note.hint or "See the journal around this note.")


def _changed(host: HostRecord) -> Iterator[Notice]:
    """By name, with both values where they are short."""
    before, after = flat(host.facts), flat(host.facts_after)
    if not before or not after:
        return
    names = changed(before, after)
    if names:
        shown = "; ".join(_change(name, before, after) for name in names[:MOST_NAMED])
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        when = (
            "during the run" if host.runs == 1 else f"between the first and the last of its {host.runs} runs"
        )
        yield Notice(
            host.host,
            f"The host changed {when}: {shown}{more}.",
            "Find out what changed it (an upgrade, a governor, a restart), and run again.",
        )


def _change(name: str, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    was, has = before.get(name, "not there"), after.get(name, "not there")
    return f"{name} ({was}, then {has})" if len(was) + len(has) <= 60 else name


def _settings(host: HostRecord) -> Iterator[Notice]:
    """Settings that make times unsteady (STATISTICS.md, "Warn on")."""
    facts = flat(host.facts)
    governor, clock = facts.get("cpu.governor"), facts.get("kernel.clocksource")
    if governor not in (None, "None", "performance"):
        yield Notice(
            host.host, f"The CPU governor is {governor}.", "Set it to `performance` for steadier times."
        )
    if clock not in (None, "None", *STEADY_CLOCKS):
        steady = " or ".join(STEADY_CLOCKS)
        yield Notice(
            host.host,
            f"The clock source is {clock}.",
            f"Reading it costs time; {steady} is cheap and steady.",
        )


def _noise(host: HostRecord) -> Iterator[Notice]:
    """What the counters of the blocks say."""
    steal, cpu = host.noise.get("steal_s"), host.noise.get("cpu_s")
    if steal and cpu and steal / cpu > MOST_STEAL:
        share = 100 * steal / cpu
        yield Notice(
            host.host, f"{share:.1f} % of the CPU time was stolen by other guests of the machine.", QUIETER
        )
    if host.noise.get("throttled"):
        yield Notice(
            host.host,
            f"The CPUs were throttled {host.noise['throttled']:.0f} times.",
            "Look after cooling and power.",
        )
    cpus = flat(host.facts).get("cpu.count", "")
    if host.load_before is not None and cpus.isdigit() and host.load_before > MOST_LOAD * int(cpus):
        busy = f"The load was {host.load_before:.2g} on {cpus} CPUs before the first block."
        yield Notice(host.host, busy, QUIETER)


def _trials(counts: Sequence[TrialCount]) -> Iterator[Notice]:
    for count in counts:
        of = f"{count.combination} in {count.benchmark}"
        if count.failed:
            reason = next(iter(count.reasons), "no reason was recorded").rstrip(".")
            yield Notice(
                count.host,
                f"{count.failed} of {count.ok + count.failed} trials of {of} did not succeed: {reason}.",
                "The blocks that lack them are left out of the ratios; trials.parquet has each reason.",
            )
        if count.leaks:
            yield Notice(
                count.host,
                f"{count.leaks} thing{'s' if count.leaks != 1 else ''} left behind by {of}.",
                "trials.parquet names them; remove them before the next run, they may weigh on it.",
            )
