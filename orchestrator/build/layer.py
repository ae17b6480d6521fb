# SPDX-License-Identifier: Apache-2.0
"""A container image's layer as a tar whose bytes only its contents decide: in the order given, root's, dated 1970."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A folder, or with ``content`` a file, or with ``link`` a symbolic link to that."""

    path: str
    mode: int = 0o755
    content: bytes | None = None
    link: str = ""


def pack(entries: Iterable[Entry]) -> bytes:
    """The tar, uncompressed."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mode = 0o777 if entry.link else entry.mode
            info.type, info.linkname = _kind(entry), entry.link
            info.size = len(entry.content or b"")
            tar.addfile(info, io.BytesIO(entry.content or b""))
    return buffer.getvalue()


def _kind(entry: Entry) -> bytes:
    if entry.link:
        return tarfile.SYMTYPE
    return tarfile.DIRTYPE if entry.content is None else tarfile.REGTYPE
