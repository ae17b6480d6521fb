# SPDX-License-Identifier: Apache-2.0
"""The module `systemd_service`, over a made-up systemctl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.modules.systemd_service import run


@pytest.fixture
def systemd(tmp_path: Path, blobs: Any, commands: Any) -> Context:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    for action in (
        "start",
        "stop",
        "restart",
        "reload",
        "enable",
        "disable",
        "mask",
        "unmask",
        "daemon-reload",
    ):
        commands.answer(f"systemctl {action}")
    return Context(blobs=blobs, root=tmp_path, execute=commands)


def unit(commands: Any, active: str = "active", file: str = "enabled", load: str = "loaded") -> None:
    commands.answer(
        "systemctl show",
        stdout=f"Id=x.service\nLoadState={load}\nActiveState={active}\nUnitFileState={file}\nMainPID=7\n",
    )


def actions(commands: Any) -> list[str]:
    return [call.split()[1] for call in commands.calls if call.split()[1] != "show"]


@pytest.mark.parametrize(
    ("active", "state", "action"),
    [
        ("active", "started", []),
        ("activating", "started", []),
        ("inactive", "started", ["start"]),
        ("failed", "started", ["start"]),
        ("active", "stopped", ["stop"]),
        ("deactivating", "stopped", ["stop"]),
        ("inactive", "stopped", []),
        ("active", "restarted", ["restart"]),
        ("inactive", "restarted", ["start"]),
        ("active", "reloaded", ["reload"]),
        ("inactive", "reloaded", ["start"]),
    ],
)
def test_states(systemd: Context, commands: Any, active: str, state: str, action: list[str]) -> None:
    unit(commands, active)
    predicted = run({"name": "x", "state": state}, replace(systemd, check=True))
    assert actions(commands) == []
    done = run({"name": "x", "state": state}, systemd)
    assert actions(commands) == action
    assert predicted.changed == done.changed == bool(action)
    assert set(done.result) == {"name", "state", "status"} and done.result["status"]["MainPID"] == "7"


@pytest.mark.parametrize(
    ("found", "enabled", "action"),
    [
        ("enabled", True, []),
        ("static", True, []),
        ("disabled", True, ["enable"]),
        ("enabled-runtime", True, ["enable"]),
        ("indirect", True, ["enable"]),
        ("enabled", False, ["disable"]),
        ("disabled", False, []),
    ],
)
def test_enabled(systemd: Context, commands: Any, found: str, enabled: bool, action: list[str]) -> None:
    unit(commands, file=found)
    done = run({"name": "x", "enabled": enabled}, systemd)
    assert actions(commands) == action and done.changed == bool(action) and done.result["enabled"] is enabled


def test_masked(systemd: Context, commands: Any) -> None:
    unit(commands)
    assert run({"name": "x", "masked": True}, systemd).changed
    unit(commands, file="masked", load="masked")
    assert not run({"name": "x", "masked": True}, systemd).changed
    assert run({"name": "x", "masked": False}, systemd).changed
    assert actions(commands) == ["mask", "unmask"]


def test_daemon_reload_is_no_change_and_comes_first(systemd: Context, commands: Any) -> None:
    unit(commands)
    assert not run({"daemon_reload": True}, systemd).changed
    assert not run({"name": "x", "state": "started", "daemon_reload": True}, systemd).changed
    assert [call.split()[1] for call in commands.calls] == ["daemon-reload", "daemon-reload", "show"]


def test_one_look_is_enough(systemd: Context, commands: Any) -> None:
    unit(commands)
    run({"name": "x", "state": "started", "enabled": True, "masked": False}, systemd)
    assert len(commands.calls) == 1


def test_a_unit_that_is_not_there(systemd: Context, commands: Any) -> None:
    unit(commands, "inactive", "", "not-found")
    with pytest.raises(ModuleFailure, match="There is no unit x on this host"):
        run({"name": "x", "state": "started"}, systemd)
    assert run({"name": "x", "state": "started"}, replace(systemd, check=True)).changed, (
        "a package before it would bring it"
    )


def test_a_start_that_fails_brings_the_journal(systemd: Context, commands: Any) -> None:
    unit(commands, "inactive")
    commands.answer("systemctl start", stderr="Job for x.service failed.\nSee journalctl.\n", rc=1)
    commands.answer("journalctl", stdout="no config\nexiting\n")
    with pytest.raises(
        ModuleFailure, match=r"^The unit x could not be started: Job for x\.service failed\.$"
    ) as raised:
        run({"name": "x", "state": "started"}, systemd)
    assert raised.value.result["journal"] == ["no config", "exiting"] and raised.value.result["rc"] == 1


def test_a_host_without_systemd(tmp_path: Path, blobs: Any) -> None:
    with pytest.raises(ModuleFailure, match="not booted with systemd"):
        run({"name": "x", "state": "started"}, Context(blobs=blobs, root=tmp_path))


def test_diff(systemd: Context, commands: Any) -> None:
    unit(commands, "inactive", "disabled")
    diff = run({"name": "x", "state": "started", "enabled": True}, replace(systemd, diff=True)).diff
    assert diff == "--- x\n+++ x\n-enabled: False\n+enabled: True\n-state: inactive\n+state: started\n"
