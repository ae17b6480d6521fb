# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.lineinfile`: one line of a file, there or gone.

As in Ansible, of several lines that match the last one is meant (``firstmatch``: the first), lines are compared without their end, and
what is written ends with a newline. One thing is done otherwise: where ``insertafter`` finds the last line of a file that does not
end with a newline, that line is ended first; Ansible glues the new line to it, and again with every run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from remote_agent.contract.lean import dataclass
from remote_agent.runner.args import choice, flag, pattern, text
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.edits import UNKNOWN_CONTENT, TextFile, with_attributes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_EMPTY = "An empty {} matches every line: write '^' if that is meant."


@dataclass(frozen=True, slots=True)
class _Wanted:
    """``after`` and ``before`` are the places to insert at: a pattern, or None with ``first`` (BOF) or at the end."""

    line: bytes | None
    regexp: re.Pattern[bytes] | None
    search: bytes | None
    after: re.Pattern[bytes] | None
    before: re.Pattern[bytes] | None
    first: bool
    backrefs: bool
    firstmatch: bool

    def matches(self, line: bytes) -> re.Match[bytes] | bool | None:
        """Does the regexp or the search string find this line? None where neither is wanted."""
        if self.regexp is not None:
            return self.regexp.search(line) or False
        return None if self.search is None else self.search in line


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    file, wanted = TextFile.open(args, context), _read(args)
    warned = _warnings(wanted, context)
    if file.unknown:
        return ModuleResult(True, {"backup": "", **warned}, UNKNOWN_CONTENT)
    if choice(args, "state", ("present", "absent"), "present") == "absent":
        done = _absent(file, wanted, context)
    else:
        done = _present(file, wanted, context, flag(args, "create"))
    return ModuleResult(done.changed, {**done.result, **warned}, done.msg, done.diff)


def _read(args: Mapping[str, Any]) -> _Wanted:
    line, search = text(args, "line", "value"), text(args, "search_string")
    anchors = {"insertafter": ("", "BOF", "EOF"), "insertbefore": ("", "BOF")}
    after, before = (
        None if text(args, name) in words else pattern(args, name) for name, words in anchors.items()
    )
    wanted = _Wanted(
        line=None if line is None else line.encode(errors="surrogateescape"),
        regexp=pattern({"regexp": text(args, "regexp", "regex")}, "regexp"),
        search=None if search is None else search.encode(errors="surrogateescape"),
        after=after,
        before=before,
        first="BOF" in (args.get("insertafter"), args.get("insertbefore")),
        backrefs=flag(args, "backrefs"),
        firstmatch=flag(args, "firstmatch"),
    )
    if args.get("state", "present") == "present" and wanted.backrefs and wanted.regexp is None:
        raise ModuleFailure("'backrefs' needs the parameter 'regexp'.")
    return wanted


def _warnings(wanted: _Wanted, context: Context) -> dict[str, Any]:
    empty = ["regexp"] if wanted.regexp is not None and wanted.regexp.pattern == b"" else []
    empty += ["search_string"] if wanted.search == b"" else []
    for name in empty:
        context.progress(_EMPTY.format(name))
    return {"warnings": [_EMPTY.format(name) for name in empty]} if empty else {}


def _absent(file: TextFile, wanted: _Wanted, context: Context) -> ModuleResult:
    if wanted.line is None and wanted.regexp is None and wanted.search is None:
        raise ModuleFailure("With state absent, one of 'line', 'regexp' and 'search_string' is needed.")
    if file.before is None:
        return ModuleResult(False, msg="file not present")
    lines = _lines(file.before)
    kept = [line for line in lines if not _is_meant(line, wanted)]
    found = len(lines) - len(kept)
    differ, content = file.attributes_differ(), b"".join(kept)
    diff = file.diff(content, context)
    saved = file.write(content, context) if found else ""
    file.settle(context)
    msg = with_attributes(f"{found} line(s) removed" if found else "", differ)
    result = {"found": found, "backup": saved}
    return ModuleResult(bool(found) or differ, result, msg, diff)


