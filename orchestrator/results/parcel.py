# SPDX-License-Identifier: Apache-2.0
"""A run as another controller hands it over: its folder, or a tar of it.

What was measured is taken, and nothing else: run.json, state.json, events.jsonl, and of every host its journal or its imported result.
What was made of these is made anew here. A tar is never unpacked: those of its members are read that have one of these places in a
run's folder, each into the file of that place here, so that no name in it leads elsewhere. Links are refused, in a folder too.
"""

from __future__ import annotations

import re
import shutil
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, NoReturn

from orchestrator.files import aside
from orchestrator.model.errors import ResultError
from orchestrator.results import touchstone

RUN = "run.json"
PLACE = re.compile(
    rf"run\.json|state\.json|events\.jsonl|hosts/(?!\.)[^/\x00-\x1f]+/(journal\.jsonl|{touchstone.NAME}\.json)"
)
HINT = "Give a run's folder (runs/ID), or a tar of it: `tar -C runs -czf ID.tar.gz ID`."


@dataclass(frozen=True, slots=True)
class Parcel:
    """``parts`` are the files to take, by their place in the run's folder; ``tar`` is where they lie, unless in a folder."""

    source: Path
    parts: Mapping[str, tarfile.TarInfo | Path]
    tar: tarfile.TarFile | None = None

    def copy_to(self, folder: Path) -> None:
        """Into a folder that is this program's own. Raises ResultError."""
        try:
            for place, part in self.parts.items():
                with self._open(part) as stream, aside(folder / place) as beside, beside.open("wb") as target:
                    shutil.copyfileobj(stream, target)
        except (OSError, EOFError, tarfile.TarError) as error:
            raise ResultError(f"{self.source}: cannot be copied: {_why(error)}.") from error

    def _open(self, part: tarfile.TarInfo | Path) -> IO[bytes]:
        if isinstance(part, Path):
            return part.open("rb")
        stream = self.tar.extractfile(part) if self.tar else None
        assert stream is not None  # it is a file: that was looked at
        return stream


@contextmanager
def opened(source: Path) -> Iterator[Parcel]:
    """Raises ResultError: it is not there, torn, no run, several runs, or has a link."""
    if source.is_dir():
        yield Parcel(source, _in_folder(source))
        return
    try:
        tar = tarfile.open(source)  # noqa: SIM115 - it is closed below
    except OSError as error:
        raise ResultError(f"{source}: cannot be read: {_why(error)}.", HINT) from error
    except (EOFError, tarfile.TarError) as error:
        raise ResultError(f"{source}: is no tar.", HINT) from error
    with tar:
        yield Parcel(source, _in_tar(source, tar), tar)


def _in_folder(source: Path) -> dict[str, tarfile.TarInfo | Path]:
    found: dict[str, tarfile.TarInfo | Path] = {}
    try:
        for path in (*source.iterdir(), *source.glob("hosts/*/*")):
            place = path.relative_to(source).as_posix()
            if PLACE.fullmatch(place):
                if not stat.S_ISREG(path.lstat().st_mode) or path.parent.is_symlink():
                    _refuse(source, f"has a link or a device where {place} should be")
                found[place] = path
    except OSError as error:
        raise ResultError(f"{source}: cannot be read: {_why(error)}.", HINT) from error
    if RUN not in found:
        _refuse(source, f"has no {RUN}")
    return found


def _in_tar(source: Path, tar: tarfile.TarFile) -> dict[str, tarfile.TarInfo | Path]:
    """Of the folder that run.json stands in: the tar's own top, or one below it."""
    try:
        members = [(PurePosixPath(member.name), member) for member in tar]
    except (OSError, EOFError, tarfile.TarError) as error:
        raise ResultError(f"{source}: is torn: {_why(error)}.", "Copy it again.") from error
    for path, _ in members:
        if path.is_absolute() or ".." in path.parts:
            _refuse(source, f"has a member that leads out of it ({path})")
    tops = sorted({path.parent for path, _ in members if path.name == RUN and len(path.parts) <= 2})
    if len(tops) != 1:
        what = f"holds {len(tops)} runs, and is imported one by one" if tops else f"has no {RUN}"
        _refuse(source, what)
    found: dict[str, tarfile.TarInfo | Path] = {}
    for path, member in members:
        place = path.relative_to(tops[0]).as_posix() if path.is_relative_to(tops[0]) else ""
        if PLACE.fullmatch(place):
            if not member.isreg():
                _refuse(source, f"has a link or a device where {place} should be")
            found[place] = member
    return found


def _why(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


def _refuse(source: Path, what: str) -> NoReturn:
    raise ResultError(f"{source}: {what}.", HINT)
