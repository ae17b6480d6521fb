# SPDX-License-Identifier: Apache-2.0
"""What Ansible's language does: conditions, loops, results, handlers, failures, tags, predictions. With the real runner."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator.load.inventory import load_inventory
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.provision.channel import Channel
from orchestrator.provision.compile import Options
from orchestrator.provision.engine import HostRun, HostStopped
from orchestrator.provision.files import Blobs, BlobSource
from orchestrator.provision.scope import Variables
from orchestrator.provision.selection import Tags
from remote_agent.contract.steps import Outcome, Status, Step


def test_a_result_is_seen_by_those_who_name_it(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {name: ask, command: echo 41, register: answer, changed_when: false}
    - {name: small, command: "echo {{ answer.stdout | int + 1 }}", when: answer.stdout | int < 50, register: second}
    - {name: big, command: echo big, when: answer.stdout | int > 50, register: third}
    - debug: {msg: "{{ second.stdout }} {{ third is skipped }} {{ answer is changed }}"}
""")
    assert done.messages == ["42 True False"]
    assert done.results == [("ask", "ok"), ("small", "changed"), ("big", "skipped"), ("debug", "ok")]
    assert (done.report.ok, done.report.changed, done.report.skipped, done.report.exit_code) == (3, 1, 1, 0)


def test_a_loop_is_one_step_an_item_and_one_result(play: Any) -> None:
    done = play("""
- hosts: all
  vars: {wanted: [1, 2, 3]}
  tasks:
    - name: loop
      command: echo {{ number }}{{ index }}
      loop: "{{ wanted }}"
      loop_control: {loop_var: number, label: "no {{ number }}", index_var: index}
      when: number != 2
      register: all
    - debug: {msg: "{{ all.results | map(attribute='stdout', default='-') | join(',') }} {{ all.results[2].number }} {{ all is changed }}"}
    - {name: none, command: echo, loop: [], register: none_of_them}
    - debug: {msg: "{{ none_of_them.results }} {{ none_of_them is skipped }}"}
""")
    assert done.messages == ["10,-,32 3 True", "[] True"]
    labels = [(event.label, str(event.status)) for event in done.recorder.events if event.kind == "item"]
    assert labels == [("no 1", "changed"), ("no 2", "skipped"), ("no 3", "changed")]
    assert done.results[0] == ("loop", "changed")


def test_every_item_is_tried_though_one_fails(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {name: three, shell: "touch out/{{ item }}; test {{ item }} != b", args: {chdir: "{{ playbook_dir }}"}, loop: [a, b, c]}
    - {name: never, command: touch out/never, args: {chdir: "{{ playbook_dir }}"}}
""")
    assert sorted(path.name for path in (done.folder / "out").iterdir()) == ["a", "b", "c"]
    assert (done.report.failed, done.report.exit_code) == (1, 1)
    assert "three: The command ended with 1" in str(done.report.error)


def test_handlers_run_once_in_their_order_where_something_changed(play: Any) -> None:
    done = play("""
- hosts: all
  pre_tasks:
    - {name: before, command: echo, notify: early}
  tasks:
    - {name: one, command: echo, notify: [third, topic]}
    - {name: two, command: echo, notify: third}
    - {name: nothing, command: echo, changed_when: false, notify: unwanted}
    - {name: last, command: echo}
  handlers:
    - {name: unwanted, command: echo}
    - {name: early, command: echo}
    - {name: first, command: echo, listen: topic, notify: chained}
    - {name: second, command: echo, listen: topic}
    - {name: third, command: echo}
    - {name: chained, command: echo}
""")
    titles = [title for title, _ in done.results]
    assert titles == [
        "before",
        "early",
        "one",
        "two",
        "nothing",
        "last",
        "first",
        "second",
        "third",
        "chained",
    ]


def test_of_handlers_of_one_name_the_last_is_carried_out(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {name: one, command: echo, notify: topic}
  handlers:
    - {name: same, command: "false", listen: topic}
    - {name: same, command: echo, listen: topic}
    - {command: echo, listen: topic}
    - {command: echo, listen: topic}
""")
    assert [title for title, _ in done.results] == ["one", "same", "command", "command"]
    assert done.report.exit_code == 0


