# SPDX-License-Identifier: Apache-2.0
"""Contaminated blocks: those in which something other than the benchmark was at work, by what the block itself tells. Pure.

A block is flagged, never dropped: every claim rests on all blocks, and beside it stands what would have been said without the
flagged ones. So these rules may be generous; they are fixed beforehand, and none of them looks at a sample. A block is flagged where

steal              the hypervisor gave more than 1 % of the block's CPU time to other guests (STATISTICS.md, "Warn on"). The
                   kernel counts in ticks of 10 ms, so one tick alone says nothing (proc_stat(5)).
throttling         a CPU was throttled for its heat.
foreign CPU time   the CPUs were busy for longer than in the usual block of this benchmark on this host, by more than a fifth of all
                   CPU time of the block (STATISTICS.md: load > 0.2 x CPUs). Every block does the same trials, so what is more
                   than usual is somebody else's. The load average cannot say this: it is damped over a minute, and made of the benchmark's
                   own load.
pressure           for longer than usual, by more than a fifth of the block's time, some task waited for a CPU, for memory or for a
                   disk (PSI, the kernel's accounting/psi.rst). The benchmark makes pressure of its own, so again it is the excess over
                   the usual block that counts.
redone trial       a trial of the block was begun more than once: the agent, a runtime or the host died in it.
interrupted        the agent was started again within the block, or the block never ended: no counter covers it.
clock step         the wall clock was set by more than 0.1 s, or the machine slept. (Trials are timed by the monotonic clock, which does
                   not step; but timers fire, and who sets a clock does more than that.)

"Usual" is the median over the benchmark's blocks on the host in one run, of six at least, warm-up left out (it is unusual by nature, and
counts nowhere); and where blocks are unlike by
nature, the excess must also be beyond three times their scatter (1.4826 MAD: the Hampel identifier; L. Davies, U. Gather: The
identification of multiple outliers. J. Am. Stat. Assoc. 88 (1993) 782-792). What a host does not count, or a shorter journal does
not tell, flags nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator.model.estimates import Contaminant, FlaggedBlock, Reason
from orchestrator.model.samples import BlockRecord, HostRecord
from orchestrator.results.facts import flat
from orchestrator.results.touchstone import IMPORTED

MOST_STEAL, TICK_S = 0.01, 0.01
MOST_FOREIGN = 0.2
MOST_STEP_S = 0.1
FEWEST_PEERS, SCATTER = 6, 3 * 1.4826
PRESSURES = {
    Contaminant.CPU_PRESSURE: ("psi_cpu_some_s", "a CPU"),
    Contaminant.MEMORY_PRESSURE: ("psi_memory_some_s", "memory"),
    Contaminant.IO_PRESSURE: ("psi_io_some_s", "a disk"),
}

Peers = Mapping[str, tuple[float, float]]
"""Of a share's name: the usual one, and the excess over it that is too much."""


def flagged_blocks(blocks: Sequence[BlockRecord], hosts: Sequence[HostRecord]) -> tuple[FlaggedBlock, ...]:
    """The blocks with a reason against them, in the order of ``blocks``. An imported result tells nothing of its blocks."""
    imported = {host.host for host in hosts if host.ended == IMPORTED}
    blocks = [block for block in blocks if block.host not in imported]
    cpus = {host.host: _cpus(host) for host in hosts}
    peers: dict[tuple[str, str, str], list[dict[str, float]]] = {}
    for block in blocks:
        if not block.warmup:
            shares = _shares(block.noise or {}, cpus.get(block.host))
            peers.setdefault(_kin(block), []).append(shares)
    usual = {kin: _usual(found) for kin, found in peers.items()}
    return tuple(
        FlaggedBlock(block.run, block.host, block.benchmark, block.block, block.number, block.warmup, reasons)
        for block in blocks
        if (reasons := tuple(_reasons(block, cpus.get(block.host), usual.get(_kin(block), {}))))
    )


def _kin(block: BlockRecord) -> tuple[str, str, str]:
    return block.run, block.host, block.benchmark


