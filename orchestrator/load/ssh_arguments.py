# SPDX-License-Identifier: Apache-2.0
"""ssh's command line in Ansible's connection variables: what labctl reads of it, what means nothing to it, and what it refuses.

labctl does not start ssh. Each option is therefore of one of three kinds: read, without any effect on what labctl does
(multiplexing, verbosity, how a password is prompted for), or refused by its name. None is ignored in silence.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ARGUMENT_VARIABLES = ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args")
"""In the order in which Ansible passes them to ssh, for which the first value of an option counts."""

_IN_CONFIG = "Say it in ~/.ssh/config instead."
_TAKE_OUT = "Take it out, or leave the host out."
_OPTIONS_WITH_ARGUMENT = "BbcDEeFIiJLlmOoPpQRSWw"
_FLAGS_WITHOUT_EFFECT = "aCkqTtvxy"
_ARGUMENTS_WITHOUT_EFFECT = "EeS"
_FLAGS_OF_THE_WAY = {"J", "i", "l", "p"}
"""Those that ~/.ssh/config can say too."""

_OPTIONS_OF_THE_WAY = {
    "globalknownhostsfile",
    "hostkeyalias",
    "hostname",
    "identityfile",
    "port",
    "proxycommand",
    "proxyjump",
    "user",
}
_OPTIONS_WITHOUT_EFFECT = {
    *("addkeystoagent", "batchmode", "challengeresponseauthentication", "checkhostip", "clearallforwardings"),
    *("compression", "compressionlevel", "connectionattempts", "controlmaster", "controlpath", "controlpersist"),
    *("escapechar", "exitonforwardfailure", "forwardx11", "forwardx11timeout", "forwardx11trusted"),
    *("gssapiauthentication", "gssapidelegatecredentials", "hashknownhosts", "hostbasedauthentication"),
    *("identitiesonly", "ipqos", "kbdinteractiveauthentication", "loglevel", "logverbose"),
    *("numberofpasswordprompts", "passwordauthentication", "preferredauthentications", "pubkeyauthentication"),
    *("requesttty", "sendenv", "serveralivecountmax", "serveraliveinterval", "streamlocalbindunlink"),
    *("stricthostkeychecking", "syslogfacility", "tcpkeepalive", "updatehostkeys", "visualhostkey"),
}  # fmt: skip
"""labctl checks host keys always, keeps its connections alive by itself, and tries every key and password that it has."""

_OFF = {"forwardagent": "no", "proxyjump": "none", "proxycommand": "none", "canonicalizehostname": "no"}
"""Options that mean nothing with this value, which is their default."""


class ArgumentRefused(Exception):
    """``variable`` holds what labctl does not do: one sentence, and what to do instead."""

    def __init__(self, variable: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.variable, self.message, self.hint = variable, message, hint


@dataclass(frozen=True, slots=True)
class SshArguments:
    """What labctl reads. None: nothing is said about it."""

    known_hosts: Path | None = None
    connect_timeout: str | None = None


def read_arguments(texts: Mapping[str, str]) -> SshArguments:
    """Read the texts of ARGUMENT_VARIABLES. Raises ArgumentRefused for the first option that labctl does not do."""
    options = [
        (variable, option, value)
        for variable in ARGUMENT_VARIABLES
        for option, value in _options(variable, _words(variable, texts.get(variable, "")))
    ]
    for variable, option, value in options:
        _judge(variable, option, value)
    return SshArguments(
        known_hosts=_known_hosts(options),
        # Ansible passes its own timeout before the variables that come second and third, so theirs never counts.
        connect_timeout=_first(options, "connecttimeout", ARGUMENT_VARIABLES[:1]),
    )


def _words(variable: str, text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise ArgumentRefused(variable, "has a quote without its end.") from None


def _options(variable: str, words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """``-o`` options by their names in lower case, with their values; other options are judged on the way."""
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word in {"-", "--"}:
            raise ArgumentRefused(
                variable, f"{word} is no option of ssh's.", "Ansible names the host by itself."
            )
        for letter, argument in _letters(variable, word, rest):
            if letter == "o":
                name, _, value = argument.strip().replace("=", " ", 1).partition(" ")
                yield name.lower(), value.strip()
            elif letter in _FLAGS_OF_THE_WAY:
                raise ArgumentRefused(variable, f"-{letter} would change the way to the host.", _IN_CONFIG)
            elif letter not in _FLAGS_WITHOUT_EFFECT + _ARGUMENTS_WITHOUT_EFFECT:
                raise ArgumentRefused(variable, f"labctl does not do what -{letter} asks of ssh.", _TAKE_OUT)


def _letters(variable: str, word: str, rest: Iterator[str]) -> Iterator[tuple[str, str]]:
    """The options in one word, as getopt reads it: ``-vvC``, ``-p22``, ``-p 22``."""
    for at, letter in enumerate(word[1:], 1):
        if letter not in _OPTIONS_WITH_ARGUMENT:
            yield letter, ""
            continue
        argument = word[at + 1 :] or next(rest, None)
        if argument is None:
            raise ArgumentRefused(variable, f"-{letter} has no argument.")
        yield letter, argument
        return


def _judge(variable: str, option: str, value: str) -> None:
    if option in {"userknownhostsfile", "connecttimeout", *_OPTIONS_WITHOUT_EFFECT}:
        return
    if value.lower() == _OFF.get(option) or (option, value) == ("globalknownhostsfile", "/dev/null"):
        return
    if option in _OPTIONS_OF_THE_WAY:
        raise ArgumentRefused(variable, f"{option} would change the way to the host.", _IN_CONFIG)
    raise ArgumentRefused(variable, f"labctl does not do what the option {option} asks of ssh.", _TAKE_OUT)


def _first(
    options: Iterable[tuple[str, str, str]], name: str, variables: Iterable[str] = ARGUMENT_VARIABLES
) -> str | None:
    allowed = set(variables)
    return next(
        (value for variable, option, value in options if option == name and variable in allowed), None
    )


def _known_hosts(options: Iterable[tuple[str, str, str]]) -> Path | None:
    found = next((entry for entry in options if entry[1] == "userknownhostsfile"), None)
    if found is None:
        return None
    variable, _, value = found
    files = _words(variable, value)
    if files in ([], ["/dev/null"], ["none"]):
        return None
    if len(files) > 1 or "%" in value or "$" in value:
        message = f"UserKnownHostsFile must name one file, without % and $: {value}"
        raise ArgumentRefused(
            variable, message, "Name it with labctl_known_hosts, or say it in ~/.ssh/config."
        )
    return Path(files[0]).expanduser().absolute()