def test_what_a_use_of_a_role_is_given_no_other_sees(play: Any, folder: Path) -> None:
    tasks = folder / "roles/r/tasks/main.yaml"
    tasks.parent.mkdir(parents=True)
    tasks.write_text("- {name: \"{{ a | default('none') }}\", command: echo}\n")
    done = play("""
- hosts: all
  roles: [r, {role: r, vars: {a: given}}]
  tasks: [{name: "{{ a | default('outside') }}", command: echo}]
""")
    assert [title for title, _ in done.results] == ["r : none", "r : given", "outside"]


def test_debug_that_wants_more_verbosity_is_skipped(play: Any) -> None:
    done = play("- hosts: all\n  tasks: [{debug: {msg: a, verbosity: 1}}, {debug: {msg: b, verbosity: 0}}]\n")
    assert (done.report.skipped, done.report.ok) == (1, 1)


def test_flush_handlers_at_once(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {name: one, command: echo, notify: handler}
    - {name: not now, meta: flush_handlers, when: false}
    - {name: between, command: echo}
    - meta: flush_handlers
    - {name: two, command: echo}
  handlers:
    - {name: handler, command: echo}
""")
    assert [title for title, status in done.results if status == "changed"] == [
        "one",
        "between",
        "handler",
        "two",
    ]


def test_a_failed_task_stops_its_host_and_its_handlers(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {name: fine, command: echo, notify: handler}
    - {name: wrong, command: "sh -c 'echo why >&2; exit 3'"}
    - {name: never, command: "touch {{ playbook_dir }}/out/never"}
  handlers:
    - {name: handler, command: echo}
""")
    assert [title for title, _ in done.results] == ["fine", "wrong"]
    assert list((done.folder / "out").iterdir()) == []
    assert done.report.error == "wrong: The command ended with 3: why"
    failure = next(event for event in done.recorder.events if event.status == "failed")
    assert (failure.detail, failure.place) == ("why", f"{done.folder}/site.yaml:5")


def test_what_counts_as_changed_and_as_failed(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {name: expected, command: "false", register: r, failed_when: r.rc != 1, changed_when: r.rc == 1}
    - {name: ignored, command: "false", register: s, ignore_errors: true}
    - debug: {msg: "{{ s is failed }} {{ r is failed }} {{ r is changed }}"}
    - {name: never quiet, command: echo no, register: t, failed_when: ["'no' in t.stdout", true]}
    - {name: not reached, command: "touch {{ playbook_dir }}/out/never"}
""")
    assert done.messages == ["True False True"]
    assert done.results[0] == ("expected", "changed")
    assert (done.report.ignored, done.report.failed, done.report.ok) == (1, 1, 3)
    assert list((done.folder / "out").iterdir()) == []


def test_assert_fail_and_set_fact_are_the_controllers(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - set_fact: {a: 1, b: "{{ [1, 2] }}"}
    - set_fact: {a: "{{ a + 1 }}", c: "{{ item }}"}
      loop: "{{ b }}"
    - debug: {var: a}
    - assert: {that: ["a == 3", "c == 2", "ansible_facts.a is not defined"], quiet: true}
    - assert: {that: "a == 4", fail_msg: "a is {{ a }}"}
""")
    assert done.messages == ["a: 3"]
    assert done.report.error == "assert: a is 3"


