# SPDX-License-Identifier: Apache-2.0
"""Values of every type on their way into files and commands of a host, spelled as ansible-core spells them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

VARS = "{at: %s, released: 2024-01-02, moment: 2024-01-02 03:04:05, yea: true, m: 0640}"


def tasks(folder: Path, *lines: str) -> str:
    body = "".join(f"    - {line}\n" for line in lines)
    return f"- hosts: all\n  gather_facts: false\n  vars: {VARS % (folder / 'out')}\n  tasks:\n{body}"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("'{{ released }}'", "2024-01-02"),
        ("2024-01-02", "2024-01-02"),
        ("'{{ moment }}'", "2024-01-02 03:04:05"),
        ("'{{ yea }}'", "True"),
        ("true", "True"),
        ("'{{ 5 }}'", "5"),
        ("1.50", "1.5"),
        ("'{{ [1, yea, none] }}'", "[1, true, null]"),
        ("{b: 1, a: [x]}", '{"b": 1, "a": ["x"]}'),
        ("\"{{ [1, 2] | map('string') }}\"", '["1", "2"]'),
        ("\"{{ 'v1.2' | regex_replace('^v(.*)$', '\\\\1') }}\\n\"", "1.2\n"),
        ("''", ""),
    ],
)
def test_the_content_of_a_file(play: Any, folder: Path, content: str, text: str) -> None:
    done = play(tasks(folder, f"copy: {{dest: '{{{{ at }}}}/f', content: {content}}}"))
    assert done.report.error is None
    assert (folder / "out/f").read_text() == text


@pytest.mark.parametrize(
    ("mode", "number"),
    [
        ("0640", 0o640),
        ("0o640", 0o640),
        ("'0640'", 0o640),
        ("'{{ m }}'", 0o640),
        ("640", 0o1200),
        ("'0{{ 640 }}'", 0o640),
        ("'{{ omit }}'", 0o644),
    ],
)
def test_the_mode_of_a_file(play: Any, folder: Path, mode: str, number: int) -> None:
    done = play(tasks(folder, f"copy: {{dest: '{{{{ at }}}}/f', content: x, mode: {mode}}}"))
    assert done.report.error is None
    assert (folder / "out/f").stat().st_mode & 0o7777 == number


def test_arguments_and_variables_of_commands(play: Any, folder: Path) -> None:
    environment = "{A: '{{ yea }}', B: '{{ released }}', C: '{{ nosuch | default(omit) }}', D: '{{ none }}'}"
    done = play(
        tasks(
            folder,
            'command: {argv: [echo, "{{ yea }}", "{{ released }}", "{{ moment }}", 5]}\n      register: said',
            f"shell: echo $A $B ${{C-unset}} $D\n      environment: {environment}\n      register: more",
            "lineinfile: {path: '{{ at }}/l', line: '{{ moment }}', create: true}",
            "debug: {msg: '{{ said.stdout }}|{{ more.stdout }}'}",
        )
    )
    assert done.report.error is None
    assert done.messages == ["True 2024-01-02 2024-01-02T03:04:05 5|True 2024-01-02 unset None"]
    assert (folder / "out/l").read_text() == "2024-01-02T03:04:05\n"


@pytest.mark.parametrize(
    "argument",
    [
        'copy: {dest: "{{ at }}/f", content: "{{ {1: released} }}"}',
        'copy: {dest: "{{ at }}/f", content: "{{ [nosuch] | to_json }}"}',
        "copy: {dest: \"{{ at }}/f\", content: \"{{ 'x' | regex_search('(') }}\"}",
        'copy: {dest: "{{ at }}/f", content: "{{ moment - moment }}"}',
        'copy: {dest: "{{ at }}/f", content: x, mode: "{{ 99999 }}"}',
        'copy: {dest: "{{ at }}/f", content: x, mode: "{{ 1.5 }}"}',
        "debug: {msg: x, verbosity: \"{{ 'x' }}\"}",
        "debug: {var: 1 / 0}",
        "command: {argv: [\"{{ 'x'.encode() }}\"]}",
    ],
)
def test_what_has_no_value_fails_its_task_with_its_place(play: Any, folder: Path, argument: str) -> None:
    done = play(tasks(folder, "copy: {dest: '{{ at }}/before', content: x}", argument))
    assert done.report.failed == 1
    assert f"{folder / 'site.yaml'}:6:" in str(done.report.error)
    assert (folder / "out/before").exists()
    assert not (folder / "out/f").exists()


def test_notify_may_name_the_item(play: Any, folder: Path) -> None:
    names = ("a", "b", "c")
    handlers = "".join(f"    - {{name: restart {name}, debug: {{msg: {name}}}}}\n" for name in names)
    loop = 'copy: {dest: "{{ at }}/{{ item }}", content: x}\n      loop: [a, b, c]\n      notify: "restart {{ item }}"'
    (folder / "out/a").write_text("x")
    text = tasks(folder, f"{loop}\n      when: item != 'c'") + f"  handlers:\n{handlers}"
    assert play(text).messages == ["a", "b"], "as Ansible: of all items, once one has changed"
    assert play(text).messages == []
    assert play(text.replace("restart {{ item }}", "restart {{ item }}s")).report.error is None
    (folder / "out/b").unlink()
    assert "there is no handler 'restart as'" in str(
        play(text.replace("restart {{ item }}", "restart {{ item }}s")).report.error
    )


def test_a_template_file_has_its_own_names_and_one_last_newline(play: Any, folder: Path) -> None:
    (folder / "t.j2").write_text("{{ template_path }} {{ ansible_managed }}\n{% if yea %}\nx\n{% endif %}\n")
    done = play(tasks(folder, "template: {src: t.j2, dest: '{{ at }}/t'}"))
    assert done.report.error is None
    assert (folder / "out/t").read_text() == "t.j2 Ansible managed\nx\n"


def test_lookups_look_in_the_role_first(play: Any, folder: Path) -> None:
    role = folder / "roles/r"
    for place in (role / "tasks/main.yaml", role / "files/f", folder / "files/f", folder / "files/only"):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"{place.relative_to(folder).parts[0]}\n")
    text = "- debug: {msg: \"{{ lookup('file', 'f', 'only') }}\"}\n"
    (role / "tasks/main.yaml").write_text(text)
    assert play("- hosts: all\n  gather_facts: false\n  roles: [r]\n").messages == ["roles,files"]
    assert "outside labctl's subset" in _refused(play, "{{ lookup('pipe', 'date') }}")
    assert "braces within braces" in _refused(play, "{{ lookup('file', '{{ f }}') }}").lower()


def _refused(play: Any, value: str) -> str:
    from orchestrator.model.errors import ConfigError

    with pytest.raises(ConfigError) as caught:
        play(f'- hosts: all\n  tasks:\n    - debug: {{msg: "{value}"}}\n')
    assert caught.value.line == 3
    return str(caught.value)
