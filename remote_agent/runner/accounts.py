# SPDX-License-Identifier: Apache-2.0
"""Users and groups of the host, and the commands that change them."""

from __future__ import annotations

import grp
import pwd
from collections.abc import Iterator
from pathlib import Path

from remote_agent.runner.completed import Completed
from remote_agent.runner.context import Context, ModuleFailure, last_line, tail


class Accounts:
    """Looks into the files below ``root``, and on the host itself asks the system too: accounts may come from elsewhere."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def user(self, name: str) -> pwd.struct_passwd | None:
        for fields in self._lines("passwd", 7):
            if fields[0] == name:
                return pwd.struct_passwd((*fields[:2], int(fields[2]), int(fields[3]), *fields[4:]))
        try:
            return pwd.getpwnam(name) if self._real else None
        except KeyError:
            return None

    def password(self, name: str) -> str:
        """The hash in the shadow file, empty where there is none."""
        return next((fields[1] for fields in self._lines("shadow", 9) if fields[0] == name), "")

    def group(self, wanted: str) -> grp.struct_group | None:
        """A group by its number, else by its name."""
        groups = self.groups()
        by_number = [group for group in groups if str(group.gr_gid) == wanted]
        by_name = [group for group in groups if group.gr_name == wanted]
        if by_number or by_name:
            return (by_number or by_name)[0]
        try:
            return grp.getgrnam(wanted) if self._real else None
        except KeyError:
            return None

    def group_named(self, name: str) -> grp.struct_group | None:
        """A group by its name alone, though it be made of digits."""
        found = [group for group in self.groups() if group.gr_name == name]
        return found[0] if found else None

    def groups(self) -> list[grp.struct_group]:
        if self._real:
            return grp.getgrall()
        return [
            grp.struct_group(
                (name, password, int(number), [member for member in members.split(",") if member])
            )
            for name, password, number, members in self._lines("group", 4)
        ]

    def groups_of(self, user: str) -> list[str]:
        """The groups that list the user as a member."""
        return [group.gr_name for group in self.groups() if user in group.gr_mem]

    @property
    def _real(self) -> bool:
        return self._root == Path("/")

    def _lines(self, name: str, count: int) -> Iterator[list[str]]:
        try:
            content = (self._root / "etc" / name).read_text(encoding="utf-8", errors="surrogateescape")
        except (FileNotFoundError, PermissionError):
            return
        for line in content.splitlines():
            fields = line.split(":")
            if len(fields) == count and not line.startswith("#"):
                yield fields


def change(context: Context, argv: list[str], name: str) -> Completed:
    """Run useradd or its like. Raises ModuleFailure with its own words."""
    done = context.run_command(argv)
    if done.rc != 0:
        said = {"name": name, "rc": done.rc, "stdout": done.stdout, "stderr": tail(done.stderr)}
        why = last_line(done.stderr or done.stdout).removeprefix(f"{argv[0]}: ")
        raise ModuleFailure(f"{argv[0]} failed: {why}.", said)
    return done


def outputs(*runs: Completed) -> dict[str, str]:
    """What commands said, as Ansible returns it: only what is not empty."""
    said = {
        "stdout": "".join(run.stdout for run in runs),
        "stderr": "".join(run.stderr for run in runs),
    }
    return {name: content for name, content in said.items() if content}