def test_what_comes_before_a_failing_assertion_is_reported_first(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {name: slow, command: sleep 0.1}
    - {name: wrong, command: "false"}
    - assert: {that: false}
""")
    assert done.results == [("slow", "changed"), ("wrong", "failed")]


class PatientChannel(Channel):
    """A host on which everything goes well, as soon as somebody asks."""

    def __init__(self) -> None:
        self.host = "h1"
        self.sent: list[Step] = []
        self.answered = 0

    def send(self, step: Step) -> None:
        self.sent.append(step)

    def outcome(self, blobs: BlobSource, progress: Any, take: Any = None) -> Outcome:
        self.answered += 1
        return Outcome(self.sent[self.answered - 1].id, Status.OK, result={"rc": 0})


def drive(folder: Path, text: str, channel: PatientChannel) -> None:
    """Carry out the playbook on a PatientChannel, to its end or to the task that fails."""
    (folder / "site.yaml").write_text(text)
    language, inventory = Language({}), load_inventory(folder / "inventory.yaml")
    variables = Variables(language, inventory, inventory.host("h1"), {}, check=False)
    run = HostRun(channel, variables, Options(language, Blobs(), folder), lambda event: None)
    with suppress(HostStopped):
        run.run(load_playbook(folder / "site.yaml", language).plays[0], [], Tags())


def test_nothing_is_sent_behind_a_failing_assertion(folder: Path) -> None:
    text = "- hosts: all\n  tasks: [{command: one}, {assert: {that: false}}, {command: never}]\n"
    channel = PatientChannel()
    drive(folder, text, channel)
    assert [step.args["cmd"] for step in channel.sent] == ["one"]


def test_what_depends_on_nothing_is_sent_before_anything_is_answered(folder: Path) -> None:
    seen: list[int] = []

    class Watched(PatientChannel):
        def outcome(self, blobs: BlobSource, progress: Any, take: Any = None) -> Outcome:
            seen.append(len(self.sent))
            return super().outcome(blobs, progress)

    text = """
- hosts: all
  tasks:
    - {command: one, register: first}
    - {command: two}
    - {command: three, when: 1 == 1}
    - {command: four, when: first.rc == 0}
    - {command: five}
"""
    drive(folder, text, Watched())
    assert seen == [3, 5, 5, 5, 5]


def test_undefined_variable_names_file_line_key_and_host(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - name: x
      copy:
        dest: /nowhere
        content: "{{ nosuch.deep }}"
""")
    assert done.report.host == "h1"
    assert done.report.error == f"x: {done.folder}/site.yaml:7:9: copy.content: 'nosuch' is undefined."


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        ("nosuch == 1", "site.yaml:5:7: when: 'nosuch' is undefined."),
        ("inventory_hostname", "neither true nor false"),
    ],
)
def test_conditions_must_be_true_or_false(play: Any, condition: str, says: str) -> None:
    done = play(f"""
- hosts: all
  tasks:
    - command: echo
      when: {condition}
""")
    assert says in str(done.report.error)


def test_variables_that_need_each_other_end(play: Any) -> None:
    done = play("""
- hosts: all
  vars: {a: "{{ b }}", b: "{{ a }}"}
  tasks:
    - debug: {msg: "{{ a }}"}
""")
    assert "refers to itself: a -> b -> a" in str(done.report.error)


def test_tags(play: Any) -> None:
    text = """
- hosts: all
  tasks:
    - {name: plain, command: echo}
    - {name: tagged, command: echo, tags: [x, y]}
    - {name: always, command: echo, tags: always}
    - {name: never, command: echo, tags: [never, z]}
"""
    assert [title for title, _ in play(text).results] == ["plain", "tagged", "always"]
    assert [title for title, _ in play(text, tags=("x",)).results] == ["tagged", "always"]
    assert [title for title, _ in play(text, tags=("z",)).results] == ["always", "never"]
    assert [title for title, _ in play(text, skip=("y", "always")).results] == ["plain"]
    assert [title for title, _ in play(text, tags=("untagged",)).results] == ["plain", "always"]


