# SPDX-License-Identifier: Apache-2.0
"""Read one pulled journal strictly: what is of another version, torn in the middle or there twice is refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.model.errors import ResultError
from orchestrator.model.run import RunHost
from orchestrator.model.samples import HostRecord, Note
from remote_agent.contract.journal import SCHEMA, Trial

TRIAL_FIELDS = frozenset(Trial.__slots__)
STATUSES = ("ok", "failed", "unsupported")


@dataclass(frozen=True, slots=True)
class Journal:
    """One host's journal: ``complete`` are the bytes of its whole lines; ``torn`` says that an unfinished one was left out."""

    path: Path
    host: str
    complete: bytes
    torn: bool
    record: HostRecord


def read_journal(path: Path, host: RunHost) -> Journal:
    """Read and check. Raises ResultError, which names file and line."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ResultError(
            f"{path}: {error.strerror}.", f"`labctl fetch` pulls it again from {host.name}."
        ) from error
    complete, newline, rest = content.rpartition(b"\n")
    records = list(_records(path, complete)) if newline else []
    _refuse_doubles(path, records)
    record = _host_record(host, [record for _, record in records], torn=bool(rest))
    return Journal(path, host.name, complete + newline, bool(rest), record)


def _records(path: Path, content: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(content.split(b"\n"), 1):
        try:
            record = json.loads(line, parse_constant=_no_constant)
        except ValueError as error:
            _refuse(path, number, f"not a journal record ({error})", error)
        _check(path, number, record)
        yield number, record


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no measurement")


def _check(path: Path, number: int, record: Any) -> None:
    if not isinstance(record, dict) or "v" not in record or "type" not in record:
        _refuse(path, number, "not a journal record (it lacks `v` or `type`)")
    if record["v"] != SCHEMA:
        age = "older" if isinstance(record["v"], int) and record["v"] < SCHEMA else "newer"
        raise ResultError(
            f"{path}:{number}: the journal's schema is {record['v']}, {age} than {SCHEMA}, which this labctl reads.",
            "Read it with the labctl that made the run, or repeat the run.",
        )
    if record["type"] != "trial":
        return
    missing = sorted(TRIAL_FIELDS - record.keys())
    if missing:
        _refuse(path, number, f"a trial without {', '.join(missing)}")
    if record["status"] not in STATUSES:
        _refuse(path, number, f"a trial of unknown status {record['status']!r}")


def _refuse_doubles(path: Path, records: list[tuple[int, dict[str, Any]]]) -> None:
    seen: dict[tuple[Any, ...], int] = {}
    for number, record in records:
        if record["type"] != "trial":
            continue
        key = (record["benchmark"], record["block"], record["combination"])
        if key in seen:
            what = f"{key[2]} in block {key[1]} of {key[0]}"
            _refuse(path, number, f"the trial of {what} is there twice (first in line {seen[key]})")
        seen[key] = number


def _refuse(path: Path, number: int, what: str, cause: Exception | None = None) -> NoReturn:
    error = ResultError(
        f"{path}:{number}: {what}.", "A journal is never edited: `labctl fetch` pulls it again."
    )
    raise error from cause


def _host_record(host: RunHost, records: list[dict[str, Any]], *, torn: bool) -> HostRecord:
    kinds: dict[str, list[dict[str, Any]]] = {}
    for record in records:
        kinds.setdefault(record["type"], []).append(record)
    prints = {record["when"]: record["facts"] for record in kinds.get("fingerprint", [])}
    notes = [Note(note["level"], note["message"], note.get("hint")) for note in kinds.get("note", [])]
    if torn:
        notes.append(
            Note(
                "warning",
                "The journal's last line is torn and was left out.",
                "`labctl attach` takes the run up.",
            )
        )
    runs, ended = kinds.get("run", []), kinds.get("ended", [])
    return HostRecord(
        host=host.name,
        machine=host.machine,
        agent=str(runs[-1]["agent"]) if runs and runs[-1].get("agent") else None,
        starts=len(runs),
        ended=str(ended[-1]["status"]) if ended else None,
        blocks=dict(Counter(record["benchmark"] for record in kinds.get("block_ended", []))),
        facts=prints.get("before", {}),
        facts_after=prints.get("after", {}),
        noise=_noise(kinds.get("block_ended", [])),
        load_before=_load_before(kinds.get("block_ended", [])),
        notes=tuple(notes),
        redone=dict(Counter(record["reason"] for record in kinds.get("torn", []))),
    )


def _noise(blocks: list[dict[str, Any]]) -> Mapping[str, float]:
    total: dict[str, float] = {}
    for block in blocks:
        for counter, delta in block.get("noise", {}).items():
            if isinstance(delta, int | float):
                total[counter] = total.get(counter, 0.0) + delta
    return total


def _load_before(blocks: list[dict[str, Any]]) -> float | None:
    load = blocks[0].get("noise", {}).get("loadavg") if blocks else None
    before = load.get("before") if isinstance(load, dict) else None
    return float(before[0]) if before else None
