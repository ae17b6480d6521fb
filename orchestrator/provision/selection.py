# SPDX-License-Identifier: Apache-2.0
"""Which tasks --tags and --skip-tags select, by Ansible's rules (always, never, all, tagged, untagged)."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.model.errors import UsageError
from orchestrator.model.playbook import Playbook, Task

_SPECIAL = frozenset(("all", "tagged", "untagged", "always", "never"))
_UNTAGGED = frozenset(("untagged",))


@dataclass(frozen=True, slots=True)
class Tags:
    """``only`` is what --tags names (everything, where it names nothing), ``skip`` what --skip-tags names."""

    only: frozenset[str] = frozenset(("all",))
    skip: frozenset[str] = frozenset()

    @property
    def flush(self) -> bool:
        """Do handlers run at a section's end? What runs them has the tag always, as in Ansible."""
        return "always" not in self.skip

    def select(self, task: Task) -> bool:
        tags = task.tags or _UNTAGGED
        return self._wanted(tags) and not self._skipped(tags)

    def _wanted(self, tags: Collection[str]) -> bool:
        if "always" in tags or not self.only.isdisjoint(tags):
            return True
        if "never" in tags:
            return False
        return "all" in self.only or ("tagged" in self.only and tags != _UNTAGGED)

    def _skipped(self, tags: Collection[str]) -> bool:
        if "all" in self.skip:
            return "always" not in tags or "always" in self.skip
        return not self.skip.isdisjoint(tags) or ("tagged" in self.skip and tags != _UNTAGGED)


def tags_of(only: Collection[str], skip: Collection[str], playbook: Playbook) -> Tags:
    """The tags as the command line names them. Raises UsageError for one that no task has."""
    known = {
        tag for play in playbook.plays for task in (*play.tasks, *play.handlers) for tag in task.tags
    } | _SPECIAL
    for tag in (*only, *skip):
        if tag not in known:
            close = difflib.get_close_matches(tag, known, n=1)
            names = ", ".join(sorted(known - _SPECIAL)) or "none"
            raise UsageError(
                f"No task of {playbook.path} has the tag '{tag}'.",
                f"Did you mean '{close[0]}'?" if close else f"Tags: {names}.",
            )
    return Tags(frozenset(only) or frozenset(("all",)), frozenset(skip))