COPY = """
- hosts: all
  tasks:
    - {name: copy, copy: {src: a.txt, dest: "{{ playbook_dir }}/out/a.txt"}, notify: handler}
    - {name: template, template: {src: b.j2, dest: "{{ playbook_dir }}/out/b", mode: "0600"}}
    - {name: asked anyway, command: echo, check_mode: false, changed_when: false, register: asked}
    - debug: {msg: "{{ asked.rc }} {{ ansible_check_mode }}"}
  handlers:
    - {name: handler, command: "touch {{ playbook_dir }}/out/handled"}
"""


@pytest.fixture
def sources(folder: Path) -> None:
    (folder / "files").mkdir()
    (folder / "files" / "a.txt").write_text("content\n")
    (folder / "templates").mkdir()
    (folder / "templates" / "b.j2").write_text("host {{ inventory_hostname }}\n")


@pytest.mark.usefixtures("sources")
def test_a_prediction_changes_nothing_and_a_second_time_neither(play: Any) -> None:
    predicted = play(COPY, check=True, diff=True)
    assert list((predicted.folder / "out").iterdir()) == []
    assert (predicted.report.changed, predicted.messages) == (2, ["0 True"])
    assert any("+host h1" in (event.diff or "") for event in predicted.recorder.events)

    first = play(COPY)
    assert first.report.changed == 3
    assert (first.folder / "out" / "a.txt").read_text() == "content\n"
    assert (first.folder / "out" / "b").read_text() == "host h1\n"
    assert (first.folder / "out" / "handled").exists()

    second = play(COPY)
    assert (second.report.changed, second.report.exit_code) == (0, 0)


SECRET = "hunter2-secret"


def test_no_secret_gets_into_events(play: Any) -> None:
    done = play(
        """
- hosts: all
  tasks:
    - {name: "with {{ password }}", command: "sh -c 'echo {{ password }}'", no_log: true, register: r}
    - {name: loop, command: "echo {{ item }}", loop: ["{{ password }}"], no_log: true}
    - {name: file, copy: {content: "{{ password }}", dest: "{{ playbook_dir }}/out/p"}, no_log: true}
    - {name: ignored, command: "sh -c 'echo {{ password }} >&2; exit 1'", no_log: true, ignore_errors: true}
    - {name: still there, assert: {that: "r.stdout == password", quiet: true}}
    - {name: wrong, command: echo, when: "password", no_log: true}
""",
        extra={"password": SECRET},
        diff=True,
    )
    assert (done.folder / "out" / "p").read_text() == SECRET
    assert done.results[4] == ("still there", "ok")
    said = [str(event.to_json()) for event in done.recorder.events] + [str(done.report.to_json())]
    assert not [line for line in said if SECRET in line]
    assert "withheld" in str(done.report.error)


NO_LOG_FAILURES = {
    "module": 'copy: {content: x, dest: "/nosuch/{{ password }}/x"}',
    "undefined": 'copy: {content: "{{ password }}{{ nosuch }}", dest: /nosuch}',
    "filter": 'command: "echo {{ password | human_to_bytes }}"',
    "parameter": 'copy: {content: x, dest: /nosuch, mode: "{{ password }}"}',
    "assert": "assert: {that: password == 'x', fail_msg: \"{{ password }}\"}",
    "fail": 'fail: {msg: "{{ password }}"}',
    "stderr": 'shell: "cat >&2; exit 1"\n      args: {stdin: "{{ password }}"}',
    "no program": 'command: {argv: ["/nosuch/{{ password }}"]}',
    "no condition": "command: echo\n      when: password",
    "no verdict": "command: echo\n      failed_when: password",
    "no handler": 'command: echo\n      notify: "{{ password }}"',
    "item": 'copy: {content: x, dest: "/nosuch/{{ item }}"}\n      loop: ["{{ password }}"]',
    "no file": 'copy: {src: "{{ password }}", dest: /tmp}',
    "no template": 'template: {src: "{{ password }}", dest: /tmp}',
    "title": 'command: "false"\n      name: "{{ password }}"',
}


