# SPDX-License-Identifier: Apache-2.0
"""Members of tar and zip files, in order, as one kind of thing; and which of them may be unpacked."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

from remote_agent.contract.lean import dataclass
from remote_agent.runner.attributes import Attributes
from remote_agent.runner.context import ModuleFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

_CHUNK = 1024 * 1024
_HANDLERS = (
    (b"PK\x03\x04", "ZipArchive"),
    (b"PK\x05\x06", "ZipArchive"),
    (b"\x1f\x8b", "TgzArchive"),
    (b"\xfd7zXZ\0", "TarXzArchive"),
    (b"BZh", "TarBzipArchive"),
    (b"\x28\xb5\x2f\xfd", "TarZstdArchive"),
)


@dataclass(frozen=True, slots=True)
class Member:
    """``kind`` is file, directory, link or hard. ``path`` is relative, without ``..``; ``target`` is a link's. ``owner`` and ``group`` are
    names or numbers, None where the archive knows none. ``open`` is only good while this member is the current one."""

    path: str
    kind: str
    mode: int
    size: int
    mtime: float
    target: str = ""
    owner: str | None = None
    group: str | None = None
    open: Callable[[], IO[bytes]] | None = None

    def copy_to(self, stream: IO[bytes]) -> None:
        with self.content() as source:
            shutil.copyfileobj(source, stream, _CHUNK)

    def same_content(self, path: Path) -> bool:
        with self.content() as ours, open(path, "rb") as theirs:
            while chunk := ours.read(_CHUNK):
                if chunk != theirs.read(len(chunk)):
                    return False
            return not theirs.read(1)

    def content(self) -> IO[bytes]:
        assert self.open is not None
        return self.open()

    def attributes(self, wanted: Attributes) -> Attributes:
        """What is wanted, and for the rest what the archive says; only root gives files away."""
        owner, group = (self.owner, self.group) if os.geteuid() == 0 else (None, None)
        mode = self.mode if wanted.mode is None else wanted.mode_for(self.mode, self.kind == "directory")
        return Attributes(mode, wanted.owner or owner, wanted.group or group)


def handler_of(archive: Path) -> str:
    """Ansible's name for the kind of archive, from its first bytes."""
    with open(archive, "rb") as stream:
        head = stream.read(8)
    return next((name for magic, name in _HANDLERS if head.startswith(magic)), "TarArchive")


def read_members(archive: Path, handler: str, strip: int, owners: bool) -> Iterator[Member]:
    """Members with ``strip`` leading folders taken off; what then has no name left is passed over.

    Raises ModuleFailure for a broken archive, and for a member that leaves its folder or is no file, folder or link.
    """
    members = _zip_members(archive) if handler == "ZipArchive" else _tar_members(archive, strip, owners)
    try:
        for member in members:
            if path := _relative(member.path, strip):
                yield Member(**{**{name: getattr(member, name) for name in Member.__slots__}, "path": path})
    except (tarfile.TarError, zipfile.BadZipFile, EOFError) as error:
        if handler == "TarZstdArchive":
            raise ModuleFailure(
                f"{archive}: this host's Python cannot read zstd; pack it as .tar.gz or .tar.xz."
            ) from error
        raise ModuleFailure(f"{archive} is not a whole archive: {error}.") from error


def _relative(name: str, strip: int) -> str:
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or ".." in parts:
        raise ModuleFailure(
            f"The archive's member {name!r} leaves the destination; nothing of it was unpacked."
        )
    return "/".join(parts[strip:])


def _tar_members(archive: Path, strip: int, owners: bool) -> Iterator[Member]:
    with tarfile.open(archive, "r:*") as tar:
        for info in tar:
            yield Member(
                path=info.name,
                kind=_tar_kind(info),
                mode=stat.S_IMODE(info.mode),
                size=info.size,
                mtime=info.mtime,
                target=_relative(info.linkname, strip) if info.islnk() else info.linkname,
                owner=_known(info.uname, info.uid, "passwd") if owners else None,
                group=_known(info.gname, info.gid, "group") if owners else None,
                open=_opener(tar, info),
            )


def _opener(tar: tarfile.TarFile, info: tarfile.TarInfo) -> Callable[[], IO[bytes]]:
    def open_member() -> IO[bytes]:
        stream = tar.extractfile(info)
        assert stream is not None
        return stream

    return open_member


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.isreg():
        return "file"
    if info.isdir():
        return "directory"
    if info.issym():
        return "link"
    if info.islnk():
        return "hard"
    raise ModuleFailure(
        f"The archive's member {info.name!r} is a device or pipe; nothing of it was unpacked."
    )


def _known(name: str, number: int, database: str) -> str:
    """The name if this host knows it, else the number, as tar does."""
    import grp
    import pwd

    try:
        if name and (grp.getgrnam(name) if database == "group" else pwd.getpwnam(name)):
            return name
    except KeyError:
        pass
    return str(number)


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as packed:
        for info in packed.infolist():
            mode = info.external_attr >> 16
            link = stat.S_ISLNK(mode)
            kind = "link" if link else "directory" if info.is_dir() else "file"
            yield Member(
                path=info.filename,
                kind=kind,
                mode=stat.S_IMODE(mode) or (0o755 if kind == "directory" else 0o644),
                size=info.file_size,
                mtime=time.mktime((*info.date_time, 0, 0, -1)),
                target=packed.read(info).decode() if link else "",
                open=lambda info=info: packed.open(info),  # type: ignore[misc]
            )
