# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.file`: a path's existence, kind, mode and owner."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

from remote_agent.contract.lean import dataclass, replace
from remote_agent.runner.args import choice, flag, path_of, required_path
from remote_agent.runner.attributes import Attributes, describe, state_of
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.files import changes_diff, replace_hard_link, replace_link
from remote_agent.runner.foresight import Predicted
from remote_agent.runner.foresight import state_of as foreseen_state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TIMES = ("now", "preserve")
STATES = ("absent", "directory", "file", "hard", "link", "touch")


@dataclass(frozen=True, slots=True)
class _Wanted:
    path: Path
    state: str
    attributes: Attributes
    src: str | None
    force: bool
    follow: bool
    recurse: bool
    context: Context
    renewed: tuple[bool, bool]
    """Does state=touch set the times of access and modification to now, where the file is there already?"""

    @property
    def check(self) -> bool:
        return self.context.check

    @property
    def state_after(self) -> str:
        """The kind of thing that is there in the end."""
        return "file" if self.state in ("file", "touch") else self.state

    def target(self) -> Path:
        """The path itself, or what it points to where links are followed."""
        return Path(os.path.realpath(self.path)) if self.follow and self.path.is_symlink() else self.path


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    wanted = _read(args, context)
    act = {
        "absent": _absent,
        "directory": _directory,
        "file": _attributes_only,
        "hard": _hard_link,
        "link": _link,
        "touch": _touch,
    }[wanted.state]
    before = _seen(wanted.path)
    if (predicted := context.predicted(wanted.path)) is not None:
        changed, result = _predict(wanted, predicted, context)
        return ModuleResult(changed, {"path": str(wanted.path), **result})
    changed, result = act(wanted)
    if context.check and before["state"] not in (wanted.state_after, "hard"):
        content = b"" if wanted.state == "touch" else None
        context.predicts(
            wanted.path, Predicted(wanted.state_after, wanted.attributes, content, target=result.get("src"))
        )
    described = {} if wanted.state == "absent" else describe(wanted.path)
    after: dict[str, Any] = {"state": wanted.state} if context.check and changed else _seen(wanted.path)
    diff = changes_diff(str(wanted.path), before, after) if context.diff and changed else None
    return ModuleResult(changed, {**described, **result}, diff=diff)


def _predict(wanted: _Wanted, before: Predicted, context: Context) -> tuple[bool, dict[str, Any]]:
    """What becomes of a path of which an earlier step was predicted to make something else than lies there."""
    path, state = wanted.path, wanted.state_after
    there = before.kind != "absent"
    if wanted.state == "file" and not there:
        raise ModuleFailure(
            f"{path} is absent, and state=file only changes a file that is there.", {"path": str(path)}
        )
    if state == "directory" and before.kind not in ("absent", "directory", "link"):
        raise ModuleFailure(f"{path} already exists as a {before.kind}.", {"path": str(path)})
    if state in ("link", "hard"):
        if wanted.src is not None:
            _refuse_link(wanted, "absent" if before.kind == state else before.kind, wanted.src)
        changed = before.kind != state or before.target != wanted.src
    elif state == "absent":
        changed = there
    else:
        renewed = wanted.state == "touch" and any(wanted.renewed)
        changed = not there or renewed or not before.satisfies(wanted.attributes)
    if changed:
        keep = before if there and before.kind == state else Predicted(state)
        attributes = wanted.attributes if keep.kind != "absent" else Attributes()
        context.predicts(path, replace(keep, attributes=attributes, target=wanted.src))
    return changed, {"state": state} if state == "absent" else {}


def _read(args: Mapping[str, Any], context: Context) -> _Wanted:
    path = Path(required_path(args, "path", "dest", "name"))
    src, state = path_of(args, "src"), choice(args, "state", STATES, None)
    recurse = flag(args, "recurse")
    if state is None:
        state = "directory" if recurse else _kept_state(path, context)
    if recurse and state != "directory":
        raise ModuleFailure(f"{path}: 'recurse' goes with state=directory only.")
    if src is not None and state not in ("link", "hard"):
        raise ModuleFailure(f"{path}: 'src' goes with state=link or state=hard only, not with state={state}.")
    attributes = Attributes.from_args(args)
    renewed = (_renewed(args, "access_time", state), _renewed(args, "modification_time", state))
    return _Wanted(
        path,
        state,
        attributes,
        src,
        flag(args, "force"),
        flag(args, "follow", True),
        recurse,
        context,
        renewed,
    )


def _renewed(args: Mapping[str, Any], name: str, state: str) -> bool:
    wanted = choice(args, name, TIMES, "now" if state == "touch" else "preserve")
    if wanted == "now" and state != "touch":
        raise ModuleFailure(f"'{name}: now' goes with state=touch only.")
    return wanted == "now"


def _kept_state(path: Path, context: Context) -> str:
    """Without a state, what is there stays what it is; where nothing is, Ansible asks for a file."""
    found = foreseen_state(path, context)
    return "file" if found == "absent" else found


def _seen(path: Path) -> dict[str, Any]:
    described = describe(path)
    seen = {key: described.get(key) for key in ("state", "mode", "owner", "group")}
    seen["src"] = os.readlink(path) if described.get("state") == "link" else None
    return {**seen, "state": described.get("state", "absent")}


