# SPDX-License-Identifier: Apache-2.0
"""What dpkg has on record, read from its own file: a few milliseconds, no process."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from pathlib import Path

from remote_agent.contract.lean import dataclass

STATUS = "var/lib/dpkg/status"
EXTENDED = "var/lib/apt/extended_states"
_SPEC = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9+.-]*)(?::(?P<arch>[a-z0-9-]+))?(?:(?P<how>>?=)(?P<version>\S+))?$"
)


@dataclass(frozen=True, slots=True)
class Spec:
    """``name``, ``name:arch``, ``name=version`` (with wildcards) or ``name>=version``."""

    text: str
    name: str
    arch: str | None
    how: str | None
    version: str | None

    def matches(self, package: Package) -> bool:
        """Whether that is the package, in the wanted version where one is wanted exactly."""
        fits = self.arch is None or package.arch in (self.arch, "all")
        return fits and (self.how != "=" or fnmatch.fnmatchcase(package.version, self.version or ""))


def parse_spec(text: str) -> Spec | None:
    """None where this is no package's name."""
    match = _SPEC.match(text)
    return Spec(text, **match.groupdict()) if match else None


@dataclass(frozen=True, slots=True)
class Package:
    """``state`` is dpkg's last word: installed, config-files, half-configured, not-installed, ..."""

    name: str
    version: str
    arch: str
    state: str


class PackageRecords:
    """The status file as it was when this was made."""

    def __init__(self, root: Path) -> None:
        try:
            self._text = "\n" + (root / STATUS).read_text(errors="replace")
        except FileNotFoundError:
            self._text = ""
        self._root = root

    def named(self, name: str) -> list[Package]:
        """The records of that name: one an architecture."""
        found, needle = [], f"\nPackage: {name}\n"
        start = self._text.find(needle)
        while start >= 0:
            end = self._text.find("\n\n", start + 1)
            found.append(_package(self._text[start + 1 : end if end >= 0 else None]))
            start = self._text.find(needle, start + len(needle) - 1)
        return found

    def installed(self) -> dict[str, str]:
        """Name and architecture -> version, of everything that is installed."""
        packages = [_package(stanza) for stanza in self._text.strip().split("\n\n") if stanza]
        return {
            f"{package.name}:{package.arch}": package.version
            for package in packages
            if package.state == "installed"
        }

    def provider(self, name: str) -> Package | None:
        """An installed package that provides a virtual one."""
        wanted = re.compile(rf"\nProvides:[^\n]*[ ,]{re.escape(name)}(?: \(|,|\n)")
        for stanza in self._stanzas_with(wanted):
            package = _package(stanza)
            if package.state == "installed":
                return package
        return None

    def automatic(self, names: set[str]) -> list[str]:
        """Those of the names that apt would remove again by itself."""
        try:
            text = (self._root / EXTENDED).read_text()
        except FileNotFoundError:
            return []
        stanzas = [_fields(stanza) for stanza in text.split("\n\n")]
        marked = {fields.get("Package", "") for fields in stanzas if fields.get("Auto-Installed") == "1"}
        return sorted(names & marked)

    def _stanzas_with(self, pattern: re.Pattern[str]) -> Iterator[str]:
        for match in pattern.finditer(self._text):
            start = self._text.rfind("\n\n", 0, match.start()) + 1
            end = self._text.find("\n\n", match.start() + 1)
            yield self._text[start : end if end >= 0 else None].lstrip("\n")


def _fields(stanza: str) -> dict[str, str]:
    pairs = (line.partition(": ") for line in stanza.splitlines() if line[:1].isalpha())
    return {name: value for name, _, value in pairs}


def _package(stanza: str) -> Package:
    fields = _fields(stanza)
    state = fields.get("Status", "").rpartition(" ")[2]
    return Package(
        fields.get("Package", ""), fields.get("Version", ""), fields.get("Architecture", ""), state
    )
