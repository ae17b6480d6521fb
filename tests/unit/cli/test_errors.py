# SPDX-License-Identifier: Apache-2.0
"""What a user did wrong is one sentence on standard error, what to do next, and the exit code; and every verb has examples."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.main import VERBS, run

HOSTS = "all:\n  hosts:\n    a: {ansible_host: 192.0.2.1}\n"
FILES = {
    "good.yaml": HOSTS,
    "hosts.ini": "[all]\nweb1 ansible_host=192.0.2.1\n",
    "list.yaml": "all:\n  hosts:\n   - a\n",
    "torn.yaml": "all:\n  hosts: {a: {x: 1}\n",
    "play.yaml": "- hosts: all\n  tasks:\n    - name: x\n      cpy: {src: a, dest: b}\n",
}


@pytest.mark.parametrize(
    ("typed", "said", "code"),
    [
        ("run --suite nosuch -i good.yaml", "no suite named 'nosuch'", 2),
        ("ping none.yaml", "none.yaml: there is no such inventory", 2),
        ("ping hosts.ini", "is an INI inventory", 2),
        ("ping list.yaml", "list.yaml:3:4: all.hosts", 2),
        ("ping torn.yaml", "torn.yaml:3:1: not valid YAML", 2),
        ("ping good.yaml --limit nosuch", "is named by 'nosuch'", 2),
        ("provision good.yaml -p play.yaml", "play.yaml:4:7: [0].tasks[0].cpy", 2),
        ("provision good.yaml -e foo", "'foo' is not NAME=VALUE", 2),
        ("provision good.yaml -e ansible_become_password=x", "does not belong on a command line", 2),
        ('provision good.yaml -e {"ansible_password":"x"}', "does not belong on a command line", 2),
        ("ping good.yaml --become-password-file none", "none: cannot be read", 2),
        ("inventory good.yaml --host nosuch", "is named by 'nosuch'", 2),
        ("report --root runs", "There is no run in runs", 2),
        ("attach nosuch --root runs", "There is no run in runs", 2),
        ("lab up good.yaml", "no host has the variable labctl_lab", 2),
        ("pnig", "No such command 'pnig'", 2),
    ],
)
def test_an_error_is_a_sentence_and_a_code(
    typed: str,
    said: str,
    code: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    assert run(typed.split()) == code
    out, err = capsys.readouterr()
    assert said in err
    assert (out, "Traceback" in err, "\x1b" in err) == ("", False, False)
    assert len(err.splitlines()) <= 4


@pytest.mark.parametrize("verb", [verb.name for verb in VERBS if not verb.hidden and verb.name != "lab"])
def test_every_verb_shows_how_it_is_typed(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    _, heading, typed = capsys.readouterr().out.partition("Examples:\n")
    assert heading
    assert len(typed.splitlines()) >= 2
    lines = [line for line in typed.splitlines() if line]
    assert all(line.startswith("    labctl ") and len(line) <= 80 for line in lines)
    assert any(line.startswith(f"    labctl {verb}") for line in lines)
