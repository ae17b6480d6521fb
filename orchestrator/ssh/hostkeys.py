# SPDX-License-Identifier: Apache-2.0
"""Is the key that a host shows the right one? As OpenSSH with StrictHostKeyChecking=yes; nothing is ever added by itself."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from paramiko import MissingHostKeyPolicy, PKey, SSHClient

from orchestrator.model.errors import ChangedHostKey, ConfigError, LabctlError, UnknownHostKey
from orchestrator.ssh.host_certificate import ALGORITHMS, parse_certificate
from orchestrator.ssh.known_hosts import KnownLine, Marker, read_known_hosts

_SIGNATURES = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
"""The algorithms by which a key of a type is shown, where they have other names."""


@dataclass(frozen=True, slots=True)
class HostKeys:
    """What is known of one host. New keys would be written to the first of ``files``.

    ``host`` is the inventory's name, for errors. ``address`` and ``port``: where it is reached. ``alias``: HostKeyAlias, which stands
    in known_hosts in place of both.
    """

    host: str
    address: str
    port: int
    files: tuple[Path, ...]
    alias: str | None = None

    @property
    def name(self) -> str:
        """As known_hosts writes it: the port stands there only where it is not 22."""
        if self.alias:
            return self.alias
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    def key_types(self, supported: Sequence[str]) -> tuple[str, ...]:
        """``supported`` in the order in which the host is to be asked: first for what can be checked. Raises ConfigError."""
        lines = [line for name in self._names() for line in self._lines(name)]
        signed = ALGORITHMS if any(line.marker is Marker.AUTHORITY for line in lines) else ()
        known = [
            algorithm
            for line in lines
            if line.marker is Marker.KEY and line.key
            for algorithm in _SIGNATURES.get(line.key_type, (line.key_type,))
        ]
        return tuple(dict.fromkeys((*signed, *(name for name in known if name in supported), *supported)))

    def check(self, key: PKey) -> None:
        """Raises UnknownHostKey, ChangedHostKey, ConfigError."""
        lines = [line for name in self._names() for line in self._lines(name)]
        blob = key.asbytes()
        certificate = parse_certificate(key.public_blob.key_blob) if key.public_blob else None
        shown = (blob, certificate.authority) if certificate else (blob,)
        for line in lines:
            if line.marker is Marker.REVOKED and (line.key is None or line.key in shown):
                raise self._revoked(key, line)
        if any(line.marker is Marker.KEY and line.key == blob for line in lines):
            return
        why = None
        if certificate:
            if any(line.marker is Marker.AUTHORITY and line.key == certificate.authority for line in lines):
                why = certificate.why_wrong(self.alias or self.address, time.time())
                if why is None:
                    return
            else:
                why = "no line with @cert-authority has the key that signed its certificate"
        raise self._wrong(key, why)

    def _names(self) -> tuple[str, ...]:
        """A key that is on file without a port is right on every port, as with OpenSSH."""
        return (self.name,) if self.alias or self.port == 22 else (self.name, self.address)

    def _lines(self, name: str) -> Iterator[KnownLine]:
        for file in self.files:
            yield from (line for line in read_known_hosts(file) if line.is_about(name))

    def _wrong(self, key: PKey, why: str | None) -> LabctlError:
        own = [line for line in self._lines(self.name) if line.marker is Marker.KEY]
        known = next((line for line in own if line.key), None)
        if known:
            return self._changed(key, known)
        if own:
            return ConfigError("holds a line that is not a host key.", file=own[0].file, line=own[0].number)
        first, shown = self.files[0], f"{key.get_name()} {key.fingerprint}"
        also = f"; {why}" if why else ""
        return UnknownHostKey(
            self.host,
            f"{first} has no key for {self.name}, which shows {shown}{also}.",
            f"If that fingerprint is right, add it: {self._scan()} >> {shlex.quote(str(first))}",
        )

    def _changed(self, key: PKey, known: KnownLine) -> ChangedHostKey:
        where = f"{known.file}:{known.number}"
        shown = f"{key.get_name()} {key.fingerprint}"
        return ChangedHostKey(
            self.host,
            f"the host key of {self.name} is not the one in {where}: it shows {shown}.",
            "Someone may be listening in, or the host was made anew. If it was: "
            f"ssh-keygen -R {shlex.quote(self.name)} -f {shlex.quote(str(known.file))}, then add the new key.",
        )

    def _revoked(self, key: PKey, line: KnownLine) -> LabctlError:
        if line.key is None:
            message = "holds a line with @revoked and no key."
            return ConfigError(message, file=line.file, line=line.number, hint="Correct it, or take it out.")
        return ChangedHostKey(
            self.host,
            f"{self.name} shows {key.get_name()} {key.fingerprint}, which {line.file}:{line.number} revokes.",
            "Whoever has that key can pretend to be the host: give the host a new one.",
        )

    def _scan(self) -> str:
        port = "" if self.port == 22 else f"-p {self.port} "
        return f"ssh-keyscan {port}{shlex.quote(self.address)}"


class Check(MissingHostKeyPolicy):
    """paramiko is given no keys, so that it hands every key to this."""

    def __init__(self, keys: HostKeys) -> None:
        self._keys = keys

    def missing_host_key(self, client: SSHClient, hostname: str, key: PKey) -> None:
        self._keys.check(key)
