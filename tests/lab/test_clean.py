# SPDX-License-Identifier: Apache-2.0
"""`labctl clean` on real hosts: bare ones, one that was provisioned and is purged, and one with a containerd of its owner's."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.load.inventory import endpoint_of, load_inventory
from orchestrator.pipeline.lab import lab_down, lab_up
from orchestrator.ssh import connect
from tests.lab.conftest import BUILD_SECONDS, LAB_TARGET, LabOfTests, quiet, write_inventory

ARTIFACTS = Path(".labctl/artifacts.yaml")

LISTING = (
    "find /etc /opt /usr /var/lib /root -xdev ! -path '/var/lib/apt/*' ! -path '/var/lib/dpkg/*' ! -path '/usr/share/mime/*'"
    " ! -path '/var/lib/systemd/*' ! -name ld.so.cache ! -name '*.pyc' ! -name __pycache__ | sort; dpkg-query --show"
)

OWNERS_CONFIG = """\
# The owner's.
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "example.org/owner/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
"""
OWNERS_NETWORK = """\
{"cniVersion": "1.0.0", "name": "owner", "plugins": [{"type": "bridge", "bridge": "cni-owner", "isGateway": true,
 "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.99.0.0/24"}]]}}]}
"""
OWNERS_CRICTL = """\
runtime-endpoint: unix:///run/containerd/containerd.sock
image-endpoint: unix:///run/containerd/containerd.sock
"""
START_PODS = """\
set -e
cd "$(mktemp -d)"
for name in web db; do
  echo '{"metadata": {"name": "'$name'", "namespace": "shop", "uid": "'$name'"}, "linux": {}}' > $name
  echo '{"metadata": {"name": "app"}, "image": {"image": "IMAGE"}, "command": ["sleep", "100000"], "linux": {}}' > app
  CRICTL run --no-pull app $name
done
rm -r "$PWD"
"""
"""Two pods of one container each, of a namespace that is not labctl's."""

STATE = r"""
skip='-path /var/lib/apt -o -path /var/lib/dpkg -o -path /var/lib/systemd -o -path */io.containerd.metadata.v1.bolt'
skip="$skip -o -name *.pyc -o -name __pycache__"
set -f
find /etc /usr /opt /root /var/lib /run/containerd /run/runc /run/netns /run/nri \( $skip \) -prune -o \
  -printf '%p %y %m %U:%G %l\n' 2>/dev/null | sort
find /etc /usr/local /opt /root /var/lib/containerd \( $skip \) -prune -o -type f -exec sha256sum {} + | sort -k2
crictl pods -o json; crictl ps --all -o json; crictl images -o json
pgrep -a containerd; pgrep -a sleep
systemctl list-unit-files --no-legend | grep -v '^session-'
systemctl show --property ActiveState,MainPID,NRestarts,ActiveEnterTimestamp containerd.service
dpkg-query --show
ls /sys/class/net
cut -d ' ' -f 5 /proc/self/mountinfo | grep containerd | sort
"""
"""Files with their owners and modes, the content of those that somebody writes, pods, images, processes, units, packages, links and
mounts. Not what changes by itself: containerd's database, whose content crictl tells, and the records of apt, dpkg and systemd."""


