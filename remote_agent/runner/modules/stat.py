# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.stat`: what is at a path. Without mimetype and attributes, which cost a process each."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping

from remote_agent.contract.digests import digest_of, new_digest
from remote_agent.runner.args import choice, flag, required_path
from remote_agent.runner.attributes import group_name, user_name
from remote_agent.runner.context import Context, ModuleResult
from remote_agent.runner.foresight import Predicted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_KINDS = {
    "isdir": stat.S_ISDIR,
    "ischr": stat.S_ISCHR,
    "isblk": stat.S_ISBLK,
    "isreg": stat.S_ISREG,
    "isfifo": stat.S_ISFIFO,
    "islnk": stat.S_ISLNK,
    "issock": stat.S_ISSOCK,
}
_BITS = {
    f"{letter}{who}": bit << shift
    for who, shift in (("usr", 6), ("grp", 3), ("oth", 0))
    for letter, bit in (("r", 4), ("w", 2), ("x", 1))
}


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    path = required_path(args, "path", "dest", "name")
    if (predicted := context.predicted(path)) is not None:
        return ModuleResult(False, {"stat": _foreseen(path, predicted)})
    algorithm = choice(args, "checksum_algorithm", ALGORITHMS, "sha1") or "sha1"
    try:
        found = os.stat(path) if flag(args, "follow") else os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return ModuleResult(False, {"stat": {"exists": False}})
    described = _describe(path, found)
    if described["isreg"] and described["readable"] and flag(args, "get_checksum", True):
        described["checksum"] = digest_of(path, algorithm)
    return ModuleResult(False, {"stat": described})


def _foreseen(path: str, predicted: Predicted) -> dict[str, Any]:
    """What can be said of a path before an earlier step has made it: its kind, and of known content the size and SHA-1."""
    if predicted.kind == "absent":
        return {"exists": False}
    kinds = {"directory": "isdir", "link": "islnk"}
    described = {"exists": True, "path": path, **dict.fromkeys(_KINDS, False)}
    described[kinds.get(predicted.kind, "isreg")] = True
    if predicted.content is not None:
        described["size"] = len(predicted.content)
        described["checksum"] = str(new_digest("sha1", predicted.content).hexdigest())
    return described


def _describe(path: str, found: os.stat_result) -> dict[str, Any]:
    mode = found.st_mode
    described: dict[str, Any] = {
        "exists": True,
        "path": path,
        "mode": f"{stat.S_IMODE(mode):04o}",
        **{name: kind(mode) for name, kind in _KINDS.items()},
        **{name: bool(mode & bit) for name, bit in _BITS.items()},
        "isuid": bool(mode & stat.S_ISUID),
        "isgid": bool(mode & stat.S_ISGID),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "pw_name": user_name(found.st_uid),
        "gr_name": group_name(found.st_gid),
        "size": found.st_size,
        "inode": found.st_ino,
        "dev": found.st_dev,
        "nlink": found.st_nlink,
        "atime": found.st_atime,
        "mtime": found.st_mtime,
        "ctime": found.st_ctime,
        "blocks": found.st_blocks,
        "block_size": found.st_blksize,
        "device_type": found.st_rdev,
        "readable": os.access(path, os.R_OK),
        "writeable": os.access(path, os.W_OK),
        "executable": os.access(path, os.X_OK),
    }
    if described["islnk"]:
        described["lnk_source"], described["lnk_target"] = os.path.realpath(path), os.readlink(path)
    return described
