# SPDX-License-Identifier: Apache-2.0
"""No secret is anywhere but where it belongs: a become password and what tasks with no_log handle, also where things fail.

Each test looks at everything: what labctl wrote, every file of its folder here and of the host, the host's journal, and command
lines and environments of all processes on both sides, all the time. Beside the secrets goes a marker, which is none: it must be
found at the same places, and the secrets themselves in the files that hold them by design. So nothing passes by not looking.
"""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from orchestrator.lab.lifecycle import Labs
from orchestrator.lab.system import Clock
from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import LabctlError
from orchestrator.model.lab import HostStanding
from orchestrator.pipeline.lab import lab_down, lab_status, lab_up
from orchestrator.ssh import connect
from tests.lab.conftest import quiet, write_inventory
from tests.lab.hunt import DECOY_SECONDS, Found, Hunt, Said, forms, new_secret, now

pytestmark = [pytest.mark.lab, pytest.mark.timeout(900)]

USER = "labctl-secretive"
START_SECONDS = 1.5
"""For so long an environment variable may be seen that labctl takes out of its environment: until it runs at all."""
OF_FILES = ("by_extra_file", "by_vars_file", "by_template", "by_source", "by_loop_1", "by_loop_2", "by_fact")
NAMES = ("password", "wrong", "marker", "by_extra", "by_word", "by_environment", "by_register", *OF_FILES)
BEGAN = now()
SECRETS = {name: new_secret(name.removeprefix("by_")) for name in NAMES}
MADE = "/srv/secrets"
REGISTERED = "/root/registered"
LABCTL = [sys.executable, "-m", "orchestrator.cli.main"]

MAKE = f"""set -e
useradd --create-home --shell /bin/bash {USER}
install -d -m 700 -o {USER} -g {USER} /home/{USER}/.ssh
install -m 600 -o {USER} -g {USER} /root/.ssh/authorized_keys /home/{USER}/.ssh/authorized_keys
command -v sudo >/dev/null || apt-get -y -q install sudo
echo '{USER} ALL=(ALL) ALL' > /etc/sudoers.d/{USER}
echo 'Defaults:{USER} timestamp_timeout=0' >> /etc/sudoers.d/{USER}
read -r line; printf '%s\\n' "$line" | chpasswd
cat > {REGISTERED}
"""
"""The user's name and password, a line, then what a command will read, come on standard input."""

HANDLED = """\
- hosts: all
  vars_files: [given/private.yaml]
  tasks:
    - {name: the folder, file: {path: /srv/secrets, state: directory, mode: "0700"}}
    - {name: "say {{ marker }}", debug: {msg: "{{ marker }}"}}
    - {name: marker, copy: {content: "{{ marker }}\\n", dest: /srv/secrets/marker}}
    - {name: marker in a blob, copy: {src: given/marker, dest: /srv/secrets/marker2}}
    - name: marker in the journal, on a command line and in an environment
      command: {argv: [sh, -c, "logger -- \\"$1\\"; sleep 0.3; :", sh, "{{ marker }}"]}
      environment: {MARKED: "{{ marker }}"}
      changed_when: false
    - name: marker in files of all kinds
      shell: tee /tmp/marked /var/log/marked /root/marked /home/labctl-secretive/marked > /dev/null
      args: {stdin: "{{ marker | b64encode }}", creates: /tmp/marked}
    - {name: "extra {{ by_extra }}", copy: {content: "{{ by_extra }}", dest: /srv/secrets/by_extra}, no_log: true}
    - {name: word, copy: {content: "{{ by_word }}", dest: /srv/secrets/by_word}, no_log: true}
    - {name: file, copy: {content: "{{ by_extra_file }}\\n", dest: /srv/secrets/by_extra_file}, no_log: true}
    - {name: vars, copy: {content: "{{ [by_vars_file] | to_json }}", dest: /srv/secrets/by_vars_file}, no_log: true}
    - name: environment
      copy: {content: "{{ lookup('env', 'OF_TEST') | b64encode }}", dest: /srv/secrets/by_environment}
      no_log: true
    - {name: template, template: {src: given/private.j2, dest: /srv/secrets/by_template}, no_log: true}
    - {name: source, copy: {src: given/private.bin, dest: /srv/secrets/by_source}, no_log: true}
    - {name: read, command: cat /root/registered, register: read, changed_when: false, no_log: true}
    - {name: registered, copy: {content: "{{ read.stdout }}", dest: /srv/secrets/by_register}, when: read is not skipped, no_log: true}
    - {name: looped, copy: {content: "{{ item.value }}", dest: "/srv/secrets/{{ item.name }}"}, loop: "{{ looped }}", no_log: true,
       loop_control: {label: "{{ item.value }}"}}
    - {name: fact, set_fact: {derived: "{{ by_fact }}"}, no_log: true}
    - {name: of a fact, lineinfile: {path: /srv/secrets/by_fact, line: "{{ derived }}", create: true}, no_log: true}
    - {name: shown, debug: {var: derived}, no_log: true}
    - {name: fed, shell: "cat; cat >&2", args: {stdin: "{{ by_vars_file }}"}, changed_when: false, no_log: true}
    - {name: holds, assert: {that: "by_vars_file == by_vars_file", success_msg: "{{ by_vars_file }}"}, no_log: true}
    - {name: unfit, command: "false", when: "by_vars_file == 'x'", no_log: true}
    - {name: ignored, shell: "cat >&2; exit 1", args: {stdin: "{{ by_vars_file }}"}, ignore_errors: true, no_log: true}
"""

