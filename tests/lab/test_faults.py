# SPDX-License-Identifier: Apache-2.0
"""Whatever breaks in a run, on real hosts: every trial is there exactly once, the torn ones are redone and say so, nothing is
left behind, what is not labctl's is untouched, and the estimates are those of the same journals without the fault.

The wall clock of a system container is the machine's, and is not set here: the agent alone sees it set, through libfaketime.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.pipeline.report import digest
from orchestrator.pipeline.run import Wanted, conduct_run, plan_run
from orchestrator.results import estimates as store
from orchestrator.results.store import RunFolder, RunStore
from orchestrator.runs.events import read_events
from orchestrator.runs.process import owner
from orchestrator.runs.session import Patience
from orchestrator.ssh import connect
from tests.fixtures.replay import numbers, undisturbed
from tests.lab.test_run import Desk, journal, until

if TYPE_CHECKING:
    from orchestrator.model.inventory import Inventory
    from tests.lab.conftest import LabOfTests

pytestmark = pytest.mark.lab

LIFECYCLE, SCALE = "operations.container.lifecycle", "scalability.runtime.3"
BLOCKS = {LIFECYCLE: 2, SCALE: 2}
RUNTIMES = ("containerd", "crio")
SUITE = {
    "cri": list(RUNTIMES),
    "oci": ["runc"],
    "benchmarks": {name: {"blocks": blocks, "warmup": 0} for name, blocks in BLOCKS.items()},
}
COMBINATIONS = tuple(f"{cri}/runc" for cri in RUNTIMES)
RUNS = "/var/lib/labctl/runs"

FOREIGN = """\
import sys
from remote_agent.cri.client import Cri
from remote_agent.gen.runtime.v1 import cri_pb2 as pb
with Cri(sys.argv[1]) as cri:
    config = pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name="foreign", uid=sys.argv[2], namespace="labctl"), labels={"app": "foreign"}
    )
    print(cri.runtime.RunPodSandbox(pb.RunPodSandboxRequest(config=config, runtime_handler="runc")).pod_sandbox_id)
"""
"""A pod of somebody else's: of labctl it has the namespace's name and the network, and none of its labels."""

PODS = """\
import sys
from remote_agent.cri.client import Cri
with Cri(sys.argv[1]) as cri:
    print(*(pod.id for pod in cri.pods()))
"""
REMOVE = """\
import sys
from remote_agent.cri.client import Cri
with Cri(sys.argv[1]) as cri:
    cri.stop_pod(sys.argv[2])
    cri.remove_pod(sys.argv[2])
"""
SOCKETS = {"containerd": "/run/containerd/containerd.sock", "crio": "/run/crio/crio.sock"}


@dataclass(frozen=True)
class Host:
    """One host of the lab. ``foreign`` maps each of its runtimes to a pod there that is not labctl's."""

    name: str
    inventory: Inventory
    foreign: dict[str, str] = field(default_factory=dict)

    def sh(self, command: str, timeout: float = 60) -> str:
        with connect(endpoint_of(self.inventory.host(self.name), self.inventory)) as connection:
            done = connection.run(command, timeout=timeout)
        assert done.exit_status == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def python(self, program: str, *words: str) -> str:
        """In the deployed agent's own Python."""
        base = "here=$(readlink -f /opt/labctl/agent/current) && PYTHONPATH=$here:$here/wheels"
        return self.sh(f"{base} python3 -P -s -c {shlex.join([program, *words])}")

    def pods(self) -> dict[str, list[str]]:
        return {cri: self.python(PODS, SOCKETS[cri]).split() for cri in RUNTIMES}

    @contextmanager
    def ready(self, command: str) -> Iterator[Callable[[], None]]:
        """What is given does ``command`` there at once: the shell that does it is waiting already."""
        endpoint = endpoint_of(self.inventory.host(self.name), self.inventory)
        with connect(endpoint) as connection:
            stream = connection.stream(f"read go && {{ {command}\n}}")

            def go() -> None:
                stream.stdin.write(b"go\n")

            yield go


