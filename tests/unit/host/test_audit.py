# SPDX-License-Identifier: Apache-2.0
"""The leak audit over a made-up root: it sees what runtimes leave, of ours alone, and waits for what goes by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from remote_agent.contract.journal import Leak
from remote_agent.host.audit import Audit

POD = Leak("pod", "p1")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "etc/cni/net.d").mkdir(parents=True)
    # Where the role cni_network puts it.
    _network(tmp_path, "labctl.d/10-labctl.conflist", "cni-labctl")
    (tmp_path / "etc/cni/net.d/20-other.conf").write_text(
        '{"name": "other", "type": "bridge", "bridge": "br0"}'
    )
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text("")
    return tmp_path


def _network(root: Path, where: str, bridge: str) -> None:
    plugins = [{"type": "bridge", "bridge": bridge}]
    _file(root / "etc/cni" / where, json.dumps({"name": "labctl", "plugins": plugins}))


def _audit(root: Path) -> Audit:
    return Audit(list, ("/labctl/m1",), root)


def _file(path: Path, content: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def _veth(root: Path, name: str, bridge: str) -> None:
    (root / "sys/class/net" / name).mkdir(parents=True)
    (root / "sys/class/net" / name / "master").symlink_to(f"../{bridge}")


def _mount(root: Path, point: str) -> None:
    with (root / "proc/self/mountinfo").open("a") as file:
        file.write(f"36 35 98:0 / {point} rw,noatime - overlay overlay rw\n")


def _process(root: Path, pid: int, *argv: str) -> None:
    _file(root / f"proc/{pid}/cmdline", "\0".join(argv) + "\0")


LEFT: list[tuple[str, str, Callable[[Path], None]]] = [
    ("netns", "cni-1", lambda root: _file(root / "run/netns/cni-1")),
    ("ipcns", "0f3a", lambda root: _file(root / "run/ipcns/0f3a")),
    ("utsns", "0f3a", lambda root: _file(root / "run/utsns/0f3a")),
    ("mount", "/var/lib/crio/storage/overlay/x/merged", lambda root: _mount(root, "/var/lib/crio/storage/overlay/x/merged")),
    ("veth", "veth1", lambda root: _veth(root, "veth1", "cni-labctl")),
    ("mount", "/run/containerd/x/rootfs", lambda root: _mount(root, "/run/containerd/x/rootfs")),
    ("cgroup", "pids/labctl/m1/pod/c1", lambda root: _file(root / "sys/fs/cgroup/pids/labctl/m1/pod/c1/tasks")),
    ("cgroup", "labctl/m1/pod", lambda root: _file(root / "sys/fs/cgroup/labctl/m1/pod/cgroup.procs")),
    ("lease", "10.88.0.7", lambda root: _file(root / "var/lib/cni/networks/labctl/10.88.0.7")),
    ("process", "containerd-shim-runc-v2 77",
     lambda root: _process(root, 77, "/usr/bin/containerd-shim-runc-v2", "-id", "p1")),
]  # fmt: skip

NOT_OURS: list[tuple[str, Callable[[Path], None]]] = [
    ("another bridge's link", lambda root: _veth(root, "veth9", "br0")),
    ("a link on no bridge", lambda root: _file(root / "sys/class/net/eth0/address")),
    ("a mount elsewhere", lambda root: _mount(root, "/run/containerdish/x")),
    ("what gVisor keeps for all pods", lambda root: _mount(root, "/run/containerd/runsc/k8s.io/null-netns")),
    ("CRI-O's folder of layers", lambda root: _mount(root, "/var/lib/crio/storage/overlay")),
    ("another host's cgroup", lambda root: _file(root / "sys/fs/cgroup/pids/labctl/m2/pod/tasks")),
    ("another network's lease", lambda root: _file(root / "var/lib/cni/networks/other/10.1.0.7")),
    ("host-local's own files", lambda root: _file(root / "var/lib/cni/networks/labctl/last_reserved_ip.0")),
    ("another process", lambda root: _process(root, 78, "/usr/bin/vim", "containerd-shim")),
]


@pytest.mark.parametrize(("kind", "what", "leave"), LEFT)
def test_what_is_left_is_seen(root: Path, kind: str, what: str, leave: Callable[[Path], None]) -> None:
    audit = _audit(root)
    before = audit.snapshot()
    leave(root)
    assert Leak(kind, what) in audit.leaks(before, settle_s=0)


@pytest.mark.parametrize("leave", [leave for _, _, leave in LEFT])
def test_what_was_there_before_is_nobodys_leak(root: Path, leave: Callable[[Path], None]) -> None:
    leave(root)
    audit = _audit(root)
    assert audit.leaks(audit.snapshot(), settle_s=0) == ()


@pytest.mark.parametrize(("what", "leave"), NOT_OURS)
def test_what_is_not_ours_is_not_looked_at(root: Path, what: str, leave: Callable[[Path], None]) -> None:
    audit = _audit(root)
    before = audit.snapshot()
    leave(root)
    assert audit.leaks(before, settle_s=0) == (), what


@pytest.mark.parametrize("where", ["labctl.d/10-labctl.conflist", "net.d/10-labctl.conflist"])
def test_our_bridge_is_found_wherever_our_network_is_described(root: Path, where: str) -> None:
    (root / "etc/cni/labctl.d/10-labctl.conflist").unlink()
    (root / "etc/cni/labctl.d/05-broken.conflist").write_text("{")
    _network(root, where, "bridge-of-ours")
    _veth(root, "veth1", "bridge-of-ours")
    _veth(root, "veth2", "cni-labctl")
    assert Leak("veth", "veth1") in _audit(root).snapshot()
    assert Leak("veth", "veth2") not in _audit(root).snapshot()


def test_it_knows_the_network_that_the_playbooks_describe(tmp_path: Path) -> None:
    role = Path(__file__).parents[3] / "playbooks/roles/cni_network"
    told = dict(re.findall(r"^cni_network_(\w+): (\S+)$", (role / "defaults/main.yaml").read_text(), re.M))
    text = (role / "templates/labctl.conflist.j2").read_text()
    for key, value in told.items():
        text = text.replace(f"{{{{ cni_network_{key} }}}}", value)
    _file(tmp_path / told["conf_dir"].lstrip("/") / "10-labctl.conflist", text)
    _veth(tmp_path, "veth1", told["bridge"])
    _file(tmp_path / "proc/self/mountinfo")
    assert _audit(tmp_path).snapshot() == {Leak("veth", "veth1")}


def test_it_waits_for_what_goes_by_itself_and_no_longer() -> None:
    now, looks = [0.0], [0]

    def ours() -> list[Leak]:
        looks[0] += 1
        return [POD] if now[0] < 0.1 else []

    def sleep(seconds: float) -> None:
        now[0] += seconds

    audit = Audit(ours, (), Path("/nonexistent"), clock=lambda: now[0], sleep=sleep)
    assert audit.leaks(frozenset(), settle_s=5) == ()
    assert 0.1 <= now[0] < 0.2
    stays = Audit(lambda: [POD], (), Path("/nonexistent"), clock=lambda: now[0], sleep=sleep)
    now[0] = 0.0
    assert stays.leaks(frozenset(), settle_s=5) == (POD,)
    assert 5 <= now[0] < 5.1
