# SPDX-License-Identifier: Apache-2.0
"""The lines of known_hosts files (sshd(8)), and which of them are about a host.

A line that holds no key is skipped, as OpenSSH does; whoever finds no key for a host can say that it was one of these.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import hmac
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from orchestrator.model.errors import ConfigError
from orchestrator.ssh.patterns import matches_host

_HASHED = "|1|"


class Marker(Enum):
    """What a line says of its key."""

    KEY = ""
    AUTHORITY = "@cert-authority"
    REVOKED = "@revoked"


@dataclass(frozen=True, slots=True)
class KnownLine:
    """``hosts`` is the field of names as written. ``key`` is the public key as SSH sends it; None where the line holds none."""

    file: Path
    number: int
    marker: Marker
    hosts: str
    key_type: str
    key: bytes | None

    def is_about(self, name: str) -> bool:
        """``name``: an address or alias, or ``[ADDRESS]:PORT``."""
        if self.hosts.startswith(_HASHED):
            return _is_hash_of(name, self.hosts)
        return matches_host(name, self.hosts)


def read_known_hosts(file: Path) -> tuple[KnownLine, ...]:
    """The lines of a file, which is read once as long as it does not change. A file that is missing has none.

    Raises ConfigError: it cannot be read.
    """
    if not file.is_file():
        return ()
    try:
        found = file.stat()
        with _reading:  # fifty hosts of one file would take it apart fifty times
            return _read(file, found.st_mtime_ns, found.st_size)
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}.", file=file) from error


_reading = threading.Lock()


@functools.lru_cache(maxsize=8)
def _read(file: Path, mtime_ns: int, size: int) -> tuple[KnownLine, ...]:
    return tuple(parse_known_hosts(file.read_text(encoding="utf-8", errors="replace"), file))


def parse_known_hosts(text: str, file: Path) -> Iterator[KnownLine]:
    """The lines that name hosts. Comments, and lines with a marker that OpenSSH does not know, are left out."""
    for number, line in enumerate(text.split("\n"), 1):
        words = line.split()
        marker = Marker.KEY
        if words and words[0].startswith("@"):
            if words[0] not in {Marker.AUTHORITY.value, Marker.REVOKED.value}:
                continue
            marker = Marker(words.pop(0))
        if words and not words[0].startswith("#"):
            hosts, key_type, encoded = (*words, "", "")[:3]
            yield KnownLine(file, number, marker, hosts, key_type, _key(key_type, encoded))


def _key(key_type: str, encoded: str) -> bytes | None:
    """A public key begins with the length and the text of its type."""
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    name = key_type.encode()
    return key if name and key.startswith(struct.pack(">I", len(name)) + name) else None


def _is_hash_of(name: str, field: str) -> bool:
    salt, _, digest = field.removeprefix(_HASHED).partition("|")
    try:
        expected = base64.b64decode(digest)
        found = hmac.new(base64.b64decode(salt), name.encode(), hashlib.sha1).digest()
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(found, expected)
