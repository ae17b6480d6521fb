# SPDX-License-Identifier: Apache-2.0
"""The standard image of a lab host: the disk that virtual machines begin with, its kernel, and what it is, for others to boot."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.files import aside, sha256_of, write_text
from orchestrator.lab import qemu
from orchestrator.lab.disk import BaseDisk
from orchestrator.lab.system import Progress, System, find_tool
from orchestrator.lab.vm import VmProvider
from orchestrator.model.errors import LabError, UsageError
from orchestrator.model.lab import LabImage, LabSpec, MachineSize
from orchestrator.model.system_packages import install_hint

SCHEMA = 1
FORMATS = {".qcow2": "qcow2", ".raw": "raw"}
PORT = 10022
LOGIN = (
    "The image has no password and no key: it lets in the public key that the line hands over "
    f"(ssh -p {PORT} root@127.0.0.1), and makes host keys of its own when it first boots."
)
GROW = "A larger disk: `qemu-img resize FILE 20G` before a boot, which grows the file system."
ACCELERATE = f"Where KVM runs a guest: {' '.join(qemu.KVM_OPTIONS)}; else {' '.join(qemu.EMULATION)} -smp {qemu.EMULATED_CPUS}."


def write_image(lab: LabSpec, output: Path | None, system: System, progress: Progress) -> LabImage:
    """Write disk, kernel, initrd and description, beside one another. Raises LabError; UsageError: another kind of file."""
    provider = VmProvider.of_machine(system)
    path = output or Path(f"labhost-{lab.release}-{provider.machine}.qcow2")
    if path.suffix not in FORMATS:
        raise UsageError(f"{path} is neither .qcow2 nor .raw.", "Name another with --output.")
    if problem := provider.problem():
        raise problem
    if FORMATS[path.suffix] == "qcow2" and not find_tool("qemu-img"):
        raise LabError(
            "A .qcow2 image takes qemu-img, which this machine lacks.",
            f"{install_hint(['qemu-utils'])}; or name a .raw file with --output.",
        )
    base = provider.base_disk(lab, lab.release, progress)
    files = {
        "disk": path,
        "kernel": path.with_suffix(".kernel"),
        "initrd": path.with_suffix(".initrd"),
        "description": path.with_suffix(".json"),
    }
    progress(lab.name, f"writing {path}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_disk(base, path, system)
        shutil.copyfile(base.kernel, files["kernel"])
        shutil.copyfile(base.initrd, files["initrd"])
        boot = boot_line(files, provider.architecture, provider.accelerator(), lab.size)
        text = json.dumps(_description(lab, base, files, boot), indent=2)
        write_text(files["description"], text + "\n")
    except OSError as error:
        raise LabError(f"{path} cannot be written: {error.strerror}.") from error
    return LabImage(files, boot, LOGIN)


def boot_line(
    files: dict[str, Path], architecture: qemu.Architecture, accelerator: qemu.Accelerator, size: MachineSize
) -> str:
    """For a shell in the folder of the image."""
    names = {what: Path(path.name) for what, path in files.items()}
    disk_format = FORMATS[names["disk"].suffix]
    machine = qemu.Machine(
        "labhost", architecture, accelerator, size,
        names["disk"], names["kernel"], names["initrd"], PORT, disk_format,
    )  # fmt: skip
    key = "-fw_cfg name=opt/io.systemd.credentials/ssh.authorized_keys.root,file=$HOME/.ssh/id_ed25519.pub"
    return f"{shlex.join(machine.command())} -serial stdio {key}"


def _write_disk(base: BaseDisk, path: Path, system: System) -> None:
    with aside(path) as beside:
        if FORMATS[path.suffix] == "qcow2":
            convert = ("qemu-img", "convert", "-c", "-f", "raw", "-O", "qcow2", str(base.disk), str(beside))
            system.run(*convert, timeout=600)
        else:
            system.run(
                "cp", "--sparse=always", "--reflink=auto", "--", str(base.disk), str(beside), timeout=300
            )


def _description(lab: LabSpec, base: BaseDisk, files: dict[str, Path], boot: str) -> dict[str, object]:
    return {
        "schema": SCHEMA,
        "what": f"labctl's lab host: Debian {lab.release} with SSH and Python, and no benchmark and no runtime in it yet",
        "release": lab.release,
        "architecture": os.uname().machine,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {
            what: {"name": path.name, "bytes": path.stat().st_size, "sha256": sha256_of(path)}
            for what, path in files.items()
            if what != "description"
        },
        "boot": boot,
        "accelerate": ACCELERATE,
        "login": LOGIN,
        "grow": GROW,
        "packages": base.packages(),
    }