def _cpus(host: HostRecord) -> int | None:
    count = flat(host.facts).get("cpu.count", "")
    return int(count) if count.isdigit() and int(count) else None


def _number(noise: Mapping[str, Any], counter: str) -> float | None:
    value = noise.get(counter)
    return float(value) if isinstance(value, int | float) else None


def _shares(noise: Mapping[str, Any], cpus: int | None) -> dict[str, float]:
    """Busy CPU time in seconds; each pressure as a share of the block's wall time. What is not told is not there."""
    spent, idle, found = _number(noise, "cpu_s"), _number(noise, "idle_s"), dict[str, float]()
    if not spent:
        return found
    if idle is not None:
        found[Contaminant.FOREIGN_CPU] = spent - idle
    for kind, (counter, _) in PRESSURES.items():
        waited = _number(noise, counter)
        if waited is not None and cpus:
            found[kind] = waited * cpus / spent
    return found


def _usual(peers: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, float]]:
    usual: dict[str, tuple[float, float]] = {}
    for name in sorted({name for one in peers for name in one}):
        known = [one[name] for one in peers if name in one]
        if len(known) >= FEWEST_PEERS:
            median = statistics.median(known)
            scatter = statistics.median(abs(value - median) for value in known)
            usual[name] = (median, SCATTER * scatter)
    return usual


def _reasons(block: BlockRecord, cpus: int | None, usual: Peers) -> Iterator[Reason]:
    if block.redone:
        trials = "a trial was" if block.redone == 1 else f"{block.redone} trials were"
        yield Reason(Contaminant.REDONE, block.redone, 0, f"{trials} begun more than once")
    if block.noise is None or "block" in (block.noise.get("missing") or {}):
        why = "the block did not end" if block.noise is None else "the agent was started again in it"
        yield Reason(Contaminant.INTERRUPTED, 1, 0, why)
        return
    yield from _own(block.noise)
    if not block.warmup:
        yield from _excess(block.noise, cpus, usual)


def _own(noise: Mapping[str, Any]) -> Iterator[Reason]:
    """What the block's counters say by themselves."""
    steal, spent = _number(noise, "steal_s"), _number(noise, "cpu_s")
    if steal and spent and steal > MOST_STEAL * spent and steal >= 2 * TICK_S:
        share = f"{100 * steal / spent:.1f} % of the CPU time was stolen by other guests"
        yield Reason(Contaminant.STEAL, steal / spent, MOST_STEAL, share)
    throttled = _number(noise, "throttled")
    if throttled:
        times = f"the CPUs were throttled {throttled:.0f} time{'s' if throttled != 1 else ''}"
        yield Reason(Contaminant.THROTTLING, throttled, 0, times)
    step = _number(noise, "clock_step_s")
    if step is not None and abs(step) > MOST_STEP_S:
        moved = f"the wall clock moved by {step:+.1f} s against the monotonic one"
        yield Reason(Contaminant.CLOCK, step, MOST_STEP_S, moved)


def _excess(noise: Mapping[str, Any], cpus: int | None, usual: Peers) -> Iterator[Reason]:
    """What is more than in the usual block."""
    shares, spent = _shares(noise, cpus), _number(noise, "cpu_s") or 0.0
    kind = Contaminant.FOREIGN_CPU
    if kind in shares and kind in usual:
        median, scatter = usual[kind]
        more, limit = shares[kind] - median, max(MOST_FOREIGN * spent, scatter)
        if more > limit:
            busy = f"the CPUs were busy for {more:.1f} s more than in the usual block, of {spent:.1f} s"
            yield Reason(kind, more, limit, busy)
    for kind, (_, what) in PRESSURES.items():
        if kind in shares and kind in usual:
            median, scatter = usual[kind]
            more, limit = shares[kind] - median, max(MOST_FOREIGN, scatter)
            if more > limit:
                waited = f"a task waited for {what} in {100 * shares[kind]:.0f} % of the time, usually in {100 * median:.0f} %"
                yield Reason(kind, shares[kind], median + limit, waited)
