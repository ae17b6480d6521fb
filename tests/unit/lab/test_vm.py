# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: KVM is proven and never assumed, the disk is made once and is nobody's, a host's own files go into its copy."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import tarfile
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lab import qemu
from orchestrator.lab.disk import DiskCache, common_files, disk_recipe, packages_in, personalise, write_tar
from orchestrator.lab.guest import Entry
from orchestrator.lab.image import boot_line, write_image
from orchestrator.lab.provider import Site
from orchestrator.lab.sources import Mirror
from orchestrator.lab.state import HostState, LabState, StateFile, labs_folder
from orchestrator.lab.system import Done, System, find_tool
from orchestrator.lab.vm import VmProvider, port_is_free
from orchestrator.model.errors import LabError, UsageError
from orchestrator.model.lab import LabHost, LabSpec, MachineSize
from orchestrator.model.system_packages import KEYRING

X86 = qemu.ARCHITECTURES["x86_64"]
HOST = LabHost("one", IPv4Address("127.0.0.1"), 10231, "root", Path("/keys/id"), Path("/keys/known_hosts"))
LAB = LabSpec("lab", Path("lab.yaml"), (HOST,), "vm")
MIRROR = Mirror("http://mirror.example/debian")
RECIPE = disk_recipe("trixie", X86, ())


@pytest.fixture
def provider(system: System, tmp_path: Path) -> VmProvider:
    return VmProvider(
        system, tmp_path / "cache", True, machine="x86_64", which=lambda tool: f"/usr/bin/{tool}"
    )


@pytest.fixture
def kvm(tmp_path: Path) -> Path:
    device = tmp_path / "kvm"
    device.touch()
    return device


# --- whether it works here


@pytest.mark.skipif(not Path(KEYRING).exists(), reason="Debian's keyring is not here")
def test_what_is_missing_is_named_with_what_installs_it(provider: VmProvider, executor: Any) -> None:
    assert provider.problem() is None
    lacking = replace(
        provider, which=lambda tool: None if tool in ("debugfs", "mke2fs") or "qemu" in tool else tool
    )
    problem = lacking.problem()
    assert problem is not None and problem.hint is not None
    assert "qemu-system-x86_64, mke2fs, debugfs" in problem.message
    assert problem.hint.endswith("--no-install-recommends qemu-system-x86 e2fsprogs")
    odd = replace(provider, machine="riscv64").problem()
    assert odd is not None and "this is riscv64" in odd.message


@pytest.mark.skipif(not Path(KEYRING).exists(), reason="Debian's keyring is not here")
def test_a_user_needs_a_namespace_with_user_ids(provider: VmProvider, executor: Any) -> None:
    user = replace(provider, root_user=False)
    assert user.problem() is None
    executor.when("unshare", code=1)
    problem = user.problem()
    assert problem is not None and "does not give one: no" in problem.message
    assert "--add-subuids" in (problem.hint or "")
    without = replace(user, which=lambda tool: None if tool == "newuidmap" else tool).problem()
    assert without is not None and (without.hint or "").endswith("uidmap")


def test_a_users_labs_are_with_the_users_state() -> None:
    assert labs_folder(True) == Path("/var/lib/labctl/lab")
    assert labs_folder(False, {"XDG_STATE_HOME": "/s"}) == Path("/s/labctl/lab")
    assert labs_folder(False, {"XDG_STATE_HOME": "s"}) == Path.home() / ".local/state/labctl/lab"


# --- KVM


def test_kvm_is_taken_where_the_test_guest_ends_by_itself(system: System, executor: Any, kvm: Path) -> None:
    executor.when("qemu-system-x86_64", code=X86.probe_done)
    assert qemu.find_accelerator(X86, system, kvm) == qemu.Accelerator(qemu.KVM_OPTIONS, "accelerated by KVM")
    assert "-bios" in executor.ran[0]


@pytest.mark.parametrize("code", [0, 1, -6])
def test_any_other_end_means_emulation(code: int, system: System, executor: Any, kvm: Path) -> None:
    executor.when("qemu-system-x86_64", code=code)
    found = qemu.find_accelerator(X86, system, kvm)
    assert (found.options, found.most_cpus) == (qemu.EMULATION, 1)
    assert found.how.startswith("emulated: a test guest does not run on ")


