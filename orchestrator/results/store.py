# SPDX-License-Identifier: Apache-2.0
"""The run store: one folder a run, what stands where in it, and how its two small files are read and written.

runs/ID/
    run.json                      what was decided (RunSpec): written once
    state.json                    how it stands (RunState): replaced whole, by the conductor alone
    events.jsonl                  what happened, for terminals to follow
    cancel                        there as soon as somebody asked for the run's end
    conductor.lock, conductor.log the process that owns the run
    hosts/NAME/journal.jsonl      the host's journal: pulled, never edited
    fleet/                        of a run that was prepared for another engine (`orchestrator.runs.fleet`): what that one needs
    hosts/NAME/touchstone.json    in its place where a result of Touchstone's was imported: never edited either
    samples.parquet, trials.parquet, estimates.json, report.html

runs/joined/NAME/ has the same of a report that joins several runs (`orchestrator.results.joining`), without journals of its own.
"""

from __future__ import annotations

import errno
import json
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.model.errors import ResultError, UsageError
from orchestrator.model.run import (
    SCHEMA,
    BenchmarkPlan,
    Combination,
    HostState,
    Profile,
    RunHost,
    RunSpec,
    RunState,
    RunStatus,
)
from orchestrator.model.text import printable_value
from orchestrator.results.files import write_text

T = TypeVar("T")
LATEST = "latest"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's folder. Reading raises ResultError: missing, torn, or of another schema version."""

    path: Path

    @property
    def id(self) -> str:
        return self.path.name

    @property
    def run_json(self) -> Path:
        return self.path / "run.json"

    @property
    def state_json(self) -> Path:
        return self.path / "state.json"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def lock(self) -> Path:
        return self.path / "conductor.lock"

    @property
    def log(self) -> Path:
        return self.path / "conductor.log"

    @property
    def cancel(self) -> Path:
        return self.path / "cancel"

    @property
    def fleet(self) -> Path:
        return self.path / "fleet"

    @property
    def samples(self) -> Path:
        return self.path / "samples.parquet"

    @property
    def estimates(self) -> Path:
        return self.path / "estimates.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    def journal(self, host: str) -> Path:
        return self.path / "hosts" / host / "journal.jsonl"

    def source(self, host: str, imported: str = "") -> Path:
        """What the host's numbers come from: its journal, or the result file of the tool that they were ``imported`` from."""
        return self.path / "hosts" / host / f"{imported}.json" if imported else self.journal(host)

    def read_spec(self) -> RunSpec:
        return _decode(self.run_json, _spec_from_json)

    def write_spec(self, spec: RunSpec) -> None:
        write_json(self.run_json, asdict(spec))

    def read_state(self) -> RunState | None:
        """None: no conductor has come so far as to write it."""
        if not self.state_json.exists():
            return None
        return _decode(self.state_json, _state_from_json)

    def write_state(self, state: RunState) -> None:
        write_json(self.state_json, asdict(state))

    def ask_to_cancel(self) -> None:
        """Whoever owns the run, now or later, will end it. Asked again, it changes nothing."""
        self.cancel.touch()


