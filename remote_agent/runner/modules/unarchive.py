# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.unarchive`: tar (plain, gz, xz, bz2; zst where Python can) and zip, from a blob, a path on the host or an address.

Every member is compared with what is on disk, content and attributes, and only what differs is written, each file in one step.
``dest`` itself keeps its mode and owner. What ``creates`` names is written last, so that it stands for the whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from remote_agent.contract.lean import dataclass
from remote_agent.contract.steps import BlobRef
from remote_agent.runner.archives import Member, handler_of, read_members
from remote_agent.runner.args import expanded, flag, path_of, required, required_path, texts
from remote_agent.runner.attributes import Attributes, describe
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.files import replace_file, replace_hard_link, replace_link, sweep
from remote_agent.runner.foresight import Predicted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MOST_NAMED = 5
"""Files that a message names one by one."""


@dataclass(frozen=True, slots=True)
class _Archive:
    path: Path
    handler: str
    dest: Path
    strip: int
    owners: bool
    attributes: Attributes

    def members(self) -> Iterator[Member]:
        return read_members(self.path, self.handler, self.strip, self.owners)


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    dest, creates = Path(required_path(args, "dest")), path_of(args, "creates")
    if creates and (
        os.path.lexists(os.path.join(dest, creates)) or context.will_exist(os.path.join(dest, creates))
    ):
        return ModuleResult(False, {"dest": str(dest)}, f"skipped, since {creates} exists", skipped=True)
    if context.check and (not dest.is_dir() or _is_to_come(args, context)):
        if creates:
            context.predicts(os.path.join(dest, creates), Predicted("file"))
        return ModuleResult(True, {"dest": str(dest)}, f"would be unpacked into {dest}")
    if not dest.is_dir():
        raise ModuleFailure(f"The destination {dest} is no folder.", {"dest": str(dest)})
    with ExitStack() as stack:
        return _unarchive(args, context, _open(args, context, dest, stack), creates)


def _unarchive(
    args: Mapping[str, Any], context: Context, archive: _Archive, creates: str | None
) -> ModuleResult:
    dest = archive.dest
    names, differing = _compare(archive)
    said = _said(archive, names, differing, context.check)
    if context.check:
        for member in archive.members():
            if member.path in differing:
                kind = "file" if member.kind == "hard" else member.kind
                context.predicts(dest / member.path, Predicted(kind, target=member.target or None))
        if creates:
            context.predicts(os.path.join(dest, creates), Predicted("file"))
    elif differing:
        _unpack(archive, differing, os.path.join(dest, creates) if creates else None)
    result = {"dest": str(dest), "src": str(archive.path), "handler": archive.handler, **describe(dest)}
    if flag(args, "list_files"):
        result["files"] = names
    diff = (
        "".join(f"+{dest / name}\n" for name in names if name in differing)
        if context.diff and differing
        else None
    )
    return ModuleResult(bool(differing), result, said, diff)


def _is_to_come(args: Mapping[str, Any], context: Context) -> bool:
    """Is the archive one that an earlier step was predicted to bring to this host?"""
    src = args.get("src")
    return isinstance(src, str) and "://" not in src and context.predicted(expanded(src)) is not None


def _said(archive: _Archive, names: list[str], differing: set[str], check: bool) -> str:
    """What is new, or what of it had been spoilt on the host; called before anything is written. Empty where all is well."""
    if not differing:
        return ""
    there = {name for name in names if os.path.lexists(archive.dest / name)}
    would = "would be " if check else ""
    if all((archive.dest / name).is_dir() for name in there):
        return f"{would}unpacked into {archive.dest}"
    spoilt = [name for name in names if name in differing & there]
    missing = [name for name in names if name in differing - there]
    parts = [f"{_listed(spoilt)} not as in the archive"] if spoilt else []
    parts += [f"{_listed(missing)} missing"] if missing else []
    return f"{', '.join(parts)}: {would}mended"


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:MOST_NAMED])
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{shown}{more} {'was' if len(names) == 1 else 'were'}"


def _open(args: Mapping[str, Any], context: Context, dest: Path, stack: ExitStack) -> _Archive:
    """The archive, which is there until ``stack`` is closed. Raises ModuleFailure."""
    strip, owners = _options(texts(args, "extra_opts"))
    path = _source(args, context, stack)
    if not path.is_file():
        raise ModuleFailure(f"The archive {path} does not exist on this host.", {"src": str(path)})
    if path.stat().st_size == 0:
        raise ModuleFailure(f"The archive {path} is empty.", {"src": str(path)})
    return _Archive(path, handler_of(path), dest, strip, owners, Attributes.from_args(args))


