# SPDX-License-Identifier: Apache-2.0
"""Containers: what is missing is named with its cure, what is run is what the recipe says, files are set before the boot."""

from __future__ import annotations

import os
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lab.cgroups import Cgroups, Hierarchy
from orchestrator.lab.container import ContainerProvider, Place, nspawn_command
from orchestrator.lab.guest import Furniture, furnish
from orchestrator.lab.network import Network
from orchestrator.lab.provider import Site, choose
from orchestrator.lab.rootfs import Recipe, RootfsCache
from orchestrator.lab.sources import Mirror
from orchestrator.lab.state import HostState, LabState, StateFile
from orchestrator.lab.system import Done, System
from orchestrator.model.errors import LabError
from orchestrator.model.lab import LabHost, LabNetwork, LabSpec
from orchestrator.model.system_packages import CONTAINER_IMAGES, KEYRING

HOST = LabHost("one", IPv4Address("10.231.9.11"), 22, "root", Path("/keys/id"), Path("/keys/known_hosts"))
LAB = LabSpec(
    "lab",
    Path("lab.yaml"),
    (HOST,),
    "container",
    LabNetwork("labctl9", IPv4Network("10.231.9.0/24"), IPv4Address("10.231.9.1")),
)
MIRROR = Mirror("http://mirror.example/debian")


@pytest.fixture
def provider(system: System, tmp_path: Path) -> ContainerProvider:
    cgroups = Cgroups((Hierarchy(tmp_path / "systemd", False),), False, system)
    return ContainerProvider(
        system,
        cgroups,
        Network(system),
        tmp_path / "cache",
        True,
        lambda tool: f"/usr/bin/{tool}",
        lambda: -1,
    )


@pytest.mark.skipif(not Path(KEYRING).exists(), reason="Debian's keyring is not here")
def test_it_works_where_everything_is_there(provider: ContainerProvider) -> None:
    assert provider.problem() is None


def test_what_is_missing_is_named_with_what_installs_it(provider: ContainerProvider) -> None:
    lacking = replace(provider, which=lambda tool: None if tool in ("nft", "systemd-nspawn") else tool)
    problem = lacking.problem()
    assert problem is not None and problem.hint is not None
    assert "systemd-nspawn, nft" in problem.message
    assert problem.hint == "Run: sudo apt-get install --no-install-recommends systemd-container nftables"
    bounded = replace(provider, capabilities=lambda: ~(1 << 12)).problem()
    assert bounded is not None and bounded.message.startswith(
        "Lab hosts as containers need CAP_NET_ADMIN, which"
    )
    not_root = replace(provider, root_user=False).problem()
    assert not_root is not None and not_root.message == "Lab hosts as containers need root."
    assert "sudo" in (not_root.hint or "")


def test_what_else_is_needed_is_in_the_same_command_and_root_is_said_too(provider: ContainerProvider) -> None:
    which = {"nft": None, "skopeo": None}
    lacking = replace(provider, which=lambda tool: which.get(tool, tool), root_user=False)
    problem = lacking.problem(CONTAINER_IMAGES)
    assert problem is not None and problem.hint is not None
    assert problem.message.endswith("need root, and nft, skopeo, which this machine lacks.")
    assert problem.hint.startswith("Run: sudo apt-get install --no-install-recommends nftables skopeo Run ")


def test_the_provider_is_the_one_asked_for_or_the_first_that_works(
    provider: ContainerProvider, system: System
) -> None:
    good = replace(provider, cgroups=replace(provider.cgroups))
    bad = replace(provider, root_user=False)
    chosen = choose(None, {"bad": lambda _: bad, "good": lambda _: good}, system)
    assert chosen.provider is good
    assert "work here" in chosen.why
    with pytest.raises(LabError, match="need root"):
        choose("bad", {"bad": lambda _: bad}, system)
    with pytest.raises(LabError, match=r"No kind of lab host works here: .*need root"):
        choose(None, {"bad": lambda _: bad}, system)
    with pytest.raises(LabError, match="no lab provider 'vm'") as raised:
        choose("vm", {"container": lambda _: good}, system)
    assert raised.value.hint == "There is: container."


