# SPDX-License-Identifier: Apache-2.0
"""Each host's own cgroup: v1 in every hierarchy, v2 as a delegated scope or a folder with all controllers."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lab.cgroups import Cgroups, Hierarchy, read_hierarchies
from orchestrator.lab.system import Clock, LocalExecutor, Processes, System
from orchestrator.model.errors import LabError

V1 = """\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw
32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:1 - cgroup cgroup rw,cpu
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
90 31 0:29 / /elsewhere/cpu rw - cgroup cgroup rw,cpu
"""
V2 = "31 23 0:28 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n"


def machine(tmp_path: Path, text: str, *, systemd: bool = False) -> Cgroups:
    """The hierarchies of ``text`` as folders below ``tmp_path``."""
    (tmp_path / "mountinfo").write_text(text)
    found = read_hierarchies(tmp_path / "mountinfo")
    moved = tuple(Hierarchy(tmp_path / str(each.root).lstrip("/"), each.unified) for each in found)
    for each in moved:
        each.root.mkdir(parents=True)
    return Cgroups(moved, systemd, System())


def test_each_hierarchy_is_found_once(tmp_path: Path) -> None:
    cgroups = machine(tmp_path, V1, systemd=True)
    assert [(each.root.name, each.unified) for each in cgroups.hierarchies] == [
        ("cpu", False),
        ("systemd", False),
        ("unified", True),
    ]
    assert not cgroups.pure_v2 and not cgroups.scoped
    assert cgroups.problem() is None


def test_v1_makes_a_folder_in_each_and_fills_cpusets(tmp_path: Path) -> None:
    cgroups = machine(tmp_path, V1.replace("cgroup/cpu rw", "cgroup/cpuset rw"))
    root = cgroups.hierarchies[0].root
    (root / "cpuset.cpus").write_text("0-1\n")
    (root / "cpuset.mems").write_text("0\n")
    cgroups.make("labctl-x.a")
    cgroups.make("labctl-x.a")
    assert (root / "labctl-x.a/cpuset.cpus").read_text() == "0-1\n"
    assert all((each.root / "labctl-x.a").is_dir() for each in cgroups.hierarchies)


def test_the_launcher_enters_every_door_and_becomes_the_command(tmp_path: Path) -> None:
    cgroups = machine(tmp_path, V1)
    cgroups.make("labctl-x.a")
    pid_file = tmp_path / "pid"
    command = ["sh", "-c", 'echo "$$ $1" > "$2"', "sh", "a  b", str(tmp_path / "out")]
    subprocess.run([*cgroups.launcher("labctl-x.a", pid_file), *command], check=True, timeout=20)
    assert Clock().wait_until(
        lambda: (tmp_path / "out").exists() and (tmp_path / "out").read_text() != "", 10
    )
    pid = pid_file.read_text().strip()
    assert (tmp_path / "out").read_text() == f"{pid} a  b\n"
    assert pid != str(os.getpid())
    assert [(each / "cgroup.procs").read_text().strip() for each in cgroups.folders("labctl-x.a")] == [
        pid
    ] * 3


def test_v2_without_systemd_hands_on_the_controllers(tmp_path: Path) -> None:
    cgroups = machine(tmp_path, V2)
    root = cgroups.hierarchies[0].root
    (root / "cgroup.controllers").write_text("cpu memory pids\n")
    (root / "cgroup.subtree_control").write_text("cpu memory\n")
    assert cgroups.pure_v2 and not cgroups.scoped and cgroups.problem() is None
    cgroups.make("labctl-x.a")
    assert (root / "cgroup.subtree_control").read_text() == "+pids"
    assert cgroups.folders("labctl-x.a") == [root / "labctl-x.a"]
    (root / "cgroup.controllers").write_text("cpu\n")
    assert "lacks the controllers memory, pids" in (cgroups.problem() or "")


def test_v2_with_systemd_asks_it_for_a_delegated_scope(tmp_path: Path) -> None:
    cgroups = machine(tmp_path, V2, systemd=True)
    assert cgroups.scoped and cgroups.problem() is None
    cgroups.make("labctl-x.a")
    assert list(cgroups.hierarchies[0].root.iterdir()) == [], "the tree is systemd's"
    launcher = cgroups.launcher("labctl-x.a", tmp_path / "pid")
    assert launcher[launcher.index("systemd-run") - 1] == "0"
    assert {"--scope", "--unit=labctl-x.a", "--property=Delegate=yes"} <= set(launcher)
    assert cgroups.folders("labctl-x.a")[0].parts[-2:] == ("system.slice", "labctl-x.a.scope")


def test_a_scope_is_removed_by_systemd_and_its_name_is_free_afterwards(
    tmp_path: Path, system: System, executor: Any
) -> None:
    cgroups = replace(machine(tmp_path, V2, systemd=True), system=system)
    cgroups.remove("labctl-x.a")
    assert executor.ran == [
        ["systemctl", "stop", "labctl-x.a.scope"],
        ["systemctl", "reset-failed", "labctl-x.a.scope"],
    ]
    cgroups.folders("labctl-x.a")[0].mkdir(parents=True)
    with pytest.raises(LabError, match="still in use"):
        cgroups.remove("labctl-x.a", 0.2)
    assert cgroups.folders("labctl-x.a")[0].is_dir(), "the tree is systemd's"


def test_processes_are_those_of_the_tree_and_the_dead_are_not_waited_for(tmp_path: Path) -> None:
    cgroups = machine(tmp_path, V1)
    cgroups.make("labctl-x.a")
    with subprocess.Popen(["sleep", "60"]) as child:
        deep = cgroups.folders("labctl-x.a")[1] / "payload"
        deep.mkdir()
        (deep / "cgroup.procs").write_text(f"{child.pid}\n")
        assert cgroups.processes("labctl-x.a") == [child.pid]
        with pytest.raises(LabError, match=rf"{child.pid}.*do not end"):
            cgroups.kill("labctl-x.a", 0.2)
        assert child.wait(5) == -9


def test_only_folders_of_labctls_own_name_are_touched(tmp_path: Path) -> None:
    cgroups = machine(tmp_path, V1)
    (cgroups.hierarchies[0].root / "system.slice").mkdir()
    for name in ("system.slice", "labctl-x/../system.slice", ""):
        with pytest.raises(LabError, match="is not a cgroup of labctl's"):
            cgroups.remove(name)
    cgroups.make("labctl-x.a")
    (cgroups.folders("labctl-x.a")[0] / "deep/er").mkdir(parents=True)
    cgroups.remove("labctl-x.a")
    assert not any(folder.exists() for folder in cgroups.folders("labctl-x.a"))
    assert (cgroups.hierarchies[0].root / "system.slice").is_dir()


def test_a_machine_without_the_hierarchy_that_systemd_needs_is_named(tmp_path: Path) -> None:
    assert "name=systemd" in (machine(tmp_path, V1.replace("/systemd ", "/other ")).problem() or "")
    assert "no cgroup file system" in (
        Cgroups((), False, System(LocalExecutor(), Processes())).problem() or ""
    )
