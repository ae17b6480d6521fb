# SPDX-License-Identifier: Apache-2.0
"""Opens an exec channel as the user that the endpoint wants: directly, or through sudo with or without a password.

A password goes to sudo's standard input when its prompt has come, and nowhere else: never on a command line, in a log
or in an error. The program itself begins after a mark, so that no byte meant for it can end up in a password prompt, and
nothing that a login shell prints is taken for its output.
"""

from __future__ import annotations

import secrets
import shlex
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import ConnectionTimeout, HostError, LoginRefused
from orchestrator.ssh.stream import Stream

if TYPE_CHECKING:
    from paramiko import Channel, Transport

    from orchestrator.ssh.failures import Where

SUDO_SECONDS = 30.0


def open_stream(
    transport: Transport, endpoint: Endpoint, where: Where, command: str, idle_timeout: float
) -> Stream:
    """Start ``command`` (text for the host's shell). Raises ConnectionLost, ConnectionTimeout, HostError, LoginRefused."""
    from orchestrator.ssh.failures import connected

    with connected(where):
        channel = transport.open_session(window_size=None, timeout=endpoint.connect_timeout)
        channel.settimeout(idle_timeout)
        mark = f"labctl-{secrets.token_hex(8)}"
        script, first_line = f"echo {mark}; {command}", f"{mark}\n".encode()
        if not endpoint.become or where.user == endpoint.become_user:
            _execute(channel, f"exec {for_any_shell(script)}", where)
            return Stream(channel, where, first_line)
        sudo = _Sudo(channel, endpoint, where, mark)
        try:
            return Stream(channel, where, first_line, sudo.start(script))
        except BaseException:
            channel.close()
            raise
        finally:
            channel.settimeout(idle_timeout)


def for_any_shell(command: str) -> str:
    """``command``, which is written for sh, as words that mean the same to every login shell (bash, zsh, fish, csh).

    csh knows neither a newline nor ``!`` within quotes: a command with one of them is written in octal numbers.
    """
    if "\n" not in command and "!" not in command:
        return f"sh -c {shlex.quote(command)}"
    octal = "".join(f"\\0{byte:03o}" for byte in command.encode())
    return f"""sh -c 'eval "$(printf %b "{octal}")"'"""


def _execute(channel: Channel, command: str, where: Where) -> None:
    """paramiko waits for the answer to an exec request without any deadline; this gives it one."""
    with _closing_after(channel, where.timeout) as passed:
        try:
            channel.exec_command(command)
        except BaseException:
            channel.close()
            if passed.is_set():
                raise ConnectionTimeout(
                    where.host, f"{where.target} did not start a program within {where.timeout:g} s."
                ) from None
            raise


@contextmanager
def _closing_after(channel: Channel, seconds: float) -> Iterator[threading.Event]:
    passed = threading.Event()

    def close() -> None:
        passed.set()
        channel.close()

    timer = threading.Timer(seconds, close)
    timer.daemon = True
    timer.start()
    try:
        yield passed
    finally:
        timer.cancel()


@dataclass(frozen=True, slots=True)
class _Sudo:
    """The conversation with sudo on standard error, until the program runs. ``mark`` is not secret, only unlikely."""

    channel: Channel
    endpoint: Endpoint
    where: Where
    mark: str

    @property
    def prompt(self) -> bytes:
        return f"{self.mark}-password".encode()

    @property
    def ready(self) -> bytes:
        return f"{self.mark}-ready\n".encode()

    def start(self, command: str) -> bytes:
        """Returns what came on standard error behind the mark."""
        _execute(self.channel, self._command(command), self.where)
        deadline = time.monotonic() + SUDO_SECONDS
        said = b""
        asked = False
        while self.ready not in said:
            if self.prompt in said:
                if asked or self.endpoint.become_password is None:
                    raise self._refused(said)
                asked = True
                said = b""
                self.channel.sendall(self.endpoint.become_password.encode() + b"\n")
            said += self._more(said, deadline, asked)
        return said.partition(self.ready)[2]

    def _command(self, command: str) -> str:
        how = "-n" if self.endpoint.become_password is None else f"-S -p {self.prompt.decode()}"
        script = f"echo {self.ready.decode().strip()} >&2; {command}"
        return f"sudo -H {how} -u {shlex.quote(self.endpoint.become_user)} -- {for_any_shell(script)}"

    def _more(self, said: bytes, deadline: float, asked: bool) -> bytes:
        self.channel.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data = self.channel.recv_stderr(4096)
        except TimeoutError:
            raise HostError(self.where.host, f"sudo did not answer within {SUDO_SECONDS:g} s.") from None
        if data:
            return data
        if not self.channel.eof_received:
            raise ConnectionError("sudo never answered")
        raise self._refused(said, asked)

    def _refused(self, said: bytes, asked: bool = True) -> LoginRefused:
        user, become = self.where.user, self.endpoint.become_user
        if self.endpoint.become_password is not None and asked:
            message = f"sudo did not accept the password of {user}, who is to become {become}."
            return LoginRefused(
                self.where.host, message, "Correct ansible_become_password, or what was given for this call."
            )
        lines = said.replace(self.prompt, b"").decode("utf-8", "replace").strip().splitlines()
        reason = lines[-1].removeprefix("sudo: ").rstrip(".") if lines else "it says nothing"
        return LoginRefused(
            self.where.host,
            f"sudo does not let {user} become {become}: {reason}.",
            f"Give sudo's password with --ask-become-pass or ansible_become_password, or let {user} use sudo without one.",
        )
