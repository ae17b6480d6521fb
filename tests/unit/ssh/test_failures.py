# SPDX-License-Identifier: Apache-2.0
"""No exception of paramiko, fabric, invoke or the socket module leaves the package: the table of all of them."""

from __future__ import annotations

import errno
import inspect
import socket
import types

import fabric.exceptions
import paramiko.config
import paramiko.hostkeys
import paramiko.pkey
import paramiko.ssh_exception
import pytest
from paramiko import ssh_exception as theirs

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
from orchestrator.ssh.failures import THEIRS, Where, connected, connecting, while_connected, while_connecting

WHERE = Where("h1", "192.0.2.1", 22, "lab", 10.0)
REFUSED = ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")

TABLE: list[tuple[BaseException, type[LabctlError]]] = [
    (theirs.AuthenticationException("Authentication failed."), LoginRefused),
    (theirs.AuthenticationException("Authentication timeout."), ConnectionTimeout),
    (theirs.AuthenticationException("Authentication failed: transport shut down or saw EOF"), ConnectionLost),
    (theirs.PasswordRequiredException("Private key file is encrypted"), LoginRefused),
    (theirs.BadAuthenticationType("no", ["publickey"]), LoginRefused),
    (theirs.PartialAuthentication(["password"]), LoginRefused),
    (theirs.UnableToAuthenticate("no"), LoginRefused),
    (theirs.NoValidConnectionsError({("192.0.2.1", 22): REFUSED}), ConnectionRefused),
    (
        theirs.NoValidConnectionsError({("192.0.2.1", 22): OSError(errno.EHOSTUNREACH, "No route to host")}),
        AddressNotFound,
    ),
    (theirs.ChannelException(2, "Connect failed"), UnreachableError),
    (theirs.IncompatiblePeer("no acceptable kex algorithm"), UnreachableError),
    (theirs.ProxyCommandFailure("nc", "gone"), UnreachableError),
    (theirs.CouldNotCanonicalize("name"), ConfigError),
    (theirs.ConfigParseError("Unparsable line"), ConfigError),
    (theirs.MessageOrderError("out of order"), UnreachableError),
    (theirs.SSHException("Error reading SSH protocol banner"), UnreachableError),
    (paramiko.pkey.UnknownKeyType("x", b""), LoginRefused),
    (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), AddressNotFound),
    (UnicodeError("label too long"), LoginRefused),
    (TimeoutError("timed out"), ConnectionTimeout),
    (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), ConnectionTimeout),
    (REFUSED, ConnectionRefused),
    (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), ConnectionLost),
    (BrokenPipeError(errno.EPIPE, "Broken pipe"), ConnectionLost),
    (OSError(errno.ENETUNREACH, "Network is unreachable"), AddressNotFound),
    (OSError(errno.EHOSTUNREACH, "No route to host"), AddressNotFound),
    (OSError(errno.EMFILE, "Too many open files"), UnreachableError),
    (EOFError(), ConnectionLost),
]
ELSEWHERE = {"BadHostKeyException", "InvalidHostKey"}
"""Caught where known_hosts is at hand, and tested there with file and line."""

NEVER = {"GroupException", "InvalidV1Env", "NothingToDo"}
"""Raised by parts of fabric that are not used: its groups, its transfers, its reader of version 1's settings."""


def of_module(module: types.ModuleType) -> set[type[BaseException]]:
    found = {
        value for _, value in inspect.getmembers(module, inspect.isclass) if issubclass(value, BaseException)
    }
    return {value for value in found if value.__module__.startswith(("paramiko", "fabric"))}


@pytest.mark.parametrize(
    ("error", "expected"), TABLE, ids=lambda value: getattr(type(value), "__name__", None)
)
def test_what_it_means_while_connecting(error: BaseException, expected: type[LabctlError]) -> None:
    ours = while_connecting(error, WHERE)
    assert type(ours) is expected
    assert "\n" not in str(ours)
    with pytest.raises(expected), connecting(WHERE):
        raise error


@pytest.mark.parametrize("error", [error for error, _ in TABLE], ids=lambda value: type(value).__name__)
def test_on_a_connection_that_stood_it_is_lost_or_full(error: BaseException) -> None:
    expected = HostError if isinstance(error, theirs.ChannelException) else ConnectionLost
    assert type(while_connected(error, WHERE)) is expected
    with pytest.raises(expected), connected(WHERE):
        raise error


def test_the_table_has_every_class_that_the_libraries_define() -> None:
    modules = (paramiko.ssh_exception, paramiko.pkey, paramiko.config, paramiko.hostkeys, fabric.exceptions)
    known = {type(error).__name__ for error, _ in TABLE} | ELSEWHERE | NEVER
    assert {error.__name__ for module in modules for error in of_module(module)} - known == set()


def test_what_is_caught_is_what_the_table_names() -> None:
    assert all(isinstance(error, THEIRS) for error, _ in TABLE)
    assert not issubclass(AttributeError, THEIRS)  # a defect stays one


def test_a_deadline_that_passed_is_a_timeout_whatever_paramiko_calls_it() -> None:
    with pytest.raises(ConnectionTimeout), connecting(Where("h1", "192.0.2.1", 22, "lab", 0.0)):
        raise theirs.SSHException("No existing session")
