# SPDX-License-Identifier: Apache-2.0
"""What `labctl plan` says: what would change, what cannot be known, which hosts are alike."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.cli.plan import _print
from orchestrator.provision.foresight import Foresight, HostPlan, alike

PLAYBOOK = """
- hosts: all
  tasks:
    - name: Write
      copy: {content: "new\\n", dest: "{{ playbook_dir }}/out/a"}
      notify: Handled
    - name: Fine
      file: {path: "{{ playbook_dir }}/out", state: directory}
    - name: Each
      copy: {content: "{{ item }}", dest: "{{ playbook_dir }}/out/{{ item }}"}
      loop: [b, c]
    - name: Left out
      command: "true"
      when: false
    - name: Query
      command: cat {{ secret }}
      no_log: true
  handlers:
    - name: Handled
      file: {path: "{{ playbook_dir }}/out/handled", state: touch}
"""


def planned(play: Any, text: str, **options: Any) -> HostPlan:
    done = play(text, check=True, diff=True, **options)
    foresight = Foresight()
    for event in done.recorder.events:
        foresight.emit(event)
    (plan,) = foresight.plans([done.report])
    return plan


@pytest.fixture
def plan(play: Any) -> HostPlan:
    return planned(play, PLAYBOOK, extra={"secret": "hunter2"})


def test_what_changes_what_is_not_known_and_what_is_fine(plan: HostPlan) -> None:
    assert [(entry.task, entry.label) for entry in plan.changes] == [
        ("Write", None), ("Each", "b"), ("Each", "c"), ("Handled", None),
    ]  # fmt: skip
    assert [(entry.task, entry.module) for entry in plan.unknown] == [("Query", "command")]
    assert (plan.fine, plan.error) == (1, None)
    assert "+new" in (plan.changes[0].diff or "")
    assert plan.changes[0].place.endswith("site.yaml:4")
    assert "hunter2" not in str(plan)


def test_what_a_plan_foresees_is_what_happens(play: Any, plan: HostPlan) -> None:
    done = play(PLAYBOOK, extra={"secret": "/dev/null"})
    changed = [
        event.task for event in done.recorder.events if str(event.status) == "changed" and not event.items
    ]
    assert changed == ["Write", "Each", "Each", "Query", "Handled"]
    assert [entry.task for entry in plan.foreseen] == changed
    assert planned(play, PLAYBOOK, extra={"secret": "/dev/null"}).changes == ()


def test_a_prediction_that_ends_early_says_where(play: Any) -> None:
    text = '- hosts: all\n  tasks:\n    - debug:\n    - debug: {msg: "{{ nothing }}"}\n'
    plan = planned(play, text)
    assert plan.foreseen == ()
    assert plan.error is not None
    assert "nothing" in plan.error


def test_hosts_are_together_only_where_everything_is_alike(plan: HostPlan) -> None:
    other = replace(plan, host="h2")
    differs = replace(plan, host="h3", foreseen=plan.foreseen[1:])
    lost = replace(plan, host="h4", error="it is gone.")
    assert [[one.host for one in group] for group in alike((plan, differs, other, lost))] == [
        ["h1", "h2"],
        ["h3"],
        ["h4"],
    ]


def test_as_a_person_reads_it(plan: HostPlan, capsys: Any) -> None:
    _print((plan, replace(plan, host="h2"), HostPlan("h3", (), 6)))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "h1, h2 (2 hosts, alike)"
    assert "  ~ Each [c]" in lines
    assert "  ? Query" in lines
    assert "  4 tasks to change, 1 not known beforehand, 1 as they should be" in lines
    assert lines[-2:] == ["h3", "  0 tasks to change, 6 as they should be"]


def test_nothing_to_do_is_said(capsys: Any) -> None:
    _print((HostPlan("h1", (), 3),))
    assert (
        capsys.readouterr().out.splitlines()[-1] == "Nothing to do: every host is as the playbook wants it."
    )


def test_as_json(plan: HostPlan) -> None:
    told = plan.to_json()
    assert [entry["task"] for entry in told["unknown"]] == ["Query"]
    assert told["changes"][1]["label"] == "b"
    assert "diff" not in told["unknown"][0]
    assert "known" not in told["changes"][0]


def test_what_the_playbook_says_is_part_of_the_plan(play: Any) -> None:
    plan = planned(play, "- hosts: all\n  tasks:\n    - debug: {msg: crun is not installed}\n")
    assert plan.messages == ("crun is not installed",)
    assert plan.to_json()["messages"] == ["crun is not installed"]
