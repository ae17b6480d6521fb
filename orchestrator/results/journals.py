# SPDX-License-Identifier: Apache-2.0
"""Read one pulled journal strictly: what is of another version, torn in the middle or there twice is refused.

A journal may hold a hundred thousand trials, so its lines are read twice. Here every line is looked at that is not a trial's,
and what they say of the host and its blocks is kept; the trials themselves are read by DuckDB (`orchestrator.results.merge`),
which checks them as a whole. Where that finds anything wrong, `refuse` reads line by line for the sentence that says what and where.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.model.errors import ResultError
from orchestrator.model.run import RunHost
from orchestrator.model.samples import BlockRecord, HostRecord, Note
from orchestrator.model.text import printable_value
from remote_agent.contract.journal import SCHEMA, Trial

TRIAL_FIELDS = frozenset(Trial.__slots__)
STATUSES = ("ok", "failed", "unsupported")
BULK = re.compile(rb'\{"v": ?%d, ?"type": ?"trial(_started)?",' % SCHEMA)
"""How a trial's lines begin, as agents write them; a line that is written otherwise is read like any other."""


@dataclass(frozen=True, slots=True)
class Journal:
    """One host's journal: ``size`` are the bytes of its ``lines`` whole lines; ``torn``: an unfinished one follows.

    ``blocks`` maps each benchmark to how many block numbers its blocks have taken.
    """

    path: Path
    host: RunHost
    size: int
    lines: int
    torn: bool
    record: HostRecord
    opened: tuple[BlockRecord, ...]

    @property
    def blocks(self) -> dict[str, int]:
        taken: dict[str, int] = {}
        for one in self.opened:
            taken[one.benchmark] = max(taken.get(one.benchmark, 0), one.block + 1)
        return taken


def read_journal(path: Path, host: RunHost, run: str) -> Journal:
    """Read and check what is not a trial. Text is made safe to show (`orchestrator.model.text`); the file keeps its bytes.

    ``run`` is the run's id. Raises ResultError, which names file and line."""
    content = _content(path, host)
    complete, newline, rest = content.rpartition(b"\n")
    lines = complete.split(b"\n") if newline else []
    numbered = ((number, line) for number, line in enumerate(lines, 1) if not BULK.match(line))
    records = [_record(path, number, line) for number, line in numbered]
    torn = bool(rest)
    return Journal(
        path=path,
        host=host,
        size=len(complete) + len(newline),
        lines=len(lines),
        torn=torn,
        record=_host_record(path, host, records, torn=torn),
        opened=_blocks(path, host, run, records),
    )


def recorded_origin(path: Path) -> tuple[str, str] | None:
    """The run and the host that the first record of a start names; None: there is none. Raises ResultError."""
    try:
        with path.open("rb") as lines:
            for line in lines:
                if BULK.match(line) or b'"run"' not in line:
                    continue
                record = json.loads(line)
                if record.get("type") == "run":
                    return str(record.get("run")), str(record.get("host"))
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}.") from error
    except (ValueError, AttributeError):
        return None  # not a journal's record: the merge says so, with its line
    return None


def refuse(path: Path, host: RunHost, otherwise: str) -> NoReturn:
    """Raise the ResultError for what is wrong with a trial of this journal; ``otherwise`` is said where every line is right."""
    complete = _content(path, host).rpartition(b"\n")[0]
    seen: dict[tuple[Any, ...], int] = {}
    for number, line in enumerate(complete.split(b"\n"), 1):
        record = _record(path, number, line)
        if record["type"] == "trial":
            _check_trial(path, number, record)
            key = (record["benchmark"], record["block"], record["combination"])
            if key in seen:
                what = f"{key[2]} in block {key[1]} of {key[0]}"
                _refuse(path, number, f"the trial of {what} is there twice (first in line {seen[key]})")
            seen[key] = number
    raise ResultError(f"{path}: not this schema's trials: {otherwise}.")


def _content(path: Path, host: RunHost) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ResultError(
            f"{path}: {error.strerror}.", f"`labctl fetch` pulls it again from {host.name}."
        ) from error


def _record(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line, parse_constant=_no_constant)
    except ValueError as error:
        _refuse(path, number, f"not a journal record ({error})", error)
    if not isinstance(record, dict) or "v" not in record or "type" not in record:
        _refuse(path, number, "not a journal record (it lacks `v` or `type`)")
    if record["v"] != SCHEMA:
        age = "older" if isinstance(record["v"], int) and record["v"] < SCHEMA else "newer"
        raise ResultError(
            f"{path}:{number}: the journal's schema is {record['v']}, {age} than {SCHEMA}, which this labctl reads.",
            "Read it with the labctl that made the run, or repeat the run.",
        )
    return dict(printable_value(record))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no measurement")


