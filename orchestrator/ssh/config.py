# SPDX-License-Identifier: Apache-2.0
"""What ssh_config says of a host, as OpenSSH reads it: the first value of an option counts; Host, Match and Include decide where.

Read are the options that say where and how a host is reached, and which keys are right. Those that would change either and that
labctl does not do are refused with file and line, where they count for the host. All others mean nothing to labctl.
"""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from orchestrator.model.errors import ConfigError
from orchestrator.ssh.config_syntax import SYSTEM_FOLDER, Statement, read_config
from orchestrator.ssh.patterns import matches_host, matches_list
from orchestrator.ssh.tokens import expand

_SECONDS_OF_EXEC = 30.0
_DONE_BY_NOBODY = {
    "bindaddress": ("none",),
    "bindinterface": ("none",),
    "canonicalizepermittedcnames": ("none",),
    "knownhostscommand": ("none",),
    "proxyusefdpass": ("no",),
    "revokedhostkeys": ("none",),
}
"""Options that change the way to a host or which keys are right, with the values that mean nothing."""
_WITHOUT_ARGUMENT = {"all", "canonical", "final"}


def system_runs(command: str) -> bool:
    """Whether a command of ``Match exec`` ends well, in the user's shell. It gets no input, and its output is dropped."""
    shell = os.environ.get("SHELL") or "/bin/sh"
    try:
        done = subprocess.run(
            [shell, "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            timeout=_SECONDS_OF_EXEC,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def system_resolves(name: str) -> bool:
    """Whether the name service knows an address of ``name``."""
    try:
        return bool(socket.getaddrinfo(name, None))
    except (socket.gaierror, UnicodeError):
        return False


@dataclass(frozen=True, slots=True)
class System:
    """What a configuration asks of this machine; tests replace it."""

    runs: Callable[[str], bool] = system_runs
    resolves: Callable[[str], bool] = system_resolves
    local_user: Callable[[], str] = getpass.getuser


@dataclass(frozen=True, slots=True)
class HostConfig:
    """What counts for one host, tokens replaced. None: the configuration does not say."""

    original: str
    address: str
    port: int | None
    user: str | None
    identity_files: tuple[str, ...] = ()
    host_key_alias: str | None = None
    proxy_jump: str | None = None
    proxy_command: str | None = None
    user_known_hosts: tuple[str, ...] | None = None
    global_known_hosts: tuple[str, ...] | None = None


def user_files() -> tuple[Path, ...]:
    """The user's file, then the system's."""
    return Path("~/.ssh/config").expanduser(), SYSTEM_FOLDER / "ssh_config"


def resolve(
    original: str,
    *,
    user: str | None = None,
    port: int | None = None,
    files: Sequence[Path] | None = None,
    system: System = System(),
) -> HostConfig:
    """What the files say of the host ``original``; ``user`` and ``port`` are given already, and go before them.

    Raises ConfigError with file and line.
    """
    statements = [read_config(file) for file in (user_files() if files is None else files)]
    reading = _Reading(original, user, port, system)
    reading.read(statements)
    canonicalize = reading.word("canonicalizehostname") or "no"
    reading.host, reading.is_address = reading.expanded_hostname(), True
    if canonicalize in {"yes", "always"}:
        reading.host = _canonical(reading, canonicalize == "always")
    if canonicalize in {"yes", "always"} or reading.wants_final_pass:
        reading.is_final = True
        reading.read(statements)
    return reading.result()


@dataclass(slots=True)
class _Reading:
    """The options so far. ``host`` is what Host matches: as it is typed at first, the address in the final pass (``is_address``)."""

    original: str
    user: str | None
    port: int | None
    system: System
    host: str = ""
    options: dict[str, Statement] = field(default_factory=dict)
    identity_files: list[Statement] = field(default_factory=list)
    is_address: bool = False
    is_final: bool = False
    wants_final_pass: bool = False

    def read(self, files: Sequence[Sequence[Statement]]) -> None:
        self.host = self.host or self.original
        for statements in files:
            self._walk(statements, active=True, never=False)

    def _walk(self, statements: Sequence[Statement], active: bool, never: bool) -> None:
        """``never``: an Include around has not matched, so that nothing below it does."""
        for statement in statements:
            if statement.keyword == "host":
                active = matches_list(self.host, statement.words) and not never
            elif statement.keyword == "match":
                active = self._match(statement, never)
            elif statement.keyword == "include":
                for included in statement.included:
                    self._walk(included, active, never or not active)
            elif active:
                self._take(statement)

    def _take(self, statement: Statement) -> None:
        keyword = statement.keyword
        if keyword == "identityfile":
            if all(statement.words != earlier.words for earlier in self.identity_files):
                self.identity_files.append(statement)
            return
        harmless = _DONE_BY_NOBODY.get(keyword)
        if (
            harmless is not None
            and statement.words[0].lower() not in harmless
            and keyword not in self.options
        ):
            message = (
                f"{keyword} is not supported: labctl would reach {self.original} otherwise than ssh does."
            )
            raise statement.error(message, "Take it out for this host: Match !originalhost ...")
        if not self._has_way(keyword):
            self.options.setdefault(keyword, statement)

    def _has_way(self, keyword: str) -> bool:
        """ProxyJump and ProxyCommand say the same thing: the first of the two counts. `ProxyJump none` says nothing."""
        jump = self.options.get("proxyjump")
        if keyword == "proxycommand":
            return jump is not None and jump.rest.lower() != "none"
        return keyword == "proxyjump" and "proxycommand" in self.options

    def _match(self, statement: Statement, never: bool) -> bool:
        """Whether all attributes of a Match hold; behind the first that does not, none is looked at closely."""
        words = iter(statement.words)
        holds = not never
        for word in words:
            negated = word.startswith("!")
            attribute, equals, argument = word.removeprefix("!").partition("=")
            attribute = attribute.lower()
            if attribute not in _WITHOUT_ARGUMENT and not equals:
                argument = next(words, "")
            if attribute not in _WITHOUT_ARGUMENT and not argument:
                raise statement.error(f"Match {attribute} has no argument.")
            if attribute == "all" and (len(statement.words) > 2 or negated):
                raise statement.error("Match all stands alone, or behind canonical or final.")
            if attribute == "final":
                self.wants_final_pass = True
            if holds:
                holds = self._attribute(statement, attribute, argument) is not negated
        return holds

    def _attribute(self, statement: Statement, attribute: str, argument: str) -> bool:
        if attribute == "all":
            return True
        if attribute in {"canonical", "final"}:
            return self.is_final
        if attribute == "exec":
            return self.system.runs(expand(argument, self.tokens(), statement))
        if attribute in {"host", "originalhost"}:
            return matches_host(self._current_host() if attribute == "host" else self.original, argument)
        if attribute in {"user", "localuser"}:
            name = self.current_user() if attribute == "user" else self.system.local_user()
            return matches_list(name, argument.split(","))
        raise statement.error(
            f"Match {attribute} is not supported.",
            "There are: all, canonical, final, exec, host, originalhost, user, localuser.",
        )

    def word(self, keyword: str) -> str | None:
        statement = self.options.get(keyword)
        return statement.words[0] if statement else None

    def current_user(self) -> str:
        return self.user or self.word("user") or self.system.local_user()

    def current_port(self) -> int:
        return self.port or self._port() or 22

    def _port(self) -> int | None:
        statement = self.options.get("port")
        if statement is None:
            return None
        if not statement.words[0].isdecimal() or not 0 < int(statement.words[0]) < 65536:
            raise statement.error(f"'{statement.words[0]}' is not a port.")
        return int(statement.words[0])

    def _current_host(self) -> str:
        return self.host if self.is_address else self.expanded_hostname()

    def expanded_hostname(self) -> str:
        statement = self.options.get("hostname")
        if statement is None:
            return self.host
        return expand(statement.words[0], {"h": lambda: self.host}, statement)

    def tokens(self) -> Mapping[str, Callable[[], str]]:
        return {
            "d": lambda: str(Path.home()),
            "h": self._current_host,
            "i": lambda: str(os.getuid()),
            "j": lambda: self.word("proxyjump") or "",
            "k": lambda: self.word("hostkeyalias") or self.original,
            "L": lambda: socket.gethostname().split(".")[0],
            "l": socket.getfqdn,
            "n": lambda: self.original,
            "p": lambda: str(self.current_port()),
            "r": self.current_user,
            "u": self.system.local_user,
        }

    def result(self) -> HostConfig:
        return HostConfig(
            original=self.original,
            address=self._current_host(),
            port=self.port or self._port(),
            user=self.user or self.word("user"),
            identity_files=tuple(
                expand(file.words[0], self.tokens(), file, paths=True) for file in self.identity_files
            ),
            host_key_alias=self._expanded("hostkeyalias"),
            proxy_jump=self._whole("proxyjump"),
            proxy_command=self._whole("proxycommand"),
            user_known_hosts=self._files("userknownhostsfile"),
            global_known_hosts=self._files("globalknownhostsfile"),
        )

    def _expanded(self, keyword: str) -> str | None:
        statement = self.options.get(keyword)
        return expand(statement.words[0], self.tokens(), statement) if statement else None

    def _whole(self, keyword: str) -> str | None:
        """The rest of a line; None where it is ``none``."""
        statement = self.options.get(keyword)
        if statement is None or statement.rest.lower() == "none":
            return None
        return expand(statement.rest, self.tokens(), statement)

    def _files(self, keyword: str) -> tuple[str, ...] | None:
        statement = self.options.get(keyword)
        if statement is None:
            return None
        words = [word for word in statement.words if word.lower() != "none"]
        return tuple(expand(word, self.tokens(), statement, paths=True) for word in words)


def _canonical(reading: _Reading, always: bool) -> str:
    """The host's full name by CanonicalDomains, where the name service knows one of them."""
    host = reading.host
    proxied = {"proxyjump", "proxycommand"} & reading.options.keys()
    if (proxied and not always) or _is_address(host):
        return host
    if host.endswith("."):
        return host.rstrip(".")
    dots = reading.word("canonicalizemaxdots") or "1"
    if host.count(".") > (int(dots) if dots.isdecimal() else 1):
        return host
    for candidate in _candidates(reading, host):
        if reading.system.resolves(candidate):
            return candidate
    if (reading.word("canonicalizefallbacklocal") or "yes").lower() == "no":
        statement = reading.options["canonicalizefallbacklocal"]
        raise statement.error(f"{host} is known in none of the CanonicalDomains.")
    return host


def _candidates(reading: _Reading, host: str) -> Iterator[str]:
    domains = reading.options.get("canonicaldomains")
    for domain in domains.words if domains else ():
        if domain.lower() != "none":
            yield f"{host}.{domain}"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class JumpHost:
    """One of ProxyJump's hosts."""

    host: str
    user: str | None = None
    port: int | None = None


def jump_hosts(text: str) -> tuple[JumpHost, ...]:
    """``user@a:22,ssh://b`` as hosts, in the order in which they are passed. Raises ConfigError."""
    return tuple(_jump_host(part.strip()) for part in text.split(","))


def _jump_host(text: str) -> JumpHost:
    user, _, place = text.removeprefix("ssh://").removesuffix("/").rpartition("@")
    host, colon, port = place.rpartition(":")
    if not colon or (place.count(":") > 1 and not host.endswith("]")):
        host, port = place, ""
    host = host.removeprefix("[").removesuffix("]")
    if not host or (port and not (port.isdecimal() and 0 < int(port) < 65536)):
        raise ConfigError(f"ProxyJump: {shlex.quote(text)} is no [USER@]HOST[:PORT].", file="~/.ssh/config")
    return JumpHost(host, user or None, int(port) if port else None)
