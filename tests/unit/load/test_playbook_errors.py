# SPDX-License-Identifier: Apache-2.0
"""What a playbook may not say: each is one sentence at its file, line, column and key, with what to write instead."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.model.errors import ConfigError

CASES = {
    "unknown key of a play": ("- hosts: all\n  tsks: []\n", "2:3", "[0].tsks", "Did you mean 'tasks'?"),
    "no hosts": ("- name: x\n", "1:3", "[0]", "hosts: all"),
    "strategy": ("- hosts: all\n  strategy: free\n", "2:3", "[0].strategy", "free"),
    "unknown module": ("- hosts: all\n  tasks:\n    - name: x\n      coppy: {}\n", "4:7", "[0].tasks[0].coppy", "'copy'"),
    "unknown key of a task": (
        "- hosts: all\n  tasks:\n    - copy: {src: /etc/passwd, dest: /b}\n      notfy: x\n",
        "4:7", "[0].tasks[0].notfy", "'notify'",
    ),
    "two modules": (
        "- hosts: all\n  tasks:\n    - copy: {src: /etc/passwd, dest: /b}\n      file: {path: /b}\n",
        "4:7", "[0].tasks[0].file", "two tasks",
    ),
    "unknown parameter": (
        "- hosts: all\n  tasks:\n    - copy:\n        source: a\n        dest: /b\n",
        "4:9", "[0].tasks[0].copy.source", "no parameter 'source'",
    ),
    "missing parameter": ("- hosts: all\n  tasks:\n    - file: {state: directory}\n", "3:7", "[0].tasks[0].file", "path"),
    "mistyped boolean": (
        "- hosts: all\n  tasks:\n    - systemd_service:\n        name: x\n        enabled: perhaps\n",
        "5:9", "[0].tasks[0].systemd_service.enabled", "true or false",
    ),
    "mode that is none": (
        "- hosts: all\n  tasks:\n    - file:\n        path: /a\n        mode: 010000\n",
        "5:9", "[0].tasks[0].file.mode", "more than 07777",
    ),
    "choice": (
        "- hosts: all\n  tasks:\n    - apt: {name: x, state: latst}\n", "3:22", "[0].tasks[0].apt.state", "latest",
    ),
    "exclusive": (
        "- hosts: all\n  tasks:\n    - copy: {src: /etc/passwd, content: b, dest: /c}\n", "3:7", "[0].tasks[0].copy", "Leave one",
    ),
    "neither of two": ("- hosts: all\n  tasks:\n    - copy: {dest: /c}\n", "3:7", "[0].tasks[0].copy", "src or content"),
    "alias and name": (
        "- hosts: all\n  tasks:\n    - file: {path: /a, dest: /b}\n", "3:24", "[0].tasks[0].file.dest", "another name",
    ),
    "text instead of a mapping": (
        "- hosts: all\n  tasks:\n    - apt: name=x\n", "3:7", "[0].tasks[0].apt", "NAME: VALUE",
    ),
    "parameter inside a command": (
        "- hosts: all\n  tasks:\n    - command: make creates=/x\n", "3:7", "[0].tasks[0].command", "args",
    ),
    "syntax of a template": (
        "- hosts: all\n  tasks:\n    - copy:\n        content: \"{{ a\"\n        dest: /b\n",
        "4:9", "[0].tasks[0].copy.content", "template is not right",
    ),
    "unknown filter": (
        "- hosts: all\n  vars:\n    a: \"{{ b | quot }}\"\n", "3:5", "[0].vars.a", "'quote'",
    ),
    "syntax of a condition": (
        "- hosts: all\n  tasks:\n    - debug: {msg: x}\n      when:\n        - a ==\n",
        "5:11", "[0].tasks[0].when[0]", "not an expression",
    ),
    "braces in a condition": (
        "- hosts: all\n  tasks:\n    - debug: {msg: x}\n      when: \"{{ a }}\"\n", "4:7", "[0].tasks[0].when", "braces",
    ),
    "unknown handler": (
        "- hosts: all\n  tasks:\n    - command: x\n      notify: Restart y\n  handlers:\n    - name: Restart x\n      command: y\n",
        "4:7", "notify", "'Restart x'",
    ),
    "block": ("- hosts: all\n  tasks:\n    - block: []\n", "3:7", "[0].tasks[0].block", "import_tasks"),
    "with_items": (
        "- hosts: all\n  tasks:\n    - command: x\n      with_items: [1]\n", "4:7", "[0].tasks[0].with_items", "loop",
    ),
    "loop over a text": ("- hosts: all\n  tasks:\n    - command: x\n      loop: abc\n", "4:7", "[0].tasks[0].loop", "list"),
    "become differs": (
        "- hosts: all\n  tasks:\n    - command: x\n      become: true\n", "4:7", "[0].tasks[0].become", "at the play",
    ),
    "another user": ("- hosts: all\n  become_user: bob\n", "2:3", "[0].become_user", "root"),
    "missing role": ("- hosts: all\n  roles: [nosuch]\n", "2:11", "[0].roles[0]", "There are: r"),
    "variable of a role": ("- hosts: all\n  roles:\n    - {role: r, colour: red}\n", "3:17", "[0].roles[0].colour", "vars"),
    "missing file": (
        "- hosts: all\n  tasks:\n    - copy: {src: nosuch, dest: /b}\n", "3:14", "src", "Looked for",
    ),
    "missing import": ("- import_playbook: nosuch.yaml\n", "1:3", "[0].import_playbook", "Looked for"),
    "name of a variable": ("- hosts: all\n  vars:\n    a-b: 1\n", "3:5", "[0].vars.a-b", "underscores"),
    "listen at a task": (
        "- hosts: all\n  tasks:\n    - command: x\n      listen: y\n", "4:7", "[0].tasks[0].listen", "",
    ),
    "not a list": ("hosts: all\n", "1:1", None, "list of plays"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "place", "key", "says"), CASES.values(), ids=CASES.keys())
def test_refused_at_its_place(tmp_path: Path, text: str, place: str, key: str | None, says: str) -> None:
    path = tmp_path / "site.yaml"
    path.write_text(text)
    (tmp_path / "roles" / "r").mkdir(parents=True)
    with pytest.raises(ConfigError) as caught:
        load_playbook(path, Language())
    error = caught.value
    assert (f"{error.line}:{error.column}", error.key, error.file) == (place, key, path)
    assert says in str(error)


def test_syntax_of_a_template_file_is_found_at_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "templates").mkdir()
    template = tmp_path / "templates" / "a.j2"
    template.write_text("one\ntwo {{ x }\n")
    (tmp_path / "site.yaml").write_text("- hosts: all\n  tasks:\n    - template: {src: a.j2, dest: /a}\n")
    with pytest.raises(ConfigError) as caught:
        load_playbook(tmp_path / "site.yaml", Language())
    assert (caught.value.file, caught.value.line) == (template, 2)


def test_a_role_with_dependencies_is_refused_in_its_meta(tmp_path: Path) -> None:
    meta = tmp_path / "roles" / "r" / "meta"
    meta.mkdir(parents=True)
    (meta / "main.yml").write_text("galaxy_info: {}\ndependencies:\n  - other\n")
    (tmp_path / "site.yaml").write_text("- hosts: all\n  roles: [r]\n")
    with pytest.raises(ConfigError, match="dependencies") as caught:
        load_playbook(tmp_path / "site.yaml", Language())
    assert (caught.value.file, caught.value.line) == (meta / "main.yml", 3)


def test_an_import_of_itself_ends(tmp_path: Path) -> None:
    (tmp_path / "tasks.yaml").write_text("- import_tasks: tasks.yaml\n")
    (tmp_path / "site.yaml").write_text(
        dedent("""\
            - hosts: all
              tasks:
                - import_tasks: tasks.yaml
            """)
    )
    with pytest.raises(ConfigError, match="import itself"):
        load_playbook(tmp_path / "site.yaml", Language())
