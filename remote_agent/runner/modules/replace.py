# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.replace`: every match of a regular expression in a file, or in the part between ``after`` and ``before``."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping

from remote_agent.contract.lean import dataclass
from remote_agent.runner.args import required, text
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.edits import UNKNOWN_CONTENT, TextFile, with_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


@dataclass(frozen=True, slots=True)
class _Part:
    """From ``start`` to ``end`` of the content, the rest of which stays as it is."""

    start: int
    end: int


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    file, encoding = TextFile.open(args, context), text(args, "encoding") or "utf-8"
    if file.unknown:
        return ModuleResult(True, {"rc": 0}, UNKNOWN_CONTENT)
    if file.before is None:
        raise file.missing()
    content = _decoded(file, encoding)
    part = _part(args, content)
    if part is None:
        msg = f"Pattern for before/after params did not match the given file: {_section(args)}"
        return ModuleResult(False, {"rc": 0}, msg)
    count, replaced = _replaced(args, content, part)
    changed = replaced != content
    after = _encoded(file, replaced, encoding) if changed else file.before
    differ, diff = file.attributes_differ(), file.diff(after, context)
    saved = file.write(after, context) if changed else ""
    file.settle(context)
    msg = with_attributes(f"{count} replacements made" if changed else "", differ)
    result = {"rc": 0, **({"backup_file": saved} if saved else {})}
    return ModuleResult(changed or differ, result, msg, diff)


def _decoded(file: TextFile, encoding: str) -> str:
    """What is not of the encoding goes through as it is, where the encoding has a way to carry it."""
    try:
        codecs.lookup(encoding)
        return (file.before or b"").decode(encoding, "surrogateescape")
    except LookupError as error:
        raise ModuleFailure(f"'encoding' is none that Python knows: {encoding!r}.") from error
    except UnicodeError as error:
        raise ModuleFailure(f"{file.path} is no {encoding} text: {error}.") from error


def _encoded(file: TextFile, content: str, encoding: str) -> bytes:
    try:
        return content.encode(encoding, "surrogateescape")
    except UnicodeError as error:
        raise ModuleFailure(
            f"The new content of {file.path} cannot be written as {encoding}: {error}."
        ) from error


def _section(args: Mapping[str, Any]) -> str:
    """The pattern whose group ``subsection`` is the part to work on; empty for the whole file."""
    after, before = text(args, "after") or "", text(args, "before") or ""
    if after and before:
        return f"{after}(?P<subsection>.*?){before}"
    return f"{after}(?P<subsection>.*){before}" if after or before else ""


def _part(args: Mapping[str, Any], content: str) -> _Part | None:
    section = _section(args)
    if not section:
        return _Part(0, len(content))
    found = _compiled("after/before", section, re.DOTALL).search(content)
    return _Part(found.start("subsection"), found.end("subsection")) if found else None


def _replaced(args: Mapping[str, Any], content: str, part: _Part) -> tuple[int, str]:
    """How many matches were replaced, and the whole content with them."""
    regexp = _compiled("regexp", required(args, "regexp"), re.MULTILINE)
    try:
        middle, count = regexp.subn(text(args, "replace") or "", content[part.start : part.end])
    except (re.error, IndexError) as error:
        raise ModuleFailure(f"'replace' does not fit the regexp: {error}.") from error
    return count, content[: part.start] + middle + content[part.end :]


def _compiled(name: str, given: str, flags: int) -> re.Pattern[str]:
    try:
        return re.compile(given, flags)
    except re.error as error:
        raise ModuleFailure(f"{name!r} is no regular expression: {error}.") from error
