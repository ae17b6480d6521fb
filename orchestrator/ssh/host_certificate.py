# SPDX-License-Identifier: Apache-2.0
"""A host's certificate (OpenSSH's PROTOCOL.certkeys): what it says, and whether it is right for a host."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from paramiko import Message, PKey
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import SSHException

ALGORITHMS = (
    "ssh-ed25519-cert-v01@openssh.com",
    "ecdsa-sha2-nistp256-cert-v01@openssh.com",
    "ecdsa-sha2-nistp384-cert-v01@openssh.com",
    "ecdsa-sha2-nistp521-cert-v01@openssh.com",
    "rsa-sha2-512-cert-v01@openssh.com",
    "rsa-sha2-256-cert-v01@openssh.com",
)
_OF_A_HOST = 2
_FIELDS_OF_KEY = {"ssh-ed25519": 1, "ecdsa": 2, "ssh-rsa": 2}
"""How many fields the public key has within the certificate."""


@dataclass(frozen=True, slots=True)
class HostCertificate:
    """``authority`` is the public key that signed it. Times are seconds since 1970."""

    authority: bytes
    kind: int
    principals: tuple[str, ...]
    valid_after: int
    valid_before: int
    critical_options: bytes
    signed: bytes
    signature: bytes

    def why_wrong(self, name: str, now: float) -> str | None:
        """One sentence without its end, where the certificate is none for the host ``name`` now; None where it is right."""
        if self.kind != _OF_A_HOST:
            return "its certificate is not one of a host"
        if self.critical_options:
            return "its certificate has critical options, which no host's may have"
        if now < self.valid_after:
            return "its certificate is not valid yet"
        if now >= self.valid_before:
            return "its certificate has expired"
        if self.principals and name.lower() not in self.principals:
            return f"its certificate is for {', '.join(self.principals)}"
        return None if self._is_signed() else "the signature of its certificate is wrong"

    def _is_signed(self) -> bool:
        key_type = Message(self.authority).get_text()
        try:
            key = PKey.from_type_string(key_type, self.authority)
            return bool(key.verify_ssh_sig(self.signed, Message(self.signature)))
        except (SSHException, UnknownKeyType, ValueError):
            return False


def parse_certificate(blob: bytes) -> HostCertificate | None:
    """The certificate in ``blob`` as a server sends it; None where it is torn."""
    try:
        return _parsed(_Fields(blob))
    except (struct.error, IndexError, UnicodeDecodeError):
        return None


def _parsed(fields: _Fields) -> HostCertificate | None:
    name = fields.text().removesuffix("-cert-v01@openssh.com")
    count = _FIELDS_OF_KEY.get("ecdsa" if name.startswith("ecdsa-") else name)
    if count is None:
        return None
    for _ in range(1 + count):  # the nonce and the key
        fields.blob()
    fields.number(">Q")  # the serial number
    kind = fields.number(">I")
    fields.blob()  # the name of the certificate, for logs
    principals = tuple(_Fields(fields.blob()).texts())
    valid_after, valid_before = fields.number(">Q"), fields.number(">Q")
    critical = fields.blob()
    fields.blob()  # extensions
    fields.blob()  # reserved
    authority = fields.blob()
    signed = fields.so_far()
    return HostCertificate(
        authority, kind, principals, valid_after, valid_before, critical, signed, fields.blob()
    )


class _Fields:
    """Reads SSH's encoding from its beginning. Raises struct.error where it ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def number(self, layout: str) -> int:
        (value,) = struct.unpack_from(layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return int(value)

    def blob(self) -> bytes:
        length = self.number(">I")
        value = self._data[self._at : self._at + length]
        if len(value) < length:
            raise struct.error("torn")
        self._at += length
        return value

    def text(self) -> str:
        return self.blob().decode()

    def texts(self) -> Iterator[str]:
        while self._at < len(self._data):
            yield self.text()

    def so_far(self) -> bytes:
        return self._data[: self._at]
