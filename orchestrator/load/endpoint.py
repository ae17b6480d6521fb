# SPDX-License-Identifier: Apache-2.0
"""Ansible's connection variables -> how a host is reached. What would change the way and is not supported is refused."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.load.become import OF_THIS_CALL, BecomePassword
from orchestrator.load.ssh_arguments import ARGUMENT_VARIABLES, ArgumentRefused, SshArguments, read_arguments
from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host, Inventory

# Of several names for one thing the last one that a host has counts, as with Ansible.
_ADDRESS = ("ansible_host", "ansible_ssh_host")
_PORT = ("ansible_port", "ansible_ssh_port")
_USER = ("ansible_user", "ansible_ssh_user")
_KEY = ("ansible_private_key_file", "ansible_ssh_private_key_file")
_PASSWORD = ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
_TIMEOUT = ("ansible_timeout", "ansible_ssh_timeout")
_BECOME_PASSWORD = ("ansible_become_password", "ansible_become_pass")
_SECRET = re.compile(r"ansible_(?:\w+_)?pass(?:word|wd|phrase)?")
_KNOWN_HOSTS = "labctl_known_hosts"

_ACCEPTED = {
    *(_ADDRESS + _PORT + _USER + _KEY + _PASSWORD + _TIMEOUT + ARGUMENT_VARIABLES + _BECOME_PASSWORD),
    *("ansible_connection", "ansible_become", "ansible_become_user", "ansible_become_method"),
    *("ansible_shell_type", "ansible_ssh_host_key_checking", "ansible_host_key_checking"),
    # how Ansible itself speaks over the same connection: nothing to do here
    *("ansible_ssh_pipelining", "ansible_ssh_retries", "ansible_ssh_transfer_method", "ansible_ssh_use_tty"),
    *("ansible_sftp_extra_args", "ansible_scp_extra_args", "ansible_scp_if_ssh", "ansible_ssh_executable"),
    *(
        "ansible_sftp_executable",
        "ansible_scp_executable",
        "ansible_sftp_batch_mode",
        "ansible_ssh_verbosity",
    ),
    "ansible_ssh_password_mechanism",
}
_CONNECTS = (
    "ansible_ssh_",
    "ansible_become_",
    "ansible_paramiko_",
    "ansible_sudo_",
    "ansible_su_",
    "ansible_scp_",
    "ansible_sftp_",
    "ansible_private_key",
)
_FIXED = {
    "ansible_connection": (
        ("ssh", "smart", "paramiko", "paramiko_ssh", "ansible.builtin.ssh", "ansible.builtin.paramiko_ssh"),
        "labctl reaches hosts over SSH",
    ),
    "ansible_ssh_executable": (("ssh", "/usr/bin/ssh"), "labctl speaks SSH by itself"),
    "ansible_become_method": (("sudo", "ansible.builtin.sudo"), "labctl becomes another user with sudo"),
    "ansible_shell_type": (("sh", "bash", "dash"), "labctl needs a POSIX shell on the host"),
}  # fmt: skip
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
    arguments = reader.arguments()
    return Endpoint(
        host=host.name,
        address=reader.text(_ADDRESS) or host.name,
        port=reader.port(),
        user=reader.text(_USER),
        key_file=reader.path(_KEY),
        known_hosts=reader.known_hosts(arguments),
        password=reader.text(_PASSWORD),
        become=reader.flag("ansible_become"),
        become_user=reader.text(("ansible_become_user",)) or "root",
        become_password=reader.text(_BECOME_PASSWORD) or asked.given,
        connect_timeout=reader.seconds(arguments),
    )


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
            value = self._rendered(name) if self.host.vars.get(name) is not None else None
            if value is not None:
                return name, value
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

    def seconds(self, arguments: SshArguments) -> float:
        name, value = self.value(_TIMEOUT)
        if arguments.connect_timeout is not None:
            name, value = ARGUMENT_VARIABLES[0], arguments.connect_timeout
        try:
            seconds = 10.0 if value is None else float(value)
        except (TypeError, ValueError):
            seconds = 0.0
        if not 0 < seconds < 3600:
            raise self.error(name, "must be a number of seconds above 0 and below an hour.")
        return seconds

    def arguments(self) -> SshArguments:
        """What Ansible's SSH arguments say. Raises ConfigError for each option that labctl does not do."""
        texts = {name: self.text((name,)) or "" for name in ARGUMENT_VARIABLES}
        try:
            return read_arguments(texts)
        except ArgumentRefused as error:
            raise self.error(error.variable, error.message, error.hint) from None

    def known_hosts(self, arguments: SshArguments) -> Path | None:
        """The inventory's own file, which Ansible's SSH arguments may name too. Raises ConfigError where the two differ."""
        own = self.path((_KNOWN_HOSTS,))
        if own and arguments.known_hosts and own != arguments.known_hosts:
            message = f"names {own}, and the SSH arguments name {arguments.known_hosts}."
            raise self.error(_KNOWN_HOSTS, message, "Name one file of known host keys.")
        return own or arguments.known_hosts

    def _rendered(self, name: str) -> Any:
        value = self.host.vars[name]
        if not isinstance(value, str) or "{" not in value:
            return value
        from orchestrator.load.host_values import OMIT, HostValues, language_for
        from orchestrator.load.language import TemplateFailed

        values = HostValues(self.host, self.inventory, language_for(self.environ))
        try:
            value = values[name]
        except TemplateFailed as error:
            raise self.error(name, f"the template has no value: {error}") from error
        return None if value is OMIT else value

    def error(self, name: str, message: str, hint: str | None = None) -> ConfigError:
        origin = self.host.origins.get(name)
        key = f"{self.host.name}.{name}"
        if origin is None:
            return ConfigError(message, file=self.inventory.path, key=key, hint=hint)
        return ConfigError(
            message, file=origin.file, line=origin.line, column=origin.column, key=key, hint=hint
        )
