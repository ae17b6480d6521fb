# SPDX-License-Identifier: Apache-2.0
"""A checkout as one tar: what git knows of its work tree, uncommitted changes and new files too, ignored ones not."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

from orchestrator.model.errors import BuildError

SECONDS = 120.0


def take(tree: Path, target: Path) -> None:
    """Write the tar; the same files give the same bytes. Raises BuildError."""
    names = sorted(_git(tree, "ls-files", "-co", "--exclude-standard", "-z").split("\0"))
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as packed:
        for name in names:
            path = tree / name
            if name and (path.is_symlink() or path.is_file()):
                _add(packed, path, name)


def commit_of(tree: Path) -> dict[str, object]:
    """For provenance: the commit, and whether the work tree differs from it. Raises BuildError."""
    return {
        "commit": _git(tree, "rev-parse", "HEAD").strip(),
        "dirty": bool(_git(tree, "status", "--porcelain").strip()),
    }


def _add(packed: tarfile.TarFile, path: Path, name: str) -> None:
    entry = packed.gettarinfo(path, name)
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = "root"
    entry.mtime = 0
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    if entry.issym():
        packed.addfile(entry)
        return
    with path.open("rb") as stream:
        packed.addfile(entry, stream)


def _git(tree: Path, *words: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(tree), *words], capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"git {words[0]} does not work in {tree}: {error}") from error
    if done.returncode != 0:
        raise BuildError(f"git {words[0]} failed in {tree}: {done.stderr.strip()}")
    return done.stdout
