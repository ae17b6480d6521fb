# SPDX-License-Identifier: Apache-2.0
"""Files that are either the old ones or the new ones, never in between; what their bytes are; where the cache is.

OSError stays OSError here: whoever calls knows what the file is to the user.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What a write fails with where there is no room: it may succeed later."""


@contextmanager
def aside(path: Path, mode: int = 0o644) -> Iterator[Path]:
    """An empty file beside ``path`` to write to; at the end it is synced and takes its place, after an error it is gone.

    It has ``mode`` (less the umask) before anything is in it. Parents are made. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode))
    try:
        yield beside
        _sync(beside)
        beside.replace(path)
        _sync(path.parent)
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace ``path`` by ``text`` in UTF-8, atomically. Raises OSError."""
    with aside(path, mode) as beside:
        beside.write_text(text, encoding="utf-8")


def sha256_of(path: Path) -> str:
    """Of the file's bytes, in hexadecimal. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def cache_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """labctl's folder in the user's cache, by the XDG base directory specification: a relative path there counts as none."""
    given = environ.get("XDG_CACHE_HOME", "")
    return (Path(given) if given.startswith("/") else Path.home() / ".cache") / "labctl"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