def _check_trial(path: Path, number: int, record: Mapping[str, Any]) -> None:
    missing = sorted(TRIAL_FIELDS - record.keys())
    if missing:
        _refuse(path, number, f"a trial without {', '.join(missing)}")
    if record["status"] not in STATUSES:
        _refuse(path, number, f"a trial of unknown status {record['status']!r}")
    for sample in record["samples"] if isinstance(record["samples"], list) else ():
        if not isinstance(sample, dict) or not {"metric", "unit"} <= sample.keys():
            _refuse(path, number, "a sample without metric or unit")
        value = sample.get("value")
        if not isinstance(value, int | float) or not isfinite(value):
            _refuse(path, number, f"the value of {sample['metric']} is {value!r}, which is no measurement")


def _refuse(path: Path, number: int, what: str, cause: Exception | None = None) -> NoReturn:
    error = ResultError(
        f"{path}:{number}: {what}.", "A journal is never edited: `labctl fetch` pulls it again."
    )
    raise error from cause


def _blocks(
    path: Path, host: RunHost, run: str, records: Sequence[Mapping[str, Any]]
) -> tuple[BlockRecord, ...]:
    """Every block that was opened, numbered as in its run; with the last noise that was told of it."""
    try:
        noise = {(r["benchmark"], r["block"]): r.get("noise") for r in records if r["type"] == "block_ended"}
        opened = {(r["benchmark"], r["block"]): bool(r["warmup"]) for r in records if r["type"] == "block"}
        return tuple(
            BlockRecord(run, host.name, benchmark, block, block, warmup, noise.get((benchmark, block)))
            for (benchmark, block), warmup in opened.items()
        )
    except (KeyError, TypeError) as error:
        raise ResultError(
            f"{path}: a record of a block is not this schema's ({error!r}).", "Pull it again."
        ) from error


def _host_record(
    path: Path, host: RunHost, records: Sequence[Mapping[str, Any]], *, torn: bool
) -> HostRecord:
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for record in records:
        kinds.setdefault(record["type"], []).append(record)
    try:
        return _told(host, kinds, torn=torn)
    except (KeyError, TypeError, AttributeError) as error:
        raise ResultError(
            f"{path}: a record is not this schema's ({error!r}).", "`labctl fetch` pulls it again."
        ) from error


def _told(host: RunHost, kinds: Mapping[str, list[Mapping[str, Any]]], *, torn: bool) -> HostRecord:
    prints = {record["when"]: record["facts"] for record in kinds.get("fingerprint", [])}
    notes = [Note(note["level"], note["message"], note.get("hint")) for note in kinds.get("note", [])]
    if torn:
        text = "The journal's last line is torn and was left out."
        notes.append(Note("warning", text, "`labctl attach` takes the run up."))
    runs, ended = kinds.get("run", []), kinds.get("ended", [])
    blocks = kinds.get("block_ended", [])
    return HostRecord(
        host=host.name,
        machine=host.machine,
        agent=str(runs[-1]["agent"]) if runs and runs[-1].get("agent") else None,
        starts=len(runs),
        ended=str(ended[-1]["status"]) if ended else None,
        blocks=dict(Counter(record["benchmark"] for record in blocks)),
        facts=prints.get("before", {}),
        facts_after=prints.get("after", {}),
        noise=_noise(blocks),
        load_before=_load_before(blocks),
        notes=tuple(notes),
        redone=dict(Counter(record["reason"] for record in kinds.get("torn", []))),
    )


def _noise(blocks: Sequence[Mapping[str, Any]]) -> Mapping[str, float]:
    total: dict[str, float] = {}
    for counter, delta in _deltas(blocks):
        total[counter] = total.get(counter, 0.0) + delta
    return total


def _deltas(blocks: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, float]]:
    for block in blocks:
        for counter, delta in (block.get("noise") or {}).items():
            if isinstance(delta, int | float):
                yield counter, delta


def _load_before(blocks: Sequence[Mapping[str, Any]]) -> float | None:
    load = (blocks[0].get("noise") or {}).get("loadavg") if blocks else None
    before = load.get("before") if isinstance(load, dict) else None
    return float(before[0]) if before else None
