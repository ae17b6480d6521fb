# SPDX-License-Identifier: Apache-2.0
"""known_hosts: which files count, and where in them a host stands, so that an error can name file and line."""

from __future__ import annotations

import functools
import shlex
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from paramiko import MissingHostKeyPolicy, PKey, SSHClient
from paramiko.hostkeys import HostKeys, InvalidHostKey

from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ChangedHostKey, ConfigError, UnknownHostKey

SYSTEM = Path("/etc/ssh/ssh_known_hosts")


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The files that count for one endpoint; new keys would be written to the first one."""

    endpoint: Endpoint
    files: tuple[Path, ...]

    def load_into(self, client: SSHClient, name: str) -> None:
        """What the files have of ``name``. Raises ConfigError: a file that cannot be read, a line that holds no key."""
        for file in self.files:
            try:
                for kind, key in (_keys(file).lookup(name) or {}).items():
                    client.get_host_keys().add(name, kind, key)
            except InvalidHostKey as error:
                raise ConfigError(
                    "holds a line that is not a host key.", file=file, hint=f"{error}"
                ) from error
            except OSError as error:
                raise ConfigError(f"cannot be read: {error.strerror}.", file=file) from error

    def unknown(self, name: str, key: PKey) -> UnknownHostKey:
        first = self.files[0]
        return UnknownHostKey(
            self.endpoint.host,
            f"{first} has no key for {name}, which shows {key.get_name()} {key.fingerprint}.",
            f"If that fingerprint is right, add it: {_scan(name)} >> {shlex.quote(str(first))}",
        )

    def changed(self, name: str, key: PKey) -> ChangedHostKey:
        """Of a host whose key is none of those on file."""
        file, line = self._place(name)
        where = f"{file}:{line}" if line else str(file)
        return ChangedHostKey(
            self.endpoint.host,
            f"the host key of {name} is not the one in {where}: it shows {key.get_name()} {key.fingerprint}.",
            "Someone may be listening in, or the host was made anew. If it was: "
            f"ssh-keygen -R {shlex.quote(name)} -f {shlex.quote(str(file))}, then add the new key.",
        )

    def _place(self, name: str) -> tuple[Path, int]:
        for file in self.files:
            for number, text in enumerate(_lines(file), 1):
                words = text.split()
                if words and not words[0].startswith(("#", "@")) and _names(words[0], name):
                    return file, number
        return self.files[0], 0


class Refuse(MissingHostKeyPolicy):
    """A host without a key on file is refused; nothing is ever added by itself."""

    def __init__(self, known: KnownHosts) -> None:
        self._known = known

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        raise self._known.unknown(hostname, key)


def known_hosts_of(endpoint: Endpoint, ssh_config: Mapping[str, Any], *, jump: bool = False) -> KnownHosts:
    """The inventory's file alone; else what ~/.ssh/config says; else the user's file and the system's.

    A jump host may stand in the inventory's file and in the user's.
    """
    own = (endpoint.known_hosts,) if endpoint.known_hosts is not None else ()
    if own and not jump:
        return KnownHosts(endpoint, own)
    named = [Path(word).expanduser() for word in shlex.split(str(ssh_config.get("userknownhostsfile", "")))]
    return KnownHosts(endpoint, (*own, *(named or [Path("~/.ssh/known_hosts").expanduser()]), SYSTEM))


def lookup_name(address: str, port: int) -> str:
    """As known_hosts writes it: the port stands there only where it is not 22."""
    return address if port == 22 else f"[{address}]:{port}"


_reading = threading.Lock()


def _keys(file: Path) -> HostKeys:
    """Each file is read once: fifty hosts of one file would take it apart fifty times, and each look through all of it."""
    if not file.is_file():
        return HostKeys()
    found = file.stat()
    with _reading:
        return _parsed(file, found.st_mtime_ns, found.st_size)


@functools.lru_cache(maxsize=8)
def _parsed(file: Path, mtime_ns: int, size: int) -> HostKeys:
    return HostKeys(str(file))


def _scan(name: str) -> str:
    address, _, port = name.rpartition("]:")
    return (
        f"ssh-keyscan -p {port} {shlex.quote(address[1:])}" if address else f"ssh-keyscan {shlex.quote(name)}"
    )


def _lines(file: Path) -> Iterable[str]:
    return file.read_text(encoding="utf-8", errors="replace").splitlines() if file.is_file() else ()


def _names(field: str, name: str) -> bool:
    """Does the first field of a line (names by comma, patterns, or one hash) stand for ``name``?"""
    if field.startswith("|1|"):
        return HostKeys.hash_host(name, field) == field
    return any(fnmatchcase(name, entry) or entry == name for entry in field.split(","))