@pytest.fixture(scope="module")
def host(provisioned_lab: LabOfTests, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The first one, its agent deployed by a run without a fault, a foreign pod on each of its runtimes."""
    inventory = load_inventory(provisioned_lab.inventory)
    made = Host(inventory.hosts[0].name, inventory)
    desk = Desk(tmp_path_factory.mktemp("first"), provisioned_lab.inventory)
    desk.suite.write_text(yaml.safe_dump(SUITE, sort_keys=False))
    with desk.run("--limit", made.name) as run:
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    for cri in RUNTIMES:
        made.foreign[cri] = make_foreign(made, cri)
    yield made
    for cri, pod in made.foreign.items():
        made.python(REMOVE, SOCKETS[cri], pod)
    assert made.pods() == {cri: [] for cri in RUNTIMES}


def make_foreign(host: Host, cri: str) -> str:
    """The pod's id."""
    return host.python(FOREIGN, SOCKETS[cri], f"foreign-{time.monotonic_ns()}")


@pytest.fixture
def desk(tmp_path: Path, host: Host) -> Desk:
    made = Desk(tmp_path, host.inventory.path)
    made.suite.write_text(yaml.safe_dump(SUITE, sort_keys=False))
    return made


def start(desk: Desk, host: Host) -> tuple[subprocess.Popen[str], RunFolder]:
    terminal = desk.run("--limit", host.name)
    return terminal, desk.latest()


def finish(terminal: subprocess.Popen[str]) -> str:
    said, _ = terminal.communicate(timeout=150)
    assert terminal.returncode == 0, said
    return said


def when_under_way(folder: RunFolder, host: str, combination: str, block: int = 1) -> None:
    """Wait until that trial of three pods has begun and not ended, as far as the journal's copy tells."""

    def begun() -> bool:
        path = folder.journal(host)
        last = path.read_bytes().splitlines()[-1:] if path.exists() else []
        record = json.loads(last[0]) if last else {}
        place = (record.get("type"), record.get("benchmark"), record.get("block"), record.get("combination"))
        return place == ("trial_started", SCALE, block, combination)

    until(begun, 90)


def assert_exact(
    folder: RunFolder,
    host: str,
    redone: dict[str, int],
    reason: str = "",
    forgotten: frozenset[str] = frozenset(),
) -> None:
    """Every trial once, those redone that are named and no other one; and the faults are in no number.

    Nothing is left behind, but, by a runtime that was killed, what is of a kind that ``forgotten`` names.
    """
    records = journal(folder, host)
    trials = [record for record in records if record["type"] == "trial"]
    counts = Counter((trial["benchmark"], trial["block"], trial["combination"]) for trial in trials)
    wanted = {
        (name, block, each)
        for name, count in BLOCKS.items()
        for block in range(count)
        for each in COMBINATIONS
    }
    assert counts == dict.fromkeys(wanted, 1)
    assert [trial["reason"] for trial in trials if trial["status"] != "ok"] == []
    assert [trial["leaks"] for trial in trials if trial["leaks"]] == []
    assert {kind for kind, _ in left_behind(folder, host)} <= forgotten
    assert Counter(trial["combination"] for trial in trials if trial["attempt"] > 1) == redone
    torn = [record for record in records if record["type"] == "torn"]
    assert Counter(record["combination"] for record in torn) == redone
    assert all(record["reason"] == reason for record in torn), torn
    assert_as_replayed(folder)


def left_behind(folder: RunFolder, host: str) -> list[tuple[str, str]]:
    """Kind and name of what the notes say that a torn trial left."""
    notes = [record["message"] for record in journal(folder, host) if record["type"] == "note"]
    words = [note.removesuffix(".").split(" left the ")[1] for note in notes if " left the " in note]
    return [(kind, what) for kind, _, what in (each.partition(" ") for each in words)]


def assert_as_replayed(folder: RunFolder) -> None:
    replay = undisturbed(folder.path, folder.path.parent / "replay")
    digest(replay)
    found, wanted = store.load(folder.path), store.load(replay)
    assert numbers(found) == numbers(wanted)
    assert any(cell.n for cell in found.cells)


def assert_nothing_but_foreign(host: Host) -> None:
    assert host.pods() == {cri: [pod] for cri, pod in host.foreign.items()}


AGENT_KILLED = "systemctl kill --kill-whom=main -s KILL labctl-agent.service"


def test_agent_killed(desk: Desk, host: Host) -> None:
    with host.ready(AGENT_KILLED) as kill:
        terminal, folder = start(desk, host)
        when_under_way(folder, host.name, "containerd/runc")
        kill()
        finish(terminal)
    assert_exact(folder, host.name, {"containerd/runc": 1}, "The agent ended in it.")
    assert_nothing_but_foreign(host)


REMOVALS = {
    **{kind: f"umount /run/{kind}/{{0}}; rm /run/{kind}/{{0}}" for kind in ("netns", "ipcns", "utsns")},
    "lease": "rm /var/lib/cni/networks/labctl/{}",
    "veth": "ip link del {} 2>/dev/null || true",
    "process": "set -- {}; ! grep -q $1 /proc/$2/cmdline || kill -9 $2",
}
FORGOTTEN = frozenset(REMOVALS)
"""A runtime that is killed while it makes a pod may forget what it has just made: CRI-O the namespaces that it has pinned and what
hangs on them, containerd a shim that had not reported yet. They carry no label, so labctl names them, and lets them be."""


@pytest.mark.parametrize("cri", RUNTIMES)
def test_daemon_killed(desk: Desk, host: Host, cri: str) -> None:
    with host.ready(f"systemctl kill --kill-whom=main -s KILL {cri}.service") as kill:
        terminal, folder = start(desk, host)
        when_under_way(folder, host.name, f"{cri}/runc")
        kill()
        finish(terminal)
    reason = f"{cri}'s daemon went away in it."
    assert_exact(folder, host.name, {f"{cri}/runc": 1}, reason, FORGOTTEN)
    for kind, what in left_behind(folder, host.name):
        host.sh(REMOVALS[kind].format(what))
    assert len([r for r in journal(folder, host.name) if r["type"] == "run"]) == 1
    assert_nothing_but_foreign(host)


def test_conductor_killed(desk: Desk, host: Host) -> None:
    terminal, folder = start(desk, host)
    when_under_way(folder, host.name, "containerd/runc")
    pid = owner(folder.lock)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    terminal.communicate(timeout=60)
    code, said = desk.type("attach", folder.id)
    assert code == 0, said
    assert_exact(folder, host.name, {})
    assert_nothing_but_foreign(host)


SSH_CUT = (
    "setsid sh -c 'sleep 0.1; kill -9 $(pgrep -f \"^sshd(-session)?: root\")' >/dev/null 2>&1 </dev/null &"
)


def test_ssh_cut(desk: Desk, host: Host) -> None:
    """Every session's process on the host is killed: the run's connection with them."""
    with host.ready(SSH_CUT) as cut:
        terminal, folder = start(desk, host)
        when_under_way(folder, host.name, "containerd/runc", block=0)
        cut()
        finish(terminal)
    phases = [event["phase"] for event in read_events(folder.events)[0] if event["type"] == "phase"]
    assert "reconnecting" in phases
    assert_exact(folder, host.name, {})
    assert len([r for r in journal(folder, host.name) if r["type"] == "run"]) == 1, "nothing stopped for it"
    assert_nothing_but_foreign(host)


@pytest.mark.parametrize("how", ["reboot", "reboot --force --force"], ids=["in-order", "power-cut"])
def test_host_rebooted(desk: Desk, host: Host, how: str) -> None:
    """A container ends where a machine would start again: what starts it is the test."""
    with host.ready(f"systemctl {how}") as reboot:
        terminal, folder = start(desk, host)
        when_under_way(folder, host.name, "containerd/runc")
        reboot()
        back_up(host)
        finish(terminal)
    assert_exact(folder, host.name, {"containerd/runc": 1}, "The host was restarted in it.")
    runs = [record for record in journal(folder, host.name) if record["type"] == "run"]
    assert len({record["boot_id"] for record in runs}) == len(runs) == 2
    wiped = host.foreign[
        "crio"
    ]  # CRI-O itself wipes all its pods after a restart of the host (internal_wipe)
    asked = host.sh(f"journalctl -u crio --no-pager | grep -c 'RemovePodSandbox.*{wiped}' || true")
    assert (asked, host.pods()) == ("0", {"containerd": [host.foreign["containerd"]], "crio": []})
    host.foreign["crio"] = make_foreign(host, "crio")
    notices = [notice.message for notice in store.load(folder.path).notices]
    assert "The host was restarted during the run." in notices


def back_up(host: Host) -> None:
    """`labctl lab up`, once the host is down."""

    def down() -> bool:
        done = labctl("lab", "status", str(host.inventory.path), "--json")
        standing = {each["name"]: each["standing"] for each in json.loads(done.stdout)["hosts"]}
        return bool(standing[host.name] == "stopped")

    until(down, 60)
    done = labctl("lab", "up", str(host.inventory.path))
    assert done.returncode == 0, done.stdout + done.stderr


def labctl(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.cli.main", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture
def small_disk(host: Host) -> Iterator[Host]:
    """The agent keeps its runs on a disk of 512 KiB of their own, for a while."""
    host.sh(
        f"systemctl stop labctl-agent && mount -t tmpfs -o size=512k none {RUNS} && systemctl start labctl-agent"
    )
    yield host
    host.sh(f"systemctl stop labctl-agent; umount {RUNS}; systemctl start labctl-agent")


def test_disk_full(desk: Desk, small_disk: Host) -> None:
    host = small_disk
    terminal, folder = start(desk, host)
    when_under_way(folder, host.name, "containerd/runc")
    host.sh(f"cat /dev/zero >{RUNS}/filler 2>/dev/null || true")

    def said() -> list[str]:
        return [e["message"] for e in read_events(folder.events)[0] if e["type"] == "note"]

    words = f"The disk of {RUNS}/{folder.id} is full: the run stands still until there is room."
    until(lambda: words in said(), 30)
    assert words in host.sh("labctl-agent status")
    before = host.sh(f"wc -c <{RUNS}/{folder.id}/journal.jsonl")
    time.sleep(3)
    assert host.sh(f"wc -c <{RUNS}/{folder.id}/journal.jsonl") == before, "it stands still"
    host.sh(f"rm {RUNS}/filler")
    finish(terminal)
    assert_exact(folder, host.name, {})
    assert any("The disk was full" in notice.message for notice in store.load(folder.path).notices)
    assert_nothing_but_foreign(host)


@pytest.fixture
def small_store(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB for this machine's side of a run."""
    folder = tmp_path / "small"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], check=True, timeout=10)
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=10)


