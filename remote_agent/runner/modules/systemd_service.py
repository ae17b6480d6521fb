# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.systemd_service`: a unit's state, asked for once and changed only where it differs."""

from __future__ import annotations

from collections.abc import Mapping

from remote_agent.runner.args import choice, flag, optional_flag, text
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult, first_line, tail

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATES = ("started", "stopped", "restarted", "reloaded")
PROPERTIES = (
    "Id",
    "Names",
    "Description",
    "Type",
    "LoadState",
    "LoadError",
    "ActiveState",
    "SubState",
    "Result",
    "UnitFileState",
    "UnitFilePreset",
    "FragmentPath",
    "DropInPaths",
    "NeedDaemonReload",
    "MainPID",
    "ExecMainStatus",
    "ExecMainStartTimestamp",
    "ActiveEnterTimestamp",
    "ActiveEnterTimestampMonotonic",
    "NRestarts",
)
_RUNNING = ("active", "activating", "reloading", "refreshing")
_ENABLED = ("enabled", "static", "transient")
JOURNAL_LINES = 10


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    name = text(args, "name", "service", "unit")
    if not (context.root / "run/systemd/system").is_dir():
        raise ModuleFailure(
            "This host was not booted with systemd, so there is nothing to manage units with."
        )
    if (flag(args, "daemon_reload") or flag(args, "daemon-reload")) and not context.check:
        _systemctl(context, ["daemon-reload"], "systemd could not reload its unit files")
    if name is None:
        return ModuleResult(False, {"name": None, "status": {}})
    if any(letter in name for letter in "*?["):
        raise ModuleFailure(f"{name!r}: patterns are not supported as a unit's name.")
    return _Unit(context, name, _show(context, name)).bring_to(args)


class _Unit:
    """One unit, as it was found; every difference is changed (or in check mode counted) at once."""

    def __init__(self, context: Context, name: str, status: dict[str, str]) -> None:
        self._context, self._name, self._status = context, name, status
        self._result: dict[str, Any] = {"name": name, "status": status}
        self._before: dict[str, object] = {}
        self._after: dict[str, object] = {}

    def bring_to(self, args: Mapping[str, Any]) -> ModuleResult:
        state = choice(args, "state", STATES, None)
        if not self._exists() and not (optional_flag(args, "masked") and state is None):
            return self._missing(state)
        masked, enabled = optional_flag(args, "masked"), optional_flag(args, "enabled")
        if masked is not None and masked != self._masked():
            self._do("mask" if masked else "unmask", "masked", not masked, masked)
        if enabled is not None:
            self._enable(enabled)
        if state is not None:
            self._set_state(state, ["--no-block"] if flag(args, "no_block") else [])
        return self._done()

    def _done(self) -> ModuleResult:
        diff = None
        if self._context.diff and self._after:
            diff = f"--- {self._name}\n+++ {self._name}\n" + "".join(
                f"-{key}: {self._before[key]}\n+{key}: {value}\n" for key, value in self._after.items()
            )
        return ModuleResult(bool(self._after), self._result, diff=diff)

    def _missing(self, state: str | None) -> ModuleResult:
        if self._context.check:  # a step before this one would have brought it
            return ModuleResult(
                True, {**self._result, "state": state}, f"The unit {self._name} does not exist yet."
            )
        raise ModuleFailure(f"There is no unit {self._name} on this host.", self._result)

    def _exists(self) -> bool:
        return self._status.get("LoadState", "not-found") != "not-found"

    def _masked(self) -> bool:
        return self._status.get("LoadState") == "masked" or self._status.get("UnitFileState") == "masked"

    def _enable(self, enabled: bool) -> None:
        found = self._status.get("UnitFileState", "")
        if found == "generated":  # an init script: its own links decide
            is_enabled = self._context.run_command(["systemctl", "is-enabled", self._name]).rc == 0
        else:
            is_enabled = found in _ENABLED
        if is_enabled != enabled:
            self._do("enable" if enabled else "disable", "enabled", is_enabled, enabled)
        self._result["enabled"] = enabled

    def _set_state(self, state: str, options: list[str]) -> None:
        active = self._status.get("ActiveState", "unknown")
        running = active in _RUNNING
        self._result["state"] = "stopped" if state == "stopped" else "started"
        if state == "stopped":
            action = "stop" if running or active == "deactivating" else None
        elif not running:
            action = "start"
        else:
            action = {"restarted": "restart", "reloaded": "reload"}.get(state)
        if action is not None:
            self._do(action, "state", active, state, options)

    def _do(
        self, action: str, key: str, before: object, after: object, options: list[str] | None = None
    ) -> None:
        self._before[key], self._after[key] = before, after
        if self._context.check:
            return
        try:
            _systemctl(
                self._context,
                [*(options or []), action, self._name],
                f"The unit {self._name} could not be {_PAST[action]}",
            )
        except ModuleFailure as failure:
            if key == "state":
                failure.result["journal"] = self._journal()
            failure.result.update(self._result)
            raise

    def _journal(self) -> list[str]:
        words = [
            "journalctl",
            "--no-pager",
            "--quiet",
            "--output=cat",
            f"--lines={JOURNAL_LINES}",
            f"--unit={self._name}",
        ]
        return self._context.run_command(words).stdout.splitlines()


_PAST = {
    "mask": "masked",
    "unmask": "unmasked",
    "enable": "enabled",
    "disable": "disabled",
    "start": "started",
    "stop": "stopped",
    "restart": "restarted",
    "reload": "reloaded",
}


def _show(context: Context, name: str) -> dict[str, str]:
    done = context.run_command(
        ["systemctl", "show", "--no-pager", f"--property={','.join(PROPERTIES)}", "--", name]
    )
    if done.rc != 0:
        raise ModuleFailure(
            f"systemctl show {name} failed: {first_line(done.stderr)}",
            {"rc": done.rc, "stderr": tail(done.stderr)},
        )
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    return {key: value for key, sign, value in pairs if sign}


def _systemctl(context: Context, words: list[str], problem: str) -> None:
    done = context.run_command(["systemctl", *words])
    if done.rc != 0:
        raise ModuleFailure(
            f"{problem}: {first_line(done.stderr)}", {"rc": done.rc, "stderr": tail(done.stderr)}
        )
