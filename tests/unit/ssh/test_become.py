# SPDX-License-Identifier: Apache-2.0
"""The password for sudo, by every way in which it can be given, against a sudo that wants one; and nobody else learns it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.model.endpoint import Endpoint

PASSWORD = "quite $ecret'\"\\ 1e5"
HOSTS = ("h1", "h2", "h3")
INVENTORY = """\
all:
  vars:
    ansible_host: 127.0.0.1
    ansible_port: {port}
    ansible_user: {user}
    ansible_ssh_private_key_file: {key}
    labctl_known_hosts: {known}
    ansible_become: true
    ansible_become_user: another
  hosts: {{h1: , h2: , h3: }}
"""


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str


@pytest.fixture
def inventory(through_sudo: Callable[[str, str | None], Endpoint], sshd_folder: Path, tmp_path: Path) -> Path:
    """Three names of one host, whose sudo wants the password."""
    endpoint = through_sudo(PASSWORD, None)
    (sshd_folder / "bin/given").unlink(missing_ok=True)
    path = tmp_path / "hosts.yml"
    path.write_text(
        INVENTORY.format(
            port=endpoint.port, user=endpoint.user, key=endpoint.key_file, known=endpoint.known_hosts
        )
    )
    return path


def ping(inventory: Path, *options: str, environ: Mapping[str, str] = {}, stdin: str = "") -> Said:
    command = [sys.executable, "-m", "orchestrator.cli.main", "ping", str(inventory), *options]
    done = subprocess.run(
        command,
        input=stdin,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        start_new_session=True,
    )
    return Said(done.returncode, done.stdout, done.stderr)


def let_in(said: Said) -> bool:
    lines = said.out.splitlines()
    return said.status == 0 and len(lines) == len(HOSTS) and all("  ok  " in line for line in lines)


def with_variables(inventory: Path, text: str) -> Path:
    (inventory.parent / "group_vars").mkdir()
    (inventory.parent / "group_vars/all.yml").write_text(text)
    return inventory


def test_from_a_vars_file(inventory: Path) -> None:
    quoted = PASSWORD.replace("'", "''")
    assert let_in(ping(with_variables(inventory, f"ansible_become_password: '{quoted}'\n")))


def test_from_the_environment_by_a_template_of_the_inventory(inventory: Path) -> None:
    named = with_variables(inventory, "ansible_become_password: \"{{ lookup('env', 'OF_MINE') }}\"\n")
    assert let_in(ping(named, environ={"OF_MINE": PASSWORD}))


def test_from_the_environment(inventory: Path) -> None:
    assert let_in(ping(inventory, environ={"LABCTL_BECOME_PASSWORD": PASSWORD}))


def test_from_the_first_line_of_a_file(inventory: Path, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(f"{PASSWORD}\nanother line\n")
    assert let_in(ping(inventory, "--become-password-file", str(tmp_path / "password")))


def test_from_standard_input(inventory: Path) -> None:
    assert let_in(ping(inventory, "--become-pass-file", "-", stdin=f"{PASSWORD}\n"))


def test_a_variable_wins_over_what_is_given_for_the_call(inventory: Path) -> None:
    named = with_variables(inventory, "ansible_become_password: wrong\n")
    said = ping(named, environ={"LABCTL_BECOME_PASSWORD": PASSWORD})
    assert (said.status, said.out.count("did not accept the password")) == (3, len(HOSTS))


def test_it_is_asked_once_for_all_hosts_and_not_echoed(inventory: Path) -> None:
    screen = at_a_terminal(["ping", str(inventory), "--ask-become-pass"], PASSWORD)
    assert screen.out.count("BECOME password:") == 1
    assert screen.out.count(" ms  ") == len(HOSTS)
    assert PASSWORD not in screen.out
    assert screen.status == 0


def at_a_terminal(words: Sequence[str], typed: str) -> Said:
    """What stands on the terminal of ``labctl WORDS`` when ``typed`` was typed at the prompt."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-m", "orchestrator.cli.main", *words])
    shown = b""
    deadline = time.monotonic() + 60
    sent = False
    while time.monotonic() < deadline:
        try:
            data = os.read(terminal, 4096)
        except OSError:  # Linux says so where the last program has gone
            break
        if not data:
            break
        shown += data
        if not sent and b"password:" in shown:
            sent = True
            os.write(terminal, typed.encode() + b"\n")
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    return Said(os.waitstatus_to_exitcode(status), shown.decode(), "")


