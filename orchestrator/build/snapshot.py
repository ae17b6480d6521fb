# SPDX-License-Identifier: Apache-2.0
"""A checkout as one tar: what git knows of its work tree, uncommitted changes and new files too, ignored ones not."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

from orchestrator.model.errors import BuildError

SECONDS = 120.0


def take(tree: Path, target: Path) -> None:
    """Write the tar; the same files give the same bytes. Raises BuildError."""
    names = sorted(set(_names(tree)))
    try:
        with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as packed:
            for name in names:
                path = tree / name
                if path.is_symlink() or path.is_file():
                    _add(packed, path, name)
    except OSError as error:
        raise BuildError(
            f"The snapshot of {tree} failed: {error.strerror}: {error.filename}.",
            "Every file of the tree that git does not ignore must be readable, and there must be room for a copy.",
        ) from error


def _names(tree: Path, prefix: str = "") -> Iterator[str]:
    """The paths below ``tree`` that git knows or does not ignore.

    A repository inside of it, a submodule or another clone, is one name to git: its own git lists its files.
    """
    for name in _git(tree, "ls-files", "-co", "--exclude-standard", "-z").split("\0"):
        folder = tree / name
        if name and not folder.is_symlink() and folder.is_dir():
            if (folder / ".git").exists():
                yield from _names(folder, f"{prefix}{name.rstrip('/')}/")
        elif name:
            yield f"{prefix}{name}"


def commit_of(tree: Path) -> dict[str, object]:
    """For provenance: the commit, and whether the work tree differs from it. Raises BuildError."""
    return {
        "commit": _git(tree, "rev-parse", "HEAD").strip(),
        "dirty": bool(_git(tree, "status", "--porcelain", "--", ".").strip()),
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
            ["git", "-C", str(tree), *words], capture_output=True, text=True, errors="surrogateescape",
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BuildError(f"git {words[0]} does not work in {tree}: {error}") from error
    if done.returncode != 0:
        raise BuildError(f"git {words[0]} failed in {tree}: {done.stderr.strip()}")
    return done.stdout