def _source(args: Mapping[str, Any], context: Context, stack: ExitStack) -> Path:
    """Where the archive lies: a blob, a path on this host, or what an address holds, which is downloaded (also in check mode)."""
    if blob := BlobRef.from_json(args.get("src")):
        return context.blobs.path(blob)
    src = required(args, "src")
    if "://" not in src:
        return Path(expanded(src))
    import tempfile
    from urllib.parse import urlsplit

    from remote_agent.runner.fetch import Wish, fetched, save

    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="labctl-unarchive-")))
    wish = Wish(src, validate_certs=flag(args, "validate_certs", True))
    with fetched(wish, context.environment) as answer:
        path = folder / (os.path.basename(urlsplit(answer.url).path) or "archive")
        save(answer, path, context)
    return path


def _options(options: list[str]) -> tuple[int, bool]:
    """How many leading folders to strip, and whether members keep the archive's owners."""
    strip, owners, left = 0, True, list(options)
    while left:
        option, _, value = left.pop(0).replace(" ", "=", 1).partition("=")
        if option == "--no-same-owner":
            owners = False
        elif option == "--strip-components" and (value or (left and left[0].isdigit())):
            strip = _count(value or left.pop(0))
        else:
            raise ModuleFailure(
                f"extra_opts: {option!r} is not supported (--strip-components=N, --no-same-owner are)."
            )
    return strip, owners


def _count(value: str) -> int:
    if not value.isdigit():
        raise ModuleFailure(f"extra_opts: --strip-components wants a number, not {value!r}.")
    return int(value)


def _compare(archive: _Archive) -> tuple[list[str], set[str]]:
    """Every member's path, and those that are not yet so on disk. Refuses before anything is written."""
    names: list[str] = []
    differing: set[str] = set()
    links: dict[str, str] = {}
    for member in archive.members():
        _refuse_detour(member, links)
        _inside(archive.dest, member.path)
        names.append(member.path)
        if member.kind == "link":
            links[member.path] = member.target
        if not _as_wanted(member, archive, differing):
            differing.add(member.path)
    return names, differing


def _refuse_detour(member: Member, links: Mapping[str, str]) -> None:
    """No member may go through a link of the same archive that points out of the destination."""
    ways = [os.path.dirname(member.path), *([member.target] if member.kind == "hard" else [])]
    for way in ways:
        parts = way.split("/")
        for prefix in ("/".join(parts[: count + 1]) for count in range(len(parts))):
            if prefix in links:
                resolved = os.path.normpath(os.path.join(os.path.dirname(prefix), links[prefix]))
                if resolved.split("/")[0] in ("", ".."):
                    raise ModuleFailure(
                        f"The archive's member {member.path!r} leaves the destination through the link {prefix!r}."
                    )


def _inside(dest: Path, path: str) -> Path:
    """Where the member goes. Raises ModuleFailure where its folder, links followed, is not below ``dest``."""
    top = os.path.realpath(dest)
    folder = os.path.realpath(os.path.join(top, os.path.dirname(path)))
    if os.path.commonpath((top, folder)) != top:
        raise ModuleFailure(f"The archive's member {path!r} leaves {dest}: its folder is {folder}.")
    return dest / path


def _as_wanted(member: Member, archive: _Archive, differing: set[str]) -> bool:
    path = archive.dest / member.path
    if not os.path.lexists(path):
        return False
    found = path.lstat()
    if member.kind == "link":
        return stat.S_ISLNK(found.st_mode) and os.readlink(path) == member.target
    if member.kind == "hard":
        target = archive.dest / member.target
        return member.target not in differing and target.exists() and os.path.samestat(found, target.lstat())
    if member.kind == "directory":
        path = Path(os.path.realpath(path))
        return path.is_dir() and not member.attributes(archive.attributes).differ(path)
    if not stat.S_ISREG(found.st_mode) or found.st_size != member.size:
        return False
    return not member.attributes(archive.attributes).differ(path) and member.same_content(path)


def _unpack(archive: _Archive, differing: set[str], last: str | None) -> None:
    late = {
        name for name in differing if last is not None and str(archive.dest / name) == os.path.normpath(last)
    }
    for names in (differing - late, late):
        if names:
            for member in archive.members():
                if member.path in names:
                    sweep(archive.dest / member.path)
                    _place(member, archive)
    os.sync()  # once for all: a flush a file would take minutes where there are thousands


def _place(member: Member, archive: _Archive) -> None:
    path, wanted = _inside(archive.dest, member.path), member.attributes(archive.attributes)
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.kind == "directory":
        path.mkdir(exist_ok=True)
        wanted.apply(Path(os.path.realpath(path)))
    elif path.is_dir() and not path.is_symlink():
        raise ModuleFailure(
            f"{path} is a folder, and the archive has a {member.kind} there: remove the folder first."
        )
    elif member.kind == "link":
        replace_link(path, member.target)
        Attributes(None, wanted.owner, wanted.group).apply(path)
    elif member.kind == "hard":
        replace_hard_link(path, _inside(archive.dest, member.target))
    else:
        replace_file(path, member.copy_to, wanted, mtime=member.mtime, sync=False)
