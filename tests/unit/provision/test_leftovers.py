# SPDX-License-Identifier: Apache-2.0
"""The program that `labctl clean` runs on hosts, on made-up file systems: what it takes, and what it leaves."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "playbooks" / "files" / "leftovers.py"
HISTORY = """
Start-Date: 2026-01-01  10:00:00
Commandline: apt-get -q -y install --no-install-recommends /opt/labctl/crun/5c3f/crun_1.21-1_amd64.deb
Install: crun:amd64 (1.21-1), libyajl2:amd64 (2.1.0-5, automatic)
Upgrade: libcap2:amd64 (2.74, 2.75)
End-Date: 2026-01-01  10:00:01
"""
OTHERS = """
Start-Date: 2025-01-01  10:00:00
Commandline: apt-get install vim
Install: vim:amd64 (9.1), vim-runtime:amd64 (9.1, automatic)
"""

UNIT = "# Written by labctl (role containerd).\n"


@pytest.fixture
def leftovers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("leftovers", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "leftovers", module)  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


def put(root: Path, name: str, content: str = "x") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A host on which a bit of everything lies."""
    for key in ("new", "old"):
        put(tmp_path, f"opt/labctl/runc/{key}/bin/runc")
        put(tmp_path, f"opt/labctl/agent/{key}/.complete")
    put(tmp_path, "opt/labctl/agent/running/.complete")
    put(tmp_path, "opt/labctl/adapters/containerd-shim-runsc-v1")
    for component in ("runc", "agent"):
        (tmp_path / "opt/labctl" / component / "current").symlink_to("new")
    put(
        tmp_path,
        "proc/77/environ",
        "A=b\0PYTHONPATH=/opt/labctl/agent/running:/opt/labctl/agent/running/wheels\0",
    )
    put(tmp_path, "proc/77/cmdline", "python3\0-m\0remote_agent\0")
    put(tmp_path, "var/lib/labctl/images/aa.tar")
    put(tmp_path, "var/lib/labctl/images/bb.tar")
    put(tmp_path, "var/cache/labctl/blobs/aa")
    put(tmp_path, "var/cache/labctl/blobs/cc")
    for run in ("fresh", "ancient"):
        put(tmp_path, f"var/lib/labctl/runs/{run}/journal.jsonl")
    for path in (
        tmp_path / "var/lib/labctl/runs/ancient",
        tmp_path / "var/lib/labctl/runs/ancient/journal.jsonl",
    ):
        os.utime(path, (0, 0))
    put(tmp_path, "var/lib/cni/networks/labctl/10.88.0.2")
    put(tmp_path, "var/lib/cni/networks/labctl/last_reserved_ip.0")
    put(tmp_path, "var/lib/cni/networks/other/10.99.0.2")
    put(tmp_path, "run/netns/cni-1234")
    put(tmp_path, "run/netns/mine")
    put(tmp_path, "etc/systemd/system/containerd.service", UNIT)
    return tmp_path


def cleaned(leftovers: ModuleType, root: Path, check: bool = False, keep: Any = ("aa",)) -> Any:
    cleaner = leftovers.Cleaner(root=root, check=check)
    leftovers.clean(cleaner, "web1", 30, frozenset(keep))
    assert cleaner.problems == []
    return cleaner


TAKEN = ["opt/labctl/runc/old", "opt/labctl/agent/old", "var/lib/labctl/images/bb.tar", "var/cache/labctl/blobs/cc",
         "var/lib/labctl/runs/ancient", "var/lib/cni/networks/labctl/10.88.0.2", "run/netns/cni-1234"]  # fmt: skip
LEFT = ["opt/labctl/runc/new", "opt/labctl/agent/new", "opt/labctl/agent/running", "opt/labctl/adapters/containerd-shim-runsc-v1",
        "var/lib/labctl/images/aa.tar", "var/cache/labctl/blobs/aa", "var/lib/labctl/runs/fresh",
        "var/lib/cni/networks/labctl/last_reserved_ip.0", "var/lib/cni/networks/other/10.99.0.2", "run/netns/mine"]  # fmt: skip


