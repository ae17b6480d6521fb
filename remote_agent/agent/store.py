# SPDX-License-Identifier: Apache-2.0
"""Runs on the host's disk: ROOT/ID/{spec.json,grants.json,journal.jsonl}. Small files are written aside, synced, renamed."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from remote_agent.agent.spec import RunSpec, SpecError

ROOT = Path("/var/lib/labctl/runs")
FULL = (errno.ENOSPC, errno.EDQUOT)
"""What a write fails with where there is no room: it may succeed later."""

ROOM = 64 * 1024
"""Bytes; a disk with less than that free is full: a trial's record is a few KiB, and runtimes write more."""


class StoreError(Exception):
    """A run's folder cannot be read; the text is one sentence that names the file."""


@dataclass(frozen=True, slots=True)
class Grants:
    """Each benchmark's blocks below ``until`` may be executed. ``last``: no more will come. ``cancel``: the run is to end."""

    until: Mapping[str, int] = field(default_factory=dict)
    last: bool = False
    cancel: bool = False

    def extended(self, until: Mapping[str, int], last: bool) -> Grants:
        """With more; it never shrinks."""
        names = {**self.until, **until}
        more = {name: max(self.until.get(name, 0), until.get(name, 0)) for name in names}
        return Grants(more, self.last or last, self.cancel)


@dataclass(frozen=True, slots=True)
class RunFolder:
    """One run's folder."""

    path: Path

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    def full(self) -> bool:
        """Has its disk so little room that what failed may have failed of that? Raises OSError."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize < ROOM

    def spec(self) -> RunSpec:
        """Raises StoreError."""
        try:
            return RunSpec.from_json(_read(self.path / "spec.json"))
        except SpecError as error:
            raise StoreError(f"{self.path / 'spec.json'}: {error}") from error

    def grants(self) -> Grants:
        """Raises StoreError."""
        if not (self.path / "grants.json").exists():
            return Grants()
        value = _read(self.path / "grants.json")
        try:
            return Grants(dict(value["until"]), bool(value["last"]), bool(value["cancel"]))
        except (KeyError, TypeError, ValueError) as error:
            raise StoreError(f"{self.path / 'grants.json'}: not the grants of a run ({error}).") from error

    def save_grants(self, grants: Grants) -> None:
        value = {"until": dict(grants.until), "last": grants.last, "cancel": grants.cancel}
        write_json(self.path / "grants.json", value)

    def baseline(self) -> list[list[str]] | None:
        """What was on the host before the run's first trial, as (kind, what); None where that was not taken."""
        path = self.path / "baseline.json"
        return _read(path) if path.exists() else None

    def save_baseline(self, found: list[tuple[str, str]]) -> None:
        write_json(self.path / "baseline.json", found)


@dataclass(frozen=True, slots=True)
class Store:
    """All runs of this host."""

    root: Path = ROOT

    def runs(self) -> list[RunFolder]:
        """In the order in which they were started. A folder without a spec is none: its start was never acknowledged."""
        specs = sorted(self.root.glob("*/spec.json"), key=lambda path: (path.stat().st_mtime_ns, path))
        return [RunFolder(path.parent) for path in specs]

    def create(self, spec: RunSpec) -> RunFolder:
        """On the disk, with an empty journal: a host that loses its power has all of it, or no run. Raises StoreError."""
        folder = RunFolder(self.root / spec.run_id)
        try:
            folder.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            folder.journal.touch(mode=0o600)
            write_json(folder.path / "spec.json", spec.to_json())
            _sync_folder(self.root)
        except OSError as error:
            raise StoreError(f"{folder.path}: the run cannot be kept here: {error.strerror}.") from error
        return folder


def write_json(path: Path, value: Any) -> None:
    """Aside, synced, renamed, and the folder synced: after a crash there is the old file or the new one. Raises OSError."""
    aside = path.with_name(f".{path.name}.new")
    try:
        with aside.open("w") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """What has been made or renamed in it is on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}.") from error
    except ValueError as error:
        raise StoreError(f"{path}: not JSON ({error}).") from error