def test_nspawn_is_started_in_the_hosts_own_network(tmp_path: Path) -> None:
    command = nspawn_command(Place(tmp_path / "one", "labctl-lab.one"), "one")
    assert command[:2] == ["nsenter", f"--net={tmp_path}/one/net"]
    assert {"--machine=labctl-lab.one", "--hostname=one", f"--directory={tmp_path}/one/root"} <= set(command)
    assert {"--boot", "--capability=all", "--private-users=no", "--register=no", "--keep-unit"} <= set(
        command
    )
    assert not any(argument.startswith("--network") for argument in command), "nsenter has set it"


def test_a_tree_is_furnished_without_following_its_links(tmp_path: Path, executor: Any) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "etc/ssh").mkdir(parents=True)
    (root / "root").mkdir()
    outside.write_text("of this machine")
    (root / "etc/resolv.conf").symlink_to(outside)
    furniture = Furniture(
        MIRROR.lines("trixie"),
        {"Acquire::http::Proxy": "http://me:secret@p:1"},
        "nameserver 192.0.2.1\n",
        "ssh-ed25519 KEY",
    )
    key = furnish(root, replace(HOST, port=2222), furniture, System())
    assert key.startswith("ssh-ed25519 ")
    assert outside.read_text() == "of this machine"
    assert (root / "etc/resolv.conf").read_text() == "nameserver 192.0.2.1\n"
    assert (root / "etc/hostname").read_text() == "one\n"
    assert len((root / "etc/machine-id").read_text().strip()) == 32
    assert (
        "http://mirror.example/debian trixie main"
        in (root / "etc/apt/sources.list.d/debian.list").read_text()
    )
    assert (root / "etc/apt/apt.conf.d/90labctl-acquire").stat().st_mode & 0o777 == 0o600
    assert (root / "etc/ssh/sshd_config.d/labctl.conf").read_text() == "Port 2222\n"
    assert (root / "root/.ssh/authorized_keys").read_text() == "ssh-ed25519 KEY labctl\n"
    assert (root / "root/.ssh").stat().st_mode & 0o777 == 0o700
    assert str((root / "etc/systemd/system/apt-daily.timer").readlink()) == "/dev/null"
    assert key in (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text()


def test_the_guest_is_the_same_under_every_umask_of_this_machine(tmp_path: Path) -> None:
    modes = []
    for umask in (0o022, 0o077):
        root = tmp_path / f"{umask:o}"
        (root / "root").mkdir(parents=True)
        (root / "etc/ssh").mkdir(parents=True)
        before = os.umask(umask)
        try:
            furnish(root, HOST, Furniture((), {}, "", "ssh-ed25519 KEY"), System())
        finally:
            os.umask(before)
        paths = (
            path for path in root.rglob("*") if not path.is_symlink() and "host_ed25519" not in path.name
        )
        modes.append({str(path.relative_to(root)): path.stat().st_mode for path in paths})
    assert modes[0] == modes[1]


def test_two_hosts_never_have_one_key(tmp_path: Path) -> None:
    furniture = Furniture((), {}, "", "ssh-ed25519 KEY")
    keys = []
    for name in ("a", "b"):
        (tmp_path / name / "root").mkdir(parents=True)
        keys.append(furnish(tmp_path / name, replace(HOST, name=name), furniture, System()))
    assert keys[0] != keys[1]


def test_the_recipe_is_what_determines_the_root_file_system() -> None:
    recipe = Recipe.of("trixie")
    assert recipe.digest == Recipe.of("trixie", ("systemd",)).digest, "named twice is once"
    others = [Recipe.of("bookworm"), Recipe.of("trixie", ("git",)), replace(recipe, machine="riscv64")]
    assert len({recipe.digest, *(other.digest for other in others)}) == 4
    command = recipe.command(Path("/target"), MIRROR, Path("/apt.conf"))
    assert command[0] == "mmdebstrap"
    assert command[-4:-2] == ["trixie", "/target"]
    assert command[-2].endswith("http://mirror.example/debian trixie main")
    assert {"openssh-server", "python3"} <= set(
        next(part for part in command if part.startswith("--include="))[10:].split(",")
    )


def _mmdebstrap(argv: Any) -> Done | None:
    """Makes a small tree where the real one would."""
    if argv[0] != "mmdebstrap":
        return None
    target = Path(argv[argv.index("trixie") + 1])
    for name in ("etc/ssh/ssh_host_rsa_key", "etc/ssh/ssh_host_rsa_key.pub", "etc/hostname"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        (target / name).write_text("of the machine that made it")
    return Done(0, "", "")


def test_the_root_file_system_is_made_once_and_has_no_keys(
    tmp_path: Path, system: System, executor: Any
) -> None:
    executor.answers.append(_mmdebstrap)
    cache, recipe = RootfsCache(tmp_path, system), Recipe.of("trixie")
    options = {"Acquire::http::Proxy": "http://me:secret@p:1"}
    made = cache.ensure(recipe, MIRROR, options)
    assert made == cache.find(recipe) == cache.ensure(recipe, MIRROR, options)
    assert [argv[0] for argv in executor.ran].count("mmdebstrap") == 1
    assert list((made / "etc/ssh").iterdir()) == []
    assert not (made / "etc/hostname").exists()
    assert not any("secret" in argument for argv in executor.ran for argument in argv)
    assert sorted(path.name for path in tmp_path.iterdir()) == [recipe.digest, f"{recipe.digest}.lock"]


def test_a_failed_making_leaves_no_tree_and_says_apts_error(
    tmp_path: Path, system: System, executor: Any
) -> None:
    recipe = Recipe.of("trixie")

    def fails(argv: Any) -> Done | None:
        if argv[0] != "mmdebstrap":
            return None
        (tmp_path / f"{recipe.digest}.log").write_text("I: fine\nE: Failed to fetch it\nI: cleaning\n")
        return Done(25, "", "")

    executor.answers.append(fails)
    with pytest.raises(LabError, match=r"trixie: E: Failed to fetch it Its log"):
        RootfsCache(tmp_path, system).ensure(recipe, MIRROR, {})
    assert RootfsCache(tmp_path, system).find(recipe) is None


def test_what_a_killed_host_left_is_cleared_before_it_boots_again(
    provider: ContainerProvider, tmp_path: Path, executor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaves = tmp_path / "unix-export"
    (leaves / "labctl-lab.one").mkdir(parents=True)
    (leaves / "labctl-other.one").mkdir()
    provider.cgroups.hierarchies[0].root.mkdir()
    monkeypatch.setattr("orchestrator.lab.container.NSPAWN_LEAVES", (leaves,))
    state = StateFile.of("lab", tmp_path)
    state.write(
        LabState("lab", "lab.yaml", "container", hosts={"one": HostState("10.231.9.11", 22, "trixie")})
    )
    folder = tmp_path / "lab/one"
    folder.mkdir()

    def starts(argv: Any) -> Done | None:
        if argv[0] == "setsid":
            assert ["rm", "-rf", "--one-file-system", "--", str(leaves / "labctl-lab.one")] in executor.ran
            (folder / "pid").write_text(str(os.getpid()))
        return None

    executor.answers.append(starts)
    site = Site(LAB, state, provider.system, lambda who, what, /: None)
    provider.boot(site, HOST)
    recorded = state.read()
    assert recorded is not None
    assert recorded.hosts["one"].process == provider.system.processes.identify(os.getpid())
    assert provider.alive(site, "one")
    removed = [argv[-1] for argv in executor.ran if argv[0] == "rm"]
    assert removed == [str(leaves / "labctl-lab.one")]