def test_it_takes_what_is_not_in_use_and_nothing_else(leftovers: ModuleType, host: Path) -> None:
    assert len(cleaned(leftovers, host).removed) == len(TAKEN)
    assert [name for name in TAKEN if (host / name).exists()] == []
    assert [name for name in LEFT if not (host / name).exists()] == []
    assert cleaned(leftovers, host).removed == []


def test_a_prediction_names_the_same_and_removes_nothing(leftovers: ModuleType, host: Path) -> None:
    said = cleaned(leftovers, host, check=True).removed
    assert all((host / name).exists() for name in TAKEN)
    assert said == cleaned(leftovers, host).removed


def test_networks_stay_while_a_pod_may_use_them(leftovers: ModuleType, host: Path) -> None:
    put(
        host,
        "proc/78/cmdline",
        "/opt/labctl/containerd/new/bin/containerd-shim-runc-v2\0-namespace\0k8s.io\0",
    )
    cleaned(leftovers, host)
    assert (host / "var/lib/cni/networks/labctl/10.88.0.2").exists() and (
        host / "run/netns/cni-1234"
    ).exists()


def test_archives_stay_where_nobody_knows_which_are_in_use(leftovers: ModuleType, host: Path) -> None:
    cleaned(leftovers, host, keep=())
    assert (host / "var/lib/labctl/images/bb.tar").exists()


def test_only_this_host_s_control_groups_go_and_none_with_a_process(
    leftovers: ModuleType, tmp_path: Path
) -> None:
    tree = tmp_path / "sys/fs/cgroup/memory/labctl"
    for name in ("web1/pod1/c1", "web1/pod2", "web2/pod1"):
        (tree / name).mkdir(parents=True)
    put(tree, "web1/pod2/cgroup.procs", "12\n")
    cleaner = leftovers.Cleaner(root=tmp_path)
    leftovers.remove_cgroups(cleaner, "web1")
    assert cleaner.problems == []
    assert sorted(str(path.relative_to(tree)) for path in tree.glob("*/*")) == ["web1/pod2", "web2/pod1"]


def test_without_a_manifest_apt_s_history_says_which_packages_labctl_installed(
    leftovers: ModuleType, tmp_path: Path
) -> None:
    put(tmp_path, "var/log/apt/history.log", OTHERS)
    (tmp_path / "var/log/apt/history.log.1.gz").write_bytes(gzip.compress(HISTORY.encode()))
    put(
        tmp_path, "var/lib/apt/extended_states", "Package: libyajl2\nArchitecture: amd64\nAuto-Installed: 1\n"
    )
    assert leftovers.packages_of_labctl(leftovers.Cleaner(root=tmp_path)) == ({"crun"}, {"libyajl2"})


@pytest.mark.parametrize(
    ("unit", "beside", "goes"),
    [
        ("# Written by labctl (role crio).\n", (), True),
        ("# Written by labctl (role crio).\n", ("storage/overlay/x",), False),  # podman's images
        ("# Written by labctl (role crio).\n", ("cache/of-another",), False),
        ("[Unit]\n", (), False),  # somebody else's CRI-O
    ],
)
def test_the_cache_of_pulls_goes_where_nothing_but_our_cri_o_keeps_images(
    leftovers: ModuleType, tmp_path: Path, unit: str, beside: tuple[str, ...], goes: bool
) -> None:
    put(tmp_path, "etc/systemd/system/crio.service", unit)
    cache = put(tmp_path, "var/lib/containers/cache/blob-info-cache-v1.sqlite")
    for name in beside:
        put(tmp_path, f"var/lib/containers/{name}")
    predicted, cleaner = leftovers.Cleaner(tmp_path, check=True), leftovers.Cleaner(tmp_path)
    leftovers.remove_blob_cache(predicted)
    assert cache.exists()
    leftovers.remove_blob_cache(cleaner)
    assert predicted.removed == cleaner.removed == ([f"folder {cache.parents[1]}"] if goes else [])
    assert cache.parents[1].exists() is not goes


