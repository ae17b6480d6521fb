# SPDX-License-Identifier: Apache-2.0
"""The lab's story: read the inventory, then make, inspect or remove the local hosts that it describes."""

from __future__ import annotations

from pathlib import Path

from orchestrator.lab.image import write_image
from orchestrator.lab.lifecycle import PROVIDERS, Labs
from orchestrator.lab.provider import choose
from orchestrator.lab.system import Progress, System
from orchestrator.load.inventory import load_inventory
from orchestrator.load.lab import lab_spec
from orchestrator.model.errors import LabError, UsageError
from orchestrator.model.lab import LabHost, LabImage, LabResult, LabSpec, LabStatus
from orchestrator.model.system_packages import CONTAINER_IMAGES


def read_lab(inventory: Path) -> LabSpec:
    """Raises ConfigError."""
    return lab_spec(load_inventory(inventory))


def check_machine(inventory: Path) -> None:
    """Check that a demo can be made here: the lab of ``inventory``, and the container images.

    Raises ConfigError, and UsageError with all that is missing and the one command that brings it.
    """
    try:
        choose(read_lab(inventory).provider, PROVIDERS, System(), CONTAINER_IMAGES)
    except LabError as error:
        raise UsageError(error.message, error.hint) from error


def lab_up(inventory: Path, progress: Progress, labs: Labs | None = None) -> LabResult:
    """Make and boot what is not up. Raises ConfigError, LabError; what failed on a host is in the result."""
    return (labs or Labs()).up(read_lab(inventory), progress)


def lab_down(inventory: Path, progress: Progress, labs: Labs | None = None) -> LabResult | None:
    """Remove every trace of it; None where there was none. Raises ConfigError, LabError."""
    return (labs or Labs()).down(read_lab(inventory), progress)


def lab_status(inventory: Path, labs: Labs | None = None) -> LabStatus:
    """Raises ConfigError, LabError."""
    return (labs or Labs()).status(read_lab(inventory))


def lab_image(inventory: Path, output: Path | None, progress: Progress) -> LabImage:
    """Write the disk that the inventory's virtual machines begin with. Raises ConfigError, LabError."""
    return write_image(read_lab(inventory), output, System(), progress)


def ssh_command(inventory: Path, name: str, command: tuple[str, ...]) -> list[str]:
    """OpenSSH's command line to a lab host, its key checked. Raises ConfigError; LabError where there is no such host."""
    lab = read_lab(inventory)
    host = next((host for host in lab.hosts if host.name == name), None)
    if host is None:
        names = ", ".join(host.name for host in lab.hosts)
        raise LabError(f"There is no lab host {name} in {inventory}.", f"There is: {names}.")
    if not host.key_file.exists():
        raise LabError(f"The lab {lab.name} is not up.", f"Run `labctl lab up {inventory}`.")
    return [*_ssh(host), *command]


def _ssh(host: LabHost) -> list[str]:
    options = {
        "IdentitiesOnly": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{host.known_hosts}"',
        "GlobalKnownHostsFile": "/dev/null",
        "ConnectTimeout": "10",
        "LogLevel": "ERROR",
    }
    flags = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return ["ssh", "-i", str(host.key_file), "-p", str(host.port), *flags, f"{host.user}@{host.address}"]
