# SPDX-License-Identifier: Apache-2.0
"""Several plays on several hosts: what waits for what, and what hosts know of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_a_play_begins_when_the_one_before_has_ended_on_all_its_hosts(folder: Path, together: Any) -> None:
    log = folder / "log"
    done = together(f"""
- hosts: h1
  gather_facts: false
  tasks:
    - shell: sleep 0.3; echo first h1 >> {log}
- hosts: all
  gather_facts: false
  tasks:
    - shell: echo second >> {log}
""")
    assert log.read_text().splitlines() == ["first h1", "second", "second"]
    assert [(each.report.changed, each.report.exit_code) for each in done.values()] == [(2, 0), (1, 0)]


def test_one_that_failed_is_left_out_of_what_follows(folder: Path, together: Any) -> None:
    done = together("""
- hosts: all
  gather_facts: false
  tasks:
    - {fail: {msg: enough}, when: inventory_hostname == 'h1'}
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: "{{ inventory_hostname }} goes on"}
""")
    assert done["h1"].messages == [] and done["h1"].report.failed == 1
    assert done["h2"].messages == ["h2 goes on"] and done["h2"].report.exit_code == 0


def test_a_play_that_fails_on_all_its_hosts_is_the_last(folder: Path, together: Any) -> None:
    done = together("""
- name: Prepare
  hosts: h1
  gather_facts: false
  tasks:
    - fail: {msg: enough}
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: "{{ inventory_hostname }} goes on"}
""")
    assert [each.messages for each in done.values()] == [[], []]
    report = done["h2"].report
    assert report.error == "the play 'Prepare' failed on every host, so no other followed."
    assert (report.failed, report.exit_code, report.seconds) == (0, 1, 0.0)


def test_what_other_hosts_found_out_in_earlier_plays_is_known(together: Any) -> None:
    done = together("""
- hosts: h2
  tasks:
    - {command: echo from h2, register: said, changed_when: false}
    - set_fact: {token: "{{ said.stdout | upper }}"}
- hosts: h1
  gather_facts: false
  tasks:
    - debug: {msg: "{{ hostvars.h2.token }} {{ hostvars.h2.said.rc }} {{ hostvars.h2.ansible_facts.system }}"}
""")
    assert done["h1"].messages == ["FROM H2 0 Linux"]


def test_what_they_find_out_in_the_same_play_is_not_guessed(together: Any) -> None:
    done = together("""
- hosts: all
  tasks:
    - {command: echo here, register: said, changed_when: false}
    - debug: {msg: "{{ hostvars.h2.said | default('none') }}"}
      when: inventory_hostname == 'h1'
""")
    assert (
        "hostvars['h2'].said: what another host finds out is known when the play" in done["h1"].report.error
    )
    assert done["h2"].report.exit_code == 0
