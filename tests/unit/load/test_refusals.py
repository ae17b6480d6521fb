# SPDX-License-Identifier: Apache-2.0
"""What a load refuses: everything at once, each at its place, with what to write instead and not what is spelt alike."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest

from orchestrator.cli.main import run
from orchestrator.load import outside
from orchestrator.load.filters import FILTERS, TESTS
from orchestrator.load.language import Language, TemplateFailed
from orchestrator.load.modules import MODULES
from orchestrator.load.playbook import load_playbook
from orchestrator.load.tasks import KEYS
from orchestrator.model.errors import ConfigError, ConfigErrors


def refused(folder: Path, text: str) -> list[ConfigError]:
    """The errors of a playbook, in order."""
    (folder / "site.yaml").write_text(dedent(text))
    with pytest.raises(ConfigError) as caught:
        load_playbook(folder / "site.yaml", Language({}))
    error = caught.value
    return list(error.errors) if isinstance(error, ConfigErrors) else [error]


def places(folder: Path, errors: list[ConfigError]) -> list[str]:
    return [f"{Path(str(error.file)).relative_to(folder)}:{error.line}" for error in errors]


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    for name in ("tasks", "vars", "meta"):
        (tmp_path / "roles/r" / name).mkdir(parents=True)
    (tmp_path / "roles/r/tasks/main.yml").write_text("- pause: {}\n- import_tasks: more.yml\n")
    (tmp_path / "roles/r/tasks/more.yml").write_text("- copy: {dest: /b, content: '{{ a | nosuch }}'}\n")
    (tmp_path / "roles/r/vars/main.yml").write_text("a: '{{ b'\n")
    (tmp_path / "roles/r/meta/main.yml").write_text("dependencies: [x]\n")
    (tmp_path / "imported.yaml").write_text("- hosts: all\n  serial: 1\n")
    (tmp_path / "wrong.yml").write_text("c: '{{ d | nosuch }}'\n")
    errors = refused(
        tmp_path,
        """\
        - hosts: all
          strategy: free
          become_method: su
          vars_files: [nosuch.yml, wrong.yml]
          roles: [r, missing]
          tasks:
            - apt: {nam: x, state: latst}
              when: a ==
              until: true
            - block:
                - reboot:
            - copy: {src: nosuch, dest: /b, force: perhaps, colour: red}
        - import_playbook: imported.yaml
        """,
    )
    assert sorted(places(tmp_path, errors)) == sorted(
        [
            *("site.yaml:2", "site.yaml:3", "site.yaml:4", "site.yaml:5", "wrong.yml:1"),
            *("roles/r/tasks/main.yml:1", "roles/r/tasks/more.yml:1", "roles/r/vars/main.yml:1"),
            "roles/r/meta/main.yml:1",
            *("site.yaml:7", "site.yaml:7", "site.yaml:8", "site.yaml:9"),
            *("site.yaml:10", "site.yaml:11", *["site.yaml:12"] * 3, "imported.yaml:2"),
        ]
    )


def test_the_same_refusal_of_a_file_that_is_imported_twice_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "t.yml").write_text("- pause: {}\n")
    text = "- {hosts: all, tasks: [{import_tasks: t.yml}, {import_tasks: t.yml}]}"
    assert places(tmp_path, refused(tmp_path, text)) == ["t.yml:1"]


def test_a_call_says_each_with_its_hint_and_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hosts.yaml").write_text("all: {hosts: {h: {ansible_host: 127.0.0.1, ansible_port: 1}}}\n")
    site = tmp_path / "site.yaml"
    site.write_text("- hosts: all\n  tasks:\n    - pause: {}\n    - command: date\n      until: true\n")
    assert run(["provision", str(tmp_path / "hosts.yaml"), "-p", str(site)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith(f"labctl: {site}:3:7: ") and "sleep SECONDS" in lines[1]
    assert lines[2].startswith(f"labctl: {site}:5:7: ") and "shell loop" in lines[3]
    assert "2 things are wrong" in lines[4] and len(lines) == 5


MODULE_HINTS = {
    "pause": "sleep",
    "mount": "/etc/fstab",
    "timezone": "timedatectl",
    "hostname": "hostnamectl",
    "sysctl": "/etc/sysctl.d",
    "service_facts": "systemctl is-active",
    "apt_key": "deb822_repository",
    "package": "use apt",
    "modprobe": "modules-load.d",
    "reboot": "between two calls",
    "uri": "get_url",
    "find": "shell: find",
    "slurp": "fetch",
    "git": "git clone",
    "pip": "pip install",
    "dnf": "use apt",
    "ansible.builtin.yum": "use apt",
    "community.general.ufw": "command or shell",
    "setup": "gather_facts",
    "script": "copy for the script",
    "service": "systemd_service",
    "no_such.collection.copyy": "command or shell",
    "coppy": "Did you mean 'copy'?",
    "tepmlate": "Did you mean 'template'?",
}


@pytest.mark.parametrize(("module", "hint"), MODULE_HINTS.items(), ids=MODULE_HINTS)
def test_a_module_outside_the_subset_gets_what_to_write_instead(
    tmp_path: Path, module: str, hint: str
) -> None:
    (error,) = refused(tmp_path, f"- {{hosts: all, tasks: [{{{module}: {{a: b}}}}]}}")
    assert hint in str(error.hint)
    assert "Did you mean" in hint or "Did you mean" not in str(error)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("- {hosts: all, become_method: su}", "sudo"),
        ("- {hosts: all, gather_subset: min}", "in one turn"),
        ("- {hosts: all, tasks: [{command: x, delay: 3}]}", "deadline"),
        ("- {hosts: all, tasks: [{command: x, with_nosuch: 3}]}", "Use loop"),
        ("- {hosts: all, tasks: [{command: x, loop: [1], loop_control: {pause: 3}}]}", "sleep"),
        ("- {hosts: all, tasks: [{copy: {content: a, dest: /b, seuser: x}}]}", "SELinux"),
        ("- {hosts: all, tasks: [{apt: {upgrade: dist}}]}", "apt-get"),
    ],
)
def test_keys_outside_the_subset_get_what_to_write_instead(tmp_path: Path, text: str, hint: str) -> None:
    (error,) = refused(tmp_path, text)
    assert hint in str(error.hint) and "outside labctl's subset" in error.message


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ a | ipaddr }}", "ansible_default_ipv4"),
        ("{{ a | quot }}", "did you mean 'quote'?"),
        ("{{ a | nosuch }}", "there is no filter 'nosuch'."),
        ("{{ a is vaulted_file }}", "from the environment"),
        ("{{ a is definedd }}", "did you mean 'defined'?"),
        ("{{ a is version('1', '>', colour='x') }}", "unexpected keyword argument 'colour'"),
        ("{{ a | combine }}{{ a | regex_replace }}", "missing a required argument"),
        ("{{ a | b64encode(1, 2, 3, 4, 5) }}", "too many positional arguments"),
        ("{{ nosuch() }}", "there is no function 'nosuch'"),
    ],
)
def test_what_cannot_work_in_a_template_is_seen_when_it_is_compiled(template: str, says: str) -> None:
    with pytest.raises(TemplateFailed) as caught:
        Language({}).template(template)
    assert says.lower() in str(caught.value).lower()


def test_functions_of_the_template_itself_are_known() -> None:
    language = Language({})
    for text in ("{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}", "{{ range(3) | list }}{{ a.split() }}"):
        language.template(text)


def test_a_vault_is_named_as_one_and_never_copied(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("$ANSIBLE_VAULT;1.1;AES256\n3138\n")
    (tmp_path / "plain").write_text("a $ANSIBLE_VAULT;1.1;AES256\n")
    tasks = (
        "copy: {src: secret, dest: /b}",
        "template: {src: secret, dest: /b}",
        "copy: {src: plain, dest: /b}",
    )
    errors = refused(tmp_path, f"- {{hosts: all, tasks: [{', '.join(f'{{{task}}}' for task in tasks)}]}}")
    assert len(errors) == 2
    assert all(
        "encrypted by ansible-vault" in str(error) and "lookup('env'" in str(error) for error in errors
    )


def test_what_is_called_outside_is_not_inside() -> None:
    assert not outside.MODULES.keys() & MODULES.keys()
    assert not outside.TASK_KEYS.keys() & KEYS
    assert not outside.TESTS.keys() & TESTS.keys()
    assert not outside.FILTERS.keys() & FILTERS.keys()


def test_one_letter_is_a_slip_and_two_are_another_name() -> None:
    known = ("template", "user", "apt")
    slips = {
        "templat": "template",
        "templates": "template",
        "templete": "template",
        "usre": "user",
        "userr": "user",
    }
    assert {name: outside.misspelt(name, known) for name in slips} == slips
    assert [outside.misspelt(name, known) for name in ("pause", "opt", "tamplete", "template")] == [None] * 4
