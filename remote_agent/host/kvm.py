# SPDX-License-Identifier: Apache-2.0
"""Does KVM really run a guest here? Found out by running one: a page of memory, one processor, a loop, `hlt`.

An existing /dev/kvm proves little: in a virtual machine it may be there, make guests, and fail when one is to run. And that a
guest comes to its end proves little too: KVM may do all of it in its instruction emulator, where no processor ever enters the
guest, a thousand times slower than it should be. So the loop is long enough to tell by the processor time that it took.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DEADLINE_S = 1.0

# linux/kvm.h
_GET_API_VERSION, _CREATE_VM, _GET_VCPU_MMAP_SIZE = 0xAE00, 0xAE01, 0xAE04
_CREATE_VCPU, _SET_USER_MEMORY_REGION, _SET_TSS_ADDR, _RUN = 0xAE41, 0x4020AE46, 0xAE47, 0xAE80
_EXIT_HLT = 5
_EXIT_REASON_AT = 8
_PAGE = 4096
_LAST_PAGE = 0xFFFFF000
_RESET = 0xFF0
"""Where in the last page below 4 GiB an x86 processor begins after its reset: no register need be set."""
_TSS = 0x7FFBD000
"""Three pages that older Intel processors use; no memory is there."""
_LOOPS = 20_000
_EMULATED_S = 0.005
"""Processor time of the loop: some 20 us where a processor runs it, some 20 ms where KVM emulates it."""


def kvm(
    device: str,
    machine: str | None = None,
    guest: Callable[[str], str] | None = None,
    deadline_s: float = DEADLINE_S,
    memory: str | None = None,
) -> dict[str, Any]:
    """``exists``, ``openable``, ``runs`` (None: cannot be told here) and ``why`` it does not run, a clause ("" where it does).

    ``memory`` is a file that keeps a guest's answer for as long as the device is the same: an emulated guest takes its 30 ms of
    processor time once, and not whenever somebody asks for facts.
    """
    exists = os.path.exists(device)
    told = {"exists": exists, "openable": False}
    if not exists:
        return {**told, "runs": False, "why": f"there is no {device}"}
    try:
        os.close(os.open(device, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return {**told, "runs": False, "why": f"{device} cannot be opened ({error.strerror})"}
    told = {**told, "openable": True}
    machine = machine or os.uname().machine
    if machine != "x86_64":
        return {**told, "runs": None, "why": f"labctl tries a guest on x86_64 only, and this is {machine}"}
    why = _remembered(memory, device)
    if why is None:
        why = _in_a_child(guest or run_guest, device, deadline_s)
        _remember(memory, device, why)
    return {**told, "runs": not why, "why": why}


def _identity(device: str) -> str:
    """Another one after a restart of the host or of its container, and where KVM's module was loaded again."""
    found = os.stat(device)
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        boot = file.read().strip()
    return f"{boot} {found.st_dev} {found.st_ino} {found.st_rdev} {found.st_ctime_ns}"


def _remembered(memory: str | None, device: str) -> str | None:
    """The answer of last time; None where nobody asked yet, or somebody else could have written it."""
    if memory is None:
        return None
    try:
        with open(memory, encoding="utf-8") as file:
            written = os.fstat(file.fileno())
            identity, _, why = file.read().partition("\n")
        ours = written.st_uid == os.geteuid() and not written.st_mode & 0o022
        return why if ours and identity == _identity(device) else None
    except (OSError, UnicodeDecodeError):
        return None


def _remember(memory: str | None, device: str, why: str) -> None:
    """Who may not write there (only root may) asks again next time."""
    if memory is None:
        return
    aside = f"{memory}.{os.getpid()}"
    try:
        text = f"{_identity(device)}\n{why}"
        file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(file, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.replace(aside, memory)
    except OSError:
        pass


def run_guest(device: str) -> str:
    """Run the guest; "" when it has come to its `hlt`, else why not. Raises OSError: the kernel refuses a step."""
    import ctypes
    import fcntl
    import mmap
    import struct

    system = os.open(device, os.O_RDWR | os.O_CLOEXEC)
    if fcntl.ioctl(system, _GET_API_VERSION, 0) != 12:
        return "KVM has another interface than the one that is known"
    machine = fcntl.ioctl(system, _CREATE_VM, 0)
    fcntl.ioctl(machine, _SET_TSS_ADDR, _TSS)
    memory = mmap.mmap(-1, _PAGE)
    # mov ecx, LOOPS; dec ecx; jnz to the dec; hlt - in the 16 bits of a processor after its reset
    program = b"\x66\xb9" + struct.pack("<I", _LOOPS) + b"\x66\x49\x75\xfc\xf4"
    memory[_RESET : _RESET + len(program)] = program
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    region = struct.pack("=IIQQQ", 0, 0, _LAST_PAGE, _PAGE, address)
    fcntl.ioctl(machine, _SET_USER_MEMORY_REGION, region)
    processor = fcntl.ioctl(machine, _CREATE_VCPU, 0)
    shared = mmap.mmap(processor, fcntl.ioctl(system, _GET_VCPU_MMAP_SIZE, 0))
    began = time.process_time()
    fcntl.ioctl(processor, _RUN, 0)
    took_s = time.process_time() - began
    reason = struct.unpack_from("=I", shared, _EXIT_REASON_AT)[0]
    if reason != _EXIT_HLT:
        return f"a guest ended at once (KVM's exit reason {reason})"
    return "" if took_s < _EMULATED_S else "KVM emulates a guest's instructions one by one"


def _in_a_child(guest: Callable[[str], str], device: str, deadline_s: float) -> str:
    """``guest``'s answer from a process of its own: one that hangs in the kernel is left behind, and does not hang us."""
    import select
    import signal

    answer, says = os.pipe()
    child = os.fork()
    if child == 0:
        text = "the probe itself failed"
        try:
            text = guest(device) or "yes"
        except (OSError, ImportError) as error:
            text = f"a guest does not run ({getattr(error, 'strerror', None) or error})"
        finally:
            os.write(says, text.encode())
            os._exit(0)
    os.close(says)
    ready = select.select([answer], [], [], deadline_s)[0]
    said = os.read(answer, 4096).decode() if ready else f"a guest did not end within {deadline_s:g} s"
    os.close(answer)
    if not ready:
        os.kill(child, signal.SIGKILL)
    # One that was killed may be stuck in the kernel: then it is not waited for.
    os.waitpid(child, 0 if ready else os.WNOHANG)
    return "" if said == "yes" else said or "the guest's process was lost"
