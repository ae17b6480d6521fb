# SPDX-License-Identifier: Apache-2.0
"""The controller's files on the host, named by their content: root keeps them in a cache, other users until the runner ends."""

from __future__ import annotations

import os
from io import BufferedReader
from pathlib import Path

from remote_agent.contract.digests import digest_of, new_digest
from remote_agent.contract.steps import BlobRef
from remote_agent.contract.wire import CHUNK, WireError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

_INCOMING = ".incoming-"
_TEMPORARY = "labctl-blobs-"


class BlobError(Exception):
    """A blob could not be kept. The text is one sentence."""


def sha256_file(path: Path | str) -> str:
    """Raises OSError."""
    return digest_of(path, "sha256")


class BlobStore:
    """Blobs in a folder that only root can read. What lies there under a name has that content, or is thrown away."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.received = 0
        """Bytes that came so far, of blobs that may not be whole yet."""

    def find(self, ref: BlobRef) -> tuple[Path | None, bool]:
        """Where the blob lies, or None; and whether a spoilt one was thrown away. Every call reads the whole blob."""
        path = self._folder / ref.sha256
        try:
            if path.stat().st_size == ref.size and sha256_file(path) == ref.sha256:
                return path, False
        except (FileNotFoundError, NotADirectoryError):
            return None, False
        path.unlink()
        return None, True

    def receive(self, stream: BufferedReader, sha256: str, size: int) -> None:
        """Take ``size`` bytes off ``stream``; keep them if they are what their name says.

        Raises BlobError where they are not, or cannot be written (the bytes are off the stream all the same), WireError where the
        stream ends first. Whatever happens, nothing half-written stays.
        """
        problem, aside = None, None
        digest, left = new_digest("sha256"), size
        try:
            try:
                aside = self._open_aside()
            except OSError as error:
                problem = error
            while left:
                chunk = stream.read1(min(left, CHUNK))
                if not chunk:
                    raise WireError("the connection ended in the middle of a blob")
                left -= len(chunk)
                self.received += len(chunk)
                digest.update(chunk)
                problem = problem or _write(aside, chunk)
            if aside is None or problem is not None:
                raise BlobError(
                    f"A file from the controller could not be kept in {self._folder}: {_strerror(problem)}."
                )
            if digest.hexdigest() != sha256:
                raise BlobError(
                    f"The controller sent other bytes than those named {sha256[:12]}: the file changed there meanwhile."
                )
            self._keep(aside, sha256)
        finally:
            if aside is not None:
                _discard(aside)

    def forget(self, sha256: str) -> None:
        """Remove a blob that must not stay: it came for a step whose values are nobody's to read."""
        (self._folder / sha256).unlink(missing_ok=True)

    def sweep(self) -> None:
        """Remove what this process was receiving when it was told to end, and what one was that could not do so: its host died."""
        for leftover in self._folder.glob(f"{_INCOMING}*"):
            owner = leftover.name.removeprefix(_INCOMING).partition("-")[0]
            if owner == str(os.getpid()) or not os.path.exists(f"/proc/{owner}"):
                leftover.unlink(missing_ok=True)

    def _open_aside(self) -> IO[bytes]:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder.chmod(0o700)
        import tempfile

        return tempfile.NamedTemporaryFile(
            dir=self._folder, prefix=f"{_INCOMING}{os.getpid()}-", delete=False
        )

    def _keep(self, aside: IO[bytes], sha256: str) -> None:
        try:
            aside.flush()
            os.fsync(aside.fileno())
            os.replace(aside.name, self._folder / sha256)
        except OSError as error:
            raise BlobError(
                f"A file from the controller could not be kept in {self._folder}: {error.strerror}."
            ) from error


class TemporaryBlobStore(BlobStore):
    """Blobs of a user who is not root, and has no cache: in a private folder below ``top`` that goes when the runner ends."""

    def __init__(self, top: Path) -> None:
        super().__init__(top / f"{_TEMPORARY}{os.getpid()}-{os.urandom(6).hex()}")
        self._top = top

    def sweep(self) -> None:
        """Remove the folder of this process, and those of this user's runners that were killed."""
        for leftover in self._top.glob(f"{_TEMPORARY}*"):
            owner = leftover.name.removeprefix(_TEMPORARY).partition("-")[0]
            if owner != str(os.getpid()) and os.path.exists(f"/proc/{owner}"):
                continue
            if leftover.lstat().st_uid == os.geteuid():
                import shutil

                shutil.rmtree(leftover, ignore_errors=True)


def _write(aside: IO[bytes] | None, chunk: bytes) -> OSError | None:
    try:
        if aside is not None:
            aside.write(chunk)
    except OSError as error:
        return error
    return None


def _discard(aside: IO[bytes]) -> None:
    try:
        aside.close()
    except OSError:  # a full disk refuses the last flush: the file goes anyway
        pass
    finally:
        Path(aside.name).unlink(missing_ok=True)


def _strerror(problem: OSError | None) -> str:
    return (problem.strerror if problem is not None else None) or "unknown reason"
