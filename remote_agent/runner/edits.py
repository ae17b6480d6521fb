# SPDX-License-Identifier: Apache-2.0
"""Editing a text file that is there: whole and at once, through a link, checked before it is in place, with its attributes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from remote_agent.contract.digests import new_digest
from remote_agent.contract.lean import dataclass
from remote_agent.runner.args import expanded, flag, path_of, text
from remote_agent.runner.attributes import Attributes
from remote_agent.runner.context import Context, ModuleFailure, tail
from remote_agent.runner.files import back_up, changes_diff, replace_file, sweep, text_diff
from remote_agent.runner.foresight import Predicted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ATTRIBUTES_CHANGED = "ownership, perms or SE linux context changed"
"""What Ansible says; playbooks compare it."""
UNKNOWN_CONTENT = "the file would be there, with a content that is not known before"


@dataclass(frozen=True, slots=True)
class TextFile:
    """``before`` is None where no file is yet. Attributes are those of ``path`` itself, content goes where a link points."""

    path: Path
    before: bytes | None
    attributes: Attributes
    backup: bool
    validate: str | None
    predicted: Predicted | None = None

    @classmethod
    def open(cls, args: Mapping[str, Any], context: Context) -> TextFile:
        """Read it; in check mode as earlier steps were predicted to leave it. Raises ModuleFailure for a folder, OSError."""
        given = path_of(args, "path", "dest", "destfile", "name")
        if not given:
            raise ModuleFailure("The parameter 'path' is missing.")
        path = Path(given)
        predicted = context.predicted(path)
        if predicted.kind == "directory" if predicted else path.is_dir():
            raise ModuleFailure(f"{path} is a folder, and only a file has lines.", {"rc": 256})
        attributes, validate = Attributes.from_args(args), text(args, "validate")
        if predicted is not None:
            return cls(path, predicted.content, attributes, flag(args, "backup"), validate, predicted)
        before = path.read_bytes() if path.exists() else None
        return cls(path, before, attributes, flag(args, "backup"), validate)

    @property
    def unknown(self) -> bool:
        """Will it be there, with a content that is not known before?"""
        return self.predicted is not None and self.predicted.kind != "absent" and self.before is None

    def missing(self) -> ModuleFailure:
        return ModuleFailure(f"There is no file {self.path} on this host.", {"rc": 257})

    def write(self, content: bytes, context: Context) -> str:
        """Put the content in place; nothing in check mode. The name of the backup, empty where none was made."""
        if context.check:
            digest = str(new_digest("sha256", content).hexdigest())
            before = self.predicted or Predicted("file")
            context.predicts(self.path, before.changed(self.attributes, content, digest))
            return ""
        target = Path(os.path.realpath(self.path))
        saved = str(back_up(self.path, context.now())) if self.backup and self.before is not None else ""
        sweep(target)
        wanted = Attributes() if self.path.is_symlink() else self.attributes
        replace_file(
            target,
            lambda stream: stream.write(content),
            wanted,
            lambda path: check_content(self.validate, path, context),
        )
        return saved

    def attributes_differ(self) -> bool:
        """To be asked before `write`, which sets them too."""
        if self.predicted is not None and self.before is not None:
            return not self.predicted.satisfies(self.attributes)
        return self.attributes.differ_from_new() if self.before is None else self.attributes.differ(self.path)

    def settle(self, context: Context) -> None:
        """Set the attributes that `write` has not set."""
        if self.path.exists() and self.predicted is None:
            self.attributes.apply(self.path, context.check)

    def diff(self, content: bytes, context: Context) -> str | None:
        """Of the content, and of an existing file's attributes. To be asked before `write`."""
        if not context.diff:
            return None
        diff = text_diff(str(self.path), self.before, content) or ""
        if self.before is not None and self.predicted is None:
            diff += changes_diff(str(self.path), *self.attributes.changes(self.path)) or ""
        return diff or None


def with_attributes(msg: str, differ: bool) -> str:
    """Ansible's message for a file whose attributes changed, too or alone."""
    if not differ:
        return msg
    return f"{msg} and {ATTRIBUTES_CHANGED}" if msg else ATTRIBUTES_CHANGED


def check_content(command: str | None, path: Path, context: Context) -> None:
    """Let ``validate``'s command judge a finished file that is not in place yet. Raises ModuleFailure."""
    if command is None:
        return
    if "%s" not in command:
        raise ModuleFailure(f"'validate' must contain %s: {command}")
    import shlex

    words = shlex.split(command.replace("%s", shlex.quote(str(path))))
    done = context.run_command([expanded(word) for word in words])
    if done.rc != 0:
        said = {"exit_status": done.rc, "stdout": done.stdout, "stderr": tail(done.stderr)}
        raise ModuleFailure("The new content failed to validate; the old file is still in place.", said)
