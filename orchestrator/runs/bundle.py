# SPDX-License-Identifier: Apache-2.0
"""The agent as one archive for a host: our package and its wheels, chosen here, so that a host needs no package index.

    remote_agent/      as it is here
    wheels/            grpcio, protobuf, typing_extensions, unpacked: the versions that the controller itself runs with
    .complete          the marker that says that everything is there

The same inputs give the same bytes. Wheels and archives are cached by what determines them.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from orchestrator.files import aside, sha256_of
from orchestrator.model.errors import RunError

WHEELS = ("grpcio", "protobuf", "typing_extensions")
MARKER = ".complete"
PIP_SECONDS = 600
_LEFT_OUT = re.compile(r"(^|/)(__pycache__|tests?)(/|$)|\.(pyc|pyi|c|h|pyx|pxd|proto)$")


@dataclass(frozen=True, slots=True)
class Target:
    """What decides which wheels fit: ``python`` as "3.13", ``libc`` as "glibc" or "musl" with its version, ``arch`` as uname -m."""

    python: str
    libc: str
    libc_version: str
    arch: str

    @property
    def platforms(self) -> tuple[str, ...]:
        """Every platform tag that the host can load, newest first (PEP 600 and 656). Raises RunError: an unknown libc."""
        match = re.match(r"(\d+)\.(\d+)", self.libc_version)
        if self.libc not in ("glibc", "musl") or match is None:
            raise RunError(
                f"The agent has no wheels for {self.libc} {self.libc_version}.", "It needs glibc or musl."
            )
        major, minor = int(match[1]), int(match[2])
        if self.libc == "musl":
            return tuple(f"musllinux_{major}_{n}_{self.arch}" for n in range(minor, 0, -1))
        older = tuple(f"manylinux_{major}_{n}_{self.arch}" for n in range(minor, 16, -1))
        return (*older, f"manylinux2014_{self.arch}")


@dataclass(frozen=True, slots=True)
class Bundle:
    """An archive in the cache. ``version`` names its folder on hosts."""

    path: Path
    sha256: str
    size: int

    @property
    def version(self) -> str:
        return self.sha256[:12]


Download = Callable[[Target, Sequence[str], Path], None]
"""Puts wheels of the requirements that fit the target into a folder. Raises RunError."""


def pip_download(target: Target, requirements: Sequence[str], folder: Path) -> None:
    """With pip as this machine has it configured: its index, its proxy, its certificates."""
    command = [
        sys.executable,
        "-P",
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]
    command += [
        "--no-deps",
        "--only-binary=:all:",
        "--implementation",
        "cp",
        "--python-version",
        target.python,
    ]
    for platform in target.platforms:
        command += ["--platform", platform]
    try:
        done = subprocess.run(
            [*command, "--dest", str(folder), *requirements],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PIP_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RunError(f"pip did not bring the agent's wheels within {PIP_SECONDS} s.") from error
    if done.returncode != 0:
        lines = [line for line in done.stderr.strip().splitlines() if line.strip()] or ["it said nothing"]
        raise RunError(
            f"pip found no wheels of {', '.join(requirements)} for Python {target.python} on {target.arch}: {lines[-1]}",
            "Can `pip download` reach its index from here? Wheels are needed once for each kind of host.",
        )


class Bundles:
    """Makes bundles, each once, however many hosts ask at the same time."""

    def __init__(self, cache: Path, package: Path, download: Download = pip_download) -> None:
        """``package``: the folder of remote_agent. ``cache`` is made where it is lacking."""
        self._cache = cache
        self._package = package
        self._download = download
        self._lock = threading.Lock()
        self._made: dict[Target, Bundle] = {}

    def bundle(self, target: Target) -> Bundle:
        """The agent for such a host. Raises RunError: no wheels fit, or the cache cannot be written."""
        with self._lock:
            if target not in self._made:
                try:
                    self._made[target] = self._make(target)
                except OSError as error:
                    raise RunError(f"The agent's archive cannot be made: {error}.") from error
            return self._made[target]

    def _make(self, target: Target) -> Bundle:
        wheels = self._wheels(target)
        sources = dict(_sources(self._package))
        key = _digest(*sorted(f"{name} {hashlib.sha256(data).hexdigest()}" for name, data in sources.items()),
                      *sorted(f"{wheel.name} {sha256_of(wheel)}" for wheel in wheels))  # fmt: skip
        path = self._cache / "agent" / f"{key}.tar.gz"
        if not path.exists():
            _write_archive(path, {**sources, **dict(_unpacked(wheels))})
        return Bundle(path, sha256_of(path), path.stat().st_size)

    def _wheels(self, target: Target) -> list[Path]:
        """Of the cache, or downloaded into it whole."""
        requirements = [f"{name}=={_installed(name)}" for name in WHEELS]
        folder = self._cache / "wheels" / _digest(target.python, *target.platforms, *requirements)
        if not folder.is_dir():
            folder.parent.mkdir(parents=True, exist_ok=True)
            beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".new-"))
            try:
                self._download(target, requirements, beside)
                if not folder.is_dir():
                    beside.rename(folder)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
        return sorted(folder.glob("*.whl"))


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError as error:
        raise RunError(f"{name} is not installed here, so its version for the agent is not known.") from error


def _sources(package: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(package.rglob("*.py")):
        name = path.relative_to(package.parent).as_posix()
        if not _LEFT_OUT.search(name):
            yield name, path.read_bytes()


def _unpacked(wheels: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if not name.endswith("/") and not _LEFT_OUT.search(name):
                    yield f"wheels/{name}", archive.read(name)


def _write_archive(path: Path, files: Mapping[str, bytes]) -> None:
    """A tar.gz that depends on nothing but ``files``; the marker last."""
    with (
        aside(path, 0o600) as beside,
        beside.open("wb") as raw,
        gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=6, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        folders = {str(parent) for name in files for parent in Path(name).parents if str(parent) != "."}
        for folder in sorted(folders):
            archive.addfile(_member(folder, tarfile.DIRTYPE, 0o755, 0))
        for name, data in sorted(files.items()):
            archive.addfile(_member(name, tarfile.REGTYPE, 0o644, len(data)), io.BytesIO(data))
        archive.addfile(_member(MARKER, tarfile.REGTYPE, 0o644, 0))


def _member(name: str, kind: bytes, mode: int, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.mtime = kind, mode, size, 0
    member.uid = member.gid = 0
    member.uname = member.gname = "root"
    return member


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