@dataclass(frozen=True, slots=True)
class RunStore:
    """All runs under ``root``; the newest has the greatest id."""

    root: Path

    def ids(self) -> list[str]:
        """Newest first. A folder without run.json is not a run (yet)."""
        found = (path.parent.name for path in self.root.glob("*/run.json"))
        return sorted((name for name in found if not name.startswith(".")), reverse=True)

    def create(self, spec: RunSpec, more: Callable[[RunFolder], None] = lambda folder: None) -> RunFolder:
        """The folder of a new run, complete before it can be seen; ``more`` puts in what else belongs there, and may raise OSError.

        Raises ResultError: it is there, or cannot be written.
        """
        final, aside = self.root / spec.id, self.root / f".{spec.id}.new"
        try:
            aside.mkdir(parents=True)
            with _gone_after_an_error(aside):
                for host in spec.hosts:
                    RunFolder(aside).journal(host.name).parent.mkdir(parents=True)
                RunFolder(aside).write_spec(spec)
                more(RunFolder(aside))
                aside.rename(final)
        except OSError as error:
            raise ResultError(f"{final}: the run's folder cannot be made: {error.strerror}.") from error
        return RunFolder(final)

    def find(self, wanted: str) -> RunFolder:
        """The run named by its id, by a beginning that only one has, by its folder, or ``latest``. Raises UsageError."""
        if "/" in wanted and RunFolder(Path(wanted)).run_json.exists():
            return RunFolder(Path(wanted))
        ids = self.ids()
        if not ids:
            raise UsageError(f"There is no run in {self.root}.", "`labctl run --suite demo` makes one.")
        if wanted == LATEST:
            return RunFolder(self.root / ids[0])
        hits = [name for name in ids if name.startswith(wanted)]
        if wanted in hits or len(hits) == 1:
            return RunFolder(self.root / (wanted if wanted in hits else hits[0]))
        if hits:
            raise UsageError(
                f"{wanted!r} is the beginning of {len(hits)} runs.", f"They are: {', '.join(hits)}."
            )
        raise UsageError(f"There is no run {wanted!r} in {self.root}.", "`labctl runs` lists them.")


@contextmanager
def _gone_after_an_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def new_run_id(suite: str, now: datetime, token: str | None = None) -> str:
    """Like 20261123-224501-demo-ab12: sorts by UTC time, and two runs of one second differ."""
    name = re.sub(r"[^A-Za-z0-9_.]+", "-", suite).strip("-.")[:60] or "suite"
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{name}-{token or secrets.token_hex(2)}"


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace ``path`` whole, atomically. Raises ResultError: also where the run's folder is gone, which is not made anew."""
    if not path.parent.is_dir():
        raise ResultError(f"{path}: cannot be written: {os.strerror(errno.ENOENT)}.")
    write_text(path, json.dumps(value, indent=2) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of this schema version, its text safe to show. Raises ResultError."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ResultError(f"{path}: is not JSON: {error}.") from error
    if not isinstance(value, dict) or not isinstance(value.get("schema"), int):
        raise ResultError(f"{path}: has no schema version, so labctl did not write it.")
    check_schema(path, value["schema"])
    return dict(printable_value(value))


def check_schema(path: Path, schema: int) -> None:
    """Refuses what another version of labctl wrote. Raises ResultError."""
    if schema > SCHEMA:
        raise ResultError(
            f"{path}: was written by a newer labctl (schema {schema}; this one reads {SCHEMA}).",
            "Update labctl, or read it with the one that wrote it.",
        )
    if schema < SCHEMA:
        raise ResultError(
            f"{path}: was written by an older labctl (schema {schema}; this one reads {SCHEMA}).",
            "Run the suite again, or read it with the labctl that wrote it.",
        )


def _decode(path: Path, build: Callable[[Mapping[str, Any]], T]) -> T:
    value = read_json(path)
    try:
        return build(value)
    except (KeyError, TypeError, ValueError) as error:
        raise ResultError(f"{path}: does not hold what it should ({error!r}).") from error


def _spec_from_json(value: Mapping[str, Any]) -> RunSpec:
    return RunSpec(
        **{
            **value,
            "hosts": tuple(RunHost(**host) for host in value["hosts"]),
            "combinations": tuple(Combination(**item) for item in value["combinations"]),
            "benchmarks": tuple(BenchmarkPlan(**item) for item in value["benchmarks"]),
            "profile": Profile(value.get("profile", Profile.THESIS)),
            "runs": tuple(value.get("runs", ())),
        }
    )


def _state_from_json(value: Mapping[str, Any]) -> RunState:
    hosts = (HostState(**{**host, "status": RunStatus(host["status"])}) for host in value["hosts"])
    return RunState(**{**value, "status": RunStatus(value["status"]), "hosts": tuple(hosts)})
