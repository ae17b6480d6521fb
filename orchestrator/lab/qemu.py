# SPDX-License-Identifier: Apache-2.0
"""QEMU: what it is called on this architecture, whether KVM really runs a guest, its command line, its power button."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from orchestrator.lab.system import System, last_lines
from orchestrator.model.errors import LabError
from orchestrator.model.lab import MachineSize

KVM = Path("/dev/kvm")
PROBE_SECONDS = 3.0
PROBE_COUNT = 100_000_000
"""What a test guest counts down from: a twentieth of a second on a processor, two minutes where the machine's KVM interprets."""
PROBE_BYTES = 64 * 1024
_EXIT_DEVICE = ("-device", "isa-debug-exit,iobase=0xf4,iosize=1")
_X86_EXIT = 0x15

NETWORK, GATEWAY, NAMESERVER, ADDRESS = "10.0.2.0/24", "10.0.2.2", "10.0.2.3", "10.0.2.15/24"
"""QEMU's user-mode network: the gateway stands for this machine, the name server asks this machine's."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """How a virtual machine of this machine's kind is made. ``kernel`` is Debian's package; ``probe`` the test guest's firmware.

    ``probe_done`` is the exit code of QEMU when that guest has come to its end.
    """

    program: str
    package: str
    machine: str
    kernel: str
    console: str
    probe: bytes
    probe_options: tuple[str, ...]
    probe_done: int


def _x86_probe() -> bytes:
    """A processor's first instruction, 16 bytes below the end, jumps to a loop; then it tells the exit device."""
    image = bytearray(b"\xf4" * PROBE_BYTES)
    loop = b"\x66\xb9" + PROBE_COUNT.to_bytes(4, "little")  # mov ecx, COUNT
    loop += b"\x66\x49\x75\xfc"  # dec ecx; jnz
    loop += bytes([0xB0, _X86_EXIT, 0xE6, 0xF4, 0xF4])  # mov al, EXIT; out 0xf4, al; hlt
    image[0xFF00 : 0xFF00 + len(loop)] = loop
    image[0xFFF0:0xFFF3] = b"\xe9" + ((0xFF00 - 0xFFF3) & 0xFFFF).to_bytes(2, "little")  # jmp
    return bytes(image)


def _arm_probe() -> bytes:
    """The same, from the first byte on; it powers the machine off (PSCI)."""
    count = PROBE_COUNT >> 16
    words = (
        0xD2A00001 | count << 5,  # movz x1, COUNT
        0xF1000421,  # subs x1, x1, 1
        0x54FFFFE1,  # b.ne
        0x52800100,  # movz w0, 8
        0x72B08000,  # movk w0, 0x8400, lsl 16
        0xD4000002,  # hvc 0
    )
    return b"".join(word.to_bytes(4, "little") for word in words).ljust(PROBE_BYTES, b"\0")