def test_of_the_path_only_our_links_and_scripts(leftovers: ModuleType, tmp_path: Path) -> None:
    tmp_path = tmp_path / "usr/local/bin"
    tmp_path.mkdir(parents=True)
    (tmp_path / "runc").symlink_to("/opt/labctl/runc/current/bin/runc")
    (tmp_path / "other").symlink_to("/usr/bin/env")
    put(tmp_path, "labctl-agent", "#!/bin/sh\n# Written by labctl: runs the agent\n")
    put(tmp_path, "crictl-crio", '#!/bin/sh\nexec crictl --config /etc/crictl-crio.yaml "$@"\n')
    put(tmp_path, "mine", "#!/bin/sh\n")
    marked = leftovers.Host(tmp_path.parents[2]).is_marked
    assert [path.name for path in sorted(tmp_path.iterdir()) if marked(f"/usr/local/bin/{path.name}")] == [
        "crictl-crio",
        "labctl-agent",
        "runc",
    ]


CONFIG = {
    "containerd": "run/containerd/io.containerd.runtime.v2.task/k8s.io/{}/config.json",
    "crio": "run/crio/storage/overlay-containers/{}/userdata/config.json",
}


def shim(root: Path, pid: int, pod: str, runtime: str = "containerd", labels: str = "{}") -> None:
    """A process that stands beside a container of the pod ``pod``, NAMESPACE/NAME; without a slash it is in no pod."""
    namespace, _, name = pod.rpartition("/")
    config = CONFIG[runtime].format(pid)
    of_containerd = {"io.kubernetes.cri.sandbox-namespace": namespace, "io.kubernetes.cri.sandbox-name": name}
    of_crio = {"io.kubernetes.cri-o.SandboxName": f"k8s_{name}_{namespace}_1234-56_0"}
    annotations = {"containerd": of_containerd, "crio": of_crio}[runtime] if namespace else {}
    put(root, config, json.dumps({"annotations": {**annotations, "io.kubernetes.cri-o.Labels": labels}}))
    bundle = str(Path("/", config).parent)
    if runtime == "crio":
        put(root, f"proc/{pid}/cmdline", f"/usr/bin/conmon\0-b\0{bundle}\0-c\0{pid}\0")
    else:
        words = f"containerd-shim-runc-v2\0-namespace\0k8s.io\0-id\0{name}\0"
        put(root, f"proc/{pid}/cmdline", words)
        (root / f"proc/{pid}/cwd").symlink_to(bundle)


