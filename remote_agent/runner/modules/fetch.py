# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.fetch`: a file of this host's, brought to the controller.

The controller has worked out where it goes (``dest``) and what lies there now (``_have``: its SHA-1, which is what Ansible's results
call checksum). What lies there already does not travel. A file that grows meanwhile comes as it was when it was opened. In check
mode, in which Ansible skips, it is said whether the file would be brought.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping

from remote_agent.contract.wire import CHUNK
from remote_agent.runner.args import flag, required_path, text
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

MISSING = "the remote file does not exist"
DIRECTORY = "remote file is a directory, fetch cannot work on directories"


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    path = required_path(args, "src")
    if (predicted := context.predicted(path)) is not None and predicted.kind != "directory":
        if predicted.kind == "absent":
            return _without(MISSING, path, args)
        dest = text(args, "dest")
        return ModuleResult(True, {"file": path, "dest": dest}, f"would be brought to {dest}")
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return _without(DIRECTORY, path, args)
        if not stat.S_ISREG(mode):
            raise ModuleFailure(f"{path} is no regular file.", {"file": path})
        with open(path, "rb") as stream:
            return _bring(stream, path, args, context)
    except (FileNotFoundError, NotADirectoryError):
        return _without(MISSING, path, args)


def _without(why: str, path: str, args: Mapping[str, Any]) -> ModuleResult:
    if flag(args, "fail_on_missing", True):
        raise ModuleFailure(f"{path}: {why}.", {"file": path})
    return ModuleResult(False, {"file": path}, f"{path}: {why}, not transferring, ignored")


def _bring(stream: IO[bytes], path: str, args: Mapping[str, Any], context: Context) -> ModuleResult:
    size = os.fstat(stream.fileno()).st_size
    have, dest = text(args, "_have"), text(args, "dest")
    if have is not None or context.check:
        digests = _read(stream, size, lambda data: None)
        if digests["checksum"] == have:
            return ModuleResult(False, {"file": path, "dest": dest, **digests})
        if context.check:
            return ModuleResult(True, {"file": path, "dest": dest}, f"would be brought to {dest}")
        stream.seek(0)
    digests = _read(stream, size, context.deliver)
    result = {"dest": dest, **digests, "remote_checksum": digests["checksum"], "remote_md5sum": None}
    return ModuleResult(True, result, f"brought to {dest}")


def _read(stream: IO[bytes], size: int, take: Callable[[bytes], None]) -> dict[str, str]:
    """Ansible's two digests of the first ``size`` bytes; of all there is where the system tells no size (in /proc)."""
    sha1, md5 = (hashlib.new(name, usedforsecurity=False) for name in ("sha1", "md5"))
    left = size
    while data := stream.read(min(left, CHUNK) if size else CHUNK):
        left -= len(data)
        sha1.update(data)
        md5.update(data)
        take(data)
    return {"checksum": sha1.hexdigest(), "md5sum": md5.hexdigest()}
