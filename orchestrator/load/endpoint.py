# SPDX-License-Identifier: Apache-2.0
"""Ansible's connection variables -> how a host is reached. What would change the way and is not supported is refused."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.load.become import OF_THIS_CALL, BecomePassword
from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host, Inventory
from orchestrator.shipped import project_variables

_ADDRESS = ("ansible_ssh_host", "ansible_host")
_PORT = ("ansible_ssh_port", "ansible_port")
_USER = ("ansible_ssh_user", "ansible_user")
_KEY = ("ansible_private_key_file", "ansible_ssh_private_key_file")
_PASSWORD = ("ansible_ssh_password", "ansible_ssh_pass", "ansible_password")
_TIMEOUT = ("ansible_timeout", "ansible_ssh_timeout")
_ARGUMENTS = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
_BECOME_PASSWORD = ("ansible_become_pass", "ansible_become_password")
_SECRET = re.compile(r"ansible_(?:\w+_)?pass(?:word|wd|phrase)?")
_KNOWN_HOSTS = "labctl_known_hosts"

_ACCEPTED = {
    *(_ADDRESS + _PORT + _USER + _KEY + _PASSWORD + _TIMEOUT + _ARGUMENTS + _BECOME_PASSWORD),
    *("ansible_connection", "ansible_become", "ansible_become_user", "ansible_become_method"),
    *("ansible_shell_type", "ansible_ssh_host_key_checking", "ansible_host_key_checking"),
    # how Ansible itself speaks over the same connection: nothing to do here
    *("ansible_ssh_pipelining", "ansible_ssh_retries", "ansible_ssh_transfer_method", "ansible_ssh_use_tty"),
    *("ansible_sftp_extra_args", "ansible_scp_extra_args", "ansible_scp_if_ssh", "ansible_ssh_executable"),
}
_CONNECTS = (
    "ansible_ssh_",
    "ansible_become_",
    "ansible_paramiko_",
    "ansible_sudo_",
    "ansible_su_",
    "ansible_scp_",
    "ansible_sftp_",
)
_FIXED = {
    "ansible_connection": (("ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh"), "labctl reaches hosts over SSH"),
    "ansible_become_method": (("sudo", "ansible.builtin.sudo"), "labctl becomes another user with sudo"),
    "ansible_shell_type": (("sh", "bash", "dash"), "labctl needs a POSIX shell on the host"),
}  # fmt: skip
_WAYS = {"-J", "-F", "-i", "-l", "-p", "-W"}
_WAY_OPTIONS = {
    "proxyjump",
    "proxycommand",
    "hostname",
    "port",
    "user",
    "identityfile",
    "hostkeyalias",
    "bindaddress",
}
_TRUE = {"yes", "on", "true", "1", "y", "t"}
_FALSE = {"no", "off", "false", "0", "n", "f"}


def endpoint_of(
    host: Host,
    inventory: Inventory,
    environ: Mapping[str, str] = os.environ,
    asked: BecomePassword = OF_THIS_CALL,
) -> Endpoint:
    """How ``host`` is reached, from its variables, rendered; a relative path is relative to the current folder, as in Ansible.

    Raises ConfigError, with the place of the variable: a template without a value, a wrong type, a way that is not SSH.
    """
    reader = _Reader(host, inventory, environ)
    reader.refuse_other_ways()
    user = reader.text(_USER)
    return Endpoint(
        host=host.name,
        address=reader.text(_ADDRESS) or host.name,
        port=reader.port(),
        user=user,
        key_file=reader.path(_KEY),
        known_hosts=reader.path((_KNOWN_HOSTS,)) or reader.known_hosts_argument(),
        password=reader.text(_PASSWORD),
        become=reader.flag("ansible_become"),
        become_user=reader.text(("ansible_become_user",)) or "root",
        become_password=reader.text(_BECOME_PASSWORD) or asked.given,
        connect_timeout=reader.seconds(_TIMEOUT, 10.0),
    )


def magic_vars(host: Host, inventory: Inventory) -> dict[str, Any]:
    """The names that Ansible gives to every host besides its variables; templates may use them."""
    file = host.file or inventory.path
    return {
        "inventory_hostname": host.name,
        "inventory_hostname_short": host.name.split(".")[0],
        "inventory_file": str(file),
        "inventory_dir": str(file.parent),
        "group_names": list(host.groups),
        "groups": {name: list(inventory.members(name)) for name in inventory.groups},
    }


def is_password(name: str) -> bool:
    """Is this the name of a connection variable that holds a password?"""
    return bool(_SECRET.fullmatch(name))


@dataclass(frozen=True, slots=True)
class _Reader:
    host: Host
    inventory: Inventory
    environ: Mapping[str, str]

    def refuse_other_ways(self) -> None:
        for name, (allowed, why) in _FIXED.items():
            value = self.text((name,))
            if value is not None and value not in allowed:
                raise self.error(
                    name, f"'{value}' is not supported: {why}.", "Take it out, or leave the host out."
                )
        for name in self.host.vars:
            if name.startswith(_CONNECTS) and name not in _ACCEPTED:
                raise self.error(
                    name, "this connection variable is not supported.", "Say it in ~/.ssh/config instead."
                )

    def value(self, names: tuple[str, ...]) -> tuple[str, Any]:
        """The last of ``names`` that the host has, with its value; None where it has none."""
        for name in reversed(names):
            if self.host.vars.get(name) is not None:
                return name, self._rendered(name)
        return names[-1], None

    def text(self, names: tuple[str, ...]) -> str | None:
        name, value = self.value(names)
        if value is None or value == "":
            return None
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            return str(value)
        raise self.error(name, "must be a text.")

    def path(self, names: tuple[str, ...]) -> Path | None:
        text = self.text(names)
        return Path(text).expanduser().absolute() if text else None

    def port(self) -> int | None:
        name, value = self.value(_PORT)
        if value is None:
            return None
        text = str(value)
        if isinstance(value, bool) or not text.isdecimal() or not 0 < int(text) < 65536:
            raise self.error(name, f"'{text}' is not a port: a whole number from 1 to 65535.")
        return int(text)

    def flag(self, name: str) -> bool:
        value = str(self.value((name,))[1]).lower()
        if value in _TRUE | _FALSE | {"none"}:
            return value in _TRUE
        raise self.error(name, "must be true or false.")

    def seconds(self, names: tuple[str, ...], default: float) -> float:
        name, value = self.value(names)
        try:
            seconds = default if value is None else float(value)
        except (TypeError, ValueError):
            seconds = 0.0
        if not 0 < seconds < 3600:
            raise self.error(name, "must be a number of seconds above 0 and below an hour.")
        return seconds

    def known_hosts_argument(self) -> Path | None:
        """UserKnownHostsFile of Ansible's SSH arguments; other options that change where one arrives are refused."""
        found: Path | None = None
        for name in _ARGUMENTS:
            for option, value in self._options(name):
                if option == "userknownhostsfile" and value != "/dev/null":
                    found = Path(value).expanduser().absolute()
        return found

    def _options(self, name: str) -> list[tuple[str, str]]:
        """``-o`` options by their names in lower case, with their values."""
        try:
            words = shlex.split(self.text((name,)) or "")
        except ValueError:
            raise self.error(name, "has a quote without its end.") from None
        options: list[tuple[str, str]] = []
        for at, word in enumerate(words):
            if word[:2] in _WAYS:
                raise self._other_way(name, word[:2])
            if word.startswith("-o"):
                text = word[2:] or (words[at + 1] if at + 1 < len(words) else "")
                option, _, value = text.strip().replace("=", " ", 1).partition(" ")
                options.append((option.lower(), value.strip()))
        for option, _ in options:
            if option in _WAY_OPTIONS:
                raise self._other_way(name, option)
        return options

    def _other_way(self, name: str, option: str) -> ConfigError:
        return self.error(
            name, f"{option} would change the way to the host.", "Say it in ~/.ssh/config instead."
        )

    def _rendered(self, name: str) -> Any:
        value = self.host.vars[name]
        if not isinstance(value, str) or "{" not in value:
            return value
        from orchestrator.load.templates import TemplateFailed, Templates

        variables = {**project_variables(), **self.host.vars, **magic_vars(self.host, self.inventory)}
        try:
            return Templates(variables, self.environ).render(value)
        except TemplateFailed as error:
            raise self.error(name, f"the template has no value: {error}") from error

    def error(self, name: str, message: str, hint: str | None = None) -> ConfigError:
        origin = self.host.origins.get(name)
        key = f"{self.host.name}.{name}"
        if origin is None:
            return ConfigError(message, file=self.inventory.path, key=key, hint=hint)
        return ConfigError(
            message, file=origin.file, line=origin.line, column=origin.column, key=key, hint=hint
        )