def test_a_kvm_that_interprets_is_too_slow_to_be_one(system: System, executor: Any, kvm: Path) -> None:
    def slow(argv: Sequence[str]) -> Done | None:
        raise LabError("not done")

    executor.answers.append(slow)
    assert "was not done after 3 seconds" in qemu.find_accelerator(X86, system, kvm).how


def test_without_a_device_nothing_is_tried(system: System, executor: Any, tmp_path: Path) -> None:
    assert (
        qemu.find_accelerator(X86, system, tmp_path / "none").how
        == f"emulated: this machine has no {tmp_path}/none"
    )
    assert executor.ran == []


@pytest.mark.skipif(find_tool("qemu-system-x86_64") is None, reason="qemu-system-x86_64 is not here")
def test_the_test_guest_really_ends(tmp_path: Path) -> None:
    """Emulated, so that it can be tried anywhere; a guest that does something else ends otherwise."""
    for image, code in ((X86.probe, X86.probe_done), (b"\xf4" * qemu.PROBE_BYTES, None)):
        (tmp_path / "probe").write_bytes(image)
        command = [
            "qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-m", "16", "-nodefaults", "-display", "none",
            "-no-reboot", "-bios", str(tmp_path / "probe"), *X86.probe_options,
        ]  # fmt: skip
        try:
            ended = subprocess.run(
                command, timeout=20 if code else 2, check=False, capture_output=True
            ).returncode
        except subprocess.TimeoutExpired:
            ended = None
        assert ended == code


# --- the command line


def test_a_machine_is_reached_on_loopback_only_and_named_in_its_command(tmp_path: Path) -> None:
    disk = tmp_path / "a,b" / "disk.raw"
    machine = qemu.Machine(
        "labctl-lab.one", X86, qemu.Accelerator(qemu.EMULATION, "emulated"), MachineSize(1024, 3, 20),
        disk, tmp_path / "kernel", tmp_path / "initrd", 10231,
    )  # fmt: skip
    command = qemu.detached(machine, tmp_path)
    assert command[:2] == ["env", f"--chdir={tmp_path}"]
    assert "user,id=net,ipv6=off,hostfwd=tcp:127.0.0.1:10231-:22" in command
    assert f"file={tmp_path}/a,,b/disk.raw,format=raw,if=none,id=disk,discard=unmap" in command
    assert command[command.index("-m") + 1] == "1024"
    assert command[command.index("-smp") + 1] == "3"
    few = replace(machine, accelerator=replace(machine.accelerator, most_cpus=1)).command()
    assert few[few.index("-smp") + 1] == "1"
    assert command[command.index("-pidfile") + 1] == str(tmp_path / "pid")


def test_the_power_button_is_pressed_over_a_socket_whose_name_is_too_long(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    heard: list[str] = []
    with closing(socket.socket(socket.AF_UNIX)) as server:
        descriptor = os.open(folder, os.O_PATH)
        server.bind(f"/proc/self/fd/{descriptor}/qmp")
        os.close(descriptor)
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rw") as stream:
                print('{"QMP": {}}', file=stream, flush=True)
                for line in stream:
                    heard.append(json.loads(line)["execute"])
                    print('{"event": "SOMETHING"}\n{"return": {}}', file=stream, flush=True)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert qemu.press_power(folder)
        thread.join(5)
    assert heard == ["qmp_capabilities", "system_powerdown"]
    assert not qemu.press_power(folder), "nobody listens any more"
    assert not qemu.press_power(tmp_path / "none")


# --- the disk


def _root_tar(path: Path) -> None:
    status = "Package: a\nStatus: ok\nVersion: 1.2-3\n\nPackage: b\nDescription: Version: 9\n Version: 8\nVersion: 4\n"
    write_tar(path, {"./var/lib/dpkg/status": Entry(status)})


def _makes(argv: Sequence[str]) -> Done | None:
    """A root file system where mmdebstrap would, a disk where the script would."""
    if "mmdebstrap" in argv:
        _root_tar(Path(argv[argv.index("trixie") + 1]))
    elif "-c" in argv and "sh" in argv:
        for name in ("disk.raw", "kernel", "initrd"):
            (Path(argv[-1]) / name).write_text(name)
        for name in ("root.tar", "files.tar"):
            (Path(argv[-1]) / name).unlink()
    else:
        return None
    return Done(0, "", "")


@pytest.mark.parametrize("root", [True, False])
def test_the_disk_is_made_once_and_by_a_user_in_a_namespace(
    root: bool, tmp_path: Path, system: System, executor: Any
) -> None:
    executor.answers.append(_makes)
    cache = DiskCache(tmp_path, system, root)
    made = cache.ensure(RECIPE, MIRROR, {"Acquire::http::Proxy": "http://me:secret@p:1"})
    assert made == cache.find(RECIPE) == cache.ensure(RECIPE, MIRROR, {})
    started = [argv for argv in executor.ran if "mmdebstrap" in argv or "-c" in argv]
    assert len(started) == 2
    assert all(argv[0] == "unshare" for argv in started) is not root
    assert "--format=tar" in started[0]
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "disk.raw",
        "initrd",
        "kernel",
        "packages.json",
    ]
    assert made.packages() == {"a": "1.2-3", "b": "4"}
    assert not any("secret" in word for argv in executor.ran for word in argv)


