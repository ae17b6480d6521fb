# SPDX-License-Identifier: Apache-2.0
"""Keys and known_hosts: made here and installed, so that a host's key is known and never scanned."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrator.files import write_text
from orchestrator.lab.system import System
from orchestrator.model.errors import LabError


def make_key(path: Path, comment: str, system: System) -> None:
    """Make an ed25519 key pair at ``path`` (mode 600) and ``path``.pub, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    public = aside.with_name(f"{aside.name}.pub")
    for old in (aside, public):
        old.unlink(missing_ok=True)
    system.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(aside))
    public.replace(path.with_name(f"{path.name}.pub"))
    aside.replace(path)


def public_key(path: Path, system: System) -> str:
    """The public half of the private key at ``path``: kind and key. Raises LabError where it is none, or has a password."""
    done = system.run("ssh-keygen", "-y", "-P", "", "-f", str(path), check=False)
    words = done.stdout.split()
    if done.code != 0 or len(words) < 2:
        raise LabError(
            f"{path} is not a private key without a password.", "Name another file, or remove this one."
        )
    return " ".join(words[:2])


def host_pattern(address: str, port: int) -> str:
    """How known_hosts names an address, by sshd(8)."""
    return address if port == 22 else f"[{address}]:{port}"


def remember(known_hosts: Path, keys: Mapping[str, str]) -> bool:
    """Write the key of each pattern of ``keys``, keep the lines of others; True where that changed the file."""
    before = _lines(known_hosts)
    kept = [line for line in before if not _names(line, keys)]
    after = [*kept, *(f"{pattern} {key}" for pattern, key in keys.items())]
    if sorted(after) == sorted(before):
        return False
    write_text(known_hosts, "".join(f"{line}\n" for line in after), 0o600)
    return True


def forget(known_hosts: Path, patterns: Iterable[str]) -> None:
    """Take the lines of ``patterns`` out; the file goes with its last line."""
    before = _lines(known_hosts)
    kept = [line for line in before if not _names(line, patterns)]
    if not any(line.strip() for line in kept):
        known_hosts.unlink(missing_ok=True)
    elif kept != before:
        write_text(known_hosts, "".join(f"{line}\n" for line in kept), 0o600)


def _names(line: str, patterns: Iterable[str]) -> bool:
    return line.partition(" ")[0] in patterns


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
