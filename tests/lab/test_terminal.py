# SPDX-License-Identifier: Apache-2.0
"""A host that plants escape sequences in every text it can send: none arrives at the terminal, of whichever verb.

The host is a real one of the session's lab, and is put right at the end. Each verb runs at a pseudo-terminal, whose bytes are read
as they arrive. That what was planted did come, and is shown as text, is looked at too: so nothing passes by not looking.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.ssh import Connection, connect
from tests.lab.conftest import LabOfTests
from tests.pseudo_terminal import (
    REPOSITORY,
    CommandResult,
    escaped_form,
    hostile,
    on_terminal,
    raw_sequences,
    through_pipes,
)

pytestmark = pytest.mark.lab

ASIDE = "/var/tmp/labctl-terminal"
HOSTNAME = "h\x1b[8;31m\x1b]0;hostname\x07"
"""64 bytes are the most."""
SUITE = {
    "cri": ["containerd"],
    "oci": ["runc", "crun"],
    "benchmarks": {"operations.container.lifecycle": {"blocks": 1, "warmup": 0}},
}
PLAYBOOK = """\
- hosts: all
  tasks:
    - {name: read, command: cat /srv/hostile/text, register: read, changed_when: false}
    - {name: exact, copy: {content: "{{ read.stdout }}", dest: /srv/hostile/copy}}
    - {name: a file's diff, copy: {content: "new\\n", dest: /srv/hostile/text}}
    - {name: "named {{ read.stdout }}", debug: {msg: "debug {{ read.stdout }}"}}
    - {name: an item, command: "true", loop: ["{{ read.stdout }}"], changed_when: false}
    - {name: a file's name, file: {path: "/srv/hostile/{{ read.stdout | replace('/', '') }}", state: touch}}
    - {name: standard error, shell: "cat /srv/hostile/error >&2; exit 3", ignore_errors: true}
    - {name: a module's message, file: {path: "/srv/hostile/{{ read.stdout | replace('/', '') }}/x", state: file}, ignore_errors: true}
    - {name: the end, fail: {msg: "failed {{ read.stdout }}"}}
"""


@dataclass(frozen=True)
class Desk:
    """A folder to type verbs in, and the inventory of the one hostile host."""

    folder: Path
    inventory: Path
    host: str

    def type(self, *words: str | Path, seconds: float = 300) -> CommandResult:
        return on_terminal([str(word) for word in words], self.folder, seconds=seconds)


def put(connection: Connection, path: str, content: str, mode: str = "644") -> None:
    command = f"mkdir -p {shlex.quote(str(Path(path).parent))}; cat > {path}; chmod {mode} {path}"
    assert connection.run(command, stdin=content.encode()).exit_status == 0


def set_hostname(connection: Connection, name: str) -> None:
    command = "python3 -c 'import socket, sys; socket.sethostname(sys.stdin.buffer.read())'"
    done = connection.run(command, stdin=name.encode())
    assert done.exit_status == 0, done.stderr


@contextmanager
def hostile_texts(connection: Connection) -> Iterator[None]:
    """What every connection to the host shows, what it says of itself, and a runtime that fails with escape sequences."""
    hostname, crun = connection.run("hostname; readlink -f $(command -v crun)").stdout.split()
    keep = f"set -e; rm -rf {ASIDE}; mkdir -p {ASIDE}; cp -a /usr/lib/os-release /root/.bashrc {crun} {ASIDE}"
    assert connection.run(keep).exit_status == 0
    try:
        release = connection.run("cat /usr/lib/os-release").stdout
        pretty = f'PRETTY_NAME="Debian {hostile("system")}"'
        lines = [pretty if line.startswith("PRETTY_NAME=") else line for line in release.splitlines()]
        put(connection, "/usr/lib/os-release", "\n".join(lines) + "\n")
        put(connection, "/etc/ssh/labctl-banner", hostile("banner") + "\n")
        put(connection, "/etc/ssh/sshd_config.d/labctl-banner.conf", "Banner /etc/ssh/labctl-banner\n")
        put(connection, "/etc/motd", hostile("motd") + "\n")
        put(connection, "/root/.bashrc", f"printf %s {shlex.quote(hostile('login'))} >&2\n")
        put(connection, "/srv/hostile/text", hostile("text"))
        put(connection, "/srv/hostile/error", hostile("error") + "\n")
        version = f"crun version {hostile('version')}"
        failure = json.dumps({"level": "error", "msg": hostile("runtime")})
        script = f"""#!/bin/sh
case "$*" in *--version*) printf '%s\\n' {shlex.quote(version)}; exit 0;; esac
while [ $# -gt 0 ]; do
    [ "$1" = --log ] && printf '%s\\n' {shlex.quote(failure)} > "$2"
    shift
done
exit 1
"""
        put(connection, crun, script, "755")
        set_hostname(connection, HOSTNAME)
        connection.run("systemctl reload ssh")
        yield
    finally:
        set_hostname(connection, hostname)
        restore = (
            f"set -e; cat {ASIDE}/os-release > /usr/lib/os-release; cat {ASIDE}/.bashrc > /root/.bashrc; cp -a {ASIDE}/crun {crun};"
            f" rm -rf {ASIDE} /srv/hostile /etc/motd /etc/ssh/labctl-banner /etc/ssh/sshd_config.d/labctl-banner.conf;"
            " systemctl reload ssh"
        )
        assert connection.run(restore).exit_status == 0


@pytest.fixture(scope="module")
def desk(provisioned_lab: LabOfTests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("terminal")
    (folder / "suite.yaml").write_text(yaml.safe_dump(SUITE))
    (folder / "playbook.yaml").write_text(PLAYBOOK)
    loaded = load_inventory(provisioned_lab.inventory)
    with connect(endpoint_of(loaded.hosts[0], loaded)) as connection, hostile_texts(connection):
        yield Desk(folder, provisioned_lab.inventory, loaded.hosts[0].name)


@pytest.fixture
def check() -> Callable[..., None]:
    def check(result: CommandResult, *tags: str) -> None:
        assert raw_sequences(result.output) == []
        assert b"Traceback" not in result.output
        missing = [tag for tag in tags if not result.has(escaped_form(tag))]
        assert not missing, (missing, result.output[-4000:].decode("utf-8", "replace"))

    return check


def test_verbs_that_look_at_the_host(desk: Desk, check: Callable[..., None]) -> None:
    artifacts = REPOSITORY / ".labctl/artifacts.yaml"
    selection = (str(desk.inventory), "--limit", desk.host)
    check(desk.type("ping", *selection), "system")
    check(desk.type("facts", *selection))
    check(desk.type("facts", *selection, "--json"))
    check(desk.type("doctor", *selection, "--artifacts", artifacts))
    check(desk.type("inventory", desk.inventory))
    check(desk.type("inventory", desk.inventory, "--json"))
    facts = json.loads(through_pipes(["facts", *selection, "--json"], desk.folder).output)
    assert HOSTNAME in json.dumps(facts, ensure_ascii=False).replace("\\u001b", "\x1b").replace(
        "\\u0007", "\x07"
    )


def test_provisioning_shows_and_logs_text_and_handles_it_exactly(
    desk: Desk, check: Callable[..., None]
) -> None:
    words = (str(desk.inventory), "--limit", desk.host, "-p", str(desk.folder / "playbook.yaml"))
    check(desk.type("plan", *words), "text")
    check(desk.type("provision", *words, "--check", "--diff", "-v"))
    result = desk.type("provision", *words, "--diff", "-v")
    check(result, "text", "error")
    for part in ("debug ", "failed ", "/srv/hostile/"):
        assert result.has(part + escaped_form("text")), part
    for log in (desk.folder / ".labctl").rglob("*.log"):
        assert raw_sequences(log.read_bytes()) == []
        assert escaped_form("text") in log.read_text()
    loaded = load_inventory(desk.inventory)
    with connect(endpoint_of(loaded.hosts[0], loaded)) as connection:
        assert connection.run("cat /srv/hostile/copy").stdout == hostile("text")


def test_a_run_and_all_that_is_said_of_it(desk: Desk, check: Callable[..., None]) -> None:
    run = (
        "run",
        "--suite",
        str(desk.folder / "suite.yaml"),
        "--inventory",
        str(desk.inventory),
        "--limit",
        desk.host,
    )
    check(desk.type(*run), "runtime")
    check(desk.type("attach"), "runtime")
    check(through_pipes(["attach"], desk.folder), "runtime")
    check(desk.type("report"), "runtime")
    check(desk.type("report", "--csv"))
    check(desk.type("runs"))
    check(desk.type("fetch"))
    check(desk.type("compare", "latest", "--with", "containerd/crun"))
    check(desk.type("query", "SELECT DISTINCT reason FROM trials"), "runtime")
    check(desk.type("query", "--csv", "SELECT DISTINCT reason FROM trials"), "runtime")
    check(desk.type("clean", desk.inventory, "--limit", desk.host))
    folder = next(path.parent for path in (desk.folder / "runs").glob("*/run.json"))
    for name in ("report.html", "conductor.log", "events.jsonl", "run.json", "estimates.json"):
        assert raw_sequences((folder / name).read_bytes()) == [], name
    assert escaped_form("runtime") in (folder / "report.html").read_text()
    assert escaped_form("version") in (folder / "report.html").read_text()
    journal = next(folder.glob("hosts/*/journal.jsonl")).read_text()
    assert any(hostile("runtime") in str(json.loads(line).get("reason")) for line in journal.splitlines())


def test_a_login_that_is_refused(desk: Desk, tmp_path: Path, check: Callable[..., None]) -> None:
    """The banner comes before the login, and sudo's words come from the host."""
    written = yaml.safe_load(desk.inventory.read_text())
    written["all"]["vars"] |= {"ansible_user": "nobody"}
    refused = desk.inventory.with_name("refused.yaml")
    refused.write_text(yaml.safe_dump(written))
    try:
        check(desk.type("ping", refused, "--limit", desk.host))
    finally:
        refused.unlink()
