# SPDX-License-Identifier: Apache-2.0
"""The playbooks that labctl ships: they load, and against the facts of a host they compile to what its runtimes must read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.load.inventory import load_inventory
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.model.artifact import RELEASES
from orchestrator.provision.channel import Channel
from orchestrator.provision.compile import Options
from orchestrator.provision.engine import HostRun, HostStopped
from orchestrator.provision.files import Blobs, BlobSource
from orchestrator.provision.scope import Variables
from orchestrator.provision.selection import Tags
from remote_agent.contract.steps import Outcome, Status, Step

SITE = Path(__file__).parents[3] / "playbooks" / "site.yaml"
FACTS = {
    "os_family": "Debian",
    "distribution": "Debian",
    "distribution_version": "13.8",
    "distribution_major_version": "13",
    "distribution_release": "trixie",
    "architecture": "x86_64",
    "service_mgr": "systemd",
    "labctl": {
        "cap_sys_resource": False,
        "overlayfs": True,
        "cgroup": {"version": "hybrid", "writable": True},
    },
}
PREFIX = "/opt/labctl"
TARGET = "trixie-x86_64"
BUILT = {
    "cni-plugins": ("1.9.1", ("bridge", "host-local", "loopback")),
    "containerd": ("2.4.2", ("containerd", "containerd-shim-runc-v2", "ctr")),
    "containers-storage": ("1.61.1", ("containers-storage",)),
    "cri-o": ("1.36.3", ("crio", "pinns")),
    "cri-tools": ("1.36.0", ("crictl",)),
    "runc": ("1.5.2", ("runc",)),
    "runsc": ("20260905.0", ("runsc", "containerd-shim-runsc-v1")),
}
DEBIANS = {
    "cni-plugins": ("1.1.1+ds1-3+b17", {"bridge": "/usr/lib/cni/bridge"}),
    "containerd": ("1.7.24~ds1-6+deb13u1", {"containerd": "/usr/bin/containerd", "ctr": "/usr/bin/ctr"}),
    "conmon": ("2.1.12-4", {"conmon": "/usr/bin/conmon"}),
    "crun": ("1.21-1", {"crun": "/usr/bin/crun"}),
    "runc": ("1.1.15+ds1-2+b4", {"runc": "/usr/sbin/runc"}),
}
RUNTIMES = {"runc": "runc", "crun": "runc", "runsc": "runsc"}


class RememberingChannel(Channel):
    """A host on which every step goes well; ``changed`` names those that changed something, ``stdout`` holds what commands say."""

    def __init__(self, changed: tuple[str, ...], stdout: dict[str, str]) -> None:
        self.host = "h"
        self.steps: list[Step] = []
        self._changed, self._says = changed, stdout
        self._waiting: list[Step] = []

    def send(self, step: Step) -> None:
        self.steps.append(step)
        self._waiting.append(step)

    def outcome(self, blobs: BlobSource, progress: Any, take: Any = None) -> Outcome:
        step = self._waiting.pop(0)
        changed = any(word in step.name for word in self._changed)
        words = " ".join(map(str, step.args.get("argv") or []))
        said = next((text for start, text in self._says.items() if words.startswith(start)), "")
        result = {"rc": 0, "stdout": said, "changed": changed}
        return Outcome(step.id, Status.CHANGED if changed else Status.OK, result=result)


def artifact(folder: Path, name: str, version: str, programs: dict[str, str], debian: bool) -> dict[str, Any]:
    path = folder / f"{name}.tar"
    path.write_text(name)
    return {
        "version": version,
        "source": "debian" if debian else "module",
        "key": f"{name}-key",
        "path": str(path),
        "sha256": name,
        "architecture": "x86_64",
        "programs": programs,
        "packages": [f"{name}_{version}_amd64.deb"] if debian else [],
    }


def artifacts(folder: Path, source: str = "module") -> dict[str, Any]:
    """What a build leaves: from source with Debian's crun and conmon, or Debian's packages alone."""
    components = {
        name: artifact(folder, name, version, programs, debian=True)
        for name, (version, programs) in DEBIANS.items()
        if name == "crun" or (name == "conmon") == (source == "module")
    }
    for name, (version, names) in BUILT.items() if source == "module" else ():
        programs = {program: f"{PREFIX}/{name}/current/bin/{program}" for program in names}
        components[name] = artifact(folder, name, version, programs, debian=False)
    handlers = {
        name: {"component": name, "kind": kind, "program": components[name]["programs"][name]}
        for name, kind in RUNTIMES.items()
        if name in components
    }
    images = {}
    for name in ("busybox", "pause", "sysbench"):
        (folder / f"{name}.image").write_text(name)
        entry = {"path": str(folder / f"{name}.image"), "sha256": name * 8, "digest": f"sha256:{name}"}
        images[name] = {"ref": f"localhost/labctl/{name}:1", **entry}
    (folder / "set.tar").write_text("set")
    whole = {"key": "images-key", "path": str(folder / "set.tar"), "sha256": "set"}
    told = {"components": components, "handlers": handlers, "missing": {}}
    return {"prefix": PREFIX, "images": images, "image_set": whole, "targets": {TARGET: told}}


def steps(
    folder: Path,
    built: dict[str, Any] | None = None,
    facts: dict[str, Any] | None = None,
    changed: tuple[str, ...] = (),
    extra: dict[str, Any] | None = None,
    stdout: dict[str, str] | None = None,
) -> list[Step]:
    """What the shipped playbook makes of a host with ``facts``. Raises HostStopped."""
    (folder / "inventory.yaml").write_text("all: {hosts: {h: {}}}\n")
    inventory, language = load_inventory(folder / "inventory.yaml", SITE.parent), Language({})
    host = inventory.host("h")
    variables = Variables(language, inventory, host, extra or {}, check=False)
    variables.learn(FACTS | (facts or {}))
    channel = RememberingChannel(changed, stdout or {})
    run = HostRun(channel, variables, Options(language, Blobs(), SITE.parent), lambda event: None)
    for play in load_playbook(SITE, language).plays:
        run.run(play, [{"labctl_artifacts": built or artifacts(folder)}], Tags())
    return channel.steps


def written(found: list[Step], dest: str) -> str:
    return next(str(step.args["content"]) for step in found if step.args.get("dest") == dest)


def containerd_config(found: list[Step]) -> dict[str, Any]:
    return tomllib.loads(written(found, "/etc/containerd/config.toml"))


def links(found: list[Step]) -> dict[str, str]:
    return {str(s.args["path"]): str(s.args["src"]) for s in found if s.args.get("state") == "link"}


def test_every_component_is_unpacked_and_then_its_link_switched(tmp_path: Path) -> None:
    found = steps(tmp_path)
    unpacked = [step for step in found if step.module == "unarchive"]
    assert {step.args["dest"] for step in unpacked} == {PREFIX} and len(unpacked) == 10
    switched = {path: src for path, src in links(found).items() if path.endswith("/current")}
    names = (*BUILT, "crun", "conmon", "images")
    assert switched == {f"{PREFIX}/{name}/current": f"{name}-key" for name in names}
    numbers = [found.index(step) for step in found if str(step.args.get("path", "")).endswith("/current")]
    assert max(found.index(step) for step in unpacked[:-1]) < min(numbers)
    assert found.index(unpacked[-1]) < max(numbers), "what comes with the images"
    (apt,) = [step for step in found if "deb" in step.args]
    assert apt.args["deb"].split(",") == [
        f"{PREFIX}/conmon/conmon-key/conmon_2.1.12-4_amd64.deb",
        f"{PREFIX}/crun/crun-key/crun_1.21-1_amd64.deb",
    ]


def test_what_was_built_is_on_the_path_and_debians_is_there_already(tmp_path: Path) -> None:
    on_path = {path for path in links(steps(tmp_path)) if path.startswith("/usr/local/bin/")}
    names = ("containerd", "containerd-shim-runc-v2", "crictl", "crio", "ctr", "pinns", "runc", "runsc")
    assert on_path == {f"/usr/local/bin/{name}" for name in names}


def test_another_architecture_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(
        HostStopped, match=r"Nothing has been built for trixie-aarch64 \(trixie-x86_64 has been\)"
    ):
        steps(tmp_path, facts={"architecture": "aarch64"})


def test_another_system_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    with pytest.raises(HostStopped, match=r"Debian 12 and 13, and this host has Ubuntu 24\.04"):
        steps(tmp_path, facts={"distribution": "Ubuntu", "distribution_version": "24.04"})


def test_what_a_release_cannot_have_is_said_and_written_down_for_the_agent(tmp_path: Path) -> None:
    built = artifacts(tmp_path)
    older = {**built["targets"][TARGET], "missing": {"crun": {"reason": "It is too old.", "handler": "crun"}}}
    older["components"] = {name: each for name, each in older["components"].items() if name != "crun"}
    older["handlers"] = {name: each for name, each in older["handlers"].items() if name != "crun"}
    built["targets"]["bookworm-x86_64"] = older
    found = steps(tmp_path, built, facts={"distribution_release": "bookworm"})
    assert json.loads(written(found, f"{PREFIX}/missing.json")) == older["missing"]
    assert not [step for step in found if "/crun/" in json.dumps(step.args)]
    assert json.loads(written(steps(tmp_path, built), f"{PREFIX}/missing.json")) == {}


def test_without_a_build_a_sentence_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HostStopped, match="run `labctl build --release trixie`"):
        steps(tmp_path, artifacts(tmp_path) | {"targets": {}})


DPKG_SAYS = [
    ("", False),
    ("??5?????? c /etc/containerd/config.toml", False),
    ("missing     /usr/share/doc/crun/copyright", False),
    ("??5??????   /usr/bin/crun", True),
    ("missing     /usr/bin/crun", True),
]


@pytest.mark.parametrize(("says", "mends"), DPKG_SAYS)
def test_a_program_of_a_package_that_was_changed_is_installed_again(
    tmp_path: Path, says: str, mends: bool
) -> None:
    found = steps(tmp_path, stdout={"dpkg --verify conmon crun": says})
    again = [s.args["argv"] for s in found if "--install" in (s.args.get("argv") or [])]
    debs = [
        f"{PREFIX}/conmon/conmon-key/conmon_2.1.12-4_amd64.deb",
        f"{PREFIX}/crun/crun-key/crun_1.21-1_amd64.deb",
    ]
    assert again == ([["dpkg", "--force-confold", "--install", *debs]] if mends else [])


def test_containerd_2_has_all_handlers(tmp_path: Path) -> None:
    config = containerd_config(steps(tmp_path))
    assert config["version"] == 3
    images = config["plugins"]["io.containerd.cri.v1.images"]
    assert images["pinned_images"]["sandbox"] == "localhost/labctl/pause:1"
    runtime = config["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is True
    assert runtime["cni"]["bin_dirs"] == [f"{PREFIX}/cni-plugins/current/bin"]
    runtimes = runtime["containerd"]["runtimes"]
    assert runtime["containerd"]["default_runtime_name"] == "runc"
    assert {name: runtimes[name]["options"]["BinaryName"] for name in ("runc", "crun")} == {
        "runc": f"{PREFIX}/runc/current/bin/runc",
        "crun": "/usr/bin/crun",
    }
    assert {runtimes[name]["options"]["SystemdCgroup"] for name in ("runc", "crun")} == {False}
    assert runtimes["runsc"]["runtime_type"] == "io.containerd.runsc.v1"
    assert runtimes["runsc"]["options"]["ConfigPath"] == "/etc/labctl/runsc/containerd-runsc.toml"


@pytest.mark.parametrize(
    ("version", "number"),
    [
        ("1.7.29", 2),
        ("1.7.29-3-gabcdef012345-dirty", 2),
        ("2.4.2-3-gabcdef012345", 3),
        ("10.0.0", 3),
        ("1abcdef01234", 3),
        ("api/v1.10.0-12-gabcdef012345", 3),
    ],
)
def test_a_containerd_of_ones_own_tree_has_the_configuration_that_it_reads(
    tmp_path: Path, version: str, number: int
) -> None:
    built = artifacts(tmp_path)
    built["targets"][TARGET]["components"]["containerd"]["version"] = version
    assert containerd_config(steps(tmp_path, built))["version"] == number


def test_debians_containerd_gets_the_older_version_of_the_configuration(tmp_path: Path) -> None:
    found = steps(tmp_path, artifacts(tmp_path, "debian"))
    config = containerd_config(found)
    cri = config["plugins"]["io.containerd.grpc.v1.cri"]
    assert config["version"] == 2
    assert cri["sandbox_image"] == "localhost/labctl/pause:1"
    assert cri["registry"]["config_path"] == "/etc/labctl/containerd-registries"
    assert (cri["cni"]["bin_dir"], cri["restrict_oom_score_adj"]) == ("/usr/lib/cni", True)
    runtimes = cri["containerd"]["runtimes"]
    assert {name: runtime["options"]["BinaryName"] for name, runtime in runtimes.items()} == {
        "runc": "/usr/sbin/runc",
        "crun": "/usr/bin/crun",
    }
    assert "ExecStart=/usr/bin/containerd\n" in written(found, "/etc/systemd/system/containerd.service")
    assert not [path for path in links(found) if path.startswith("/usr/local/bin/")]


def test_a_handler_of_the_inventorys_is_beside_those_that_were_built(tmp_path: Path) -> None:
    mine = {
        "runc-mine": {"program": "/opt/mine/runc", "kind": "runc"},
        "runsc-mine": {"program": "/opt/mine/bin/runsc", "kind": "runsc"},
    }
    found = steps(tmp_path, extra={"labctl_extra_handlers": mine}, facts={"labctl": {}})
    runtimes = containerd_config(found)["plugins"]["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]
    assert set(runtimes) == {"runc", "crun", "runsc", *mine}
    assert runtimes["runc-mine"]["options"]["BinaryName"] == "/opt/mine/runc"
    assert runtimes["runsc-mine"]["runtime_path"] == "/opt/mine/bin/containerd-shim-runsc-v1"
    shim = tomllib.loads(written(found, "/etc/labctl/runsc/containerd-runsc-mine.toml"))
    assert shim["binary_name"] == "/opt/mine/bin/runsc"


def test_a_name_with_dots_is_one_name_to_both_runtimes(tmp_path: Path) -> None:
    mine = {
        "runc-1.5": {"program": "/opt/mine/runc"},
        "runsc-2026.09": {"program": "/opt/mine/bin/runsc", "kind": "runsc"},
    }
    found = steps(tmp_path, extra={"labctl_extra_handlers": mine}, facts={"labctl": {}})
    runtimes = containerd_config(found)["plugins"]["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]
    assert set(runtimes) == {"runc", "crun", "runsc", *mine}
    assert runtimes["runc-1.5"]["options"]["BinaryName"] == "/opt/mine/runc"
    crio = tomllib.loads(written(found, "/etc/crio/crio.conf.d/10-labctl.conf"))["crio"]["runtime"][
        "runtimes"
    ]
    assert set(crio) == {"runc", "crun", "runsc", *mine}
    assert crio["runc-1.5"]["runtime_path"] == "/opt/mine/runc"
    shim = crio["runsc-2026.09"]["runtime_path"]
    assert re.search(r"/containerd-shim-([a-zA-Z0-9\-\+])+-v2$", shim), "CRI-O's own rule for a shim's name"
    assert written(found, shim).startswith("#!/bin/sh")
    older = steps(tmp_path, artifacts(tmp_path, "debian"), extra={"labctl_extra_handlers": mine})
    cri = containerd_config(older)["plugins"]["io.containerd.grpc.v1.cri"]
    assert set(cri["containerd"]["runtimes"]) == {"runc", "crun", *mine}


@pytest.mark.parametrize(
    ("name", "handler"),
    [
        ("kata", {"program": "/opt/kata/kata", "kind": "kata"}),
        ("bad name", {"program": "/opt/mine/runc"}),
        ('x"', {"program": "/opt/mine/runc"}),
        ("mine", {"program": "runc"}),
    ],
)
def test_a_handler_that_cannot_be_configured_is_refused(
    tmp_path: Path, name: str, handler: dict[str, str]
) -> None:
    with pytest.raises(HostStopped, match="the kind runc or runsc"):
        steps(tmp_path, extra={"labctl_extra_handlers": {name: handler}})


def test_a_handlers_component_of_ones_own_needs_no_line_of_code(tmp_path: Path) -> None:
    built = artifacts(tmp_path)
    program = f"{PREFIX}/wrapped/current/bin/wrapped"
    built["targets"][TARGET]["components"]["wrapped"] = artifact(
        tmp_path, "wrapped", "1", {"wrapped": program}, debian=False
    )
    built["targets"][TARGET]["handlers"]["wrapped"] = {
        "component": "wrapped",
        "kind": "runc",
        "program": program,
    }
    found = steps(tmp_path, built)
    assert links(found)[f"{PREFIX}/wrapped/current"] == "wrapped-key"
    assert links(found)["/usr/local/bin/wrapped"] == program
    runtimes = containerd_config(found)["plugins"]["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]
    assert runtimes["wrapped"]["options"]["BinaryName"] == program


@pytest.mark.parametrize("capable", [False, True])
def test_adapters_are_only_where_the_capability_is_missing(tmp_path: Path, capable: bool) -> None:
    found = steps(tmp_path, facts={"labctl": {"cap_sys_resource": capable, "kvm": {"runs": capable}}})
    adapter = f"{PREFIX}/adapters/uid-map-runsc"
    runtime = containerd_config(found)["plugins"]["io.containerd.cri.v1.runtime"]
    assert runtime["restrict_oom_score_adj"] is not capable
    real = f"{PREFIX}/runsc/current/bin/containerd-shim-runsc-v1"
    assert runtime["containerd"]["runtimes"]["runsc"]["runtime_path"] == (real if capable else adapter)
    unit = written(found, "/etc/systemd/system/containerd.service")
    assert ("OOMScoreAdjust" in unit) is capable
    shim = tomllib.loads(written(found, "/etc/labctl/runsc/containerd-runsc.toml"))
    assert shim["runsc_config"]["platform"] == ("kvm" if capable else "systrap")
    if capable:
        assert {s.args["state"] for s in found if s.args.get("path") == adapter} == {"absent"}
    else:
        lines = written(found, adapter).splitlines()
        assert lines[1].startswith("# ") and lines[-1] == f'exec {real} "$@"'


def test_a_kernel_without_overlayfs_copies_layers(tmp_path: Path) -> None:
    found = steps(tmp_path, facts={"labctl": {"overlayfs": False}})
    assert containerd_config(found)["plugins"]["io.containerd.cri.v1.images"]["snapshotter"] == "native"
    transfer = containerd_config(found)["plugins"]["io.containerd.transfer.v1.local"]
    assert transfer["unpack_config"] == [{"platform": "linux/amd64", "snapshotter": "native"}]
    assert "io.containerd.transfer.v1.local" not in containerd_config(steps(tmp_path))["plugins"]
    imports = [step.args["argv"] for step in found if "import" in (step.args.get("argv") or [])]
    assert len(imports) >= 2 and all("native" in argv for argv in imports if argv[0] == "ctr")


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


@pytest.mark.parametrize(
    ("changed", "restarts"),
    [
        ((), 0),
        (("Switch to this build of containerd",), 1),
        (("Configure containerd", "Describe containerd's service"), 1),
        (("Unpack the artifacts",), 1),  # containerd's own files among them
        (
            ("Switch to this build of each", "Switch to this build of the CNI plugins", "Write the settings"),
            0,
        ),
    ],
)
def test_containerd_restarts_only_for_what_it_reads_itself(
    tmp_path: Path, changed: tuple[str, ...], restarts: int
) -> None:
    found = steps(tmp_path, changed=changed)
    again = [s for s in found if s.args.get("state") == "restarted" and s.args["name"] == "containerd"]
    assert len(again) == restarts


def test_images_are_imported_where_containerd_lacks_them(tmp_path: Path) -> None:
    imports = [step.args["argv"] for step in steps(tmp_path) if "import" in (step.args.get("argv") or [])]
    assert len([argv for argv in imports if argv[0] == "ctr"]) == 3


def test_the_registry_is_on_loopback_and_cri_o_trusts_it_without_a_word_in_etc_containers(
    tmp_path: Path,
) -> None:
    found = steps(tmp_path, extra={"registry_port": 6000})
    unit = written(found, "/etc/systemd/system/labctl-registry.service")
    command = f"/usr/bin/python3 -I {PREFIX}/registry/registry.py 6000 {PREFIX}/images/current/registry"
    assert f"ExecStart={command}\n" in unit
    trusted = tomllib.loads(written(found, "/etc/crio/registries.conf"))
    assert trusted["registry"] == [{"location": "127.0.0.1:6000", "insecure": True}]
    folder = containerd_config(found)["plugins"]["io.containerd.cri.v1.images"]["registry"]["config_path"]
    server = tomllib.loads(written(found, f"{folder}/127.0.0.1:6000/hosts.toml"))["server"]
    assert server == "http://127.0.0.1:6000"
    crio = written(found, "/etc/systemd/system/crio.service")
    assert "Environment=CONTAINER_REGISTRIES_CONF=/etc/crio/registries.conf\n" in crio
    assert "Environment=CONTAINER_REGISTRIES_CONF_DIR=/etc/crio/registries.conf.d\n" in crio


@pytest.mark.parametrize(
    ("changed", "restarts"),
    [((), 0), (("Bring the registry",), 1), (("Switch to this build of the images",), 0)],
)
def test_the_registry_restarts_only_for_itself(
    tmp_path: Path, changed: tuple[str, ...], restarts: int
) -> None:
    found = steps(tmp_path, changed=changed)
    again = [s for s in found if s.args.get("state") == "restarted" and s.args["name"] == "labctl-registry"]
    assert len(again) == restarts


def test_crictl_needs_no_option(tmp_path: Path) -> None:
    found = steps(tmp_path)
    config = yaml.safe_load(written(found, "/etc/crictl.yaml"))
    socket = "unix:///run/containerd/containerd.sock"
    assert (config["runtime-endpoint"], config["image-endpoint"]) == (socket, socket)
    assert "--config /etc/crictl-containerd.yaml" in written(found, "/usr/local/bin/crictl-containerd")


@pytest.mark.parametrize("lacking", ["containerd", "crun", "runsc", "cri-tools"])
def test_a_component_that_was_not_built_is_left_out(tmp_path: Path, lacking: str) -> None:
    built = artifacts(tmp_path)
    del built["targets"][TARGET]["components"][lacking]
    built["targets"][TARGET]["handlers"].pop(lacking, None)
    assert not [step for step in steps(tmp_path, built) if f"/{lacking}/" in json.dumps(step.args)]


def test_a_host_may_have_no_component_from_debians_packages(tmp_path: Path) -> None:
    """As a Debian 12 with what was built for it: the list of .deb files is then a template without any output."""
    built = artifacts(tmp_path)
    told = built["targets"][TARGET]
    told["components"] = {
        name: entry
        for name, entry in told["components"].items()
        if not entry["packages"] and name != "cri-o"  # which has no monitor then
    }
    told["handlers"] = {name: entry for name, entry in told["handlers"].items() if name in told["components"]}
    found = steps(tmp_path, built)
    assert claims(found, "deb") == set()
    assert claims(found, "instance") == {"containerd"}


def test_critest_is_there_where_it_was_built(tmp_path: Path) -> None:
    built = artifacts(tmp_path)
    program = f"{PREFIX}/critest/current/bin/critest"
    built["targets"][TARGET]["components"]["critest"] = artifact(
        tmp_path, "critest", "1", {"critest": program}, debian=False
    )
    assert links(steps(tmp_path, built))["/usr/local/bin/critest"] == program


def crio_config(found: list[Step]) -> dict[str, Any]:
    return dict(tomllib.loads(written(found, "/etc/crio/crio.conf.d/10-labctl.conf"))["crio"])


def test_cri_o_is_set_up_as_containerd_is_and_touches_nothing_of_others(tmp_path: Path) -> None:
    found = steps(tmp_path)
    config, plugins = crio_config(found), containerd_config(found)["plugins"]
    cni = plugins["io.containerd.cri.v1.runtime"]["cni"]
    assert config["network"] == {"network_dir": cni["conf_dir"], "plugin_dirs": cni["bin_dirs"]}
    assert config["image"]["pause_image"] == "localhost/labctl/pause:1"
    runtime = config["runtime"]
    assert (runtime["cgroup_manager"], runtime["drop_infra_ctr"], runtime["default_runtime"]) == (
        "cgroupfs", False, "runc",
    )  # fmt: skip
    assert runtime["pinns_path"] == f"{PREFIX}/cri-o/current/bin/pinns"
    runtimes = runtime["runtimes"]
    assert set(runtimes) == set(plugins["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"])
    assert runtimes["crun"]["monitor_path"] == "/usr/bin/conmon"
    assert runtimes["runsc"]["runtime_type"] == "vm"
    assert runtimes["runsc"]["runtime_path"].endswith("/containerd-shim-runsc-v2"), "CRI-O demands this name"
    assert config["nri"]["nri_listen"] != "/var/run/nri/nri.sock", "that is containerd's"
    assert not [step for step in found if str(step.args.get("dest", "")).startswith("/etc/containers")]
    shims = [
        tomllib.loads(written(found, f"/etc/labctl/runsc/{cri}-runsc.toml")) for cri in ("containerd", "crio")
    ]
    assert shims[0]["runsc_config"] == shims[1]["runsc_config"], "gVisor's settings are the same for both"
    assert shims[1]["grouping"] is True
    assert shims[1]["runsc_config"]["overlay2"] != "root:self"


@pytest.mark.parametrize("capable", [False, True])
def test_cri_os_oci_runtimes_have_an_adapter_only_without_the_capability(
    tmp_path: Path, capable: bool
) -> None:
    found = steps(tmp_path, facts={"labctl": {"cap_sys_resource": capable}})
    runtimes = crio_config(found)["runtime"]["runtimes"]
    shim = tomllib.loads(written(found, "/etc/labctl/runsc/crio-runsc.toml"))
    real = {
        "runc": f"{PREFIX}/runc/current/bin/runc",
        "crun": "/usr/bin/crun",
        "runsc": f"{PREFIX}/runsc/current/bin/runsc",
    }
    for name, program in real.items():
        adapter = f"{PREFIX}/adapters/oom-score-adj-{name}"
        used = shim["binary_name"] if name == "runsc" else runtimes[name]["runtime_path"]
        assert used == (program if capable else adapter)
        if capable:
            assert {s.args["state"] for s in found if s.args.get("path") == adapter} == {"absent"}
    assert ("OOMScoreAdjust" in written(found, "/etc/systemd/system/crio.service")) is capable


@pytest.mark.parametrize(
    ("changed", "restarts"),
    [
        ((), 0),
        (("Switch to this build of CRI-O",), 1),
        (("Configure CRI-O", "Describe CRI-O's service", "Say whose images", "Say which registry"), 1),
        (("Switch to this build of each", "Write gVisor's settings", "Put an adapter before each"), 0),
    ],
)
def test_cri_o_restarts_only_for_what_it_reads_itself(
    tmp_path: Path, changed: tuple[str, ...], restarts: int
) -> None:
    found = steps(tmp_path, changed=changed)
    assert (
        len([s for s in found if s.args.get("state") == "restarted" and s.args["name"] == "crio"]) == restarts
    )


def test_images_go_into_cri_os_own_storage(tmp_path: Path) -> None:
    found = [s.args["argv"] for s in steps(tmp_path) if "import_image.py" in str(s.args.get("argv"))]
    names = ("busybox", "pause", "sysbench")
    assert [argv[3] for argv in found] == [f"localhost/labctl/{name}:1" for name in names]
    program = f"{PREFIX}/containers-storage/current/bin/containers-storage"
    assert found[0][4:] == [program, "/var/lib/crio/storage", "/run/crio/storage", "overlay"]


# --- the adapters, run for real


def adapter(folder: Path, name: str) -> Path:
    text = written(steps(folder), f"{PREFIX}/adapters/{name}")
    path = folder / name
    path.write_text(text)
    path.chmod(0o755)
    return path


def fake(folder: Path, text: str) -> str:
    path = folder / "real"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def run_it(path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(path), *words], capture_output=True, text=True, timeout=20, check=False)


ANSWER = '{"version":2,"address":"unix:///run/vc/s.sock","protocol":"ttrpc"}'


def test_cri_o_is_told_the_address_alone(tmp_path: Path) -> None:
    shim = fake(
        tmp_path, f"for word; do [ $word = start ] && echo '{ANSWER}' && exit; done; echo \"$@\"; exit 3"
    )
    path = adapter(tmp_path, "containerd-shim-runsc-v2")
    path.write_text(path.read_text().replace(f"{PREFIX}/adapters/uid-map-runsc", shim))
    assert run_it(path, "-namespace", "default", "-id", "x y", "start").stdout == "unix:///run/vc/s.sock"
    other = run_it(path, "-id", "x y", "delete")
    assert (other.stdout, other.returncode) == ("-id x y delete\n", 3), (
        "everything else is the shim's own answer"
    )


def test_a_shim_that_cannot_start_says_so_itself(tmp_path: Path) -> None:
    shim = fake(tmp_path, "echo no such pod >&2; exit 5")
    path = adapter(tmp_path, "containerd-shim-runsc-v2")
    path.write_text(path.read_text().replace(f"{PREFIX}/adapters/uid-map-runsc", shim))
    done = run_it(path, "-id", "x", "start")
    assert (done.stdout, done.stderr, done.returncode) == ("", "no such pod\n", 5)


@pytest.mark.parametrize("flag", ["--bundle {}", "-b {}", "--bundle={}"])
def test_only_a_negative_oom_score_becomes_zero(tmp_path: Path, flag: str) -> None:
    path = adapter(tmp_path, "oom-score-adj-runc")
    path.write_text(path.read_text().replace(f"{PREFIX}/runc/current/bin/runc", fake(tmp_path, 'echo "$@"')))
    config = tmp_path / "config.json"
    config.write_text('{"process":{"oomScoreAdj":-998},"linux":{"x":-1}}')
    words = ["create", *flag.format(tmp_path).split(" "), "id"]
    done = run_it(path, *words)
    assert (done.stdout, done.returncode) == (f"{' '.join(words)}\n", 0)
    assert config.read_text() == '{"process":{"oomScoreAdj":0},"linux":{"x":-1}}'
    config.write_text('{"process":{"oomScoreAdj":500}}')
    run_it(path, *words)
    assert config.read_text() == '{"process":{"oomScoreAdj":500}}'
    assert run_it(path, "delete", "id").stdout == "delete id\n"


def test_every_adapter_is_a_shell_program_that_says_what_it_is(tmp_path: Path) -> None:
    found = steps(tmp_path)
    written_here = {
        str(s.args["dest"]) for s in found if str(s.args.get("dest", "")).startswith(f"{PREFIX}/adapters/")
    }
    assert len(written_here) == 5
    for dest in written_here:
        (tmp_path / "adapter").write_text(written(found, dest))
        shell = shutil.which("sh")
        assert shell
        assert (
            subprocess.run([shell, "-n", str(tmp_path / "adapter")], check=False, timeout=20).returncode == 0
        )
        assert written(found, dest).splitlines()[1].startswith("# ")


OWN = (PREFIX, "/etc/labctl", "/var/lib/labctl", "/run/labctl", "/etc/cni/labctl.d")
"""What bears labctl's name."""


