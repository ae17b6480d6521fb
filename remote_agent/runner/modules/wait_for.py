# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.wait_for`: until a port answers or is closed, a file is there or gone, or something stands in what they say.

Without a port and a path it waits for ``timeout`` seconds. In check mode it waits for nothing and is skipped, as in Ansible.
"""

from __future__ import annotations

import math
import os
import re
import socket
from collections.abc import Callable, Mapping

from remote_agent.contract.lean import dataclass
from remote_agent.runner.args import choice, number, path_of, pattern, text
from remote_agent.runner.attributes import describe
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATES = ("started", "present", "stopped", "absent")
_CHUNK = 65536


@dataclass(frozen=True, slots=True)
class _Wanted:
    """``end`` is Unix time."""

    host: str
    port: int | None
    path: str | None
    regex: re.Pattern[bytes] | None
    state: str
    end: float
    connect_timeout: int

    def __str__(self) -> str:
        what = f"{self.host}:{self.port}" if self.port else f"file {self.path}"
        if self.state in ("stopped", "absent"):
            return f"{what} to stop" if self.port else f"{what} to be absent"
        return what if self.regex is None else f"{self.regex.pattern.decode(errors='replace')!r} in {what}"


@dataclass(frozen=True, slots=True)
class _Found:
    groups: tuple[Any, ...] = ()
    named: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, match: re.Match[bytes]) -> _Found:
        return cls(tuple(map(_text, match.groups())), {k: _text(v) for k, v in match.groupdict().items()})

    def to_result(self) -> dict[str, Any]:
        return {"match_groups": list(self.groups), "match_groupdict": dict(self.named or {})}


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    if context.check:
        return ModuleResult(False, msg="wait_for waits for nothing in check mode", skipped=True)
    start, timeout = context.now(), number(args, "timeout", 300)
    wanted = _read(args, start + timeout)
    context.sleep(number(args, "delay", 0))
    found: _Found | None = _Found()
    if wanted.port or wanted.path:
        found = _wait(wanted, context, number(args, "sleep", 1), timeout)
    else:
        context.progress(f"Waiting for {timeout} s.")
        context.sleep(timeout)
    elapsed = int(context.now() - start)
    if found is None:
        said = text(args, "msg") or f"Waited {timeout} s for {wanted}, in vain."
        raise ModuleFailure(said, {"elapsed": elapsed})
    result = {"state": wanted.state, "port": wanted.port, "path": wanted.path}
    result |= {"search_regex": text(args, "search_regex"), "elapsed": elapsed, **found.to_result()}
    return ModuleResult(False, {**result, **(describe(wanted.path) if wanted.path else {})})


def _read(args: Mapping[str, Any], end: float) -> _Wanted:
    state = choice(args, "state", STATES, "started") or "started"
    port, path = (number(args, "port", 0) or None), path_of(args, "path")
    if port and path:
        raise ModuleFailure("'port' and 'path' exclude each other.", {"elapsed": 0})
    if path and state == "stopped":
        raise ModuleFailure(
            "State stopped goes with a port; for a path, write state: absent.", {"elapsed": 0}
        )
    regex = pattern(args, "search_regex", re.MULTILINE)
    host = text(args, "host") or "127.0.0.1"
    return _Wanted(host, port, path, regex, state, end, number(args, "connect_timeout", 5))


def _wait(wanted: _Wanted, context: Context, pause: int, timeout: int) -> _Found | None:
    """Look until it is so; None where the time is over first."""
    look: Callable[[_Wanted, Context], _Found | None] = _look_at_port if wanted.port else _look_at_path
    told = False
    while context.now() < wanted.end:
        if found := look(wanted, context):
            return found
        if not told:
            context.progress(f"Waiting up to {timeout} s for {wanted}.")
            told = True
        context.sleep(pause)
    return None


def _look_at_path(wanted: _Wanted, context: Context) -> _Found | None:
    assert wanted.path is not None
    if wanted.state == "absent":
        return None if os.path.exists(wanted.path) else _Found()
    try:
        os.stat(wanted.path)
        if wanted.regex is None:
            return _Found()
        with open(wanted.path, "rb") as stream:
            match = wanted.regex.search(stream.read())
    except FileNotFoundError:
        return None
    return _Found.of(match) if match else None


def _look_at_port(wanted: _Wanted, context: Context) -> _Found | None:
    patience = min(wanted.connect_timeout, max(1, math.ceil(wanted.end - context.now())))
    try:
        connection = socket.create_connection((wanted.host, wanted.port or 0), patience)
    except OSError:
        return _Found() if wanted.state in ("stopped", "absent") else None
    with connection:
        if wanted.state in ("stopped", "absent"):
            return None
        return _Found() if wanted.regex is None else _read_until(connection, wanted.regex, wanted, context)


def _read_until(
    connection: socket.socket, regex: re.Pattern[bytes], wanted: _Wanted, context: Context
) -> _Found | None:
    """What the server says on its own accord, until it matches; None where it ends or the time is over first."""
    said = b""
    while (left := wanted.end - context.now()) > 0:
        connection.settimeout(left)
        try:
            chunk = connection.recv(_CHUNK)
        except OSError:
            return None
        if not chunk:
            return None
        said += chunk
        if regex.search(said):
            return _Found()  # Ansible returns the groups of a path's match only
    return None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode(errors="replace")
