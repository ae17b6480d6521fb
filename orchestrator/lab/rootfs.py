# SPDX-License-Identifier: Apache-2.0
"""The root file system of a host: made once by mmdebstrap, kept in the user's cache under the hash of what determines it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.files import write_text
from orchestrator.lab.files import locked, remove_tree
from orchestrator.lab.sources import Mirror, apt_conf
from orchestrator.lab.system import System, tail
from orchestrator.model.errors import LabError
from orchestrator.model.system_packages import KEYRING

RECIPE = 1
"""Counts up when what is done below changes the file system that comes out."""

PACKAGES = (
    "ca-certificates", "dbus", "iproute2", "iputils-ping", "kmod", "libpam-systemd", "netbase",
    "openssh-server", "procps", "python3", "sudo", "systemd", "systemd-sysv",
)  # fmt: skip
MAKE_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """What determines a root file system. The mirror does not: it serves the same packages, and each host gets its own sources."""

    release: str
    packages: tuple[str, ...]
    machine: str

    @classmethod
    def of(cls, release: str, extra: tuple[str, ...] = ()) -> Recipe:
        return cls(release, tuple(sorted({*PACKAGES, *extra})), os.uname().machine)

    @property
    def digest(self) -> str:
        text = json.dumps([RECIPE, self.release, self.packages, self.machine])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def command(self, target: Path, mirror: Mirror, apt_options: Path, form: str = "directory") -> list[str]:
        return [
            "mmdebstrap",
            "--variant=minbase",
            "--mode=root",
            f"--format={form}",
            f"--keyring={KEYRING}",
            f"--include={','.join(self.packages)}",
            f"--aptopt={apt_options}",
            self.release,
            str(target),
            *mirror.lines(self.release),
        ]


@dataclass(frozen=True, slots=True)
class RootfsCache:
    """Complete trees in ``folder``; what is not complete has another name."""

    folder: Path
    system: System

    def find(self, recipe: Recipe) -> Path | None:
        path = self.folder / recipe.digest
        return path if path.is_dir() else None

    def ensure(self, recipe: Recipe, mirror: Mirror, options: Mapping[str, str]) -> Path:
        """The tree of ``recipe``, made where it is not there yet, by one labctl at a time. Raises LabError."""
        found = self.find(recipe)
        if found:
            return found
        lock = self.folder / f"{recipe.digest}.lock"
        with locked(lock, "making the root file system", self.system.clock, MAKE_SECONDS) as descriptor:
            return self.find(recipe) or self._make(recipe, mirror, options, descriptor)

    def _make(self, recipe: Recipe, mirror: Mirror, options: Mapping[str, str], lock: int) -> Path:
        """``lock`` is held by mmdebstrap too: if we are killed, the next labctl waits for its end."""
        aside = self.folder / f"{recipe.digest}.partial"
        remove_tree(aside, self.system)
        apt, log = self.folder / f"{recipe.digest}.apt.conf", self.folder / f"{recipe.digest}.log"
        write_text(apt, apt_conf(options), 0o600)
        log.unlink(missing_ok=True)
        command = recipe.command(aside, mirror, apt)
        try:
            done = self.system.run(*command, check=False, timeout=MAKE_SECONDS, log=log, keep_open=(lock,))
        finally:
            apt.unlink(missing_ok=True)
        if done.code != 0:
            remove_tree(aside, self.system)
            raise LabError(
                f"mmdebstrap could not make Debian {recipe.release}: {reason(log)}", f"Its log: {log}"
            )
        _neutral(aside)
        # Durable before it gets its name: a torn tree would be taken for a whole one after a power cut.
        self.system.run("sync", "--file-system", str(aside), timeout=300)
        aside.rename(self.folder / recipe.digest)
        log.unlink(missing_ok=True)
        return self.folder / recipe.digest


def reason(log: Path) -> str:
    """The lines that are errors, of apt's and mmdebstrap's; where there are none, the last."""
    lines = [line.strip() for line in tail(log).splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("E:", "Err:"))]
    return "\n".join((errors or lines)[-6:]) or "it said nothing."


def _neutral(root: Path) -> None:
    """Take out what must not be the same on two hosts, or comes of this machine."""
    for path in (root / "etc/ssh").glob("ssh_host_*_key*"):
        path.unlink()
    for name in (
        "etc/apt/apt.conf.d/99mmdebstrap",
        "etc/apt/sources.list",
        "etc/hostname",
        "etc/resolv.conf",
    ):
        (root / name).unlink(missing_ok=True)
    for path in (root / "etc/apt/sources.list.d").glob("*"):
        path.unlink()