def _absent(wanted: _Wanted) -> tuple[bool, dict[str, Any]]:
    found = state_of(wanted.path)
    if found != "absent" and not wanted.check:
        if found == "directory":
            import shutil

            shutil.rmtree(wanted.path)
        else:
            wanted.path.unlink(missing_ok=True)
    return found != "absent", {"path": str(wanted.path), "state": "absent"}


def _attributes_only(wanted: _Wanted) -> tuple[bool, dict[str, Any]]:
    target = wanted.target()
    found = state_of(target)
    if found not in ("file", "hard"):
        raise ModuleFailure(
            f"{wanted.path} is {found}, and state=file only changes a file that is there (create it with state=touch, copy or template).",
            {"path": str(wanted.path), "state": found},
        )
    return wanted.attributes.apply(target, wanted.check), {"path": str(target)}


def _directory(wanted: _Wanted) -> tuple[bool, dict[str, Any]]:
    target, result = wanted.target(), {"path": str(wanted.path)}
    found = state_of(target)
    if found not in ("absent", "directory"):
        raise ModuleFailure(f"{target} already exists as a {found}.", result)
    if found == "absent":
        if not wanted.check:
            _make_folders(target, wanted.attributes)
        return True, result
    changed = wanted.attributes.apply(target, wanted.check)
    if wanted.recurse:
        for folder, folders, names in os.walk(target):
            for name in folders + names:
                changed |= wanted.attributes.apply(Path(folder, name), wanted.check)
    return changed, result


def _make_folders(target: Path, attributes: Attributes) -> None:
    """Every missing folder on the way gets the attributes, as in Ansible."""
    for folder in [*reversed(target.parents), target]:
        try:
            folder.mkdir()
        except FileExistsError:
            if not folder.is_dir():
                raise
        else:
            attributes.apply(folder)


def _touch(wanted: _Wanted) -> tuple[bool, dict[str, Any]]:
    target, result = wanted.target(), {"dest": str(wanted.path)}
    there = target.exists()
    if wanted.check:
        kept = there and not any(wanted.renewed) and not wanted.attributes.differ(target)
        return not kept, result
    if not there:
        target.touch()
    elif any(wanted.renewed):
        found, now = target.stat(), time.time_ns()
        accessed, modified = wanted.renewed
        os.utime(target, ns=(now if accessed else found.st_atime_ns, now if modified else found.st_mtime_ns))
    changed = wanted.attributes.apply(target)
    return changed or not there or any(wanted.renewed), result


def _link(wanted: _Wanted) -> tuple[bool, dict[str, Any]]:
    path, found = wanted.path, state_of(wanted.path)
    source = wanted.src
    if source is None:
        if found != "link":
            raise ModuleFailure(f"{path}: state=link needs 'src' where no link is yet.")
        source = os.readlink(path)
    result = {"dest": str(path), "src": source}
    _refuse_link(wanted, found, source)
    changed = found != "link" or os.readlink(path) != source
    if changed and not wanted.check:
        if found == "directory":
            path.rmdir()
        replace_link(path, source)
    target = wanted.target()
    if target.exists() and not (wanted.check and changed):
        changed |= wanted.attributes.apply(target, wanted.check)
    return changed, result


def _refuse_link(wanted: _Wanted, found: str, source: str) -> None:
    path, force = wanted.path, wanted.force
    if not force and not wanted.context.will_exist(path.parent / source):
        raise ModuleFailure(
            f"{path.parent / source} does not exist, and a link to nothing needs force=true.",
            {"path": str(path)},
        )
    if found == "directory" and force and any(path.iterdir()):
        raise ModuleFailure(
            f"The directory {path} is not empty, so it does not become a link.", {"path": str(path)}
        )
    if found in ("directory", "file", "hard") and not force:
        raise ModuleFailure(
            f"{path} is a {found}, and becomes a link only with force=true.", {"path": str(path)}
        )


def _hard_link(wanted: _Wanted) -> tuple[bool, dict[str, Any]]:
    path, found = wanted.path, state_of(wanted.path)
    if wanted.src is None:
        if found != "hard":
            raise ModuleFailure(f"{path}: state=hard needs 'src' where no hard link is yet.")
        return wanted.attributes.apply(path, wanted.check), {"dest": str(path), "src": None}
    source = Path(wanted.src)
    if wanted.check and not source.exists() and wanted.context.will_exist(source):
        return True, {"dest": str(path), "src": str(source)}
    if not source.exists():
        raise ModuleFailure(f"{source} does not exist.", {"dest": str(path), "src": str(source)})
    changed = found == "absent" or not os.path.samestat(path.lstat(), source.lstat())
    if changed and found != "absent" and (found == "directory" or not wanted.force):
        raise ModuleFailure(
            f"{path} is a {found}, and becomes a hard link only with force=true (a directory never)."
        )
    if changed and not wanted.check:
        replace_hard_link(path, source)
    if not (wanted.check and changed):
        changed |= wanted.attributes.apply(path, wanted.check)
    return changed, {"dest": str(path), "src": str(source)}