FAILURES = {
    "module": 'copy: {content: x, dest: "/nosuch/{{ by_vars_file }}/x"}',
    "undefined": 'copy: {content: "{{ by_vars_file }}{{ nosuch }}", dest: /nosuch}',
    "filter": 'command: "echo {{ by_vars_file | from_json }}"',
    "parameter": 'copy: {content: x, dest: /nosuch, mode: "{{ by_vars_file }}"}',
    "assert": "assert: {that: by_vars_file == 'x', fail_msg: \"{{ by_vars_file }}\"}",
    "fail": 'fail: {msg: "{{ by_vars_file }}"}',
    "stderr": 'shell: "cat >&2; exit 1"\n      args: {stdin: "{{ by_vars_file }}"}',
    "no program": 'command: {argv: ["/nosuch/{{ by_vars_file }}"]}',
    "no condition": "command: echo\n      when: by_vars_file",
    "no verdict": "command: echo\n      failed_when: by_vars_file",
    "no handler": 'command: echo\n      notify: "{{ by_vars_file }}"',
    "items": 'copy: {content: x, dest: "/nosuch/{{ item }}"}\n      loop: ["{{ by_vars_file }}", "{{ by_fact }}"]',
    "no file": 'copy: {src: "{{ by_vars_file }}", dest: /tmp}',
    "no template": 'template: {src: "{{ by_vars_file }}", dest: /tmp}',
}
FAILING = """\
- hosts: all
  vars_files: [given/private.yaml]
  tasks:
    - {{name: marker, debug: {{msg: "{{{{ marker }}}}"}}}}
    - {task}
      no_log: true
"""
LASTING = """\
- hosts: all
  vars_files: [given/private.yaml]
  tasks:
    - {name: marker, debug: {msg: "{{ marker }}"}}
    - {name: the folder, file: {path: /srv/secrets, state: directory, mode: "0700"}}
    - {name: source, copy: {src: given/private.bin, dest: /srv/secrets/by_source}, no_log: true}
    - name: long
      shell: cat > /dev/null; echo "$OF_TASK" > /dev/null; touch /srv/secrets/began; sleep 60
      args: {stdin: "{{ by_vars_file }}"}
      no_log: true
"""
ROOT = """\
- hosts: all
  tasks:
    - {name: marker, debug: {msg: "{{ marker }}"}}
    - {name: who, command: id -u, register: who, changed_when: false}
    - {name: "so that nothing is over at once", command: sleep 3, changed_when: false}
    - {assert: {that: who.stdout == '0'}}
"""


