# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.deb822_repository`: /etc/apt/sources.list.d/NAME.sources, byte for byte as Ansible writes it.

A key that ``signed_by`` names by its address is fetched into /etc/apt/keyrings; a path, fingerprints or an armored key stand in the
file itself. The package lists are not renewed: notify a task with apt and update_cache. python3-debian is not needed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from remote_agent.contract.lean import dataclass, field
from remote_agent.runner.args import choice, flag, number, required, text, texts
from remote_agent.runner.attributes import Attributes, describe
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.files import replace_file, sweep, text_diff
from remote_agent.runner.foresight import Predicted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

KEYRINGS = "etc/apt/keyrings"
SOURCES = "etc/apt/sources.list.d"
_ARMOR = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_LARGEST_KEY = 16 * 2**20
_LISTS = ("architectures", "components", "languages", "suites", "targets", "types", "uris")
_FLAGS = (
    "allow_downgrade_to_insecure",
    "allow_insecure",
    "allow_weak",
    "by_hash",
    "check_date",
    "check_valid_until",
    "enabled",
    "pdiffs",
    "trusted",
)
_TEXTS = ("inrelease_path", "name")


@dataclass(frozen=True, slots=True)
class _Key:
    """``said`` stands in the file. ``path`` and ``content`` are there where a key has a file, or is to get one."""

    said: str
    path: Path | None = None
    content: bytes | None = None
    attributes: Attributes = field(default_factory=lambda: Attributes("0644"))

    def bring(self, context: Context) -> bool:
        """Put it in place; True where it was not so."""
        if self.path is None or self.content is None:
            return False
        if self.path.is_file() and self.path.read_bytes() == self.content:
            return self.attributes.apply(self.path, context.check)
        if not context.check:
            folder = self.path.parent
            folder.mkdir(mode=0o755, exist_ok=True)
            owner = ("root", "root") if os.geteuid() == 0 else (None, None)
            Attributes("0755", *owner).apply(folder)
            sweep(self.path)
            replace_file(self.path, lambda stream: stream.write(self.content or b""), self.attributes)
        return True


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    name = required(args, "name")
    slug = re.sub(r"[^a-z0-9-]+", "", re.sub(r"[_\s]+", "-", name.lower()))
    if not slug:
        raise ModuleFailure(f"'name' has no letter or digit to call a file by: {name!r}.")
    dest = context.root / SOURCES / f"{slug}.sources"
    if choice(args, "state", ("present", "absent"), "present") == "absent":
        return _absent(context, slug, dest)
    key = _key(args, context, slug)
    repo = _stanza(args, key)
    changed = key.bring(context) if key else False
    before = dest.read_bytes() if dest.is_file() else None
    attributes = Attributes(args.get("mode") or "0644")
    diff = text_diff(str(dest), before, repo.encode()) if context.diff else None
    if before != repo.encode():
        changed = True
        if not context.check:
            sweep(dest)
            replace_file(dest, lambda stream: stream.write(repo.encode()), attributes)
    elif attributes.apply(dest, context.check):
        changed = True
    if changed:
        context.predicts(dest, Predicted("file", attributes, repo.encode()))
    key_file = str(key.path) if key and key.path else None
    result = {"repo": repo, "dest": str(dest), "key_filename": key_file, **describe(dest)}
    return ModuleResult(changed, result, diff=diff)


def _absent(context: Context, slug: str, dest: Path) -> ModuleResult:
    """Gone are the file, and keys of ours."""
    keys = [context.root / KEYRINGS / f"{slug}.{kind}" for kind in ("asc", "gpg")]
    there = [path for path in (dest, *keys) if path.exists()]
    if not context.check:
        for path in there:
            path.unlink()
    result = {"repo": None, "dest": str(dest), "key_filename": str(keys[-1]), **describe(dest)}
    return ModuleResult(bool(there), result)


def _key(args: Mapping[str, Any], context: Context, slug: str) -> _Key | None:
    said = text(args, "signed_by")
    if said is None:
        return None
    if "\n" not in said and os.path.isfile(said):
        return _Key(said, Path(said))
    if "\n" in said or not urlsplit(said).scheme:
        return _Key(said)
    from remote_agent.runner.fetch import Wish, fetched  # only a key with an address waits for this import

    with fetched(Wish(said), context.environment) as answer:
        content = answer.stream.read(_LARGEST_KEY) if answer.stream else b""
    if not content:
        raise ModuleFailure("The key that 'signed_by' names is empty.")
    kind = "asc" if _ARMOR in content else "gpg"
    path = context.root / KEYRINGS / f"{slug}.{kind}"
    return _Key(str(path), path, content)


def _stanza(args: Mapping[str, Any], key: _Key | None) -> str:
    """The fields by the names of the parameters, in the order of the alphabet."""
    values: dict[str, str] = {"types": "deb"}
    values |= {name: " ".join(texts(args, name)) for name in _LISTS if args.get(name) is not None}
    values |= {name: _yes(flag(args, name)) for name in _FLAGS if args.get(name) is not None}
    values |= {name: str(args[name]) for name in _TEXTS if args.get(name) is not None}
    if args.get("date_max_future") is not None:
        values["date_max_future"] = str(number(args, "date_max_future", 0))
    if key is not None:
        values["signed_by"] = key.said
    return "".join(f"{_field(name)}:{_value(value)}\n" for name, value in sorted(values.items()))


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _field(name: str) -> str:
    special = {"name": "X-Repolib-Name", "uris": "URIs"}
    return special.get(name) or name.replace("_", "-").title()


def _value(value: str) -> str:
    """One line behind its space; several are indented, with a dot for an empty one."""
    if "\n" in value:
        return "".join(f"\n    {line.strip() or '.'}" for line in value.strip().splitlines())
    return f" {value}" if value else ""
