# SPDX-License-Identifier: Apache-2.0
"""Parameters of single modules: what is refused at its place, and what goes through."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.load.language import Language
from orchestrator.load.modules import MODULES
from orchestrator.load.playbook import load_playbook
from orchestrator.model.errors import ConfigError

URL = "https://host/f"
REFUSED: list[tuple[str, str, str | None, str]] = [
    ("lineinfile", "{path: /f, line: x, regexp: '('}", "regexp", "is no regular expression"),
    ("lineinfile", "{path: /f}", None, "Add line: TEXT"),
    ("lineinfile", "{path: /f, state: absent}", None, "line, regexp or search_string"),
    ("lineinfile", "{path: /f, line: x, backrefs: true}", None, "Add regexp: PATTERN"),
    ("lineinfile", "{path: /f, line: x, insertafter: a, insertbefore: b}", None, "exclude each other"),
    ("lineinfile", "{path: /f, line: x, regexp: a, search_string: b}", None, "exclude each other"),
    ("lineinfile", "{path: /f, line: yes}", "line", "put it in quotes"),
    ("lineinfile", "{path: /f, line: x, unsafe_writes: true}", "unsafe_writes", "leave it out"),
    ("lineinfile", "{path: /f, line: x, attr: i}", "attr", "command: chattr"),
    ("replace", "{path: /f}", None, "Add regexp: VALUE"),
    ("replace", "{path: /f, regexp: a, before: '['}", "before", "is no regular expression"),
    ("get_url", "{url: 'ftp://host/f', dest: /f}", "url", "must begin with https://"),
    ("get_url", f"{{url: '{URL}', dest: /f, checksum: abc}}", "checksum", "must be as in 'sha256:HEX'"),
    ("get_url", f"{{url: '{URL}', dest: /f, checksum: 'crc:12'}}", "checksum", "must be as in 'sha256:HEX'"),
    ("get_url", f"{{url: '{URL}', dest: /f, headers: 'A:b'}}", "headers", "a mapping of NAME: VALUE"),
    ("get_url", f"{{url: '{URL}', dest: /f, headers: {{A: [b]}}}}", "headers", "has a list at 'A'"),
    ("get_url", f"{{url: '{URL}', dest: /f, url_password: x}}", None, "Add url_username: NAME"),
    (
        "get_url",
        f"{{url: '{URL}', dest: /f, use_netrc: false}}",
        "use_netrc",
        "url_username and url_password",
    ),
    ("user", "{name: a, append: true}", None, "Add groups: [NAME]"),
    ("user", "{name: a, non_unique: true}", None, "Add uid"),
    ("user", "{name: a, uid: b}", "uid", "a whole number"),
    ("user", "{name: a, expires: 1}", "expires", "usermod --expiredate"),
    ("user", "{name: a, generate_ssh_key: true}", "generate_ssh_key", "command: ssh-keygen"),
    ("user", "{name: a, password: true}", "password", "put it in quotes"),
    ("group", "{name: a, local: true}", "local", "leave it out"),
    ("group", "{gid: 1}", None, "Add name: VALUE"),
    ("deb822_repository", "{name: a, suites: x, components: main}", None, "Add uris: VALUE"),
    ("deb822_repository", f"{{name: a, uris: '{URL}', suites: x}}", None, "Add components: main"),
    ("deb822_repository", f"{{name: a, uris: '{URL}', suites: ./, types: [deb, rpm]}}", "types", "not 'rpm'"),
    ("wait_for", "{port: 1, path: /f}", None, "exclude each other"),
    ("wait_for", "{port: 1, state: drained}", "state", "not 'drained'"),
    ("wait_for", "{path: /f, state: stopped}", None, "write state: absent"),
    ("wait_for", "{port: 1, exclude_hosts: [a]}", "exclude_hosts", "a shell loop over ss"),
    ("wait_for", "{port: 1, search_regex: '*'}", "search_regex", "is no regular expression"),
]


def load(folder: Path, module: str, args: str) -> None:
    path = folder / "site.yaml"
    path.write_text(f"- hosts: all\n  tasks:\n    - {module}: {args}\n")
    load_playbook(path, Language())


@pytest.mark.parametrize(
    ("module", "args", "key", "says"), REFUSED, ids=[f"{m}-{k}-{s[:20]}" for m, _, k, s in REFUSED]
)
def test_refused_at_its_place(tmp_path: Path, module: str, args: str, key: str | None, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, module, args)
    error = caught.value
    assert says in str(error)
    assert error.key == f"[0].tasks[0].{module}" + (f".{key}" if key else "")
    column = 7 if key is None else 7 + len(module) + 2 + args.index(f"{key}:")
    assert (error.line, error.column) == (3, column)


PASS = [
    ("lineinfile", "{dest: /f, value: x, regex: '^a(b)', backrefs: yes, insertafter: EOF, mode: '0644'}"),
    ("lineinfile", "{path: /f, line: 5, state: '{{ omit }}', regexp: '{{ a }}('}"),
    ("lineinfile", "{path: /f, state: '{{ a }}'}"),
    ("replace", "{name: /f, regexp: a, replace: '\\1', after: b, before: c, encoding: latin-1}"),
    (
        "get_url",
        "{url: 'file:///f', dest: /f, checksum: 'sha256:https://host/SUMS', username: a, password: b}",
    ),
    ("get_url", f"{{url: '{URL}', dest: /f, checksum: '', headers: {{A: 1}}, timeout: '5'}}"),
    ("user", "{user: a, groups: 'b,c', append: '{{ a }}', createhome: no, uid: '5', non_unique: true}"),
    ("group", "{name: a, gid: 5, non_unique: true}"),
    ("deb822_repository", "{name: a, state: absent}"),
    ("deb822_repository", f"{{name: a, uris: '{URL}', suites: ['{{{{ a }}}}'], types: 'deb, deb-src'}}"),
    ("wait_for", "{timeout: 5}"),
    ("wait_for", "{port: '{{ a }}', state: stopped, host: localhost}"),
]


@pytest.mark.parametrize(("module", "args"), PASS)
def test_goes_through(tmp_path: Path, module: str, args: str) -> None:
    load(tmp_path, module, args)


def test_a_parameter_is_known_or_refused_and_never_both() -> None:
    for spec in MODULES.values():
        assert not set(spec.refused) & set(spec.names()), spec.name
        names = [name for group in (*spec.exclusive, *spec.one_of) for name in group]
        assert set(names) <= set(spec.params), spec.name


def test_a_secret_is_in_no_error(tmp_path: Path) -> None:
    secret: dict[str, Any] = {"name": "a", "password": ["s3cret"], "uid": 1}
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, "user", yaml.safe_dump(secret, default_flow_style=True).strip())
    assert "s3cret" not in str(caught.value) and "s3cret" not in caught.value.message