def claims(found: list[Step], option: str) -> set[str]:
    """What the check before provisioning is told by this option."""
    (argv,) = [step.args["argv"] for step in found if "claim" in (step.args.get("argv") or [])]
    return {word.partition("=")[2] for word in argv if word.startswith(f"--{option}=")}


def outside(found: list[Step]) -> dict[str, Step]:
    """Files and links that are made outside labctl's own folders, by their paths."""
    places = {str(step.args.get("dest") or step.args.get("path")): step for step in found}
    return {
        place: step
        for place, step in places.items()
        if step.module in ("copy", "template") or step.args.get("state") == "link"
        if not place.startswith(OWN)
    }


@pytest.mark.parametrize("source", ["module", "debian"])
def test_whatever_is_written_is_compared_with_what_is_there_first(tmp_path: Path, source: str) -> None:
    found = steps(tmp_path, artifacts(tmp_path, source))
    assert claims(found, "path") == set(outside(found))
    changes = [step for step in found if step.module not in ("command", "debug", "assert")]
    claim = next(step for step in found if "claim" in (step.args.get("argv") or []))
    before = [step for step in changes if step.id < claim.id]
    assert {str(step.args.get("dest") or step.args["path"]).split("/")[2] for step in before} == {
        "labctl-programs"
    }


