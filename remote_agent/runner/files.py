# SPDX-License-Identifier: Apache-2.0
"""Files written whole or not at all: aside in the same folder, attributes set, fsynced, renamed."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from remote_agent.runner.attributes import Attributes, current_umask
from remote_agent.runner.interruption import Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

DIFF_LIMIT = 512 * 1024
"""Bytes above which a file's diff is not made."""


def _empty(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))


@contextmanager
def aside(dest: Path, make: Callable[[str], None] = _empty) -> Iterator[Path]:
    """A new file beside ``dest``, or what ``make`` makes under a name that it must refuse if it is taken; gone again at the end,
    unless it was renamed.

    What the system refuses meanwhile (no space left) names ``dest``, which people know.
    """
    made: str | None = None
    try:
        with Held():  # else a file that has just been made would be one of which nobody knows yet
            made = _made_aside(dest, make)
        yield Path(made)
    except OSError as error:
        if made is None or error.filename in (None, made):
            error.filename, error.filename2 = str(dest), None
        raise
    finally:
        if made is not None:
            Path(made).unlink(missing_ok=True)


def _made_aside(dest: Path, make: Callable[[str], None]) -> str:
    """(tempfile, which does the same, imports a random number generator and three archivers.)"""
    while True:
        path = os.path.join(dest.parent, f"{_aside_prefix(dest)}{os.urandom(6).hex()}")
        try:
            make(path)
        except FileExistsError:
            continue
        return path


def _aside_prefix(dest: Path) -> str:
    return f".{dest.name[:100]}.labctl-"


def sweep(dest: Path) -> None:
    """Remove what a runner that was killed while it wrote ``dest`` left beside it."""
    try:
        names = [
            entry.name for entry in os.scandir(dest.parent) if entry.name.startswith(_aside_prefix(dest))
        ]
    except (FileNotFoundError, NotADirectoryError):
        return
    for name in names:
        (dest.parent / name).unlink(missing_ok=True)


def replace_file(
    dest: Path,
    fill: Callable[[IO[bytes]], object],
    attributes: Attributes,
    validate: Callable[[Path], None] = lambda path: None,
    mtime: float | None = None,
    sync: bool = True,
) -> None:
    """Make ``dest`` a file with what ``fill`` writes. What is not wanted otherwise stays as it was on an existing file;
    a new one gets 0666 less the umask. ``validate`` sees the finished file before it is in place, and may raise.
    Without ``sync`` the caller sees to it that the bytes get to disk."""
    with aside(dest) as temporary:
        # It is empty; to truncate it all the same makes ext4 write it out at its close, and once more when it is synced.
        with open(temporary, "r+b") as stream:
            fill(stream)
        put_in_place(temporary, dest, attributes, validate, mtime, sync)


def put_in_place(
    temporary: Path,
    dest: Path,
    attributes: Attributes,
    validate: Callable[[Path], None] = lambda path: None,
    mtime: float | None = None,
    sync: bool = True,
) -> None:
    """Rename a finished file that lies beside ``dest``; as `replace_file`."""
    _settle(dest, temporary, attributes)
    if mtime is not None:
        os.utime(temporary, (mtime, mtime))
    if sync:
        with open(temporary, "rb") as stream:
            os.fsync(stream.fileno())
    validate(temporary)
    os.replace(temporary, dest)


def _settle(dest: Path, temporary: Path, attributes: Attributes) -> None:
    """Owner first, then the mode, once: at no time may more people read the file than in the end."""
    try:
        found = dest.lstat()
    except FileNotFoundError:
        found = None
    if found is not None and stat.S_ISREG(found.st_mode):
        owner, group, base = found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)
    else:
        owner, group, base = -1, -1, 0o666 & ~current_umask()
    uid, gid = attributes.ids()
    owner, group = owner if uid < 0 else uid, group if gid < 0 else gid
    if (owner, group) != (-1, -1):
        os.chown(temporary, owner, group)
    os.chmod(temporary, attributes.mode_for(base, directory=False))


def replace_link(dest: Path, target: str) -> None:
    """Make ``dest`` a symbolic link to ``target``, in one step."""
    with aside(dest, lambda path: os.symlink(target, path)) as temporary:
        os.replace(temporary, dest)


def replace_hard_link(dest: Path, source: Path) -> None:
    """Make ``dest`` another name of ``source``, in one step."""
    with aside(dest) as temporary:
        temporary.unlink()
        os.link(source, temporary)
        os.replace(temporary, dest)
        # renaming one name of a file onto another does nothing at all; `aside` removes what is then left


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def back_up(path: Path, now: float) -> Path:
    """A copy beside ``path``, under Ansible's name for it."""
    when = time.strftime("%Y-%m-%d@%H:%M:%S", time.localtime(now))
    copy = path.with_name(f"{path.name}.{os.getpid()}.{when}~")
    import shutil

    shutil.copy2(path, copy)
    found = path.stat()
    os.chown(copy, found.st_uid, found.st_gid)
    return copy


def text_diff(path: str, before: bytes | None, after: bytes | None) -> str | None:
    """A unified diff, or one line saying why there is none; None where both are the same. None as content: no file."""
    if before == after:
        return None
    old, new = before or b"", after or b""
    if max(len(old), len(new)) > DIFF_LIMIT or b"\0" in old or b"\0" in new:
        return f"{path}: binary or large, {len(old)} bytes before, {len(new)} after\n"
    from difflib import unified_diff  # only whoever wants a diff waits for this import

    old_name, new_name = (path if content is not None else "/dev/null" for content in (before, after))
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in unified_diff(_lines(old), _lines(new), f"{old_name} (before)", f"{new_name} (after)")
    )


def _lines(content: bytes) -> list[str]:
    return content.decode(errors="replace").splitlines(keepends=True)


def changes_diff(path: str, before: dict[str, object], after: dict[str, object]) -> str | None:
    """What changes of a path that is not about its content: one line a key."""
    keys = [key for key in after if before.get(key) != after[key]]
    if not keys:
        return None
    old = "".join(f"-{key}: {before[key]}\n" for key in keys if before.get(key) is not None)
    return f"--- {path}\n+++ {path}\n{old}" + "".join(
        f"+{key}: {after[key]}\n" for key in keys if after[key] is not None
    )
