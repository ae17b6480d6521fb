# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.copy`: a file with given content.

The content is ``content`` (text, or a structure, which becomes JSON), or ``src``: a blob of the controller's (with
``_original_basename``, for a ``dest`` that is a folder), or with ``remote_src`` a path on the host.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from remote_agent.contract.digests import digest_of, new_digest
from remote_agent.contract.lean import dataclass, replace
from remote_agent.contract.steps import BlobRef
from remote_agent.runner.args import expanded, first, flag, required_path, text
from remote_agent.runner.attributes import Attributes, describe
from remote_agent.runner.blobs import sha256_file
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.edits import check_content
from remote_agent.runner.files import DIFF_LIMIT, back_up, replace_file, text_diff
from remote_agent.runner.foresight import Predicted, state_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any


@dataclass(frozen=True, slots=True)
class _Source:
    """Exactly one of ``content``, ``blob`` and ``path`` is there. A blob is fetched only when its bytes are needed."""

    name: str | None
    content: bytes | None = None
    blob: BlobRef | None = None
    path: Path | None = None

    def same_as(self, dest: Path) -> bool:
        size = self.size()
        if not dest.is_file() or dest.stat().st_size != size:
            return False
        if self.content is not None:
            return dest.read_bytes() == self.content
        return sha256_file(dest) == (self.blob.sha256 if self.blob else sha256_file(self._path()))

    def size(self) -> int:
        if self.content is not None:
            return len(self.content)
        return self.blob.size if self.blob else self._path().stat().st_size

    def fill(self, stream: IO[bytes], context: Context) -> None:
        if self.content is not None:
            stream.write(self.content)
            return
        import shutil

        with open(self.file(context), "rb") as source:
            shutil.copyfileobj(source, stream, 1024 * 1024)

    def file(self, context: Context) -> Path:
        return context.blobs.path(self.blob) if self.blob else self._path()

    def bytes(self, context: Context) -> bytes:
        return self.content if self.content is not None else self.file(context).read_bytes()

    def digest(self, dest: Path, algorithm: str) -> str:
        """Of ``dest``, which has this content now: what is in memory need not be read."""
        if self.content is None:
            return digest_of(dest, algorithm)
        return str(new_digest(algorithm, self.content).hexdigest())

    def predicted(self, attributes: Attributes) -> Predicted:
        """A file with this content. That of a blob does not travel for it."""
        if self.blob is not None:
            return Predicted("file", attributes, digest=self.blob.sha256)
        content = self.content
        if self.path is not None and self.path.is_file() and self.path.stat().st_size <= DIFF_LIMIT:
            content = self.path.read_bytes()
        digest = None if content is None else str(new_digest("sha256", content).hexdigest())
        return Predicted("file", attributes, content, digest)

    def _path(self) -> Path:
        assert self.path is not None
        return self.path


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    source, attributes = _source(args), Attributes.from_args(args)
    if attributes.mode == "preserve":
        attributes = replace(attributes, mode=_preserved(source))
    dest, made = _destination(args, source, attributes, context)
    result: dict[str, Any] = {"dest": str(dest), "src": str(source.path) if source.path else None}
    if (predicted := context.predicted(dest)) is not None:
        return _predict(args, context, source, dest, attributes, predicted, result)
    if dest.exists() and not flag(args, "force", True):
        return ModuleResult(False, {**result, **describe(dest)}, "file already exists")
    if dest.is_symlink() or not source.same_as(dest):
        return _write(args, context, source, dest, attributes, result)
    changed = attributes.apply(dest, context.check) or made
    return ModuleResult(changed, {**result, "checksum": source.digest(dest, "sha1"), **describe(dest)})


