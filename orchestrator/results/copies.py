# SPDX-License-Identifier: Apache-2.0
"""The same measurements in two places: a copy of a run's folder, an older pull of it, or a result file imported twice.

Counted twice they would narrow every interval, so they are refused. A journal is known again by the SHA-256 of its whole
lines, whatever its folder, its run's id or its host are called. One that is the beginning of another journal of the same run and host
(by its own first record) is an older pull: a journal is only ever appended to. So is an imported result file that is the
beginning of another one. Two folders of one run's id are one run, also where no journal is in both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from orchestrator.model.errors import ResultError, UsageError
from orchestrator.model.run import RunSpec
from orchestrator.results.journals import recorded_origin
from orchestrator.results.store import RunFolder
from orchestrator.stats.sentences import listed

TWICE = "its blocks would count twice"
ITSELF = "a run is not compared with itself"


@dataclass(frozen=True, slots=True)
class Recording:
    """What one host's numbers come from. ``origin``: the run and host that its first record names, or the importing tool."""

    folder: Path
    host: str
    path: Path
    imported: bool
    size: int
    sha256: str
    origin: tuple[str, str] | None

    def begins(self, longer: Recording) -> bool:
        """Whether it is ``longer`` itself, or its beginning."""
        if self.size == longer.size:
            return self.sha256 == longer.sha256
        same_origin = self.origin is not None and self.origin == longer.origin
        return same_origin and self.size < longer.size and _hashed(longer.path, self.size) == self.sha256


def refuse_copies(runs: Sequence[tuple[Path, RunSpec]], why: str = TWICE) -> None:
    """Raises UsageError: two of the runs are one, or share a host's measurements; ResultError: two hosts of one run do.

    The message names both folders and the hosts, and says ``why`` that must not be.
    """
    recorded = [list(recordings(folder, spec)) for folder, spec in runs]
    for own in recorded:
        for first, second in combinations(own, 2):
            if _alike(first, second):
                raise ResultError(
                    f"{first.path} and {second.path} hold the same measurements: "
                    f"{first.host} and {second.host} would count as two hosts.",
                    "Run `labctl fetch` to pull each host's own journal.",
                )
    for (a, in_a), (b, in_b) in combinations(zip(runs, recorded, strict=True), 2):
        _refuse_pair(a, b, (in_a, in_b), why)


def recordings(folder: Path, spec: RunSpec) -> Iterator[Recording]:
    """Of every host that has measurements below ``folder``. Raises ResultError: one cannot be read."""
    for host in spec.hosts:
        path = RunFolder(folder).source(host.name, host.imported)
        if not path.exists():
            continue
        size = _whole_size(path, imported=bool(host.imported))
        origin = (host.imported, "") if host.imported else recorded_origin(path)
        if size:
            yield Recording(folder, host.name, path, bool(host.imported), size, _hashed(path, size), origin)


def _refuse_pair(
    a: tuple[Path, RunSpec],
    b: tuple[Path, RunSpec],
    recorded: tuple[Sequence[Recording], Sequence[Recording]],
    why: str,
) -> None:
    shared = [(x, y) for x in recorded[0] for y in recorded[1] if _alike(x, y)]
    if shared:
        raise UsageError(_sentence(shared, why), _hint(shared))
    if a[1].id == b[1].id:
        hosts = [listed([recording.host for recording in own] or ["no host"]) for own in recorded]
        raise UsageError(
            f"{a[0]} (with measurements of {hosts[0]}) and {b[0]} (of {hosts[1]}) are folders of one run, {a[1].id}: {why}.",
            "Name the one that has all its hosts, or put the folders below hosts/ into one.",
        )


def _alike(first: Recording, second: Recording) -> bool:
    return first.begins(second) or second.begins(first)


def _sentence(shared: Sequence[tuple[Recording, Recording]], why: str) -> str:
    first, second = shared[0]
    kind = "result file" if first.imported else "journal"
    hosts = listed([_hosts(*pair) for pair in shared])
    if first.size == second.size:
        return f"{first.folder} and {second.folder} have the same {kind} of {hosts}: {why}."
    older, newer = sorted((first, second), key=lambda recording: recording.size)
    return f"The {kind} of {hosts} in {older.folder} is the beginning of that in {newer.folder}: {why}."


def _hosts(first: Recording, second: Recording) -> str:
    return first.host if first.host == second.host else f"{first.host} (there {second.host})"


def _hint(shared: Sequence[tuple[Recording, Recording]]) -> str:
    fuller = {max(pair, key=lambda recording: recording.size).folder for pair in shared}
    if len(fuller) == 1 and any(first.size != second.size for first, second in shared):
        return f"Name {fuller.pop()} alone: it has more."
    return "Name only one of them."


def _whole_size(path: Path, *, imported: bool) -> int:
    """The bytes of a journal's whole lines, or of a result file without the blanks at its end."""
    try:
        if imported:
            return len(path.read_bytes().rstrip())
        with path.open("rb") as lines:
            return sum(len(line) for line in lines if line.endswith(b"\n"))
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}.") from error


def _hashed(path: Path, size: int) -> str:
    """The SHA-256 of the first ``size`` bytes."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while size > 0 and (chunk := file.read(min(size, 1 << 20))):
                digest.update(chunk)
                size -= len(chunk)
    except OSError as error:
        raise ResultError(f"{path}: cannot be read: {error.strerror}.") from error
    return digest.hexdigest()