class Host:
    """The host of this number in the inventory."""

    def __init__(self, inventory: Path, number: int) -> None:
        loaded = load_inventory(inventory)
        self.inventory = inventory
        self.name = loaded.hosts[number].name
        self._endpoint = endpoint_of(loaded.hosts[number], loaded)

    def sh(self, command: str, stdin: bytes = b"") -> str:
        with connect(self._endpoint) as connection:
            done = connection.run(command, timeout=300, stdin=stdin)
        assert done.exit_status == 0, f"{command}: {done.stderr} {done.stdout[-2000:]}"
        return done.stdout

    def labctl(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        return labctl(verb, str(self.inventory), "--limit", self.name, *words)


def labctl(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.cli.main", *words]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False
    )


@pytest.fixture(scope="module")
def two_hosts(lab_possible: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The inventory of two hosts of this module's own: the first is labctl's, the second has an owner."""
    path = write_inventory(tmp_path_factory.mktemp("clean"), f"clean{os.getpid()}")
    try:
        result = lab_up(path, quiet)
        assert result.ok, result
        yield path
    finally:
        removed = lab_down(path, quiet)
    assert removed is not None and removed.ok, removed


@pytest.fixture(scope="module")
def owners(two_hosts: Path) -> Host:
    """A host with Debian's containerd: an edited configuration, images, a network and two running pods of its owner's."""
    host = Host(two_hosts, 1)
    built = labctl("build")
    assert built.returncode == 0, built.stdout + built.stderr
    artifacts = yaml.safe_load(ARTIFACTS.read_text())["labctl_artifacts"]
    host.sh("apt-get -q update")
    host.sh(
        "DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends containerd containernetworking-plugins"
    )
    for path, content in (
        ("/etc/containerd/config.toml", OWNERS_CONFIG),
        ("/etc/cni/net.d/10-owner.conflist", OWNERS_NETWORK),
        ("/etc/crictl.yaml", OWNERS_CRICTL),
    ):
        host.sh(f"cat > {path}", content.encode())
    host.sh("cat > /usr/local/bin/crictl && chmod 755 /usr/local/bin/crictl", crictl_of(artifacts))
    host.sh("systemctl restart containerd")
    for name, theirs in (("busybox", "example.org/owner/app:1"), ("pause", "example.org/owner/pause:1")):
        image = artifacts["images"][name]
        host.sh("cat > /root/image.tar", Path(image["path"]).read_bytes())
        host.sh(
            "ctr -n k8s.io images import --snapshotter native /root/image.tar && rm /root/image.tar"
            f" && ctr -n k8s.io images tag {image['ref']} {theirs} && ctr -n k8s.io images rm {image['ref']}"
        )
    host.sh(START_PODS.replace("IMAGE", "example.org/owner/app:1").replace("CRICTL", "crictl"))
    return host


def crictl_of(artifacts: dict[str, Any]) -> bytes:
    with tarfile.open(artifacts["targets"][LAB_TARGET]["components"]["cri-tools"]["path"]) as packed:
        name = next(name for name in packed.getnames() if name.endswith("/bin/crictl"))
        stream = packed.extractfile(name)
        assert stream is not None
        return stream.read()


def test_bare_hosts_have_nothing_to_clean(lab: LabOfTests) -> None:
    done = labctl("clean", str(lab.inventory), "--purge", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_purge_that_nobody_confirms_is_refused(lab: LabOfTests) -> None:
    done = labctl("clean", str(lab.inventory), "--purge")
    assert done.returncode == 2
    assert "--yes" in done.stderr


def test_a_host_with_its_own_containerd_is_left_as_it_is(owners: Host) -> None:
    before = owners.sh(STATE)
    assert before.count('"CONTAINER_RUNNING"') == before.count('"SANDBOX_READY"') == 2
    refused = owners.labctl("provision")
    assert refused.returncode == 1, refused.stdout + refused.stderr
    (sentence,) = [line for line in refused.stdout.splitlines() if "labctl did not make" in line]
    for thing in (
        "the running service containerd.service",
        "the images and containers in /var/lib/containerd",
        "the file /etc/containerd/config.toml",
        "the file /etc/crictl.yaml",
        "the file /usr/local/bin/crictl",
    ):
        assert thing in sentence
    assert owners.sh(STATE) == before
    for words in ((), ("--purge", "--check"), ("--purge",)):
        done = owners.labctl("clean", "--yes", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "changed=0" in done.stdout
        assert owners.sh(STATE) == before, words
    diagnosed = owners.labctl("doctor", "--json")
    assert diagnosed.returncode == 1 and "the running service containerd.service" in diagnosed.stdout


@pytest.mark.timeout(BUILD_SECONDS)
def test_a_purged_host_is_as_it_was_and_can_be_provisioned_again(two_hosts: Path) -> None:
    host = Host(two_hosts, 0)
    before = host.sh(LISTING)
    provisioned = host.labctl("provision")
    assert provisioned.returncode == 0, provisioned.stdout + provisioned.stderr
    assert host.sh(LISTING) != before
    # What CRI-O keeps of a pull lies elsewhere than its images.
    host.sh("crictl-crio pull 127.0.0.1:5051/labctl/busybox:1 && test -d /var/lib/containers/cache")
    for crictl in ("crictl-containerd", "crictl-crio"):
        _refuses_while_pods_run(host, crictl)
    purged = host.labctl("clean", "--purge", "--yes")
    assert purged.returncode == 0, purged.stdout + purged.stderr
    assert _changes(before, host.sh(LISTING)) == []
    again = host.labctl("clean", "--purge", "--yes")
    assert again.stdout.count("changed=0") == 1, again.stdout
    assert host.labctl("provision").returncode == 0


def _refuses_while_pods_run(host: Host, crictl: str) -> None:
    """Pods that no run made are named, and they and everything else stay."""
    host.sh(START_PODS.replace("IMAGE", "localhost/labctl/busybox:1").replace("CRICTL", crictl))
    before = host.sh(f"{LISTING}; pgrep -a sleep; {crictl} pods -q")
    refused = host.labctl("clean", "--purge", "--yes")
    assert refused.returncode == 1, refused.stdout
    assert "no run of labctl made run: shop/db, shop/web. Stop and remove" in refused.stdout
    assert host.sh(f"{LISTING}; pgrep -a sleep; {crictl} pods -q") == before
    host.sh(f"{crictl} rmp --all --force")


def _changes(before: str, after: str) -> list[str]:
    return sorted(set(before.splitlines()) ^ set(after.splitlines()))