def _write(
    args: Mapping[str, Any],
    context: Context,
    source: _Source,
    dest: Path,
    attributes: Attributes,
    result: dict[str, Any],
) -> ModuleResult:
    diff = _diff(context, source, dest) if context.diff else None
    if context.check:
        context.predicts(dest, source.predicted(attributes))
        return ModuleResult(True, result, diff=diff)
    if flag(args, "backup") and dest.is_file():
        result["backup_file"] = str(back_up(dest, context.now()))
    command = text(args, "validate")
    replace_file(
        dest,
        lambda stream: source.fill(stream, context),
        attributes,
        lambda path: check_content(command, path, context),
    )
    sums = {"checksum": source.digest(dest, "sha1"), "md5sum": source.digest(dest, "md5")}
    return ModuleResult(True, {**result, **sums, **describe(dest)}, diff=diff)


def _predict(
    args: Mapping[str, Any],
    context: Context,
    source: _Source,
    dest: Path,
    attributes: Attributes,
    before: Predicted,
    result: dict[str, Any],
) -> ModuleResult:
    """What becomes of a file of which an earlier step was predicted to make something else than lies there."""
    if before.kind != "absent" and not flag(args, "force", True):
        return ModuleResult(False, result, "file already exists")
    own = source.predicted(attributes)
    after = own if before.kind == "absent" else before.changed(attributes, own.content, own.digest)
    if before.digest == after.digest and before.digest is not None and before.satisfies(attributes):
        return ModuleResult(False, result)
    context.predicts(dest, after)
    diff = None
    if context.diff and source.size() <= DIFF_LIMIT:
        diff = text_diff(str(dest), before.content, source.bytes(context))
    return ModuleResult(True, result, diff=diff)


def _source(args: Mapping[str, Any]) -> _Source:
    src, content = args.get("src"), args.get("content")
    if (src is None) == (content is None):
        raise ModuleFailure("Exactly one of 'src' and 'content' is needed.")
    if content is not None:
        return _Source(None, content=(content if isinstance(content, str) else json.dumps(content)).encode())
    name = text(args, "_original_basename")
    if blob := BlobRef.from_json(src):
        return _Source(name or blob.sha256, blob=blob)
    path = Path(expanded(str(src)))
    if not path.is_file():
        raise ModuleFailure(f"{path} is no file on this host.", {"src": str(path)})
    return _Source(name or path.name, path=path)


def _preserved(source: _Source) -> str:
    if source.path is None:
        raise ModuleFailure("mode 'preserve' is only known for a file on the host (remote_src).")
    return f"{stat.S_IMODE(source.path.stat().st_mode):04o}"


def _destination(
    args: Mapping[str, Any], source: _Source, attributes: Attributes, context: Context
) -> tuple[Path, bool]:
    """The file to write, and whether folders had to be made for it: only for a ``dest`` that ends with a slash."""
    given = required_path(args, "dest")
    dest = Path(given)
    if given.endswith("/") or state_of(dest, context) == "directory" or dest.is_dir():
        if source.name is None:
            raise ModuleFailure(f"{given} is a folder, and 'content' goes into a file: name it.")
        dest = dest / source.name
    if flag(args, "follow") and dest.is_symlink():
        dest = Path(os.path.realpath(dest))
    if dest.parent.is_dir():
        return dest, False
    if context.check:  # a step before this one would have made the folder
        return dest, True
    if not given.endswith("/"):
        raise ModuleFailure(f"The destination's folder {dest.parent} does not exist.", {"dest": str(dest)})
    folder = replace(attributes, mode=first(args, "directory_mode"))
    for missing in [parent for parent in reversed(dest.parents) if not parent.exists()]:
        missing.mkdir()
        folder.apply(missing)
    return dest, True


def _diff(context: Context, source: _Source, dest: Path) -> str | None:
    before = dest.read_bytes() if dest.is_file() and dest.stat().st_size <= DIFF_LIMIT else None
    if source.size() > DIFF_LIMIT or (before is None and dest.is_file()):
        return f"{dest}: large, {source.size()} bytes after\n"
    return text_diff(str(dest), before, source.bytes(context))
