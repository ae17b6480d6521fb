# SPDX-License-Identifier: Apache-2.0
"""Digests of files. hashlib loads OpenSSL, which takes longer than to hash what small files hold: they are hashed without it."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

SMALL = 256 * 1024
_BUILT_IN = {"md5": "_md5", "sha1": "_sha1", "sha256": "_sha2" if sys.version_info >= (3, 12) else "_sha256"}
"""Python's own modules, which hashlib falls back to."""


def digest_of(path: Path | str, algorithm: str) -> str:
    """In hexadecimal digits. Raises OSError; ValueError for an algorithm that this Python lacks."""
    with open(path, "rb") as stream:
        if os.fstat(stream.fileno()).st_size <= SMALL:
            return str(new_digest(algorithm, stream.read()).hexdigest())
        import hashlib

        return hashlib.file_digest(stream, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()


def new_digest(algorithm: str, data: bytes = b"") -> Any:
    """As hashlib.new, not for security. Raises ValueError."""
    if algorithm in _BUILT_IN and "hashlib" not in sys.modules:
        try:
            return getattr(__import__(_BUILT_IN[algorithm]), algorithm)(data, usedforsecurity=False)
        except ImportError:
            pass
    import hashlib

    return hashlib.new(algorithm, data, usedforsecurity=False)
