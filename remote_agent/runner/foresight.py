# SPDX-License-Identifier: Apache-2.0
"""In check mode: what earlier steps of this session were predicted to make of paths, so that later ones can count on it."""

from __future__ import annotations

import os
from pathlib import Path

from remote_agent.contract.lean import dataclass
from remote_agent.runner import attributes
from remote_agent.runner.attributes import Attributes
from remote_agent.runner.context import Context


@dataclass(frozen=True, slots=True)
class Predicted:
    """``kind`` is file, directory, link, hard or absent. ``content``, ``digest`` (its SHA-256) and ``target`` are None where unknown."""

    kind: str
    attributes: Attributes = Attributes()
    content: bytes | None = None
    digest: str | None = None
    target: str | None = None

    def changed(
        self, attributes: Attributes, content: bytes | None = None, digest: str | None = None
    ) -> Predicted:
        """A file after a step that wants ``attributes``; those that it leaves as they are stay."""
        mine = self.attributes
        merged = Attributes(
            mine.mode if attributes.mode is None else attributes.mode,
            mine.owner if attributes.owner is None else attributes.owner,
            mine.group if attributes.group is None else attributes.group,
        )
        return Predicted("file", merged, content, digest)

    def satisfies(self, wanted: Attributes) -> bool:
        """Would ``wanted`` change nothing? What is not known to be so counts as a difference."""
        mine = self.attributes
        pairs = ((wanted.mode, mine.mode), (wanted.owner, mine.owner), (wanted.group, mine.group))
        return all(want is None or want == have for want, have in pairs)


class Foresight:
    """Predicted paths. ``sources_changed``: a package source was predicted to change, so that apt may know more packages then."""

    def __init__(self) -> None:
        self._paths: dict[str, Predicted] = {}
        self.sources_changed = False

    def of(self, path: Path | str) -> Predicted | None:
        """What is predicted of a path: also that it goes with a folder around it. None: it is as it is on disk."""
        if not self._paths:
            return None
        own = os.path.abspath(path)
        if own in self._paths:
            return self._paths[own]
        above = next((self._paths[str(top)] for top in Path(own).parents if str(top) in self._paths), None)
        return above if above is not None and above.kind == "absent" else None

    def will_be(self, path: Path | str, predicted: Predicted) -> None:
        """Remember it. What is made has the folders on its way to it; what goes takes with it what is below."""
        own = os.path.abspath(path)
        self.sources_changed |= own.startswith("/etc/apt/")
        if predicted.kind == "absent":
            below = f"{own.rstrip('/')}/"
            self._paths = {name: value for name, value in self._paths.items() if not name.startswith(below)}
        else:
            for top in Path(own).parents:
                if (found := self.of(top)) is not None and found.kind != "absent":
                    break
                if found is None and os.path.isdir(top):
                    break
                self._paths[str(top)] = Predicted("directory")
        self._paths[own] = predicted

    def exists(self, path: Path | str) -> bool:
        """Is it there, links followed, or predicted to be?"""
        found = self.of(path)
        return os.path.exists(path) if found is None else found.kind != "absent"


def state_of(path: Path | str, context: Context) -> str:
    """As `attributes.state_of`; where nothing is changed, as earlier steps were predicted to leave it."""
    found = context.predicted(path)
    return attributes.state_of(path) if found is None else found.kind
