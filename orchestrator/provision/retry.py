# SPDX-License-Identifier: Apache-2.0
"""Which hosts of an inventory failed the last time: a small file, for `--retry-failed`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.files import write_text
from orchestrator.model.errors import ConfigError

SCHEMA = 1
FILE = "provision-failed.json"


@dataclass(frozen=True, slots=True)
class Failed:
    """The file lies in ``folder``; it has every inventory's hosts by the inventory's absolute path."""

    folder: Path

    def of(self, inventory: Path) -> frozenset[str]:
        """Hosts that failed or were not reached. Raises ConfigError where the file is not what we wrote."""
        return frozenset(self._read().get(str(inventory.absolute()), ()))

    def remember(self, inventory: Path, outcome: Mapping[str, bool]) -> None:
        """``outcome`` says of each host that was tried whether it failed; the others stay as they were."""
        known = self._read()
        key = str(inventory.absolute())
        before = frozenset(known.get(key, ()))
        after = sorted((before - outcome.keys()) | {host for host, failed in outcome.items() if failed})
        if after == sorted(before):
            return
        self._write(
            {
                **{name: hosts for name, hosts in known.items() if name != key},
                **({key: after} if after else {}),
            }
        )

    def _read(self) -> dict[str, list[str]]:
        path = self.folder / FILE
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ConfigError("is not what labctl wrote.", file=path, hint="Remove it.") from error
        if not isinstance(content, dict) or content.get("schema") != SCHEMA:
            raise ConfigError("is of another version of labctl.", file=path, hint="Remove it.")
        return dict(content["failed"])

    def _write(self, failed: Mapping[str, list[str]]) -> None:
        text = json.dumps({"schema": SCHEMA, "failed": failed}, indent=1)
        write_text(self.folder / FILE, text, 0o600)
