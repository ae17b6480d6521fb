# SPDX-License-Identifier: Apache-2.0
"""What an agent costs a host that is not being benched: little while it waits, and nothing soon after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.lab.test_run import Desk, on

if TYPE_CHECKING:
    from tests.lab.conftest import LabOfTests

pytestmark = pytest.mark.lab

UNIT = "labctl-agent.service"
DROP_IN = f"/run/systemd/system/{UNIT}.d"
PATIENCE_S = 2
LOOK_S = 10
MOST_KB = 40 * 1024
MOST_TICKS = 1
"""Of 10 ms each, in LOOK_S: a thousandth of one CPU."""

STAT = f"""
pid=$(systemctl show --property MainPID --value {UNIT})
cut -d' ' -f14,15 /proc/$pid/stat; sleep {LOOK_S}; cut -d' ' -f14,15 /proc/$pid/stat
sed -n 's/^VmRSS: *//p' /proc/$pid/status
"""
RUNNING = """
for each in /proc/[0-9]*; do tr '\\0' ' ' <$each/cmdline 2>/dev/null | grep 'remote_agent[.]agent'; done; true
"""


@pytest.fixture
def desk(tmp_path: Path, provisioned_lab: LabOfTests) -> Desk:
    return Desk(tmp_path, provisioned_lab.inventory)


@pytest.fixture
def impatient(desk: Desk) -> Iterator[Desk]:
    """The host's agent ends after two seconds without work instead of a minute."""
    command = f"/usr/local/bin/labctl-agent serve --idle {PATIENCE_S}"
    on(
        desk.inventory,
        0,
        f"mkdir -p {DROP_IN}; printf '[Service]\\nExecStart=\\nExecStart={command}\\n' >{DROP_IN}/idle.conf; systemctl daemon-reload",
    )
    yield desk
    on(desk.inventory, 0, f"rm -r {DROP_IN}; systemctl daemon-reload; systemctl restart {UNIT}")


def _one_run(desk: Desk) -> None:
    code, said = desk.type(
        "run", "--suite", str(desk.suite), "--inventory", str(desk.inventory), "--runs", "1"
    )
    assert code == 0, said


def test_a_waiting_agent_is_small_and_still(desk: Desk) -> None:
    _one_run(desk)
    on(desk.inventory, 0, f"systemctl restart {UNIT}; labctl-agent status")
    before, after, size = on(desk.inventory, 0, STAT).strip().splitlines()
    assert sum(map(int, after.split())) - sum(map(int, before.split())) <= MOST_TICKS
    assert 5_000 < int(size.split()[0]) < MOST_KB


def test_it_ends_by_itself_and_is_there_again_when_it_is_wanted(impatient: Desk) -> None:
    _one_run(impatient)
    on(impatient.inventory, 0, f"systemctl restart {UNIT}; sleep {2 * PATIENCE_S}")
    assert on(impatient.inventory, 0, RUNNING).split() == []
    assert on(impatient.inventory, 0, f"systemctl is-failed {UNIT}; true").strip() == "inactive"
    assert "COMPLETE" in on(impatient.inventory, 0, "labctl-agent status").upper()
    on(impatient.inventory, 0, f"sleep {2 * PATIENCE_S}")
    assert on(impatient.inventory, 0, RUNNING).split() == []
    _one_run(impatient)