ARCHITECTURES: Mapping[str, Architecture] = {
    "x86_64": Architecture(
        "qemu-system-x86_64", "qemu-system-x86", "q35", "linux-image-cloud-amd64", "ttyS0",
        _x86_probe(), _EXIT_DEVICE, _X86_EXIT << 1 | 1,
    ),
    "aarch64": Architecture(
        "qemu-system-aarch64", "qemu-system-arm", "virt", "linux-image-cloud-arm64", "ttyAMA0",
        _arm_probe(), (), 0,
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Accelerator:
    """``options`` of QEMU; ``how`` is what people are told; a machine has ``most_cpus`` processors (0: as many as it wants)."""

    options: tuple[str, ...]
    how: str
    most_cpus: int = 0


KVM_OPTIONS = ("-accel", "kvm", "-cpu", "host")
EMULATION = ("-accel", "tcg,thread=single", "-cpu", "max")
"""One thread for all processors. With one each (QEMU 7.2), Linux now and then panics ("Oops: int3", in __schedule and elsewhere): its
live patching of code writes a breakpoint, and a processor still executes the translation with it when the kernel is done patching."""
EMULATED_CPUS = 1
"""Several processors on one thread take turns, and who spins, as gVisor does until its other half answers, spins for its whole turn:
with two, pods of runsc met their deadlines on a busy machine (2 of 4 failed); with one, 16 of 16 were fine on a busier one."""


def find_accelerator(architecture: Architecture, system: System, device: Path = KVM) -> Accelerator:
    """KVM where a test guest comes to its end in time, else emulation. That the device is there proves nothing."""
    reason = _kvm_problem(architecture, system, device)
    if reason is None:
        return Accelerator(KVM_OPTIONS, "accelerated by KVM")
    return Accelerator(EMULATION, f"emulated: {reason}", EMULATED_CPUS)


def _kvm_problem(architecture: Architecture, system: System, device: Path) -> str | None:
    if not device.exists():
        return f"this machine has no {device}"
    with tempfile.TemporaryDirectory(prefix="labctl-kvm-") as folder:
        image = Path(folder) / "probe"
        image.write_bytes(architecture.probe)
        command = [
            *(architecture.program, "-machine", architecture.machine, *KVM_OPTIONS, "-m", "16"),
            *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
            *("-bios", str(image), *architecture.probe_options),
        ]
        try:
            done = system.run(*command, check=False, timeout=PROBE_SECONDS)
        except LabError:
            return f"a test guest on {device} was not done after {PROBE_SECONDS:.0f} seconds"
    if done.code == architecture.probe_done:
        return None
    said = last_lines(done.stderr, 1).removeprefix(f"{architecture.program}: ").rstrip(".")
    return f"a test guest does not run on {device} ({said[:72]})"


@dataclass(frozen=True, slots=True)
class Machine:
    """One virtual machine as QEMU is told of it. ``port`` of this machine's loopback leads to its SSH server."""

    name: str
    architecture: Architecture
    accelerator: Accelerator
    size: MachineSize
    disk: Path
    kernel: Path
    initrd: Path
    port: int
    disk_format: str = "raw"

    @property
    def cpus(self) -> int:
        return min(self.size.cpus, self.accelerator.most_cpus or self.size.cpus)

    def command(self) -> list[str]:
        """Without a console, and without a way to be stopped but signals."""
        forward = f"hostfwd=tcp:127.0.0.1:{self.port}-:22"
        drive = f"file={_escaped(self.disk)},format={self.disk_format},if=none,id=disk,discard=unmap"
        return [
            *(self.architecture.program, "-name", self.name, "-machine", self.architecture.machine),
            *self.accelerator.options,
            *("-smp", str(self.cpus), "-m", str(self.size.memory)),
            *("-nodefaults", "-no-user-config", "-display", "none"),
            *("-kernel", str(self.kernel), "-initrd", str(self.initrd)),
            *("-append", f"root=/dev/vda rw console={self.architecture.console} loglevel=5 panic=10"),
            *("-drive", drive, "-device", "virtio-blk-pci,drive=disk"),
            *("-netdev", f"user,id=net,ipv6=off,{forward}", "-device", "virtio-net-pci,netdev=net"),
            *("-device", "virtio-rng-pci"),
        ]


def detached(machine: Machine, folder: Path) -> list[str]:
    """``machine`` as a daemon: the command ends, with its errors, when the machine runs. Its files are in ``folder``.

    The control socket is named from inside the folder: a socket's name has at most 107 bytes.
    """
    return [
        *("env", f"--chdir={folder}", *machine.command()),
        *("-serial", f"file:{_escaped(folder / 'boot.log')}"),
        *("-qmp", "unix:qmp,server=on,wait=off"),
        *("-pidfile", str(folder / "pid"), "-daemonize"),
    ]


def press_power(folder: Path, seconds: float = 5.0) -> bool:
    """Press the power button of the machine in ``folder``; False where nobody is there to hear it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(seconds)
        try:
            descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                connection.connect(f"/proc/self/fd/{descriptor}/qmp")
            finally:
                os.close(descriptor)
            with connection.makefile("rw", encoding="utf-8") as stream:
                stream.readline()
                return all(_order(stream, name) for name in ("qmp_capabilities", "system_powerdown"))
        except (OSError, ValueError):
            return False


def _order(stream: TextIO, name: str) -> bool:
    """Give one order of QMP's and read on to its answer; what comes between are events."""
    stream.write(json.dumps({"execute": name}) + "\n")
    stream.flush()
    for line in stream:
        answer = json.loads(line)
        if "return" in answer or "error" in answer:
            return "return" in answer
    return False


def _escaped(path: Path) -> str:
    """As a value among others: a comma would begin the next."""
    return str(path).replace(",", ",,")