def test_packages_images_and_runtimes_are_listed_too(tmp_path: Path) -> None:
    found = steps(tmp_path)
    assert claims(found, "instance") == {"containerd", "crio"}
    assert claims(found, "deb") == {"conmon_2.1.12-4_amd64.deb", "crun_1.21-1_amd64.deb"}
    installed = {str(step.args["name"]) for step in found if step.module == "apt" and "name" in step.args}
    assert claims(found, "package") == installed
    assert claims(found, "image") == {
        f"localhost/labctl/{name}:1" for name in ("busybox", "pause", "sysbench")
    }


def test_whatever_is_written_outside_labctls_folders_says_so(tmp_path: Path) -> None:
    """JSON has no comments: there the manifest lists it."""
    found = outside(steps(tmp_path))
    contents = {
        place: str(step.args["content"])
        for place, step in found.items()
        if "content" in step.args and not place.endswith(".json")
    }
    assert len(contents) >= 10
    assert [place for place, content in contents.items() if "Written by labctl" not in content] == []


def test_what_would_be_replaced_is_refused_with_the_programs_sentence(tmp_path: Path) -> None:
    says = json.dumps(
        {"refusal": "labctl did not make the file /etc/x, and does not replace it.", "changed": False}
    )
    with pytest.raises(HostStopped, match="labctl did not make the file /etc/x"):
        steps(tmp_path, stdout={"python3 /run/labctl-programs/ownership.py claim": says})


def test_the_playbooks_know_the_releases_that_labctl_builds_for() -> None:
    """They have a list of their own, for ansible-core."""
    defaults = yaml.safe_load((SITE.parent / "roles/target/defaults/main.yaml").read_text())
    assert defaults["target_releases"] == dict(RELEASES)
