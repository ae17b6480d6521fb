# SPDX-License-Identifier: Apache-2.0
"""From facts to what a host can run, and why not."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.load.handlers import HostHandler
from orchestrator.model.component import Component, DebianPackage, Source
from orchestrator.pipeline.doctor import build_state
from orchestrator.provision import doctor
from orchestrator.provision.doctor import BuildState, Diagnosis

GOOD: dict[str, Any] = {
    "distribution": "Debian",
    "distribution_version": "13.8",
    "distribution_major_version": "13",
    "distribution_release": "trixie",
    "kernel": "6.12",
    "architecture": "x86_64",
    "processor_vcpus": 4,
    "memtotal_mb": 8192,
    "service_mgr": "systemd",
    "user_uid": 0,
    "labctl": {
        "cgroup": {"version": 2, "writable": True},
        "cap_sys_resource": True,
        "overlayfs": True,
        "kvm": {"runs": True, "why": ""},
        "modules": {"overlay": "builtin", "bridge": "loadable", "veth": None},
        "user_namespaces": True,
        "seccomp": True,
        "free_mb": {"/var/lib": 50000, "/opt": 50000, "memory": 6000},
        "services": {"containerd": "absent", "crio": "absent"},
        "noise": {"governor": "performance", "load": 0.1, "timers": [], "others": []},
        "components": {},
        "adapters": [],
    },
}
COMPONENTS: dict[str, Any] = {
    name: {"version": version, "source": source, "key": f"{name}-1", "architecture": "x86_64"}
    for name, version, source in (
        ("containerd", "2.4.2", "module"),
        ("cri-o", "1.36.3", "module"),
        ("conmon", "2.1.12-4", "debian"),
        ("containers-storage", "1.61.1", "module"),
        ("runc", "1.5.2", "module"),
        ("crun", "1.21-1", "debian"),
        ("runsc", "20260905.0", "module"),
    )
}
BUILT = BuildState("trixie-x86_64", COMPONENTS)
NOTHING = BuildState("trixie-x86_64")
HANDLERS = (
    HostHandler("runc", "runc", "runc"),
    HostHandler("crun", "runc", "crun"),
    HostHandler("runsc", "runsc", "runsc"),
)
CRIO = ("crio/runc", "crio/crun", "crio/runsc")


def changed(values: dict[str, Any], **paths: Any) -> dict[str, Any]:
    """A copy with ``a__b=value`` set at a.b (a dot and a slash in a name are written as they are)."""
    new = copy.deepcopy(values)
    for path, value in paths.items():
        *folders, name = path.split("__")
        inner = new
        for folder in folders:
            inner = inner[folder]
        inner[name] = value
    return new


def examine(facts: dict[str, Any], built: BuildState) -> Diagnosis:
    return doctor.examine(facts, built, HANDLERS)


def refused(diagnosis: Diagnosis) -> dict[str, str]:
    return {one.name: one.why for one in diagnosis.combinations if one.why is not None}


def built_without(name: str) -> BuildState:
    return replace(BUILT, components={key: value for key, value in COMPONENTS.items() if key != name})


def test_a_good_host_can_run_everything_with_one_adapter_for_cri_o() -> None:
    found = examine(GOOD, BUILT)
    assert found.ok and len(found.combinations) == 6
    assert found.advice == ()
    assert found.adapters == ("CRI-O before 1.37: gVisor's shim gets one that answers its address",)
    assert found.settings == {"cgroup": "v2, driver cgroupfs", "layers": "overlayfs", "runsc": "platform kvm"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"distribution": "Ubuntu"}, "this is Ubuntu"),
        ({"distribution_release": "bullseye", "distribution_version": "11.9"}, "this is Debian 11.9"),
        ({"service_mgr": "service"}, "PID 1 is service"),
        ({"labctl__cgroup": {"version": None}}, "No control groups"),
        ({"labctl__cgroup": {"version": 1, "writable": False}}, "read-only"),
        ({"labctl__modules__veth": "missing"}, "no module veth"),
        ({"labctl__free_mb": {"/opt": 100}}, "/opt has 100 MB free"),
    ],
)
def test_what_stands_against_everything(change: dict[str, Any], said: str) -> None:
    found = refused(examine(changed(GOOD, **change), BUILT))
    assert len(found) == 6
    assert all(said in why for why in found.values())


def test_what_cannot_be_told_stands_against_nothing() -> None:
    bare = {**GOOD, "labctl": {"cgroup": {"version": 2, "writable": True}}}
    assert examine(bare, BUILT).ok


CRUN = Component(
    "crun",
    Path("crun"),
    Source.DEBIAN,
    "1.21-1",
    debian=(DebianPackage("crun", "1.21-1", "trixie", {"amd64": "a" * 64}),),
    unavailable={"bookworm": "Debian 12 has crun 1.8.1."},
)
ARTIFACTS = {
    "targets": {
        "bookworm-x86_64": {
            "components": {key: value for key, value in COMPONENTS.items() if key != "crun"},
            "missing": {"crun": {"reason": "Debian 12 has crun 1.8.1.", "handler": "crun"}},
        },
        "trixie-x86_64": {"components": COMPONENTS, "missing": {}},
    }
}
DEBIAN_12 = {**GOOD, "distribution_release": "bookworm", "distribution_version": "12.11"}


def test_each_release_is_judged_by_what_was_built_for_it() -> None:
    assert examine(GOOD, build_state(GOOD, ARTIFACTS, [CRUN])).ok
    found = refused(examine(DEBIAN_12, build_state(DEBIAN_12, ARTIFACTS, [CRUN])))
    assert found == dict.fromkeys(
        ("containerd/crun", "crio/crun"), "crun is not to be had here: Debian 12 has crun 1.8.1."
    )


def test_what_a_release_cannot_have_is_known_before_anything_is_built() -> None:
    assert set(refused(examine(DEBIAN_12, build_state(DEBIAN_12, {}, [CRUN])))) == {
        "containerd/crun",
        "crio/crun",
    }
    assert examine(GOOD, build_state(GOOD, {}, [CRUN])).ok


def test_another_architecture_is_named_with_what_was_built() -> None:
    arm = changed(GOOD, architecture="aarch64")
    found = refused(examine(arm, build_state(arm, ARTIFACTS, [])))
    assert len(found) == 6
    assert found["containerd/runc"].startswith(
        "Nothing has been built for trixie-aarch64 (only for bookworm-x86_64, trixie-x86_64)"
    )


def test_what_was_not_built_cannot_be_run() -> None:
    found = refused(examine(GOOD, built_without("conmon")))
    assert set(found) == set(CRIO)
    assert found["crio/runc"] == "conmon has not been built for trixie-x86_64: labctl build conmon."
    assert set(refused(examine(GOOD, built_without("runsc")))) == {"containerd/runsc", "crio/runsc"}


def test_where_nothing_was_built_that_is_advice_alone() -> None:
    found = examine(GOOD, NOTHING)
    assert found.ok
    assert [text for text in found.advice if "Nothing has been built" in text]


def test_gvisor_needs_user_namespaces_and_a_way_to_catch_calls() -> None:
    assert set(refused(examine(changed(GOOD, labctl__user_namespaces=False), BUILT))) == {
        "containerd/runsc",
        "crio/runsc",
    }
    assert examine(changed(GOOD, labctl__seccomp=False), BUILT).ok
    neither = changed(GOOD, labctl__seccomp=False, labctl__kvm={"runs": False, "why": "there is no /dev/kvm"})
    assert not examine(neither, BUILT).ok


def test_an_installed_runtime_must_answer() -> None:
    there = changed(GOOD, labctl__components={"cri-o": {"version": "1.36.3", "key": "cri-o-1"}})
    found = refused(examine(there, BUILT))
    assert set(found) == set(CRIO)
    assert "systemctl status crio" in found["crio/runc"]
    there["labctl"]["services"]["crio"] = "answers"
    assert examine(there, BUILT).ok


def test_hosts_without_cap_sys_resource_get_adapters() -> None:
    found = examine(changed(GOOD, labctl__cap_sys_resource=False), BUILT).adapters
    assert len(found) == 3
    newer = replace(BUILT, components=changed(COMPONENTS, **{"cri-o__version": "1.37.0"}))
    assert examine(GOOD, newer).adapters == ()


def test_what_is_installed_is_compared_with_what_was_built() -> None:
    there = {
        "runc": {"version": "1.5.1", "key": "old"},
        "crun": {"version": "1.21-1", "key": "crun-1"},
        "containerd": {"version": "2.4.2", "key": "other"},
        "mine": {"version": "1", "key": "m"},
    }
    facts = changed(GOOD, labctl__components=there, labctl__services={"containerd": "answers"})
    notes = {one.name: one.note for one in examine(facts, BUILT).components}
    assert notes["runc"] == "runc 1.5.1 is installed; provision would install 1.5.2."
    assert notes["crun"] == ""
    assert "another build (other)" in notes["containerd"]
    assert notes["mine"] == "mine 1 is installed, and nothing of it was built here."
    assert notes["runsc"] == "runsc is not installed; provision would install 20260905.0."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"user_uid": 1000}, "ansible_become"),
        ({"labctl__noise": {"others": ["dockerd"]}}, "dockerd runs here too"),
        ({"labctl__noise": {"governor": "powersave"}}, "governor is powersave"),
        ({"labctl__noise": {"load": 3.0}}, "The load is 3 on 4 CPUs"),
        ({"labctl__noise": {"timers": ["fstrim.timer"]}}, "Timers may fire within a run: fstrim"),
        ({"labctl__free_mb": {"/var/lib": 2000}}, "/var/lib has 2000 MB free"),
        ({"labctl__free_mb": {"memory": 300}}, "300 MB of memory"),
    ],
)
def test_advice_keeps_nothing_from_running(change: dict[str, Any], said: str) -> None:
    found = examine(changed(GOOD, **change), BUILT)
    assert found.ok
    assert len(found.advice) == 1 and said in found.advice[0]


def test_a_host_without_kvm_or_overlayfs_is_told_so() -> None:
    facts = changed(GOOD, labctl__overlayfs=False, labctl__kvm={"runs": False, "why": "there is no /dev/kvm"})
    found = examine(facts, BUILT).settings
    assert found["runsc"] == "platform systrap, for there is no /dev/kvm"
    assert "native" in found["layers"]


def test_every_handler_is_judged_by_its_component_and_its_kind() -> None:
    mine = (
        HostHandler("runc-1.5", "runc", "runc"),
        HostHandler("runc-mine", "runc", "runc-mine"),
        HostHandler("gvisor", "runsc"),
    )
    found = doctor.examine(changed(GOOD, labctl__user_namespaces=False), BUILT, mine)
    assert {one.name: one.why for one in found.combinations if one.cri == "containerd"} == {
        "containerd/runc-1.5": None,
        "containerd/runc-mine": "runc-mine has not been built for trixie-x86_64: labctl build runc-mine.",
        "containerd/gvisor": "gVisor's sandbox needs user namespaces, and the kernel gives none:"
        " sysctl user.max_user_namespaces.",
    }


def test_a_runtime_of_the_owners_is_why_nothing_runs_with_it() -> None:
    why = "labctl did not make the running service containerd.service, and does not replace it."
    diagnosis = doctor.examine(GOOD, BUILT, HANDLERS, {"containerd": why, "crio": ""})
    assert {c.why for c in diagnosis.combinations if c.cri == "containerd"} == {why}
    assert {c.why for c in diagnosis.combinations if c.cri == "crio"} == {None}