NEVER_SAID = {"undefined", "no condition", "no verdict"}


@pytest.mark.parametrize("name", NO_LOG_FAILURES)
def test_a_failure_with_no_log_says_no_value(play: Any, name: str) -> None:
    def said(no_log: str) -> str:
        text = f"- hosts: all\n  tasks:\n    - {NO_LOG_FAILURES[name]}\n      no_log: {no_log}\n"
        done = play(text, extra={"password": SECRET})
        assert done.report.failed == 1
        return str([event.to_json() for event in done.recorder.events]) + str(done.report.to_json())

    assert SECRET not in said("true")
    assert (SECRET in said("false")) == (name not in NEVER_SAID)


def test_a_condition_that_is_no_truth_value_does_not_say_which_it_is(play: Any) -> None:
    done = play(
        "- hosts: all\n  tasks:\n    - {command: 'echo x', when: password}\n", extra={"password": SECRET}
    )
    assert "has a value of type str, and neither true nor false: password" in str(done.report.error)
    assert SECRET not in str(done.report.error)


def test_other_hosts_variables_and_omitted_arguments(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - debug: {msg: "{{ hostvars['h2'].other }} {{ groups['all'] | join(',') }} {{ vars['where'] }}"}
    - {name: omit, copy: {content: x, dest: "{{ playbook_dir }}/out/x", mode: "{{ nosuch | default(omit) }}"}}
""")
    assert done.messages == ["h2! h1,h2 inventory"]
    assert done.report.exit_code == 0


def test_a_name_that_is_registered_again(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {name: one, command: echo 1, register: r}
    - {name: two, command: sleep 0.05, register: s, changed_when: r.stdout == '1'}
    - {name: three, command: echo 3, register: r}
    - debug: {msg: "{{ r.stdout }} {{ s is changed }}"}
""")
    assert done.messages == ["3 True"]


def test_a_result_of_later_is_not_there_yet(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {name: one, command: echo, register: r, changed_when: later is changed}
    - {name: two, command: echo, register: later}
""")
    assert "later" in str(done.report.error) and done.report.failed == 1


def test_facts_are_gathered_for_the_plays_that_want_them(play: Any) -> None:
    done = play("""
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: "{{ ansible_facts }} {{ ansible_system is defined }} {{ hostvars.h1.ansible_facts }}"}
- hosts: all
  tasks:
    - debug: {msg: "{{ ansible_system }} {{ hostvars[inventory_hostname].ansible_system }}"}
- hosts: all
  gather_facts: false
  tasks:
    - debug: {msg: "{{ ansible_facts.system }}"}
""")
    assert done.messages == ["{} False {}", "Linux Linux", "Linux"]


def test_a_host_s_own_variables_have_what_its_tasks_set(play: Any) -> None:
    done = play("""
- hosts: all
  tasks:
    - {command: echo here, register: said, changed_when: false}
    - set_fact: {told: "{{ hostvars[inventory_hostname].said.stdout }}"}
    - debug: {msg: "{{ hostvars.h1.told }} {{ hostvars.h1.where }} {{ hostvars.h1.given }}"}
""", extra={"given": 1})  # fmt: skip
    assert done.messages == ["here inventory 1"]


@pytest.mark.parametrize("name", ["ansible_facts", "ansible_system", "said", "told"])
def test_what_another_host_has_found_out_is_not_guessed(play: Any, name: str) -> None:
    done = play(f"""
- hosts: all
  tasks:
    - {{command: echo here, register: said, changed_when: false}}
    - set_fact: {{told: "{{{{ said.stdout }}}}"}}
    - debug: {{msg: "{{{{ hostvars.h2.{name} | default('none') }}}}"}}
""")
    assert f"hostvars['h2'].{name}: what another host finds out is known when the play" in str(
        done.report.error
    )
