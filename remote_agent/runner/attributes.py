# SPDX-License-Identifier: Apache-2.0
"""Mode, owner and group: wanted, applied, reported; Ansible's notations."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Mapping
from pathlib import Path

from remote_agent.contract.lean import dataclass
from remote_agent.runner.args import first, text
from remote_agent.runner.context import ModuleFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CLAUSE = re.compile(r"^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$")
_ACTION = re.compile(r"([-+=])([rwxXstugo]*)")
_SHIFT = {"u": 6, "g": 3, "o": 0}


@dataclass(frozen=True, slots=True)
class Attributes:
    """What is wanted of a path; None leaves it as it is. ``mode`` is octal text, a number, or symbolic (``u=rwX,go=``)."""

    mode: str | int | None = None
    owner: str | None = None
    group: str | None = None

    @classmethod
    def from_args(cls, args: Mapping[str, Any]) -> Attributes:
        return cls(first(args, "mode"), text(args, "owner"), text(args, "group"))

    def mode_for(self, current: int, directory: bool) -> int:
        """The permission bits for a path that now has ``current``. Raises ModuleFailure for a mode that is none."""
        return (
            stat.S_IMODE(current)
            if self.mode is None
            else parse_mode(self.mode, stat.S_IMODE(current), directory)
        )

    def ids(self) -> tuple[int, int]:
        """uid and gid, -1 for what is not wanted. Raises ModuleFailure for an unknown name."""
        return _uid(self.owner), _gid(self.group)

    def differ(self, path: Path | str) -> bool:
        """Whether `apply` would change anything. An owner that does not exist yet counts as a difference."""
        return self._differ_from(os.lstat(path))

    def changes(self, path: Path | str) -> tuple[dict[str, object], dict[str, object]]:
        """What there is of mode, owner and group, and what is wanted of them, in words, for a diff."""
        found = os.lstat(path)
        before: dict[str, object] = {
            "mode": f"{stat.S_IMODE(found.st_mode):04o}",
            "owner": user_name(found.st_uid),
            "group": group_name(found.st_gid),
        }
        after = dict(before)
        if self.mode is not None and not stat.S_ISLNK(found.st_mode):
            after["mode"] = f"{self._wanted(found):04o}"
        if self.owner is not None:
            after["owner"] = user_name(int(self.owner)) if self.owner.isdigit() else self.owner
        if self.group is not None:
            after["group"] = group_name(int(self.group)) if self.group.isdigit() else self.group
        return before, after

    def differ_from_new(self) -> bool:
        """The same for a file that is to be made: 0666 less the umask, and ours."""
        mode = stat.S_IFREG | 0o666 & ~current_umask()
        return self._differ_from(os.stat_result((mode, 0, 0, 1, os.geteuid(), os.getegid(), 0, 0, 0, 0)))

    def _differ_from(self, found: os.stat_result) -> bool:
        try:
            uid, gid = self.ids()
        except ModuleFailure:
            return True
        if uid not in (-1, found.st_uid) or gid not in (-1, found.st_gid):
            return True
        return not stat.S_ISLNK(found.st_mode) and self._wanted(found) != stat.S_IMODE(found.st_mode)

    def apply(self, path: Path | str, check: bool = False) -> bool:
        """Make it so; True if something had to change. A link's own mode means nothing, so only its owner is set."""
        if not self.differ(path):
            return False
        if not check:
            os.chown(path, *self.ids(), follow_symlinks=False)
            found = os.lstat(path)  # after chown, which may have taken setuid away
            if not stat.S_ISLNK(found.st_mode) and self.mode is not None:
                os.chmod(path, self._wanted(found))
        return True

    def _wanted(self, found: os.stat_result) -> int:
        return self.mode_for(found.st_mode, stat.S_ISDIR(found.st_mode))


def parse_mode(mode: str | int, current: int, directory: bool) -> int:
    """Permission bits from Ansible's notations. Raises ModuleFailure."""
    if isinstance(mode, int):
        return mode
    try:
        return int(mode, 8)
    except ValueError:
        bits = current
        for clause in mode.split(","):
            bits = _apply_clause(clause.strip(), bits, directory, mode)
        return bits


def _apply_clause(clause: str, bits: int, directory: bool, mode: str) -> int:
    match = _CLAUSE.match(clause)
    if match is None:
        raise ModuleFailure(f"mode {mode!r} is neither octal nor symbolic (as in 'u=rwX,g-w').")
    who = match[1] or "a"
    users = "ugo" if "a" in who else who
    mask = 0o7777 if match[1] else 0o7777 & ~current_umask()
    for operator, permissions in _ACTION.findall(match[2]):
        touched = sum(0o7 << _SHIFT[user] for user in set(users)) | _special("st", users)
        value = _value(permissions, users, bits, directory) & mask
        if operator == "+":
            bits |= value
        elif operator == "-":
            bits &= ~value
        else:  # as chmod does, `=` leaves a directory's setuid and setgid alone unless they are named
            kept = bits & 0o6000 if directory and "s" not in permissions else 0
            bits = (bits & ~touched) | value | kept
    return bits


def _value(permissions: str, users: str, bits: int, directory: bool) -> int:
    value = _special(permissions, users)
    for user in users:
        for letter in permissions:
            if letter in _SHIFT:
                value |= (bits >> _SHIFT[letter] & 0o7) << _SHIFT[user]
            elif letter == "X":
                value |= (0o1 << _SHIFT[user]) if directory or bits & 0o111 else 0
            elif letter in "rwx":
                value |= {"r": 0o4, "w": 0o2, "x": 0o1}[letter] << _SHIFT[user]
    return value


def _special(permissions: str, users: str) -> int:
    value = 0
    if "s" in permissions:
        value |= (stat.S_ISUID if "u" in users else 0) | (stat.S_ISGID if "g" in users else 0)
    if "t" in permissions and "o" in users:
        value |= stat.S_ISVTX
    return value


def current_umask() -> int:
    """This process's umask; reading it means setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _uid(owner: str | None) -> int:
    if owner is None:
        return -1
    try:
        return int(owner) if owner.isdigit() else pwd.getpwnam(owner).pw_uid
    except KeyError as error:
        raise ModuleFailure(f"chown failed: there is no user {owner!r} on this host.") from error


def _gid(group: str | None) -> int:
    if group is None:
        return -1
    try:
        return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ModuleFailure(f"chgrp failed: there is no group {group!r} on this host.") from error


def state_of(path: Path | str) -> str:
    """Ansible's word for what is there: absent, link, directory, hard or file."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    if stat.S_ISLNK(found.st_mode):
        return "link"
    if stat.S_ISDIR(found.st_mode):
        return "directory"
    return "hard" if found.st_nlink > 1 else "file"


def describe(path: Path | str) -> dict[str, Any]:
    """The keys that Ansible adds to every result about a path; none for a path that is not there."""
    state = state_of(path)
    if state == "absent":
        return {}
    found = os.lstat(path)
    return {
        "state": state,
        "mode": f"{stat.S_IMODE(found.st_mode):04o}",
        "uid": found.st_uid,
        "gid": found.st_gid,
        "owner": user_name(found.st_uid),
        "group": group_name(found.st_gid),
        "size": found.st_size,
    }


def user_name(uid: int) -> str:
    """The user's name, or the number where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """The group's name, or the number where there is none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
