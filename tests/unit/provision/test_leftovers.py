# SPDX-License-Identifier: Apache-2.0
"""The program that `labctl clean` runs on hosts, on made-up file systems: what it takes, and what it leaves."""

from __future__ import annotations

import gzip
import importlib.util
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


def test_packages_are_ours_only_where_apt_s_history_says_so(leftovers: ModuleType, tmp_path: Path) -> None:
    put(tmp_path, "var/log/apt/history.log", OTHERS)
    (tmp_path / "var/log/apt/history.log.1.gz").write_bytes(gzip.compress(HISTORY.encode()))
    assert leftovers.installed_by_us(leftovers.Cleaner(root=tmp_path)) == ({"crun"}, {"libyajl2"})


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
    (tmp_path / "runc").symlink_to("/opt/labctl/runc/current/bin/runc")
    (tmp_path / "other").symlink_to("/usr/bin/env")
    put(tmp_path, "labctl-agent", "#!/bin/sh\n# Written by labctl: runs the agent\n")
    put(tmp_path, "crictl-crio", '#!/bin/sh\nexec crictl --config /etc/crictl-crio.yaml "$@"\n')
    put(tmp_path, "mine", "#!/bin/sh\n")
    ours = [path.name for path in sorted(tmp_path.iterdir()) if leftovers.ours_on_the_path(path)]
    assert ours == ["crictl-crio", "labctl-agent", "runc"]