def test_controllers_disk_full(desk: Desk, host: Host, small_store: Path) -> None:
    """The host goes on to its end; here the copy of its journal stands still, and is whole when there is room."""
    desk.store = RunStore(small_store)
    terminal, folder = start(desk, host)
    when_under_way(folder, host.name, "containerd/runc", block=0)
    filler = small_store / "filler"
    fill(filler)
    until(lambda: "complete" in host.sh("labctl-agent status"), 60)
    lines = folder.journal(host.name).read_bytes()
    assert lines.endswith(b"\n")
    assert json.loads(lines.splitlines()[-1])["type"] != "ended"
    filler.unlink()
    finish(terminal)
    events = read_events(folder.events)[0]
    assert any("No space left on device" in event.get("message", "") for event in events)
    assert folder.journal(host.name).read_text() == host.sh(f"cat {RUNS}/{folder.id}/journal.jsonl") + "\n"
    assert_exact(folder, host.name, {})


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file:
        try:
            while file.write(b"\0" * 512):
                pass
        except OSError:
            return


FAKETIME = "/etc/systemd/system/labctl-agent.service.d/faketime.conf"
DROP_IN = """\
[Service]
Environment=LD_PRELOAD=/usr/lib/%s-linux-gnu/faketime/libfaketime.so.1 DONT_FAKE_MONOTONIC=1
Environment=FAKETIME_TIMESTAMP_FILE=/run/faketime FAKETIME_NO_CACHE=1
"""


