# SPDX-License-Identifier: Apache-2.0
"""How a connection is opened: fabric along a route, host keys on file only, and a transport tuned for many small turns."""

from __future__ import annotations

import logging
import shlex
import socket
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import fabric
from paramiko import ProxyCommand, SSHConfig, Transport
from paramiko.ssh_exception import SSHException

from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import LoginRefused
from orchestrator.ssh.alive import AttentiveTransport
from orchestrator.ssh.failures import Where, connecting
from orchestrator.ssh.hostkeys import Check, HostKeys
from orchestrator.ssh.route import Hop, route_to

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
        _open(connection, where)
    except BaseException:
        hang_up(connection)
        raise
    return connection, where


def hang_up(connection: fabric.Connection) -> None:
    """Close it, and the jump hosts on its way."""
    hop: Any = connection
    while isinstance(hop, fabric.Connection):
        transport = hop.client.get_transport()
        if transport is not None:
            transport.packetizer.complete_handshake()  # else its timer outlives it and delays the end of the process
        hop.client.close()
        hop = hop.gateway


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
    # No fabric.yaml, no environment, and no ssh_config of fabric's: the route has read it.
    config = fabric.Config(lazy=True, ssh_config=SSHConfig())
    route = route_to(endpoint)
    connection = _connection_of(route, endpoint, config, [endpoint.key_file] if endpoint.key_file else [])
    if endpoint.password is not None:
        connection.connect_kwargs["password"] = endpoint.password
    return connection


class _Connection(fabric.Connection):  # type: ignore[misc]  # fabric has no types
    """Starts a ProxyCommand as OpenSSH does: with the user's words as they stand, in a shell."""

    def open_gateway(self) -> Any:
        if isinstance(self.gateway, str):
            return ProxyCommand(f"/bin/sh -c {shlex.quote(f'exec {self.gateway}')}")
        return super().open_gateway()


def _connection_of(
    hop: Hop, endpoint: Endpoint, config: fabric.Config, keys: Sequence[Path] = ()
) -> fabric.Connection:
    """Every hop alike: keys from known_hosts only, a deadline on each stage, no key file that is not there."""
    gateway: Any = hop.config.proxy_command or False
    if hop.through:
        gateway = _connection_of(hop.through, endpoint, config)
    connection = _Connection(
        "host", user=hop.config.user, port=hop.port, config=config, gateway=gateway, connect_kwargs={}
    )
    connection.host = hop.config.address  # fabric would look for a user and a port in it
    connection.connect_timeout = endpoint.connect_timeout
    names = [*keys, *(Path(name).expanduser() for name in hop.config.identity_files)]
    files = [str(name) for name in names if name.is_file()]
    connection.connect_kwargs = {
        "key_filename": files,
        "look_for_keys": not files and hop.config.identity_files != ("none",),
        "banner_timeout": endpoint.connect_timeout,
        "auth_timeout": endpoint.connect_timeout,
        "channel_timeout": endpoint.connect_timeout,
        "transport_factory": _transport_for(hop.host_keys),
    }
    connection.client.set_missing_host_key_policy(Check(hop.host_keys))
    return connection


def _transport_for(keys: HostKeys) -> Callable[..., Transport]:
    """A transport that asks the host first for those keys that are on file."""

    def transport_of(sock: Any, disabled_algorithms: Any = None) -> Transport:
        transport = tuned_transport(sock, disabled_algorithms)
        options = transport.get_security_options()
        options.key_types = keys.key_types(tuple(options.key_types))
        return transport

    return transport_of


def _open(connection: fabric.Connection, where: Where) -> None:
    with connecting(where):
        try:
            connection.open()
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
