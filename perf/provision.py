# SPDX-License-Identifier: Apache-2.0
"""Provisioning beside its peers and its bound: `python perf/provision.py [--hosts 1,10,50] [--rounds N] [--long N]`

Targets are ports of sshd on loopback, each with a folder of its own. Every tool brings the same 25 small things about
(provisioning/state.py): first on empty folders, then again with nothing to do. The tools take turns, in a random order in every
round; ratios are to the bound (one paramiko channel a host, one piped program) of the same round.

Peers that take very long run in fewer rounds (--long, ansible-core at 50 hosts: one round each), and the table says in how many.
Peers are installed into a virtual environment of their own, in the cache. Memory: the peak of the tool's process, by getrusage.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from provisioning.state import FILES, FOLDERS, LINKS, STAMP, TASKS, TEMPLATE, TEMPLATES

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "labctl" / "perf-peers"
PEERS = ("ansible-core==2.19.14", "pyinfra==3.10.0", "fabric==3.2.3")
SLOW = ("ansible",)
FIRST_PORT = 23_000
MOST_PORTS = 16
"""That one sshd listens on."""
DEADLINE_S = 1800


@dataclass(frozen=True)
class Place:
    """Where the targets are, and the files that name them to each tool."""

    root: Path
    key: Path
    known_hosts: Path
    hosts: int

    @property
    def targets(self) -> list[dict[str, Any]]:
        return [
            {
                "name": f"node{index:02}",
                "port": FIRST_PORT + index,
                "base": str(self.root / "targets" / f"{index:02}"),
            }
            for index in range(self.hosts)
        ]

    def clear(self) -> None:
        shutil.rmtree(self.root / "targets", ignore_errors=True)
        for target in self.targets:
            Path(target["base"]).mkdir(parents=True)


@contextmanager
def sshd(root: Path, hosts: int) -> Iterator[Place]:
    """A port a target."""
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root / name], check=True)
    shutil.copy(root / "user.pub", root / "authorized_keys")
    host_key = " ".join((root / "host.pub").read_text().split()[:2])
    ports = range(FIRST_PORT, FIRST_PORT + hosts)
    known_hosts = root / "known_hosts"
    known_hosts.write_text("".join(f"[127.0.0.1]:{port} {host_key}\n" for port in ports))
    Path("/run/sshd").mkdir(exist_ok=True)
    with ExitStack() as stack:
        for start in range(0, hosts, MOST_PORTS):
            stack.enter_context(_listening(root, ports[start : start + MOST_PORTS]))
        yield Place(root, root / "user", known_hosts, hosts)


@contextmanager
def _listening(root: Path, ports: range) -> Iterator[None]:
    lines = [f"ListenAddress 127.0.0.1:{port}" for port in ports]
    lines += [
        f"HostKey {root}/host",
        f"AuthorizedKeysFile {root}/authorized_keys",
        "UsePAM no",
        "StrictModes no",
    ]
    lines += ["PermitRootLogin prohibit-password", "MaxStartups 500", "PidFile none", "PrintMotd no"]
    # A plain home: what this user's shell does at a login is done for each command of some tools, and once for others.
    lines += ["Subsystem sftp internal-sftp", f"SetEnv HOME={root}/home"]
    config, log = (root / f"sshd{ports[0]}{ending}" for ending in (".conf", ".log"))
    config.write_text("\n".join(lines) + "\n")
    with (
        log.open("w") as out,
        subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", config], stderr=out) as server,
    ):
        try:
            time.sleep(1)
            if server.poll() is not None:
                sys.exit(f"sshd did not start: {log.read_text()}")
            yield
        finally:
            server.terminate()


def write_files(place: Place) -> None:
    """What each tool reads."""
    told = {"key": str(place.key), "known_hosts": str(place.known_hosts), "targets": place.targets}
    (place.root / "targets.json").write_text(json.dumps(told))
    hosts = {one["name"]: {"ansible_port": one["port"], "base": one["base"]} for one in place.targets}
    common = {
        "ansible_host": "127.0.0.1",
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(place.key),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={place.known_hosts}",
    }
    (place.root / "inventory.yaml").write_text(yaml.safe_dump({"all": {"vars": common, "hosts": hosts}}))
    (place.root / "unit.j2").write_text(TEMPLATE)
    (place.root / "playbook.yaml").write_text(
        yaml.safe_dump([{"hosts": "all", "gather_facts": False, "tasks": _tasks(place)}], width=1000)
    )
    (place.root / "pyinfra_inventory.py").write_text(
        f"targets = {[_pyinfra(place, one) for one in place.targets]!r}\n"
    )
    (place.root / "ansible.cfg").write_text(
        f"[defaults]\nforks = 50\nhost_key_checking = True\ninterpreter_python = /usr/bin/python3\n"
        f"[ssh_connection]\npipelining = True\nssh_args = -o ControlMaster=auto -o ControlPersist=60s "
        f"-o ControlPath={place.root}/cp-%C\n"
    )


def _pyinfra(place: Place, target: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return target["name"], {
        "ssh_hostname": "127.0.0.1",
        "ssh_port": target["port"],
        "ssh_user": "root",
        "ssh_key": str(place.key),
        "ssh_known_hosts_file": str(place.known_hosts),
        "base": target["base"],
        "label": target["name"],
    }


def _tasks(place: Place) -> list[dict[str, Any]]:
    base = "{{ base }}"
    tasks: list[dict[str, Any]] = [
        {"ansible.builtin.file": {"path": f"{base}/{name}", "state": "directory", "mode": "0755"}}
        for name in FOLDERS
    ]
    tasks += [
        {"ansible.builtin.copy": {"content": text, "dest": f"{base}/{path}", "mode": "0644"}}
        for path, text in FILES.items()
    ]
    tasks += [
        {"ansible.builtin.template": {"src": str(place.root / "unit.j2"), "dest": f"{base}/{path}", "mode": "0644"},
         "vars": {"number": number}}
        for path, number in TEMPLATES.items()
    ]  # fmt: skip
    tasks += [
        {"ansible.builtin.file": {"path": f"{base}/{path}", "src": target, "state": "link", "force": True}}
        for path, target in LINKS.items()
    ]
    tasks.append({"ansible.builtin.command": {"cmd": f"touch {base}/{STAMP}", "creates": f"{base}/{STAMP}"}})
    assert len(tasks) == TASKS
    return [{"name": f"task {number}", **task} for number, task in enumerate(tasks)]


def commands(place: Place, venv: Path) -> dict[str, list[str]]:
    root, python = place.root, str(venv / "bin/python")
    return {
        "bound": [sys.executable, str(HERE / "provisioning/bound.py"), str(root / "targets.json")],
        "labctl": [
            sys.executable, "-m", "orchestrator.cli.main", "provision", str(root / "inventory.yaml"),
            "--playbook", str(root / "playbook.yaml"),
        ],
        "fabric": [python, str(HERE / "provisioning/with_fabric.py"), str(root / "targets.json")],
        "pyinfra": [
            str(venv / "bin/pyinfra"), "-y", str(root / "pyinfra_inventory.py"), str(HERE / "provisioning/with_pyinfra.py"),
        ],
        "ansible": [
            str(venv / "bin/ansible-playbook"), "-i", str(root / "inventory.yaml"), str(root / "playbook.yaml"),
        ],
    }  # fmt: skip


@dataclass(frozen=True)
class Took:
    seconds: float
    peak_mb: float


def run(place: Place, command: list[str], changes: bool) -> Took:
    """Once, and its outcome is looked at. Exits where the tool failed, or did not do what is measured."""
    environ = {
        # Peers' bytecode came with their installation; labctl's is kept from its first run on, as an installed one's is.
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parent}",
        "ANSIBLE_CONFIG": str(place.root / "ansible.cfg"),
        "NO_COLOR": "1",
    }
    output = place.root / "output"
    begin = time.perf_counter()
    with output.open("w") as out:
        process = subprocess.Popen(
            command, cwd=place.root, env=environ, stdin=subprocess.DEVNULL, stdout=out, stderr=out
        )
        _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begin
    text = output.read_text()
    if status != 0:
        sys.exit(f"{' '.join(command)} failed:\n{text[-3000:]}")
    done = [
        (Path(target["base"]) / STAMP).exists() and len(list(Path(target["base"]).rglob("*")))
        for target in place.targets
    ]
    if set(done) != {TASKS}:
        sys.exit(f"{command[0]} left {set(done)} things instead of {TASKS} on each host.")
    reported = [int(number) for number in re.findall(r"changed=(\d+)", text)]
    if not changes and any(reported):
        sys.exit(f"{' '.join(command)} changed something the second time:\n{text[-3000:]}")
    return Took(seconds, usage.ru_maxrss / 1024)


def measure(
    place: Place, tools: dict[str, list[str]], rounds: int, long: int
) -> dict[str, list[tuple[Took, Took]]]:
    found: dict[str, list[tuple[Took, Took]]] = {name: [] for name in tools}
    for number in range(rounds):
        order = [name for name in tools if number < long or not (name in SLOW and place.hosts > 1)]
        for name in random.sample(order, len(order)):
            place.clear()
            first = run(place, tools[name], changes=True)
            found[name].append((first, run(place, tools[name], changes=False)))
            print(f"  {place.hosts} hosts, round {number + 1}: {name} {first.seconds:.2f} s, {found[name][-1][1].seconds:.2f} s",
                  file=sys.stderr)  # fmt: skip
    return found


def table(hosts: int, found: dict[str, list[tuple[Took, Took]]]) -> None:
    print(
        f"\n{hosts} host{'s' if hosts > 1 else ''}, {TASKS} tasks   {'first':>18} {'nothing to do':>20}   rounds  peak MB"
    )
    for name, took in found.items():
        if not took:
            continue
        texts = []
        for index in (0, 1):
            ratios = [
                one[index].seconds / bound[index].seconds
                for one, bound in zip(took, found["bound"], strict=False)
            ]
            texts.append(
                f"{statistics.median(one[index].seconds for one in took):8.2f} s {statistics.median(ratios):6.2f}x"
            )
        peak = max(each.peak_mb for one in took for each in one)
        print(f"  {name:20} {texts[0]:>20} {texts[1]:>20}   {len(took):6} {peak:8.0f}")


def peers() -> Path:
    """Their virtual environment, made once."""
    stamp = CACHE / "-".join(re.sub(r"\W+", "", peer) for peer in PEERS)
    if not stamp.exists():
        print("installing peers", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", CACHE], check=True)
        subprocess.run([CACHE / "bin/pip", "install", "--quiet", *PEERS], check=True)
        stamp.touch()
    return CACHE


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", default="1,10,50")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, default=1, help="rounds of ansible-core at more than one host")
    parser.add_argument("--tools", default="bound,labctl,fabric,pyinfra,ansible")
    options = parser.parse_args()
    for hosts in map(int, options.hosts.split(",")):
        with tempfile.TemporaryDirectory() as scratch, sshd(Path(scratch), hosts) as place:
            write_files(place)
            every = commands(place, peers())
            table(
                hosts,
                measure(
                    place,
                    {name: every[name] for name in options.tools.split(",")},
                    options.rounds,
                    options.long,
                ),
            )


if __name__ == "__main__":
    main()
