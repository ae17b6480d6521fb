# SPDX-License-Identifier: Apache-2.0
"""How a connection is opened: fabric with ~/.ssh/config, host keys on file only, and a transport tuned for many small turns."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fabric
from paramiko import Transport
from paramiko.ssh_exception import BadHostKeyException, SSHException

from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ChangedHostKey, LoginRefused
from orchestrator.ssh.alive import AttentiveTransport
from orchestrator.ssh.failures import Where, connecting
from orchestrator.ssh.hostkeys import KnownHosts, Refuse, known_hosts_of, lookup_name

KEEPALIVE_SECONDS = 15
DEAD_AFTER_SECONDS = 45
"""What was sent and stays unacknowledged so long ends the connection."""
WINDOW = 4 * 1024 * 1024
_FAST_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")

_quiet = logging.getLogger("paramiko")
_quiet.addHandler(logging.NullHandler())
_quiet.propagate = False  # its lines, and the tracebacks in them, are not for a user's terminal


def dial(endpoint: Endpoint) -> tuple[fabric.Connection, Where]:
    """Connect and log in. Raises an UnreachableError or a ConfigError; leaves nothing open then."""
    _check_key_file(endpoint)
    where = _asked(endpoint)
    with connecting(where):
        connection = _prepared(endpoint)
    where = replace(where, address=connection.host, port=connection.port, user=connection.user)
    try:
        _open(connection, endpoint, where)
    except BaseException:
        hang_up(connection)
        raise
    return connection, where


def hang_up(connection: fabric.Connection) -> None:
    """Close it, and the jump hosts on its way."""
    for hop in _hops(connection):
        transport = hop.client.get_transport()
        if transport is not None:
            transport.packetizer.complete_handshake()  # else its timer outlives it and delays the end of the process
        hop.client.close()


def _asked(endpoint: Endpoint) -> Where:
    return Where(
        endpoint.host, endpoint.address, endpoint.port or 22, endpoint.user or "you", endpoint.connect_timeout
    )


def _check_key_file(endpoint: Endpoint) -> None:
    key = endpoint.key_file
    if key is not None and not key.is_file():
        raise LoginRefused(
            endpoint.host,
            f"there is no key file {key}.",
            "Correct ansible_ssh_private_key_file, or make the key; `labctl lab up` makes that of a local lab.",
        )


def _prepared(endpoint: Endpoint) -> fabric.Connection:
    config = fabric.Config(lazy=True)  # no fabric.yaml, no environment: the inventory and ~/.ssh/config alone
    config.load_ssh_config()
    keys: dict[str, Any] = {"key_filename": str(endpoint.key_file)} if endpoint.key_file else {}
    connection = fabric.Connection(
        endpoint.address, user=endpoint.user, port=endpoint.port, config=config, connect_kwargs=keys
    )
    if endpoint.password is not None:
        connection.connect_kwargs["password"] = endpoint.password
    for hop in _hops(connection):
        _secure(hop, endpoint, known_hosts_of(endpoint, hop.ssh_config, jump=hop is not connection))
    return connection


def _secure(hop: fabric.Connection, endpoint: Endpoint, known: KnownHosts) -> None:
    """Every hop alike: keys from known_hosts only, a deadline on each stage, no key file that is not there."""
    hop.connect_timeout = endpoint.connect_timeout
    found = [name for name in hop.connect_kwargs.get("key_filename", ()) if Path(name).expanduser().is_file()]
    hop.connect_kwargs = {
        **hop.connect_kwargs,
        "key_filename": [str(Path(name).expanduser()) for name in found],
        "look_for_keys": not found,
        "banner_timeout": endpoint.connect_timeout,
        "auth_timeout": endpoint.connect_timeout,
        "channel_timeout": endpoint.connect_timeout,
        "transport_factory": tuned_transport,
    }
    known.load_into(hop.client, lookup_name(hop.host, hop.port))
    hop.client.set_missing_host_key_policy(Refuse(known))


def _open(connection: fabric.Connection, endpoint: Endpoint, where: Where) -> None:
    with connecting(where):
        try:
            connection.open()
        except BadHostKeyException as error:
            raise _changed(connection, endpoint, error) from error
        except SSHException as error:
            if type(error) is SSHException and _is_at_login(connection):
                raise _nothing_to_show(where, error) from error
            raise
        connection.transport.set_keepalive(KEEPALIVE_SECONDS)


def _is_at_login(connection: fabric.Connection) -> bool:
    """Are the keys exchanged, and the connection whole? Then what failed is on this side: a key file, or no key at all."""
    transport = connection.client.get_transport()
    return transport is not None and transport.initial_kex_done and transport.is_active()


def _nothing_to_show(where: Where, error: SSHException) -> LoginRefused:
    return LoginRefused(
        where.host,
        f"there is nothing to log in to {where.target} with: {str(error).splitlines()[0].rstrip('.')}.",
        "Set ansible_ssh_private_key_file to a private key, or load one into an agent with ssh-add.",
    )


def _changed(connection: fabric.Connection, endpoint: Endpoint, error: BadHostKeyException) -> ChangedHostKey:
    for hop in _hops(connection):
        if hop.host == error.hostname:
            known = known_hosts_of(endpoint, hop.ssh_config, jump=hop is not connection)
            return known.changed(lookup_name(hop.host, hop.port), error.key)
    raise error


def _hops(connection: fabric.Connection) -> Iterator[fabric.Connection]:
    """The connection itself, then the jump hosts towards us."""
    hop: Any = connection
    while isinstance(hop, fabric.Connection):
        yield hop
        hop = hop.gateway


def tuned_transport(sock: Any, disabled_algorithms: Any = None) -> Transport:
    """Without Nagle's delay, which costs 45 ms a turn; a window for bulk; the ciphers that the CPU has in hardware."""
    if isinstance(sock, socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, DEAD_AFTER_SECONDS * 1000)
    transport = AttentiveTransport(sock, default_window_size=WINDOW, disabled_algorithms=disabled_algorithms)
    options = transport.get_security_options()
    known = tuple(options.ciphers)
    fast = tuple(cipher for cipher in _FAST_CIPHERS if cipher in known)
    options.ciphers = (*fast, *(cipher for cipher in known if cipher not in fast))
    return transport
