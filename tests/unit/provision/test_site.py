# SPDX-License-Identifier: Apache-2.0
"""The playbooks that labctl ships: they load, and against the facts of a host they compile to what containerd must read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.load.inventory import load_inventory
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.provision.channel import Channel
from orchestrator.provision.compile import Options
from orchestrator.provision.engine import HostRun
from orchestrator.provision.files import Blobs, BlobSource
from orchestrator.provision.scope import Variables
from remote_agent.contract.steps import Outcome, Status, Step

SITE = Path(__file__).parents[3] / "playbooks" / "site.yaml"
FACTS = {
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_version": "13.8",
    "distribution_major_version": "13",
    "architecture": "x86_64",
    "service_mgr": "systemd",
    "labctl": {"cap_sys_resource": False, "cgroup": {"version": "hybrid", "writable": True}},
}


class RememberingChannel(Channel):
    """A host on which every step goes well; commands say what ``stdout`` holds for their first word."""

    def __init__(self, stdout: dict[str, str], changed: bool) -> None:
        self.host = "h"
        self.steps: list[Step] = []
        self._says, self._changed = stdout, changed
        self._waiting: list[Step] = []

    def send(self, step: Step) -> None:
        self.steps.append(step)
        self._waiting.append(step)

    def outcome(self, blobs: BlobSource, progress: Any) -> Outcome:
        step = self._waiting.pop(0)
        word = (step.args.get("argv") or str(step.args.get("cmd", "")).split() or [""])[0]
        result = {"rc": 0, "stdout": self._says.get(word, ""), "changed": self._changed}
        return Outcome(step.id, Status.CHANGED if self._changed else Status.OK, result=result)


def steps(
    tmp_path: Path, version: str = "1.7.24", facts: dict[str, Any] | None = None, changed: bool = False
) -> list[Step]:
    """What the shipped playbook makes of a host with ``facts`` and that containerd."""
    images = {}
    for name in ("busybox", "pause"):
        archive = tmp_path / f"{name}.tar"
        archive.write_text(name)
        images[name] = {
            "ref": f"localhost/labctl/{name}:1",
            "path": str(archive),
            "sha256": name * 8,
            "digest": f"sha256:{name}",
        }
    (tmp_path / "inventory.yaml").write_text("all: {hosts: {h: {}}}\n")
    inventory, language = load_inventory(tmp_path / "inventory.yaml", SITE.parent), Language({})
    variables = Variables(language, inventory, inventory.host("h"), {}, FACTS | (facts or {}), check=False)
    channel = RememberingChannel(
        {"containerd": f"containerd github.com/containerd/containerd {version} abc"}, changed
    )
    run = HostRun(channel, variables, Options(language, Blobs(), SITE.parent), lambda event: None)
    for play in load_playbook(SITE, language).plays:
        run.run(play, [{"labctl_artifacts": {"images": images}}], lambda task: True)
    return channel.steps


def written(found: list[Step], dest: str) -> str:
    return next(str(step.args["content"]) for step in found if step.args.get("dest") == dest)


def test_both_handlers_and_our_sandbox_image(tmp_path: Path) -> None:
    import tomllib

    config = tomllib.loads(written(steps(tmp_path), "/etc/containerd/config.toml"))
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert config["version"] == 2
    assert cri["sandbox_image"] == "localhost/labctl/pause:1"
    assert cri["restrict_oom_score_adj"] is True
    runtimes = cri["containerd"]["runtimes"]
    assert {name: runtime["options"]["BinaryName"] for name, runtime in runtimes.items()} == {
        "runc": "/usr/sbin/runc",
        "crun": "/usr/bin/crun",
    }
    assert {runtime["options"]["SystemdCgroup"] for runtime in runtimes.values()} == {False}


def test_containerd_2_gets_its_own_version_of_the_configuration(tmp_path: Path) -> None:
    import tomllib

    facts = {"labctl": {"cap_sys_resource": True}}
    config = tomllib.loads(written(steps(tmp_path, "v2.4.2", facts), "/etc/containerd/config.toml"))
    assert config["version"] == 3
    assert (
        config["plugins"]["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"]
        == "localhost/labctl/pause:1"
    )
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is False
    assert set(runtime["containerd"]["runtimes"]) == {"runc", "crun"}


def test_pods_network_takes_no_xtables_lock(tmp_path: Path) -> None:
    found = steps(tmp_path)
    dest = next(
        str(step.args["dest"]) for step in found if str(step.args.get("dest", "")).endswith(".conflist")
    )
    network = yaml.safe_load(written(found, dest))
    (plugin,) = network["plugins"]
    assert (network["name"], plugin["type"], plugin["ipMasq"], plugin["ipam"]["type"]) == (
        "labctl",
        "bridge",
        False,
        "host-local",
    )
    config = written(found, "/etc/containerd/config.toml")
    assert f'conf_dir = "{Path(dest).parent}"' in config


@pytest.mark.parametrize("changed", [False, True])
def test_containerd_restarts_only_where_its_configuration_changed(tmp_path: Path, changed: bool) -> None:
    restarts = [step for step in steps(tmp_path, changed=changed) if step.args.get("state") == "restarted"]
    assert len(restarts) == int(changed)


def test_images_are_imported_where_containerd_lacks_them(tmp_path: Path) -> None:
    imports = [step.args["argv"] for step in steps(tmp_path) if "import" in (step.args.get("argv") or [])]
    assert len(imports) == 2