@pytest.fixture
def commands(leftovers: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Command lines that a purge executes, and signals that it sends."""
    lines: list[str] = []

    def run(*words: str) -> str:
        lines.append(" ".join(words))
        return ""

    monkeypatch.setattr(leftovers, "run", run)
    monkeypatch.setattr(leftovers, "GRACE_S", 0.0)
    monkeypatch.setattr(os, "kill", lambda pid, number: lines.append(f"kill {pid}"))
    return lines


def claimed(leftovers: ModuleType, root: Path, **claims: tuple[str, ...]) -> None:
    """The host as the check before provisioning leaves it."""
    ownership = leftovers.ownership
    host = ownership.Host(root, states=lambda units: {}, listens=lambda path: False)
    assert ownership.claim(host, ownership.Claims(**claims))["refusal"] == ""


def provisioned(leftovers: ModuleType, root: Path, *existing: str) -> None:
    """containerd by labctl, on a host that had ``existing``."""
    for name in existing:
        put(root, name)
    claimed(
        leftovers,
        root,
        instances=("containerd",),
        paths=("/etc/containerd/config.toml", "/usr/local/bin/runc"),
    )
    put(root, "etc/systemd/system/containerd.service", UNIT)
    put(root, "etc/containerd/config.toml", UNIT)
    put(root, "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256/aa")
    put(root, "run/containerd/containerd.sock.ttrpc")
    put(root, "opt/labctl/runc/new/bin/runc")
    (root / "usr/local/bin").mkdir(parents=True)
    (root / "usr/local/bin/runc").symlink_to("/opt/labctl/runc/new/bin/runc")


def tree(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def purged(leftovers: ModuleType, root: Path, check: bool = False) -> Any:
    cleaner = leftovers.Cleaner(root=root, check=check)
    leftovers.purge(cleaner, "web1")
    assert cleaner.problems == []
    return cleaner


def test_a_purge_leaves_what_was_there_before(
    leftovers: ModuleType, commands: list[str], tmp_path: Path
) -> None:
    for name in ("usr/local/bin", "usr/local", "usr"):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    before = [*tree(tmp_path), "etc/systemd", "etc/systemd/system", "etc", "opt", "run", "var", "var/lib"]
    (tmp_path / "usr/local/bin").rmdir()
    provisioned(leftovers, tmp_path)
    predicted = purged(leftovers, tmp_path, check=True).removed
    assert (tmp_path / "opt/labctl").exists()
    assert purged(leftovers, tmp_path).removed == predicted
    assert tree(tmp_path) == sorted(before)
    assert "systemctl disable --now containerd.service" in commands
    assert purged(leftovers, tmp_path).removed == []


def test_folders_that_were_there_before_stay_with_what_is_in_them(
    leftovers: ModuleType, commands: list[str], tmp_path: Path
) -> None:
    (tmp_path / "run/netns").mkdir(parents=True)
    provisioned(
        leftovers, tmp_path, "var/lib/containerd/owners", "etc/cni/net.d/owners", "etc/containerd/owners.toml"
    )
    (tmp_path / "run/ipcns").mkdir()
    cleaner = purged(leftovers, tmp_path)
    stays = ("var/lib/containerd/owners", "etc/cni/net.d/owners", "etc/containerd/owners.toml")
    assert all((tmp_path / name).exists() for name in stays)
    assert cleaner.kept == ["folder /var/lib/containerd: it was there before labctl"]
    assert not (tmp_path / "etc/containerd/config.toml").exists()
    assert [(tmp_path / "run" / name).exists() for name in ("netns", "ipcns")] == [True, False]


def test_a_file_without_its_mark_is_somebody_elses_by_now(
    leftovers: ModuleType, commands: list[str], tmp_path: Path
) -> None:
    provisioned(leftovers, tmp_path)
    put(tmp_path, "etc/containerd/config.toml", "version = 3\n")
    assert purged(leftovers, tmp_path).kept == [
        "file /etc/containerd/config.toml: it does not say any more that labctl wrote it"
    ]
    assert (tmp_path / "etc/containerd/config.toml").exists()


@pytest.mark.parametrize(
    ("runtime", "pod", "named"),
    [
        ("containerd", "default/web", "default/web"),
        ("crio", "default/web-1", "default/web-1"),
        ("containerd", "job", "k8s.io/job"),
    ],
)
def test_nothing_goes_while_a_foreign_pod_runs(
    leftovers: ModuleType, commands: list[str], tmp_path: Path, runtime: str, pod: str, named: str
) -> None:
    provisioned(leftovers, tmp_path)
    put(tmp_path, "etc/systemd/system/crio.service", UNIT)
    shim(tmp_path, 41, "labctl/labctl-0-1234")
    shim(tmp_path, 42, pod, runtime)
    before = tree(tmp_path)
    cleaner = purged(leftovers, tmp_path)
    assert f"no run of labctl made runs: {named}." in cleaner.refusal
    assert (cleaner.removed, commands, tree(tmp_path)) == ([], [], before)


def test_shims_of_others_are_never_killed(leftovers: ModuleType, commands: list[str], tmp_path: Path) -> None:
    """Of a runtime that is not labctl's: docker's containerd, or podman's conmon."""
    provisioned(leftovers, tmp_path)
    shim(tmp_path, 41, "labctl/labctl-0-1234")
    put(tmp_path, "proc/42/cmdline", "/usr/bin/containerd-shim-runc-v2\0-namespace\0moby\0-id\0web\0")
    (tmp_path / "proc/42/cwd").symlink_to(
        "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/web"
    )
    put(tmp_path, "run/containerd/s/of-docker")
    put(tmp_path, "run/netns/cni-of-somebody")
    assert purged(leftovers, tmp_path).refusal == ""
    assert [line for line in commands if line.startswith("kill")] == ["kill 41", "kill 41"]
    assert (tmp_path / "run/containerd/s/of-docker").exists(), "its shim is reached by it"
    assert (tmp_path / "run/netns/cni-of-somebody").exists()


def test_nothing_of_a_foreign_runtime_goes(
    leftovers: ModuleType, commands: list[str], tmp_path: Path
) -> None:
    """An owner's containerd with pods, on which labctl has never been."""
    shim(tmp_path, 42, "default/web")
    for name in (
        "etc/containerd/config.toml",
        "etc/crio/policy.json",
        "run/containerd/containerd.sock",
        "run/netns/cni-1234",
        "run/runc/web/state.json",
        "usr/lib/systemd/system/containerd.service",
        "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256/aa",
    ):
        put(tmp_path, name)
    for name in ("run/crun", "etc/cni", "var/lib/containers"):
        (tmp_path / name).mkdir(parents=True)
    before = tree(tmp_path)
    assert cleaned(leftovers, tmp_path).removed == []
    assert purged(leftovers, tmp_path).removed == []
    assert (commands, tree(tmp_path)) == ([], before)


@pytest.mark.parametrize("unit", ["", UNIT])
def test_namespaces_stay_beside_a_runtime_of_somebody_else(
    leftovers: ModuleType, tmp_path: Path, unit: str
) -> None:
    """A pod that is stopped has no shim, and its namespace does not say whose it is."""
    put(tmp_path, "run/netns/cni-1234")
    put(tmp_path, "run/containerd/containerd.sock")
    put(tmp_path, "etc/systemd/system/crio.service", unit)
    assert cleaned(leftovers, tmp_path).removed == []
    put(tmp_path, "etc/systemd/system/containerd.service", UNIT)
    assert cleaned(leftovers, tmp_path).removed == ["netns cni-1234"]


def test_of_the_oci_runtimes_only_containers_of_labctls_runtimes(
    leftovers: ModuleType, commands: list[str], tmp_path: Path
) -> None:
    provisioned(leftovers, tmp_path)
    put(tmp_path, "run/runc/ours/state.json", '{"labels": ["bundle=/run/containerd/k8s.io/ours"]}')
    put(tmp_path, "run/runc/theirs/state.json", '{"labels": ["bundle=/home/me/run/containerd/x"]}')
    put(tmp_path, "run/crun/ours/status", '{"bundle": "/run/containerd/k8s.io/ours"}')
    purged(leftovers, tmp_path)
    assert [path.name for path in (tmp_path / "run/runc").iterdir()] == ["theirs"]
    assert not (tmp_path / "run/crun").exists()


def test_a_host_of_an_older_labctl_is_purged_by_its_marks(
    leftovers: ModuleType, commands: list[str], tmp_path: Path
) -> None:
    """Without a manifest a marked unit says that the state beside it is labctl's."""
    provisioned(leftovers, tmp_path)
    (tmp_path / "var/lib/labctl/manifest.json").unlink()
    assert purged(leftovers, tmp_path).refusal == ""
    for name in (
        "var/lib/containerd",
        "run/containerd",
        "etc/containerd",
        "opt/labctl",
        "usr/local/bin/runc",
    ):
        assert not os.path.lexists(tmp_path / name), name


def test_a_damaged_manifest_is_one_sentence_and_nothing_goes(
    leftovers: ModuleType, commands: list[str], tmp_path: Path
) -> None:
    provisioned(leftovers, tmp_path)
    put(tmp_path, "var/lib/labctl/manifest.json", "{")
    before = tree(tmp_path)
    assert "manifest.json cannot be read" in purged(leftovers, tmp_path).refusal
    assert tree(tmp_path) == before


IMAGES = """\
REF                       TYPE                                  DIGEST   SIZE  PLATFORMS LABELS
localhost/labctl/pause:1  application/vnd.oci.image.manifest.v1 sha256:aa 1 MiB linux/amd64 -
localhost/labctl/shared:1 application/vnd.oci.image.manifest.v1 sha256:bb 1 MiB linux/amd64 -
example.org/owner/app:1   application/vnd.oci.image.manifest.v1 sha256:bb 1 MiB linux/amd64 -
sha256:01                 application/vnd.oci.image.manifest.v1 sha256:aa 1 MiB linux/amd64 -
sha256:02                 application/vnd.oci.image.manifest.v1 sha256:bb 1 MiB linux/amd64 -
sha256:03                 application/vnd.oci.image.manifest.v1 sha256:cc 1 MiB linux/amd64 -
"""


def test_of_a_store_that_stays_labctls_images_go_and_no_other(
    leftovers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leftovers, "run", lambda *words: IMAGES)
    labctls = frozenset({"localhost/labctl/pause:1", "localhost/labctl/shared:1"})
    assert leftovers.find_in_containerd(labctls) == labctls | {"sha256:01"}