def test_without_a_terminal_nothing_is_asked_and_the_other_ways_are_named(inventory: Path) -> None:
    said = ping(inventory, "-K", stdin=f"{PASSWORD}\n")
    assert said.status == 2
    assert "no terminal to ask for a password at" in said.err
    assert "--become-password-file" in said.err and "LABCTL_BECOME_PASSWORD" in said.err
    assert "Warning" not in said.err and PASSWORD not in said.err + said.out


def test_a_wrong_password_is_one_sentence_a_host_and_soon(inventory: Path, sshd_folder: Path) -> None:
    began = time.monotonic()
    said = ping(inventory, environ={"LABCTL_BECOME_PASSWORD": "hunter2"})
    assert time.monotonic() - began < 20
    lines = said.out.splitlines()
    assert said.status == 3 and len(lines) == len(HOSTS)
    assert all("sudo did not accept the password of" in line for line in lines)
    assert "hunter2" not in said.out + said.err
    # Once a host: a second wrong one in a row is what locks accounts.
    assert (sshd_folder / "bin/given").read_text().count("given") == len(HOSTS)


def test_without_a_password_the_ways_to_give_one_are_named(inventory: Path) -> None:
    said = ping(inventory)
    assert said.status == 3
    assert said.out.count("--ask-become-pass") == len(HOSTS)


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        (None, 0o600, "cannot be read: No such file"),
        ("", 0o600, "has no password in its first line"),
        ("\nsecond\n", 0o600, "has no password in its first line"),
        ("#!/bin/sh\necho x\n", 0o700, "is a program"),
    ],
)
def test_a_password_file_that_is_none(
    inventory: Path, tmp_path: Path, content: str | None, mode: int, words: str
) -> None:
    path = tmp_path / "password"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    said = ping(inventory, "--become-password-file", str(path))
    assert said.status == 2 and words in said.err and str(path) in said.err


def test_two_ways_at_once_are_refused(inventory: Path) -> None:
    assert "exclude each other" in ping(inventory, "-K", "--become-password-file", "x").err


def test_the_kernel_does_not_show_it_any_longer() -> None:
    """What is only unset stays in the memory that /proc/PID/environ and `ps e` show."""
    program = (
        "import os\n"
        "from orchestrator.load.become import OF_THIS_CALL\n"
        "OF_THIS_CALL.take_from_environment()\n"
        "shown = open('/proc/self/environ', 'rb').read()\n"
        "print(OF_THIS_CALL.given, b'LABCTL_BECOME_PASSWORD=' in shown, b'hunter2' in shown, b'BEFORE=1' in shown, b'BEHIND=1' in shown)\n"
    )
    environ = {**os.environ, "BEFORE": "1", "LABCTL_BECOME_PASSWORD": "hunter2", "BEHIND": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.split() == ["hunter2", "True", "False", "True", "True"]


def test_what_labctl_starts_does_not_inherit_it(inventory: Path, endpoint: Endpoint) -> None:
    """A ProxyCommand is a child of labctl: it writes down its environment, and its and its parent's command line."""
    config = Path.home() / ".ssh/config"
    config.parent.mkdir()
    seen = config.with_name("seen")
    helper = config.with_name("proxy")
    helper.write_text(
        "#!/bin/sh\n"
        f"{{ env; tr '\\0' '\\n' < /proc/$$/cmdline; tr '\\0' '\\n' < /proc/$PPID/cmdline; }} >> {seen}\n"
        f"exec {sys.executable} -c '{PROXY}' {endpoint.port}\n"
    )
    helper.chmod(0o700)
    config.write_text(f"Host 127.0.0.1\n  ProxyCommand {helper}\n")
    assert let_in(ping(inventory, environ={"LABCTL_BECOME_PASSWORD": PASSWORD}))
    assert "PATH=" in seen.read_text() and "orchestrator.cli.main" in seen.read_text()
    assert PASSWORD not in seen.read_text()


PROXY = """
import os, socket, sys, threading
far = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def up():
    while data := os.read(0, 65536): far.sendall(data)
    os._exit(0)
threading.Thread(target=up, daemon=True).start()
while data := far.recv(65536): os.write(1, data)
"""