def _is_meant(line: bytes, wanted: _Wanted) -> bool:
    found = wanted.matches(line)
    return line.rstrip(b"\r\n") == wanted.line if found is None else bool(found)


def _present(file: TextFile, wanted: _Wanted, context: Context, create: bool) -> ModuleResult:
    if wanted.line is None:
        raise ModuleFailure("With state present, the parameter 'line' is needed.")
    if file.before is None and not create:
        raise file.missing()
    lines = _lines(file.before or b"")
    msg = _edit(lines, wanted, wanted.line)
    content = b"".join(lines)
    # Ansible has no file to look at in check mode where it would be made
    looked_at = file.before is not None or (msg != "" and not context.check)
    differ = looked_at and file.attributes_differ()
    diff = file.diff(content, context)
    saved = ""
    if msg:
        if not context.check:
            file.path.parent.mkdir(parents=True, exist_ok=True)
        saved = file.write(content, context)
    file.settle(context)
    return ModuleResult(bool(msg) or differ, {"backup": saved}, with_attributes(msg, differ), diff)


def _lines(content: bytes) -> list[bytes]:
    """Lines with their ends; only a newline ends one."""
    return (
        content.splitlines(keepends=True)
        if b"\r" not in content
        else re.findall(rb"[^\n]*\n|[^\n]+", content)
    )


def _edit(lines: list[bytes], wanted: _Wanted, line: bytes) -> str:
    """Change ``lines``, and say what was done; empty where all is well."""
    place, match = _matching(lines, wanted)
    anchor = None
    if place is None:
        place, anchor = _same_or_anchor(lines, wanted, line)
    if place is not None:
        return _replace(lines, place, _expanded(match, line) if wanted.backrefs else line)
    if wanted.backrefs:  # without a match there is nothing to put in
        return ""
    return _insert(lines, wanted, line, anchor)


def _matching(lines: list[bytes], wanted: _Wanted) -> tuple[int | None, re.Match[bytes] | None]:
    """Where the regexp or the search string is found: in the last line that has it, or the first."""
    place, match = None, None
    for number, line in enumerate(lines):
        if found := wanted.matches(line):
            place, match = number, found if isinstance(found, re.Match) else None
            if wanted.firstmatch:
                break
    return place, match


def _same_or_anchor(lines: list[bytes], wanted: _Wanted, line: bytes) -> tuple[int | None, int | None]:
    """The line itself where it is there already, and where to insert it: after or before the last match, or the first."""
    place, anchor = None, None
    for number, there in enumerate(lines):
        if there.rstrip(b"\r\n") == line:
            place = number
        elif (wanted.after or wanted.before or _NEVER).search(there):
            anchor = number + 1 if wanted.after else number
            if wanted.firstmatch:
                break
    return place, anchor


_NEVER = re.compile(rb"(?!)")


def _expanded(match: re.Match[bytes] | None, line: bytes) -> bytes:
    try:
        return line if match is None else match.expand(line)
    except (re.error, IndexError) as error:
        raise ModuleFailure(f"'line' does not fit the regexp: {error}.") from error


def _replace(lines: list[bytes], place: int, line: bytes) -> str:
    ended = line if line.endswith(b"\n") else line + b"\n"
    if lines[place] == ended:
        return ""
    lines[place] = ended
    return "line replaced"


def _insert(lines: list[bytes], wanted: _Wanted, line: bytes, anchor: int | None) -> str:
    if wanted.first:
        place = 0
    elif anchor is None:
        place = len(lines)
    elif wanted.after and lines[anchor : anchor + 1] and lines[anchor].rstrip(b"\r\n") == line:
        return ""  # firstmatch had stopped before it
    else:
        place = anchor
    if place == len(lines) and lines and not lines[-1].endswith((b"\n", b"\r")):
        lines[-1] += b"\n"
    lines.insert(place, line + b"\n")
    return "line added"