@dataclass
class Desk:
    """A controller's folder. ``given`` has what holds secrets by design."""

    folder: Path
    inventory: Path
    root: Endpoint
    environ: dict[str, str] = field(default_factory=dict)
    pids: list[int] = field(default_factory=list)
    """Of each labctl that was started."""

    @property
    def given(self) -> Path:
        return self.folder / "given"

    def playbook(self, text: str) -> Path:
        path = self.folder / "site.yaml"
        path.write_text(text)
        return path

    def start(self, *words: str | Path, **environ: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        command = [*LABCTL, *map(str, words)]
        process = subprocess.Popen(
            command, cwd=self.folder, env=self._environ(environ), stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )  # fmt: skip
        self.pids.append(process.pid)
        return process

    def labctl(self, *words: str | Path, stdin: str = "", **environ: str) -> Said:
        return ended(self.start(*words, **environ), stdin)

    def provision(self, *words: str | Path, stdin: str = "", **environ: str) -> Said:
        """With the become password from a file, unless the words give it in another way."""
        return self.labctl("provision", *self.meant(), *words, stdin=stdin, **environ)

    def meant(self) -> list[str | Path]:
        """The inventory, the playbook, and variables: on the command line, which the user has made, and in a file."""
        typed = json.dumps({name: SECRETS[name] for name in ("marker", "by_word")})
        return [self.inventory, "-p", "site.yaml", "-e", typed, "-e", "@given/extra.json"]

    def sh(self, command: str) -> str:
        """As root on the host."""
        with connect(self.root) as connection:
            done = connection.run(command)
        assert done.exit_status == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def at_a_terminal(self, words: Sequence[str | Path], typed: str) -> Said:
        """What stands on the terminal, when ``typed`` was typed at the prompt."""
        command = [*LABCTL, *map(str, words)]
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve(command[0], command, self._environ({}))
        self.pids.append(child)
        shown, sent = b"", False
        while data := _read(terminal):
            shown += data
            if not sent and b"password:" in shown:
                sent = True
                os.write(terminal, typed.encode() + b"\n")
        os.close(terminal)
        _, status = os.waitpid(child, 0)
        return Said(os.waitstatus_to_exitcode(status), shown.decode(), "")

    def _environ(self, more: Mapping[str, str]) -> dict[str, str]:
        """Whatever labctl keeps, it keeps below the folder that is searched."""
        places = {"XDG_CACHE_HOME": str(self.folder / "cache"), "TMPDIR": str(self.folder / "tmp")}
        return {**os.environ, "PYTHONPATH": str(Path.cwd()), **places, **self.environ, **more}


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so where the last program has gone
        return b""


def ended(process: subprocess.Popen[str], stdin: str = "", timeout: float = 120) -> Said:
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Said(process.returncode, out, err)


@pytest.fixture(scope="module")
def lab_inventory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Of a lab of one host, for this module alone, with a user whose sudo wants a password."""
    path = write_inventory(tmp_path_factory.mktemp("secrets"), f"sec{os.getpid()}", hosts=1)
    labs = Labs()
    try:
        result = lab_up(path, quiet, labs)
        assert result.ok, result
        told = f"{USER}:{SECRETS['password']}\n{SECRETS['by_register']}\n"
        with connect(root_of(path)) as connection:
            made = connection.run(MAKE, timeout=120, stdin=told.encode())
        assert made.exit_status == 0, made.stderr
        yield path
    finally:
        removed = lab_down(path, quiet, labs)
    assert removed is not None and removed.ok, removed


def root_of(inventory: Path) -> Endpoint:
    loaded = load_inventory(inventory)
    return endpoint_of(loaded.hosts[0], loaded)


@pytest.fixture
def desk(tmp_path: Path, lab_inventory: Path) -> Iterator[Desk]:
    """The files that a user has, and the host as if nothing had been done there."""
    written = yaml.safe_load(lab_inventory.read_text())
    written["all"]["vars"] |= {"ansible_user": USER, "ansible_become": True}
    operators = lab_inventory.with_name(f"{tmp_path.name[:20]}.yaml")  # its paths begin at the lab's folder
    operators.write_text(yaml.safe_dump(written))
    desk = Desk(tmp_path, operators, root_of(lab_inventory))
    desk.environ = {"OF_TEST": SECRETS["by_environment"], "MARK_OF_TEST": SECRETS["marker"]}
    for folder in (desk.given, tmp_path / "tmp"):
        folder.mkdir()
    desk.given.chmod(0o700)
    looped = [{"name": name, "value": SECRETS[name]} for name in ("by_loop_1", "by_loop_2")]
    private = {"by_vars_file": SECRETS["by_vars_file"], "looped": looped, "by_fact": SECRETS["by_fact"]}
    (desk.given / "private.yaml").write_text(yaml.safe_dump(private, allow_unicode=True))
    extra = {name: SECRETS[name] for name in ("by_extra", "by_extra_file")}
    (desk.given / "extra.json").write_text(json.dumps(extra))
    (desk.given / "private.j2").write_text(
        f"{{% raw %}}{SECRETS['by_template']}{{% endraw %}} {{{{ marker }}}}\n"
    )
    (desk.given / "private.bin").write_text(SECRETS["by_source"])
    (desk.given / "marker").write_text(SECRETS["marker"])
    (desk.given / "password").write_text(f"{SECRETS['password']}\n")
    (desk.given / "wrong").write_text(f"{SECRETS['wrong']}\n")
    yield desk
    operators.unlink()
    desk.sh(f"rm -rf {MADE} /var/cache/labctl /tmp/marked /var/log/marked /root/marked /home/{USER}/marked")


@pytest.fixture
def hunt(desk: Desk) -> Hunt:
    return Hunt(SECRETS, desk.folder, desk.root, BEGAN)


FILE = ("--become-password-file", "given/password")
HELD = {
    "controller: given/private.yaml": ("by_vars_file", "by_loop_1", "by_loop_2", "by_fact"),
    "controller: given/extra.json": ("by_extra", "by_extra_file"),
    "controller: given/private.j2": ("by_template",),
    "controller: given/private.bin": ("by_source",),
    "controller: given/password": ("password",),
    "controller: given/wrong": ("wrong",),
    f"host: {REGISTERED}": ("by_register",),
}
"""Where each secret is by design before anything is done."""
WRITTEN = {
    f"host: {MADE}/{name}": (name,)
    for name in NAMES
    if name.startswith("by_")
}  # fmt: skip
"""Where tasks put them."""
OF_THE_USER = {"by_word": "controller's cmdline: ", "by_environment": "controller's environ: "}
"""What the user shows, of labctl's own process: what it is started with is not labctl's to hide."""


def assert_nowhere_else(desk: Desk, hunt: Hunt, *designs: Mapping[str, Sequence[str]]) -> None:
    """Every secret is found where it is by design, and nowhere else."""
    designed = {(name, place) for design in designs for place, names in design.items() for name in names}
    found = {(found.name, found.place) for found in hunt.found}
    assert designed <= found, designed - found
    leaks = [
        each
        for each in hunt.found
        if each.name in SECRETS
        and each.name != "marker"
        and (each.name, each.place) not in designed
        and not (each.pid in desk.pids and each.place.startswith(OF_THE_USER.get(each.name, "nowhere")))
    ]
    assert leaks == []


def assert_marked(hunt: Hunt, *expected: str) -> None:
    """The marker is at each of these places, which are beginnings."""
    places = hunt.places("marker")
    missing = [place for place in expected if not any(found.startswith(place) for found in places)]
    assert missing == [], places


SEEN_EVERYWHERE = (
    *("stdout", "controller: .labctl/logs/provision/", "controller's cmdline: ", "controller's environ: "),
    *(
        "host's cmdline: sh -c logger",
        "host's environ: sh -c logger",
        "host: the journal",
        "host: /tmp/marked",
    ),
    *(
        "host: /var/log/marked",
        "host: /root/marked",
        f"host: /home/{USER}/marked",
        "host: /var/cache/labctl/blobs/",
    ),
)


def test_what_looks_would_find_it(tmp_path: Path) -> None:
    """Every form of a secret, in the middle of a file."""
    secret = new_secret("word")
    for number, form in enumerate(forms(secret)):
        (tmp_path / f"{number}").write_bytes(b"before " + form + b" behind")
    (tmp_path / "none").write_text(new_secret("word"))
    root = Endpoint("unused", "unused")
    hunt = Hunt({"it": secret}, tmp_path, root, BEGAN)
    hunt.files_here()
    assert hunt.places("it") == {f"controller: {number}" for number in range(len(forms(secret)))}


def test_fifty_milliseconds_are_enough_to_be_seen(hunt: Hunt) -> None:
    shown = [new_secret("show", odd="") for _ in range(20)]
    hunt.words = {str(number): word for number, word in enumerate(shown)}
    with hunt.watching():
        for word in shown:
            subprocess.run(["sh", "-c", f"sleep {DECOY_SECONDS}; :", word], check=True)
            time.sleep(0.02)
    seen = {found.name for found in hunt.found if found.place.startswith("controller's cmdline: sh -c sleep")}
    assert seen == set(hunt.words)


def test_provisioned_with_every_kind_of_value(desk: Desk, hunt: Hunt) -> None:
    desk.playbook(HANDLED)
    with hunt.watching():
        first = hunt.said(desk.provision(*FILE, "-v", "--diff"))
        second = hunt.said(desk.provision(*FILE, "--json", "--diff"))
    hunt.files()
    assert (first.status, second.status) == (0, 0), first.out + first.err + second.out
    assert json.loads(second.out.splitlines()[-1])["hosts"][0]["changed"] == 0
    assert_nowhere_else(desk, hunt, HELD, WRITTEN)
    assert_marked(hunt, *SEEN_EVERYWHERE)


@pytest.mark.parametrize(
    "words",
    [
        ("provision", "--check", "--diff", "-v"),
        ("provision", "--check", "--diff", "--json"),
        ("plan",),
        ("plan", "--json"),
    ],
    ids=" ".join,
)
def test_predicted(desk: Desk, hunt: Hunt, words: tuple[str, ...]) -> None:
    """On a host where all of it is to be done, and where half of it is there with another content."""
    desk.playbook(HANDLED)
    verb, *options = words
    for prepare in (
        f"rm -rf {MADE}",
        f"mkdir -p {MADE}; for name in {' '.join(WRITTEN).replace('host: ', '')}; do echo old > $name; done",
    ):
        desk.sh(prepare)
        with hunt.watching():
            said = hunt.said(desk.labctl(verb, *desk.meant(), *FILE, *options))
        assert said.status == 0, said.out + said.err
    hunt.files()
    assert_nowhere_else(desk, hunt, HELD)
    assert_marked(hunt, "stdout", "controller's cmdline: ", "controller's environ: ")


@pytest.mark.parametrize(
    "mode", [(), ("--json", "--diff"), ("--check", "-v")], ids=["apply", "json", "check"]
)
def test_failing(desk: Desk, hunt: Hunt, mode: tuple[str, ...]) -> None:
    unforeseen = {"module", "stderr", "no program", "no handler", "items"} if "--check" in mode else set()
    with hunt.watching():
        for name, task in FAILURES.items():
            desk.playbook(FAILING.format(task=task))
            said = hunt.said(desk.provision(*FILE, *mode))
            assert said.status == (0 if name in unforeseen else 1), (name, said.out, said.err)
        if not mode:
            assert hunt.said(desk.provision(*FILE, "--retry-failed")).status == 1
    hunt.files()
    assert_nowhere_else(desk, hunt, HELD)
    assert_marked(hunt, "stdout", "controller: .labctl/logs/provision/", "controller's cmdline: ")


def by_variable(desk: Desk, which: str) -> Said:
    written = yaml.safe_load(desk.inventory.read_text())
    variables = desk.inventory.with_name("host_vars") / f"{next(iter(written['all']['hosts']))}.yaml"
    variables.parent.mkdir()
    try:
        variables.write_text(json.dumps({"ansible_become_password": SECRETS[which]}))
        said = desk.labctl("provision", *desk.meant())
        for words in (
            ("inventory", "--json"),
            ("inventory", "--graph", "--vars"),
            ("doctor",),
            ("facts",),
            ("ping",),
        ):
            more = desk.labctl(words[0], desk.inventory, *words[1:])
            said = Said(said.status, said.out + more.out, said.err + more.err)
    finally:
        variables.unlink()
        variables.parent.rmdir()
    return said


def by_file(desk: Desk, which: str) -> Said:
    return desk.provision("--become-password-file", f"given/{which}")


def by_stdin(desk: Desk, which: str) -> Said:
    return desk.provision("--become-password-file", "-", stdin=f"{SECRETS[which]}\n")


def by_environment(desk: Desk, which: str) -> Said:
    return desk.provision(LABCTL_BECOME_PASSWORD=SECRETS[which])


def by_asking(desk: Desk, which: str) -> Said:
    return desk.at_a_terminal(["provision", *desk.meant(), "--ask-become-pass"], SECRETS[which])


@pytest.mark.parametrize("give", [by_variable, by_file, by_stdin, by_environment, by_asking])
def test_the_password_for_sudo(desk: Desk, hunt: Hunt, give: Callable[[Desk, str], Said]) -> None:
    desk.playbook(ROOT)
    with hunt.watching():
        right = hunt.said(give(desk, "password"))
        hunt.files_here()  # the next call replaces this one's log
        wrong = hunt.said(give(desk, "wrong"))
    hunt.files()
    assert right.status == 0, right.out + right.err
    assert wrong.status == 3 and "sudo did not accept the password" in wrong.out + wrong.err
    if give is by_environment:
        starts = [found for found in hunt.found if is_start(desk, found)]
        assert {found.name for found in starts} == {
            "password",
            "wrong",
        }  # so a longer look would have been one
        hunt.found = [found for found in hunt.found if found not in starts]
    assert_nowhere_else(desk, hunt, HELD)
    assert_marked(hunt, "stdout", "controller: .labctl/logs/provision/", "controller's cmdline: ")


def cut(desk: Desk, process: subprocess.Popen[str]) -> None:
    """The connection breaks: the server's processes of this user are gone."""
    desk.sh(f"pkill -KILL -u {USER}")


def interrupt(desk: Desk, process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGINT)


def kill_host(desk: Desk, process: subprocess.Popen[str]) -> None:
    with suppress(LabctlError), connect(desk.root) as connection:
        connection.stream("sync; systemctl reboot --force --force").stdout.read()


@pytest.mark.parametrize(
    ("how", "status"), [(cut, 3), (interrupt, 130), (kill_host, 3)], ids=["cut", "Ctrl-C", "killed host"]
)
def test_ended_in_the_middle(
    desk: Desk,
    hunt: Hunt,
    lab_inventory: Path,
    how: Callable[[Desk, subprocess.Popen[str]], None],
    status: int,
) -> None:
    desk.playbook(LASTING)
    with hunt.watching():
        process = desk.start("provision", *desk.meant(), *FILE)
        try:
            assert Clock().wait_until(lambda: began(desk), 60)
            how(desk, process)
            said = hunt.said(ended(process))
        finally:
            process.kill()
            if how is kill_host:
                assert Clock().wait_until(lambda: standing(lab_inventory) == HostStanding.STOPPED, 60)
    if how is kill_host:
        assert lab_up(lab_inventory, quiet).ok
    hunt.files()
    assert said.status == status, said.out + said.err
    assert_nowhere_else(desk, hunt, HELD, {f"host: {MADE}/by_source": ("by_source",)})
    assert_marked(hunt, "stdout", "controller: .labctl/logs/provision/", "controller's cmdline: ")


def standing(inventory: Path) -> HostStanding:
    return lab_status(inventory).hosts[0].standing


def began(desk: Desk) -> bool:
    return desk.sh(f"[ -e {MADE}/began ] && echo yes || true") == "yes"


def test_a_detached_run(desk: Desk, hunt: Hunt) -> None:
    """Its conductor outlives the call that was given the password. The host has no runtime, so the run ends soon, and fails."""
    desk.environ.pop(
        "OF_TEST"
    )  # the user's own, which pip is started with as everything is; no playbook asks for it here
    name = new_secret("suite", odd="").lower()
    hunt.words = {**SECRETS, "the suite's name, which is no secret": name}
    suite = {
        "cri": ["containerd"],
        "oci": ["runc"],
        "benchmarks": {"operations.container.lifecycle": {"blocks": 1}},
    }
    (desk.folder / f"{name}.yaml").write_text(json.dumps(suite))
    options = ("--root", "runs", "--json")
    with hunt.watching():
        words = ("--suite", f"{name}.yaml", "--inventory", desk.inventory, "--detach")
        begun = hunt.said(desk.labctl("run", *words, *options, LABCTL_BECOME_PASSWORD=SECRETS["password"]))
        assert begun.status == 0, begun.err
        followed = hunt.said(desk.labctl("attach", *FILE, *options))
    hunt.files()
    assert followed.status == 1, followed.out + followed.err
    conductors = {found.pid for found in hunt.found if " conduct " in found.place}
    desk.pids.extend(filter(None, conductors))
    hunt.found = [found for found in hunt.found if not is_start(desk, found)]
    assert_nowhere_else(desk, hunt, HELD)
    folder = json.loads(begun.out)["path"].removeprefix(f"{desk.folder}/")
    places = hunt.places("the suite's name, which is no secret")
    assert {f"controller: {folder}/run.json", "stdout"} <= places
    assert any(" conduct " in place for place in hunt.places("marker") if "environ" in place)


def is_start(desk: Desk, found: Found) -> bool:
    """A password in labctl's own environment, until it has taken it out."""
    own = found.pid in desk.pids and found.place.startswith("controller's environ: ")
    return (
        own
        and " conduct " not in found.place
        and found.name in ("password", "wrong")
        and found.seconds < START_SECONDS
    )