@pytest.fixture
def own_clock(host: Host) -> Iterator[Host]:
    """The agent's wall clock is what /run/faketime says, and no other process's."""
    host.sh("apt-get install -y -qq libfaketime >/dev/null", timeout=120)
    drop_in = DROP_IN % host.sh("uname -m")
    host.sh(
        f"echo +0 >/run/faketime; mkdir -p {Path(FAKETIME).parent}; printf %s {shlex.quote(drop_in)} >{FAKETIME}"
    )
    host.sh("systemctl daemon-reload && systemctl restart labctl-agent")
    yield host
    host.sh(
        f"rm -r {Path(FAKETIME).parent} /run/faketime; systemctl daemon-reload; systemctl restart labctl-agent"
    )


def test_clock_step(desk: Desk, own_clock: Host) -> None:
    host = own_clock
    # In one step: libfaketime ends a process that reads the file while it is still empty.
    with host.ready("echo -3600 >/run/faketime.new && mv /run/faketime.new /run/faketime") as set_back:
        terminal, folder = start(desk, host)
        when_under_way(folder, host.name, "containerd/runc", block=0)
        set_back()
        finish(terminal)
    assert_exact(folder, host.name, {})
    records = journal(folder, host.name)
    notes = [record["message"] for record in records if record["type"] == "note"]
    assert [note.rsplit(" ", 2)[0] for note in notes] == ["The wall clock was set back by"], notes
    assert abs(float(notes[0].split()[-2]) - 3600) < 1
    assert records[-1]["time"] < records[0]["time"], "times of day do go back"
    trials = [record for record in records if record["type"] == "trial"]
    assert all(0 < trial["elapsed_ns"] < 60e9 for trial in trials)
    ends = [trial["start_ns"] + trial["elapsed_ns"] for trial in trials]
    assert all(end < trial["start_ns"] for end, trial in zip(ends, trials[1:], strict=False))
    assert_nothing_but_foreign(host)


