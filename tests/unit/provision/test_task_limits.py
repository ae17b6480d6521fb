# SPDX-License-Identifier: Apache-2.0
"""``throttle`` and ``timeout`` of a task: how many hosts at the same time, and how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.model.errors import ConfigError
from tests.unit.provision.conftest import Play

BUSY = """
- hosts: all
  gather_facts: false
  tasks:
    - shell: echo begin >> {log}; {wait}; echo end >> {log}
      when: inventory_hostname != 'h3'
{more}
"""

UNTIL_BOTH_BEGAN = "for i in $(seq 100); do [ $(grep -c begin {log}) = 2 ] && break; sleep 0.1; done"
"""A host that waits for the other's turn to end never sees this, and ends after 10 s alone."""


def exits(done: dict[str, Any]) -> list[int]:
    return [each.report.exit_code for each in done.values()]


def test_throttled_hosts_take_turns(folder: Path, together: Any) -> None:
    log = folder / "log"
    assert exits(together(BUSY.format(log=log, wait="sleep 0.3", more="      throttle: 1"))) == [0, 0]
    assert log.read_text().split() == ["begin", "end", "begin", "end"]


def test_others_do_not_wait_for_each_other(folder: Path, together: Any) -> None:
    log = folder / "log"
    wait = UNTIL_BOTH_BEGAN.format(log=log)
    assert exits(together(BUSY.format(log=log, wait=wait, more="      throttle: 2"))) == [0, 0]
    assert log.read_text().split() == ["begin", "begin", "end", "end"]


def test_a_failed_host_gives_its_turn_back(folder: Path, together: Any) -> None:
    text = BUSY.format(log=folder / "log", wait="exit 1", more="      throttle: 1")
    assert exits(together(text)) == [1, 1]


def test_a_command_is_stopped_after_the_tasks_timeout(play: Play) -> None:
    done = play(
        '- hosts: all\n  tasks:\n    - command: sleep 20\n      timeout: "{{ most }}"\n', extra={"most": "1"}
    )
    assert done.report.exit_code == 1
    assert "stopped after its 1 s" in str(done.report.error)
    assert done.report.seconds < 10


def test_a_timeout_that_is_none_is_refused_where_it_is_known(play: Play) -> None:
    done = play(
        '- hosts: all\n  tasks:\n    - command: "true"\n      timeout: "{{ most }}"\n', extra={"most": "soon"}
    )
    assert "site.yaml:4" in str(done.report.error)
    assert "number of seconds above 0, not 'soon'" in str(done.report.error)


@pytest.mark.parametrize(
    "line", ["throttle: many", "throttle: -1", "throttle: '{{ n }}'", "timeout: 0", "timeout: true"]
)
def test_what_is_no_number_is_refused_at_its_place(tmp_path: Path, line: str) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f'- hosts: all\n  tasks:\n    - command: "true"\n      {line}\n')
    with pytest.raises(ConfigError, match="must be a whole number") as raised:
        load_playbook(site, Language())
    assert raised.value.line == 4
    assert str(raised.value.key).endswith(line.partition(":")[0])
