# SPDX-License-Identifier: Apache-2.0
"""The module `apt`, over a made-up /var/lib/dpkg and a made-up apt-get."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.foresight import Foresight, Predicted
from remote_agent.runner.modules.apt import run

NOW = 1_000_000.0
RELEASE = "var/lib/apt/lists/mirror_InRelease"


def package(name: str, version: str = "1.0-1", state: str = "install ok installed", extra: str = "") -> str:
    return f"Package: {name}\nStatus: {state}\nArchitecture: amd64\n{extra}Version: {version}\nDescription: x\n more\n\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    for folder in ("var/lib/dpkg", "var/lib/apt/lists", "var/cache/apt/archives"):
        (root / folder).mkdir(parents=True)
    status = (
        package("bash")
        + package("mawk", extra="Provides: awk, fake (= 2)\n")
        + package("gone", state="deinstall ok config-files")
    )
    (root / "var/lib/dpkg/status").write_text(status)
    (root / RELEASE).touch()
    os.utime(root / "var/lib/apt/lists", (NOW - 100, NOW - 100))
    return root


@pytest.fixture
def apt(root: Path, blobs: Any, commands: Any) -> Context:
    return Context(blobs=blobs, root=root, execute=commands, now=lambda: NOW, sleep=lambda seconds: None)


def install(root: Path, *names: str, version: str = "1.0-1") -> None:
    status = root / "var/lib/dpkg/status"
    status.write_text(status.read_text() + "".join(package(name, version) for name in names))


@pytest.mark.parametrize(
    "name", ["bash", ["bash", "mawk"], "bash,mawk", "bash=1.0*", "bash:amd64", "awk", "fake"]
)
def test_what_is_there_costs_no_command(apt: Context, commands: Any, name: object) -> None:
    assert not run({"name": name}, apt).changed
    assert commands.calls == []


def test_what_is_missing_is_installed_without_questions(apt: Context, commands: Any, root: Path) -> None:
    commands.answer(
        "apt-get -q -y install tree", stdout="Setting up tree", effect=lambda: install(root, "tree")
    )
    args = {"name": ["bash", "tree"], "install_recommends": False}
    done = run(args, replace(apt, diff=True))
    assert done.changed and done.result["stdout"] == "Setting up tree" and done.diff == "+tree:amd64 1.0-1\n"
    assert commands.calls == ["apt-get -q -y install tree"]
    assert commands.environments[0]["DEBIAN_FRONTEND"] == "noninteractive"
    assert set(done.result) == {"stdout", "stderr", "cache_updated", "cache_update_time"}
    assert not run(args, apt).changed


def test_check_asks_apt_whether_there_is_such_a_package(apt: Context, commands: Any, root: Path) -> None:
    simulate = "apt-get -q -y --simulate install"
    commands.answer(f"{simulate} tree", stdout="Inst tree (2.2 Debian:13 [amd64])\n")
    commands.answer(f"{simulate} nosuch", stderr="E: Unable to locate package nosuch\n", rc=100)
    predicting = replace(apt, check=True, foresight=Foresight())
    assert run({"name": "tree", "update_cache": True, "cache_valid_time": 3600}, predicting).changed
    with pytest.raises(ModuleFailure, match="Unable to locate package nosuch"):
        run({"name": "nosuch"}, predicting)
    predicting.predicts("/etc/apt/sources.list.d/new.sources", Predicted("file"))
    assert run({"name": "nosuch"}, predicting).changed, "the new source may have it"
    for release in (root / "var/lib/apt/lists").glob("*Release"):
        release.unlink()
    without_lists = replace(predicting, foresight=Foresight())
    assert run({"name": "nosuch"}, without_lists).changed, "there are no lists: nobody knows"


def test_check_with_diff_asks_apt(apt: Context, commands: Any) -> None:
    commands.answer(
        "apt-get -q -y --simulate install tree",
        stdout="Inst tree (2.2 Debian:13 [amd64])\nConf tree (2.2 Debian:13)\n",
    )
    assert run({"name": "tree"}, replace(apt, check=True, diff=True)).diff == "+tree 2.2\n"


def test_a_version_is_asked_for_and_proved(apt: Context, commands: Any) -> None:
    commands.answer("apt-get -q -y install bash=2.*")
    with pytest.raises(ModuleFailure, match=r"dpkg does not have bash=2\.\*"):
        run({"name": "bash=2.*"}, apt)


def test_latest_changes_only_what_apt_would(apt: Context, commands: Any, root: Path) -> None:
    commands.answer("apt-get -q -y --simulate install bash", stdout="0 upgraded\n")
    assert not run({"name": "bash", "state": "latest"}, apt).changed
    commands.answer(
        "apt-get -q -y --simulate install bash", stdout="Inst bash [1.0-1] (1.1-1 Debian [amd64])\n"
    )
    commands.answer("apt-get -q -y install bash")
    assert run({"name": "bash", "state": "latest"}, replace(apt, check=True)).changed
    assert "apt-get -q -y install bash" not in commands.calls
    assert run({"name": "bash", "state": "latest"}, apt).changed


def test_absent_removes_and_purge_takes_leftovers(apt: Context, commands: Any) -> None:
    assert not run({"name": ["gone", "never"], "state": "absent"}, apt).changed
    commands.answer("apt-get -q -y remove --purge --auto-remove gone")
    assert run({"name": ["gone", "never"], "state": "absent", "purge": True, "autoremove": True}, apt).changed
    commands.answer("apt-get -q -y remove bash")
    assert (
        run({"name": "bash", "state": "absent"}, replace(apt, check=True)).changed
        and len(commands.calls) == 1
    )
    assert run({"name": "bash", "state": "absent"}, apt).changed


def test_the_lists_are_renewed_when_they_are_old(apt: Context, commands: Any, root: Path) -> None:
    assert not run({"update_cache": True, "cache_valid_time": 200}, apt).result["cache_updated"]
    commands.answer(
        "apt-get -q -y update", effect=lambda: os.utime(root / "var/lib/apt/lists", (NOW - 1, NOW - 1))
    )
    done = run({"update_cache": True, "cache_valid_time": 50}, apt)
    assert done.changed and done.result == {"cache_updated": True, "cache_update_time": int(NOW)}
    assert not run({"update_cache": True, "cache_valid_time": 50}, apt).changed
    assert len(commands.calls) == 1


def test_lists_that_are_not_there_are_always_old(apt: Context, commands: Any, root: Path) -> None:
    (root / RELEASE).unlink()
    commands.answer("apt-get -q -y update")
    run({"update_cache": True, "cache_valid_time": 999}, apt)
    assert commands.calls == ["apt-get -q -y update"]


def test_a_named_package_is_marked_as_wanted(apt: Context, commands: Any, root: Path) -> None:
    (root / "var/lib/apt/extended_states").write_text(
        "Package: bash\nArchitecture: amd64\nAuto-Installed: 1\n\n"
    )
    commands.answer("apt-mark manual bash")
    assert not run({"name": "bash"}, apt).changed
    assert commands.calls == ["apt-mark manual bash"]


def test_apt_s_own_error_is_the_message(apt: Context, commands: Any) -> None:
    commands.answer("apt-get -q -y install", stderr="W: x\nE: Unable to locate package tre\n", rc=100)
    with pytest.raises(
        ModuleFailure, match=r"^apt-get install failed: Unable to locate package tre$"
    ) as raised:
        run({"name": "tre"}, apt)
    assert raised.value.result["rc"] == 100


@pytest.mark.parametrize("name", ["tree*", "-oX=1", "A B", "x;y"])
def test_what_is_no_package_s_name_is_refused(apt: Context, name: str) -> None:
    with pytest.raises(ModuleFailure, match="no package's name"):
        run({"name": [name]}, apt)


@pytest.fixture
def deb(tmp_path: Path, commands: Any) -> Path:
    """The file of a package tree 2.0-1."""
    path = tmp_path / "tree_2.0-1_amd64.deb"
    path.write_text("")
    says = "Package: tree\nVersion: 2.0-1\nArchitecture: amd64\n"
    commands.answer(f"dpkg-deb --field {path}", stdout=says)
    return path


def test_a_packages_file_is_installed_with_what_it_needs(
    apt: Context, commands: Any, root: Path, deb: Path
) -> None:
    commands.answer(f"apt-get -q -y install {deb}", effect=lambda: install(root, "tree", version="2.0-1"))
    args = {"deb": str(deb), "install_recommends": False}
    assert run(args, replace(apt, check=True)).changed
    assert len(commands.calls) == 1, "a prediction installs nothing"
    done = run(args, replace(apt, diff=True))
    assert done.changed and done.diff == "+tree:amd64 2.0-1\n"
    assert {"stdout", "stderr"} <= set(done.result)
    assert not run(args, apt).changed
    assert [call for call in commands.calls if "install" in call] == [f"apt-get -q -y install {deb}"]


def test_an_earlier_version_gives_way_and_a_later_one_only_if_it_may(
    apt: Context, commands: Any, root: Path, deb: Path
) -> None:
    install(root, "tree", version="2.1-1")
    commands.answer("dpkg --compare-versions 2.1-1 gt 2.0-1")
    with pytest.raises(ModuleFailure, match=r"tree 2\.1-1 is installed, which is later than 2\.0-1"):
        run({"deb": str(deb)}, apt)
    commands.answer(f"apt-get -q -y install --allow-downgrades {deb}")
    assert run({"deb": str(deb), "allow_downgrade": True}, replace(apt, check=True)).changed
    commands.answer("dpkg --compare-versions 2.1-1 gt 2.0-1", rc=1)
    commands.answer(f"apt-get -q -y install {deb}")
    with pytest.raises(ModuleFailure, match=r"dpkg does not have tree in the version of its \.deb"):
        run({"deb": str(deb)}, apt)


def test_a_packages_file_that_is_not_there_or_is_none(apt: Context, commands: Any, deb: Path) -> None:
    with pytest.raises(ModuleFailure, match=r"The package's file /no\.deb does not exist"):
        run({"deb": f"{deb},/no.deb"}, apt)
    assert run({"deb": "/no.deb"}, replace(apt, check=True)).changed
    commands.answer(f"dpkg-deb --field {deb}", stderr="dpkg-deb: error: not a Debian archive\n", rc=2)
    with pytest.raises(ModuleFailure, match="is no Debian package: dpkg-deb: error: not a Debian archive"):
        run({"deb": str(deb)}, apt)


def test_what_cannot_be_had_is_named(apt: Context, commands: Any, deb: Path) -> None:
    lacks = " tree : Depends: libc6 (>= 2.38) but 2.36-9 is to be installed\n"
    stderr = "E: Unable to correct problems, you have held broken packages.\n"
    commands.answer(f"apt-get -q -y install {deb}", stdout=lacks, stderr=stderr, rc=100)
    with pytest.raises(ModuleFailure, match=r"tree needs libc6 \(>= 2\.38\) but 2\.36-9 is to be installed$"):
        run({"deb": str(deb)}, apt)