def test_host_gone_for_good(desk: Desk, host: Host) -> None:
    """The last test of the file: the host that is lost here comes back with a run that nobody follows any more."""
    inventory = host.inventory
    gone = Host(inventory.hosts[1].name, inventory)
    spec = plan_run(Wanted(str(desk.suite), inventory.path), ())
    folder = desk.store.create(spec)
    codes: list[int] = []
    patience = Patience(lost=6.0, first_pause=0.2, longest_pause=1.0)
    conducting = threading.Thread(target=lambda: codes.append(conduct_run(folder, patience)))
    conducting.start()
    try:
        until(lambda: sum(r["type"] == "trial" for r in _journal(folder, gone.name)) > 0, 90)
        with gone.ready("systemctl reboot --force --force") as cut:
            when_under_way(folder, gone.name, "containerd/runc", block=0)
            cut()
            conducting.join(120)
        assert codes == [3]
        state = folder.read_state()
        assert state is not None
        assert [each.status for each in state.hosts] == ["complete", "failed"]
        assert state.hosts[1].error
        assert_exact(folder, host.name, {})
        assert_nothing_but_foreign(host)
        (lacks,) = [notice for notice in store.load(folder.path).notices if "has not ended" in notice.message]
        assert lacks.host == gone.name
        assert lacks.message == f"The run has not ended here: it has 0 of 2 blocks of {SCALE}."
        shown = labctl("report", folder.id, "--root", str(desk.store.root))
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert "The run has not ended here" in shown.stdout
    finally:
        conducting.join(1)
        back_up(gone)
        gone.sh(f"labctl-agent cancel {folder.id} || true", timeout=120)


def _journal(folder: RunFolder, host: str) -> list[dict[str, Any]]:
    return journal(folder, host) if folder.journal(host).exists() else []
