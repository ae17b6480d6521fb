# SPDX-License-Identifier: Apache-2.0
"""The way to a host: the host itself behind the jump hosts, each with what ssh_config says of it and the keys that are right for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ConfigError
from orchestrator.ssh.config import HostConfig, JumpHost, jump_hosts, resolve
from orchestrator.ssh.config_syntax import SYSTEM_FOLDER
from orchestrator.ssh.hostkeys import HostKeys

MOST_JUMPS = 16

Resolve = Callable[[str, str | None, int | None], HostConfig]
"""Configuration of a host by its name, the user and the port that are given already."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A host on the way. ``through``: the one before it, towards us."""

    config: HostConfig
    host_keys: HostKeys
    through: Hop | None = None

    @property
    def port(self) -> int:
        return self.config.port or 22


def route_to(endpoint: Endpoint, resolve_: Resolve | None = None) -> Hop:
    """The way to ``endpoint``, the host itself first. Raises ConfigError: ssh_config is wrong, or jumps in a circle."""
    resolving = resolve_ or (lambda name, user, port: resolve(name, user=user, port=port))
    return _hop(endpoint, resolving, resolving(endpoint.address, endpoint.user, endpoint.port), 0)


def _hop(
    endpoint: Endpoint, resolve_: Resolve, config: HostConfig, level: int, before: tuple[JumpHost, ...] = ()
) -> Hop:
    """``before``: the jump hosts of a list on the way to this one, in place of what its own configuration says."""
    if level > MOST_JUMPS:
        message = f"ProxyJump: the way to {endpoint.address} has more than {MOST_JUMPS} hosts."
        raise ConfigError(message, file="~/.ssh/config", hint="Does a host jump through itself?")
    jumps = before or (jump_hosts(config.proxy_jump) if config.proxy_jump else ())
    keys = host_keys_of(endpoint, config, is_jump=level > 0)
    # `Host *` with a ProxyJump says of the jump host too that it is reached through itself.
    if not jumps or jumps[-1].host == config.original:
        return Hop(config, keys)
    last = jumps[-1]
    through = resolve_(last.host, last.user, last.port)
    return Hop(config, keys, _hop(endpoint, resolve_, through, level + 1, jumps[:-1]))


def host_keys_of(endpoint: Endpoint, config: HostConfig, *, is_jump: bool) -> HostKeys:
    """By the inventory's file alone; else by what ssh_config says; else by the user's files. The system's count besides.

    A jump host may stand in the inventory's file and in the user's.
    """
    own = (endpoint.known_hosts,) if endpoint.known_hosts is not None else ()
    files = own
    if not own or is_jump:
        users = config.user_known_hosts
        systems = config.global_known_hosts
        files = (
            *own,
            *(_paths(users) if users is not None else _pair(Path("~/.ssh/known_hosts").expanduser())),
            *(_paths(systems) if systems is not None else _pair(SYSTEM_FOLDER / "ssh_known_hosts")),
        ) or _pair(Path("~/.ssh/known_hosts").expanduser())[:1]
    return HostKeys(endpoint.host, config.address, config.port or 22, files, config.host_key_alias)


def _paths(names: tuple[str, ...]) -> tuple[Path, ...]:
    return tuple(Path(name) for name in names)


def _pair(file: Path) -> tuple[Path, Path]:
    return file, file.with_name(f"{file.name}2")