def test_a_disk_that_fails_leaves_none_and_says_why(tmp_path: Path, system: System, executor: Any) -> None:
    def fails(argv: Sequence[str]) -> Done | None:
        log = next(tmp_path.glob("*.partial")).with_suffix(".log") if "mmdebstrap" in argv else None
        if log:
            log.write_text("I: fine\nE: Failed to fetch it\n")
        return Done(25, "", "") if log else None

    executor.answers.append(fails)
    with pytest.raises(
        LabError, match=r"mmdebstrap could not make Debian trixie: E: Failed to fetch it Its log"
    ):
        DiskCache(tmp_path, system, True).ensure(RECIPE, MIRROR, {})
    assert DiskCache(tmp_path, system, True).find(RECIPE) is None
    assert executor.ran[-1][0] == "rm" and executor.ran[-1][-1].endswith(".partial")


def test_what_is_common_is_of_no_host(tmp_path: Path) -> None:
    files = common_files("trixie")
    assert files["etc/machine-id"].text == ""
    assert not any("ssh_host" in name or "authorized_keys" in name for name in files)
    assert "systemd-udevd.service" not in " ".join(files), "its devices and modules are its own"
    write_tar(tmp_path / "files.tar", files)
    with tarfile.open(tmp_path / "files.tar") as tar:
        members = {member.name: member for member in tar}
    assert (members["root/.ssh"].isdir(), members["root/.ssh"].mode) == (True, 0o700)
    assert members["etc/systemd/system/apt-daily.timer"].linkname == "/dev/null"
    assert {member.uid for member in members.values()} == {0}


def test_a_tar_without_packages_is_refused(tmp_path: Path) -> None:
    _root_tar(tmp_path / "root.tar")
    assert packages_in(tmp_path / "root.tar") == {"a": "1.2-3", "b": "4"}
    write_tar(tmp_path / "odd.tar", {"./var/lib/dpkg/status": Entry(link="nowhere")})
    with pytest.raises((LabError, KeyError)):
        packages_in(tmp_path / "odd.tar")


@pytest.mark.skipif(not (find_tool("mke2fs") and find_tool("debugfs")), reason="e2fsprogs is not here")
def test_a_hosts_own_files_are_in_its_disk_as_roots(tmp_path: Path) -> None:
    tree, disk = tmp_path / "tree", tmp_path / "my disk.raw"
    for folder in ("etc/ssh", "root/.ssh"):
        (tree / folder).mkdir(parents=True)
    (tree / "etc/hostname").write_text("labhost\n")
    with disk.open("wb") as file:
        file.truncate(32 << 20)
    System().run("mke2fs", "-q", "-F", "-t", "ext4", "-d", str(tree), str(disk))
    files = {
        "etc/hostname": Entry("one\n"),
        "root/.ssh/authorized_keys": Entry("KEY\n", 0o600),
        "etc/ssh/key": Entry("S", 0o600),
    }
    personalise(disk, files, tmp_path / "my staging", System())
    assert System().run("debugfs", "-R", "cat /etc/hostname", str(disk)).stdout == "one\n"
    listed = System().run("debugfs", "-R", "ls -l /root/.ssh", str(disk)).stdout
    line = next(line.split() for line in listed.splitlines() if "authorized_keys" in line)
    assert (line[1], line[3], line[4]) == ("100600", "0", "0")
    assert System().run("e2fsck", "-fn", str(disk), check=False).code == 0
    assert not (tmp_path / "my staging").exists(), "keys do not stay"
    with pytest.raises(LabError, match="debugfs could not write into"):
        personalise(disk, {"no/such/folder/file": Entry("x")}, tmp_path / "my staging", System())


