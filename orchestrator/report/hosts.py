# SPDX-License-Identifier: Apache-2.0
"""The tables of the hosts: what each did, what it is, and what exactly it ran."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.model.samples import HostRecord
from orchestrator.report.facts import binaries, provenance_rows, shown_facts, why_missing
from orchestrator.report.view import Report, Table


def host_table(report: Report) -> Table:
    """A column a host: what it did, and what it is. Of very many hosts a row each."""
    hosts = report.estimates.hosts
    rows: list[tuple[str, ...]] = [
        ("machine", *(host.machine for host in hosts)),
        ("blocks", *(str(sum(host.blocks.values())) for host in hosts)),
        ("trials, ok / failed", *(_trials(report, host) for host in hosts)),
        *_unsupported(report, hosts),
        (
            "left behind",
            *(str(sum(t.leaks for t in report.estimates.trials if t.host == host.host)) for host in hosts),
        ),
        ("journal", *(host.ended or "open" for host in hosts)),
    ]
    built = [host.provenance for host in report.spec.hosts]
    rows += [(label, *values) for label, values in shown_facts(hosts, built)]
    table = [("what", *(host.host for host in hosts)), *rows]
    if report.crowded:
        table = list(zip(*table, strict=True))
    head, *lines = table
    words = frozenset(range(1, len(head)))
    return Table("Hosts.", tuple(head), tuple(lines), words=words, notes=tuple(why_missing(hosts)))


def provenance_table(report: Report) -> Table | None:
    """Every component, configuration file and adapter of each host by its hash; None where no host has told any."""
    rows = tuple(provenance_rows(report.spec.hosts))
    head = ("host", "kind", "name", "version, source", "artifact key, or sha256")
    return Table("What each host ran.", head, rows, headers=3, words=frozenset((3, 4))) if rows else None


def binaries_table(report: Report) -> Table | None:
    """What exactly was run; None where no fingerprint says it."""
    rows = tuple(binaries(report.estimates.hosts))
    head = ("host", "binary", "version", "sha256")
    return Table("Runtimes' binaries.", head, rows, headers=2, words=frozenset((2, 3))) if rows else None


def _trials(report: Report, host: HostRecord) -> str:
    counts = [t for t in report.estimates.trials if t.host == host.host]
    return f"{sum(t.ok for t in counts)} / {sum(t.failed for t in counts)}"


def _unsupported(report: Report, hosts: Sequence[HostRecord]) -> list[tuple[str, ...]]:
    """What cannot be done there is no failure: a row of its own, where there is any."""
    trials = report.estimates.trials
    counts = [sum(t.unsupported for t in trials if t.host == host.host) for host in hosts]
    return [("not supported", *map(str, counts))] if any(counts) else []
