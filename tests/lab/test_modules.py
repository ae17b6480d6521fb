# SPDX-License-Identifier: Apache-2.0
"""Modules that no role uses yet, on a real host: predicted, done, and then done."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Protocol

import pytest

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parents[2]
HASH = f"$6$salt${'x' * 86}"
PLAYBOOK = """
- hosts: all[0]
  vars:
    there: {there}
    state: "{{{{ 'present' if there else 'absent' }}}}"
  tasks:
    - group: {{name: labctl-g, gid: 1870, state: "{{{{ state }}}}"}}
      when: there
    - user:
        name: labctl-u
        state: "{{{{ state }}}}"
        remove: true
        group: labctl-g
        groups: [adm]
        append: true
        password: "{hash}"
    - group: {{name: labctl-g, gid: 1870, state: "{{{{ state }}}}"}}
      when: not there
    - lineinfile:
        path: /etc/labctl-test.conf
        create: true
        state: "{{{{ state }}}}"
        regexp: '^workers ='
        line: workers = {{{{ ansible_processor_vcpus }}}}
        mode: '0640'
        owner: labctl-u
      when: there
    - replace: {{path: /etc/labctl-test.conf, regexp: '= 0$', replace: '= 1'}}
      when: there and not ansible_check_mode
    - deb822_repository:
        name: labctl test
        state: "{{{{ state }}}}"
        uris: https://packages.invalid/debian
        suites: "{{{{ ansible_distribution_release }}}}"
        components: main
        enabled: false
    - get_url: {{url: "file:///etc/os-release", dest: /etc/labctl-test.os, mode: '0600'}}
      when: there
    - wait_for: {{path: /etc/labctl-test.os, search_regex: '^ID=(\\w+)', timeout: 5}}
      register: waited
      when: there
    - assert: {{that: "waited.match_groups == ['debian']"}}
      when: there and not ansible_check_mode
    - file: {{path: "{{{{ item }}}}", state: absent}}
      loop: [/etc/labctl-test.conf, /etc/labctl-test.os]
      when: not there
"""


class LabOfTests(Protocol):
    @property
    def inventory(self) -> Path: ...


@pytest.fixture
def provision(lab: LabOfTests, tmp_path: Path) -> Any:
    """Carry the playbook out, and give its output and the host's counts."""

    def carry_out(there: bool, *options: str) -> tuple[str, dict[str, Any]]:
        path = tmp_path / "site.yaml"
        path.write_text(PLAYBOOK.format(there=str(there).lower(), hash=HASH))
        words = [
            "-m",
            "orchestrator.cli.main",
            "provision",
            str(lab.inventory),
            "-p",
            str(path),
            "--json",
            *options,
        ]
        done = subprocess.run(
            [sys.executable, *words], cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        recap = json.loads(done.stdout.splitlines()[-1])
        host: dict[str, Any] = next(host for host in recap["hosts"] if host["ok"])
        return done.stdout + done.stderr, host

    return carry_out


@pytest.mark.parametrize("there", [True, False])
def test_predicted_then_done_then_done_already(provision: Any, there: bool) -> None:
    if not there:
        provision(True)
    _, predicted = provision(there, "--check", "--diff")
    said, done = provision(there)
    assert predicted["changed"] == done["changed"] > 3
    again, twice = provision(there)
    assert (twice["changed"], twice["failed"]) == (0, 0)
    assert HASH not in said + again
    provision(False)
