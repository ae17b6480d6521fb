# SPDX-License-Identifier: Apache-2.0
"""What fabric, paramiko and sockets raise -> our own errors. Nothing of theirs leaves this package."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from paramiko.config import ConfigParseError, CouldNotCanonicalize
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import (
    AuthenticationException,
    BadAuthenticationType,
    ChannelException,
    IncompatiblePeer,
    NoValidConnectionsError,
    PasswordRequiredException,
    ProxyCommandFailure,
    SSHException,
)

from orchestrator.model.errors import (
    AddressNotFound,
    ConfigError,
    ConnectionLost,
    ConnectionRefused,
    ConnectionTimeout,
    HostError,
    LabctlError,
    LoginRefused,
    UnreachableError,
)

THEIRS = (SSHException, OSError, EOFError, UnknownKeyType, ValueError)
"""Every class that the libraries are known to raise for what happens on a network or in a user's file."""

_NO_ROUTE = {
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.EHOSTDOWN,
    errno.ENETDOWN,
    errno.EADDRNOTAVAIL,
    errno.EINVAL,
}
_GONE = {errno.ECONNRESET, errno.EPIPE, errno.ECONNABORTED, errno.ENOTCONN, errno.ESHUTDOWN}


@dataclass(frozen=True, slots=True)
class Where:
    """What an error names: the host, where it was sought, as whom, and for how long (seconds)."""

    host: str
    address: str
    port: int
    user: str
    timeout: float

    @property
    def target(self) -> str:
        return f"{self.address} port {self.port}"


@contextmanager
def connecting(where: Where) -> Iterator[None]:
    """Around what makes a connection. Raises errors of our tree only."""
    began = time.monotonic()
    try:
        yield
    except THEIRS as error:
        late = time.monotonic() - began >= 0.95 * where.timeout
        if (
            late and type(error) is SSHException
        ):  # a deadline passed in some stage; paramiko's texts for it differ
            raise _timeout(where) from error
        raise while_connecting(error, where) from error


@contextmanager
def connected(where: Where) -> Iterator[None]:
    """Around what uses a connection that was made. Raises errors of our tree only."""
    try:
        yield
    except THEIRS as error:
        raise while_connected(error, where) from error


def while_connecting(error: BaseException, where: Where) -> LabctlError:
    """The error of our tree that says what ``error`` means before the connection stands."""
    return (
        _login(error, where)
        or _configuration(error, where)
        or _network(error, where)
        or UnreachableError(
            where.host,
            f"no SSH connection to {where.target}: {_text(error)}.",
            "Does an SSH server listen there?",
        )
    )


def while_connected(error: BaseException, where: Where) -> LabctlError:
    """The error of our tree that says what ``error`` means once the connection stands."""
    if isinstance(error, ChannelException):
        return HostError(
            where.host,
            f"the SSH server refuses another session: {_text(error)}.",
            "Raise MaxSessions in its sshd_config.",
        )
    return ConnectionLost(
        where.host,
        f"the connection to {where.target} broke: {_text(error)}.",
        "Is the host up? Then do it again.",
    )


def _login(error: BaseException, where: Where) -> UnreachableError | None:
    if isinstance(error, PasswordRequiredException):
        return LoginRefused(
            where.host,
            "the key file needs a passphrase.",
            "Load it into an agent: ssh-add KEY, or name another key.",
        )
    if not isinstance(error, AuthenticationException):
        return None
    if "timeout" in str(error).lower():
        return _timeout(where)
    if "EOF" in str(error):
        return ConnectionLost(where.host, f"{where.target} hung up during login.", "Its log says why (sshd).")
    allowed = error.allowed_types if isinstance(error, BadAuthenticationType) else []
    also = f" It accepts: {', '.join(allowed)}." if allowed else ""
    return LoginRefused(
        where.host,
        f"{where.target} does not let {where.user} in.{also}",
        "Check ansible_user, ansible_ssh_private_key_file and the host's authorized_keys.",
    )


def _configuration(error: BaseException, where: Where) -> LabctlError | None:
    """What a file on this machine says wrong."""
    if isinstance(error, ConfigParseError | CouldNotCanonicalize):
        return ConfigError(f"cannot be used: {_text(error)}.", file="~/.ssh/config")
    if isinstance(error, IncompatiblePeer):
        return UnreachableError(where.host, f"no common SSH algorithm with {where.target}: {_text(error)}.")
    if isinstance(error, ProxyCommandFailure):
        return UnreachableError(
            where.host, "the ProxyCommand failed.", "Try it by hand; it stands in ~/.ssh/config."
        )
    if isinstance(error, UnknownKeyType | UnicodeError | ValueError):
        return LoginRefused(
            where.host, f"a key cannot be used: {_text(error)}.", "Check the key file and known_hosts."
        )
    return None


def _network(error: BaseException, where: Where) -> LabctlError | None:
    """Of what the network says, however it is wrapped; None where it says nothing."""
    if isinstance(error, NoValidConnectionsError):
        return _network(next(iter(error.errors.values())), where)
    if isinstance(error, ChannelException):
        return UnreachableError(where.host, f"the jump host did not reach {where.target}: {_text(error)}.")
    if isinstance(error, TimeoutError):
        return _timeout(where)
    if isinstance(error, socket.gaierror):
        return AddressNotFound(
            where.host,
            f"the address {where.address} is not known here.",
            "Is ansible_host right, and name service up?",
        )
    return _by_number(error, where)


def _by_number(error: BaseException, where: Where) -> LabctlError | None:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.ECONNREFUSED:
        return ConnectionRefused(
            where.host,
            f"{where.target} refuses connections.",
            "Is the host's SSH server up, and the port right?",
        )
    if number in _NO_ROUTE:
        return AddressNotFound(
            where.host, f"there is no route to {where.target}.", "Is ansible_host right, and the network up?"
        )
    if number in _GONE or isinstance(error, EOFError):
        return ConnectionLost(
            where.host, f"{where.target} hung up before SSH began.", "Its log says why (sshd)."
        )
    return None


def _timeout(where: Where) -> ConnectionTimeout:
    return ConnectionTimeout(
        where.host,
        f"{where.target} did not answer within {where.timeout:g} s.",
        "Is the host up? A slow one gets longer with ansible_timeout.",
    )


def _text(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return text[0].rstrip(".") if text and text[0] else type(error).__name__
