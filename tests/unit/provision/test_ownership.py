# SPDX-License-Identifier: Apache-2.0
"""The check before provisioning, on made-up file systems: what may be replaced, what is refused, and what the manifest lists."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "playbooks" / "files" / "ownership.py"
CONFIG = "/etc/containerd/config.toml"
CONTAINERD: dict[str, Any] = {
    "instances": ("containerd",),
    "paths": (CONFIG, "/etc/systemd/system/containerd.service"),
}
MARK = "# Written by labctl (role containerd).\n"
AS_PACKAGED = "version = 2\n"
MD5 = hashlib.md5(AS_PACKAGED.encode(), usedforsecurity=False).hexdigest()


@pytest.fixture
def ownership(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("ownership", PROGRAM)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "ownership", module)  # its dataclasses look themselves up there
    spec.loader.exec_module(module)
    return module


def put(root: Path, name: str, content: str = "x") -> Path:
    path = root / name.lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def status(root: Path, *stanzas: str) -> None:
    put(root, "var/lib/dpkg/status", "\n\n".join(stanzas) + "\n")


def package(name: str, version: str = "1-1", state: str = "install ok installed", more: str = "") -> str:
    return f"Package: {name}\nStatus: {state}\nArchitecture: amd64\nVersion: {version}\n{more}".rstrip()


def containerd_package(flag: str = "", state: str = "install ok installed") -> str:
    conffiles = f"Conffiles:\n /etc/default/containerd 00\n {CONFIG} {MD5}{flag}\n"
    return package("containerd", "1.7.24", state, conffiles)


def claim(
    ownership: ModuleType,
    root: Path,
    active: str = "inactive",
    listens: bool = False,
    check: bool = False,
    **claims: Any,
) -> dict[str, Any]:
    host = ownership.Host(
        root, states=lambda units: dict.fromkeys(units, active), listens=lambda path: listens
    )
    answer: dict[str, Any] = ownership.claim(host, ownership.Claims(**claims), check)
    return answer


def manifest(root: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((root / "var/lib/labctl/manifest.json").read_text())
    return document


def test_a_bare_host_is_free_and_is_listed_once(ownership: ModuleType, tmp_path: Path) -> None:
    claims = {**CONTAINERD, "images": ("localhost/labctl/pause:1",), "networks": ("labctl",)}
    assert claim(ownership, tmp_path, **claims, check=True) == {"refusal": "", "changed": True}
    assert not (tmp_path / "var").exists()
    assert claim(ownership, tmp_path, **claims) == {"refusal": "", "changed": True}
    listed = manifest(tmp_path)
    assert listed["paths"] == sorted(CONTAINERD["paths"]) and listed["units"] == ["containerd.service"]
    assert {"/var/lib/containerd", "/run/containerd", "/etc/containerd"} <= set(listed["created"])
    assert (listed["images"], listed["networks"]) == (["localhost/labctl/pause:1"], ["labctl"])
    assert claim(ownership, tmp_path, **claims) == {"refusal": "", "changed": False}
    assert [path.name for path in (tmp_path / "var/lib/labctl").iterdir()] == ["manifest.json"]


def test_what_is_there_already_is_not_listed_as_made(ownership: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "var/lib/containerd").mkdir(parents=True)
    claim(ownership, tmp_path, **CONTAINERD)
    (tmp_path / "run/containerd").mkdir(parents=True)
    claim(ownership, tmp_path, **CONTAINERD)
    assert "/var/lib/containerd" in manifest(tmp_path)["existing"]
    assert "/run/containerd" in manifest(tmp_path)["created"], "labctl made it between the two"


@pytest.mark.parametrize(
    ("content", "stanza", "diversions", "free"),
    [
        (MARK + "version = 3\n", "", "", True),
        ("version = 3\n", "", "", False),
        (AS_PACKAGED, "", "", False),  # as packaged, but by a package that is not here
        (AS_PACKAGED, containerd_package(), "", True),
        (AS_PACKAGED + "# edited\n", containerd_package(), "", False),
        (AS_PACKAGED, containerd_package(" obsolete"), "", True),
        (AS_PACKAGED, containerd_package(state="deinstall ok config-files"), "", True),
        (AS_PACKAGED, containerd_package(), f"{CONFIG}\n{CONFIG}.distrib\nother\n", False),
        (AS_PACKAGED, containerd_package(), f"{CONFIG}\n{CONFIG}.distrib\ncontainerd\n", True),
    ],
)
def test_a_file_is_free_where_it_is_marked_or_as_its_package_has_it(
    ownership: ModuleType, tmp_path: Path, content: str, stanza: str, diversions: str, free: bool
) -> None:
    put(tmp_path, CONFIG, content)
    status(tmp_path, stanza)
    put(tmp_path, "var/lib/dpkg/diversions", diversions)
    answer = claim(ownership, tmp_path, paths=(CONFIG,))
    if free:
        assert answer["refusal"] == ""
        assert (tmp_path / "var/lib/labctl/manifest.json").exists()
    else:
        assert answer["refusal"].startswith(
            f"labctl did not make the file {CONFIG}, and does not replace it. "
        )
        assert not (tmp_path / "var/lib/labctl").exists()


def test_links_and_folders_in_the_way_are_named(ownership: ModuleType, tmp_path: Path) -> None:
    folder = tmp_path / "usr/local/bin"
    folder.mkdir(parents=True)
    (folder / "runc").symlink_to("/opt/labctl/runc/current/bin/runc")
    (folder / "crun").symlink_to("/opt/mine/crun")
    (folder / "ctr").mkdir()
    (folder / "crictl").symlink_to("nowhere")
    claims = tuple(f"/usr/local/bin/{name}" for name in ("runc", "crun", "ctr", "crictl", "absent"))
    refusal = claim(ownership, tmp_path, paths=claims)["refusal"]
    assert (
        "labctl did not make the link /usr/local/bin/crun, the folder /usr/local/bin/ctr"
        " and the link /usr/local/bin/crictl, and" in refusal
    )


@pytest.mark.parametrize("state", ["active", "activating"])
def test_a_running_service_of_others_is_refused_even_with_its_packages_files(
    ownership: ModuleType, tmp_path: Path, state: str
) -> None:
    put(tmp_path, CONFIG, AS_PACKAGED)
    status(tmp_path, containerd_package())
    refusal = claim(ownership, tmp_path, active=state, **CONTAINERD)["refusal"]
    assert "labctl did not make the running service containerd.service, and" in refusal


def test_a_process_that_no_service_started_is_refused_too(ownership: ModuleType, tmp_path: Path) -> None:
    refusal = claim(ownership, tmp_path, listens=True, **CONTAINERD)["refusal"]
    assert "the running process of /run/containerd/containerd.sock" in refusal


@pytest.mark.parametrize(
    "image",
    [
        "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256/aa",
        "var/lib/containerd/io.containerd.snapshotter.v1.native/snapshots/1/x",
    ],
)
def test_images_of_a_stopped_runtime_are_somebodys(ownership: ModuleType, tmp_path: Path, image: str) -> None:
    put(tmp_path, image)
    assert (
        "the images and containers in /var/lib/containerd"
        in claim(ownership, tmp_path, **CONTAINERD)["refusal"]
    )


def test_a_service_that_labctl_wrote_may_run(ownership: ModuleType, tmp_path: Path) -> None:
    put(tmp_path, "etc/systemd/system/containerd.service", MARK)
    put(tmp_path, "var/lib/containerd/io.containerd.content.v1.content/blobs/sha256/aa")
    answer = claim(ownership, tmp_path, active="active", listens=True, **CONTAINERD)
    assert answer["refusal"] == ""
    assert "/var/lib/containerd" in manifest(tmp_path)["created"], "an older labctl has made it"


def test_an_interrupted_provisioning_with_debians_packages_goes_on(
    ownership: ModuleType, tmp_path: Path
) -> None:
    """The package has started its own service by then, with its own configuration."""
    claims = {**CONTAINERD, "debs": ("containerd_1.7.24_amd64.deb",)}
    status(tmp_path, package("libc6"))
    assert claim(ownership, tmp_path, **claims)["refusal"] == ""
    status(tmp_path, package("libc6"), containerd_package())
    put(tmp_path, CONFIG, AS_PACKAGED)
    put(tmp_path, "var/lib/dpkg/info/containerd.list", "/.\n/usr/lib/systemd/system/containerd.service\n")
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants/containerd.service"
    wants.parent.mkdir(parents=True)
    wants.symlink_to("/usr/lib/systemd/system/containerd.service")
    answer = claim(ownership, tmp_path, active="active", listens=True, **claims)
    assert answer == {"refusal": "", "changed": False}
    listed = manifest(tmp_path)
    assert (listed["packages"], listed["packages_before"]) == (["containerd"], ["libc6"])
    assert listed["originals"] == {}, "what the package brought goes with the package"


def test_a_package_of_the_owners_is_not_replaced_by_another_version(
    ownership: ModuleType, tmp_path: Path
) -> None:
    status(tmp_path, package("crun", "1:1.20-1"), package("runc", "1:1.1-2"))
    answer = claim(ownership, tmp_path, debs=("crun_1.21-1_amd64.deb", "runc_1%3a1.1-2_amd64.deb"))
    assert "labctl did not make the package crun 1:1.20-1 (it would install 1.21-1), and" in answer["refusal"]


def test_a_package_that_labctl_installed_may_become_another_version(
    ownership: ModuleType, tmp_path: Path
) -> None:
    status(tmp_path, package("libc6"))
    assert claim(ownership, tmp_path, debs=("crun_1.21-1_amd64.deb",))["refusal"] == ""
    status(tmp_path, package("libc6"), package("crun", "1.22-1"))
    assert claim(ownership, tmp_path, debs=("crun_1.21-1_amd64.deb",))["refusal"] == ""


def test_what_labctls_package_brought_is_not_put_back(ownership: ModuleType, tmp_path: Path) -> None:
    claim(ownership, tmp_path, debs=("containerd_1.7.24_amd64.deb",))
    status(tmp_path, containerd_package())
    put(tmp_path, CONFIG, AS_PACKAGED)
    assert claim(ownership, tmp_path, paths=(CONFIG,))["refusal"] == ""
    assert manifest(tmp_path)["originals"] == {}


def test_a_file_that_is_listed_and_lost_its_mark_is_the_owners_now(
    ownership: ModuleType, tmp_path: Path
) -> None:
    assert claim(ownership, tmp_path, paths=(CONFIG,))["refusal"] == ""
    put(tmp_path, CONFIG, MARK)
    assert claim(ownership, tmp_path, paths=(CONFIG,))["refusal"] == ""
    put(tmp_path, CONFIG, "version = 2\n# The owner's.\n")
    assert f"the file {CONFIG}" in claim(ownership, tmp_path, paths=(CONFIG,))["refusal"]


def test_packages_that_were_there_are_not_listed(ownership: ModuleType, tmp_path: Path) -> None:
    status(tmp_path, package("libseccomp2"), package("runc", state="deinstall ok config-files"))
    claim(ownership, tmp_path, packages=("libseccomp2",), debs=("runc_1-1_amd64.deb", "crun_1-1_amd64.deb"))
    assert manifest(tmp_path)["packages"] == ["crun", "runc"]
    assert manifest(tmp_path)["packages_before"] == ["libseccomp2"]


def test_what_is_replaced_is_kept_to_be_put_back(ownership: ModuleType, tmp_path: Path) -> None:
    put(tmp_path, CONFIG, AS_PACKAGED).chmod(0o640)
    status(tmp_path, containerd_package())
    wants = tmp_path / "etc/systemd/system/multi-user.target.wants/containerd.service"
    wants.parent.mkdir(parents=True)
    wants.symlink_to("/usr/lib/systemd/system/containerd.service")
    claim(ownership, tmp_path, **CONTAINERD)
    kept = manifest(tmp_path)["originals"]
    assert kept[CONFIG]["mode"] == 0o640
    assert kept["/etc/systemd/system/multi-user.target.wants/containerd.service"] == {
        "link": "/usr/lib/systemd/system/containerd.service"
    }
    put(tmp_path, CONFIG, MARK)
    assert claim(ownership, tmp_path, **CONTAINERD)["changed"] is False
    assert manifest(tmp_path)["originals"] == kept


def test_json_has_no_mark_so_the_manifest_says_whose_it_is(ownership: ModuleType, tmp_path: Path) -> None:
    put(tmp_path, "etc/crio/policy.json", "{}")
    claims: dict[str, Any] = {"paths": ("/etc/crio/policy.json",)}
    assert "the file /etc/crio/policy.json" in claim(ownership, tmp_path, **claims)["refusal"]
    (tmp_path / "etc/crio/policy.json").unlink()
    assert claim(ownership, tmp_path, **claims)["refusal"] == ""
    put(tmp_path, "etc/crio/policy.json", "{}")
    assert claim(ownership, tmp_path, **claims)["refusal"] == ""


@pytest.mark.parametrize(
    ("content", "says"),
    [("{", "cannot be read"), ('{"schema": 9}', "has schema 9"), ("[]", "has schema None")],
)
def test_a_manifest_that_cannot_be_used_is_one_sentence(
    ownership: ModuleType, tmp_path: Path, content: str, says: str
) -> None:
    put(tmp_path, "var/lib/labctl/manifest.json", content)
    refusal = claim(ownership, tmp_path, **CONTAINERD)["refusal"]
    assert says in refusal and "\n" not in refusal


NEEDS = (
    package("crun", more="Depends: libc6 (>= 2.36), libyajl2 (>= 2.1) | libyajl3"),
    package("libyajl2"),
    package("libc6"),
    package("runc", more="Provides: oci-runtime (= 1)"),
)


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ("", set()),
        (package("podman", more="Depends: crun | runc"), {"crun", "runc", "libyajl2"}),
        (package("podman", more="Recommends: crun"), {"crun", "libyajl2"}),
        (package("yajl-tools", more="Pre-Depends: libyajl2"), {"libyajl2"}),
        (package("docker", more="Depends: oci-runtime"), {"runc"}),
        (package("x", more="Depends: runc | y") + "\n\n" + package("y"), set()),
        (package("gone", "1", "deinstall ok config-files", "Depends: runc"), set()),
    ],
)
def test_a_package_stays_where_something_has_come_to_need_it(
    ownership: ModuleType, tmp_path: Path, more: str, kept: set[str]
) -> None:
    status(tmp_path, *NEEDS, more)
    candidates = {"crun", "libyajl2", "runc"}
    going, users = ownership.removable(ownership.Host(tmp_path).packages(), candidates)
    assert (going, set(users)) == (candidates - kept, kept)


def test_what_came_along_is_what_labctls_packages_need(ownership: ModuleType, tmp_path: Path) -> None:
    status(tmp_path, *NEEDS, package("vim", more="Depends: libc6"))
    assert ownership.closure(ownership.Host(tmp_path).packages(), {"crun"}) == {"crun", "libyajl2", "libc6"}