# --- one host


@pytest.fixture
def site(system: System, tmp_path: Path) -> Site:
    state = StateFile.of("lab", tmp_path / "labs")
    known = HostState("127.0.0.1", 10231, "trixie", True, "ssh-ed25519 KEY")
    state.write(LabState("lab", "lab.yaml", "vm", hosts={"one": known}))
    (tmp_path / "labs/lab/one").mkdir()
    (tmp_path / "labs/lab/one/disk.raw").touch()
    return Site(LAB, state, system, lambda who, what, /: None)


def test_a_machine_that_starts_is_recorded_with_how_it_runs(
    provider: VmProvider, site: Site, executor: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        qemu, "find_accelerator", lambda *_: qemu.Accelerator(qemu.EMULATION, "emulated: why")
    )
    pid_file = tmp_path / "labs/lab/one/pid"

    def starts(argv: Sequence[str]) -> Done | None:
        if argv[0] == "env":
            pid_file.write_text(f"{os.getpid()}\n")
        return None

    executor.answers.append(starts)
    assert not provider.alive(site, "one")
    provider.boot(site, HOST)
    state = site.state.read()
    assert state is not None
    me = site.system.processes.identify(os.getpid())
    assert (state.hosts["one"].process, state.hosts["one"].how) == (me, "emulated: why")
    assert provider.alive(site, "one")


def test_a_machine_that_does_not_start_says_qemus_reason(
    provider: VmProvider, site: Site, executor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        qemu, "find_accelerator", lambda *_: qemu.Accelerator(qemu.EMULATION, "emulated: why")
    )
    executor.when("env --chdir", code=1)
    with pytest.raises(LabError, match="one did not start: no"):
        provider.boot(site, HOST)


def test_a_process_is_this_hosts_only_with_its_pid_file_on_its_command_line(
    provider: VmProvider, site: Site, tmp_path: Path
) -> None:
    def sleeper(word: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sh", "-c", "sleep 60; true", str(word)])

    with sleeper(tmp_path / "labs/lab/one/pid") as mine, sleeper(tmp_path / "labs/lab/one/pid2") as other:
        try:
            site.system.clock.wait_until(lambda: len(site.system.processes.having("sleep 60; true")) == 2, 5)
            threading.Thread(target=mine.wait, daemon=True).start()
            provider.stop(site, "one")
            assert mine.wait(5) == -9
            assert other.poll() is None
        finally:
            other.kill()
            mine.kill()


def test_a_taken_port_is_refused_before_anything_is_made(provider: VmProvider, site: Site) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        assert not port_is_free("127.0.0.1", port)
        taken = replace(site, lab=replace(LAB, hosts=(replace(HOST, port=port),)))
        with pytest.raises(LabError, match=f"has the port 127.0.0.1:{port}, which one is to have"):
            provider.open(taken)
    assert port_is_free("127.0.0.1", port)


def test_a_host_that_is_described_otherwise_is_not_changed(provider: VmProvider, site: Site) -> None:
    assert provider.make(site, HOST) is False
    with pytest.raises(LabError, match="describes it differently"):
        provider.make(site, replace(HOST, port=10299))


# --- the image


def test_an_image_is_booted_by_names_in_its_folder() -> None:
    files = {what: Path("/far/away") / f"img.{what}" for what in ("kernel", "initrd")} | {
        "disk": Path("/far/away/img.raw")
    }
    line = boot_line(files, X86, qemu.Accelerator(qemu.EMULATION, "emulated"), MachineSize())
    assert "/far" not in line
    assert "file=img.raw,format=raw" in line
    assert "ssh.authorized_keys.root,file=$HOME/.ssh/id_ed25519.pub" in line


def test_an_image_of_another_kind_is_refused(system: System) -> None:
    with pytest.raises(UsageError, match=r"img.vmdk is neither .qcow2 nor .raw"):
        write_image(LAB, Path("img.vmdk"), system, lambda who, what, /: None)
