# SPDX-License-Identifier: Apache-2.0
"""A module's surroundings without a machine, and the real runner as a local process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import pytest

from remote_agent.contract.bootstrap import COMMAND, payload, program
from remote_agent.contract.steps import BlobRef, Step
from remote_agent.contract.wire import read_frame, read_hello, write_blob, write_frame
from remote_agent.runner.completed import Completed
from remote_agent.runner.context import Context, ModuleFailure

DEADLINE = 20.0


def blob_ref(content: bytes) -> BlobRef:
    return BlobRef(hashlib.sha256(content).hexdigest(), len(content))


@dataclass
class FakeBlobs:
    """Blobs that the controller would send; ``asked`` says which of them a module wanted."""

    folder: Path
    contents: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, content: bytes) -> dict[str, Any]:
        ref = blob_ref(content)
        self.contents[ref.sha256] = content
        return ref.to_json()

    def path(self, ref: BlobRef) -> Path:
        self.asked.append(ref.sha256)
        if ref.sha256 not in self.contents:
            raise ModuleFailure("no such blob")
        path = self.folder / ref.sha256
        path.write_bytes(self.contents[ref.sha256])
        return path


@dataclass
class FakeCommands:
    """Answers by the command's beginning, the longest one that fits; everything else is a test's mistake."""

    answers: dict[str, Callable[[list[str]], Completed]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)

    def answer(
        self,
        beginning: str,
        stdout: str = "",
        stderr: str = "",
        rc: int = 0,
        effect: Callable[[], object] = lambda: None,
    ) -> None:
        def act(argv: list[str]) -> Completed:
            effect()
            return Completed(argv, rc, stdout, stderr)

        self.answers[beginning] = act

    def __call__(
        self,
        argv: list[str],
        *,
        stdin: bytes | None,
        chdir: str | None,
        environment: Mapping[str, str],
        timeout: float,
    ) -> Completed:
        line = " ".join(word for word in argv if not word.startswith("-o"))
        self.calls.append(line)
        self.environments.append(environment)
        fitting = [beginning for beginning in self.answers if line.startswith(beginning)]
        assert fitting, f"nobody expected the command: {line}"
        return self.answers[max(fitting, key=len)](argv)


@pytest.fixture
def blobs(tmp_path: Path) -> FakeBlobs:
    folder = tmp_path / "blobs"
    folder.mkdir()
    return FakeBlobs(folder)


@pytest.fixture
def commands() -> FakeCommands:
    return FakeCommands()


@pytest.fixture
def context(blobs: FakeBlobs) -> Context:
    """Real commands: for modules that a test lets loose in its own folder."""
    return Context(blobs=blobs, timeout=DEADLINE)


@dataclass
class Controller:
    """The other end of a real runner."""

    process: subprocess.Popen[bytes]
    cache: Path

    @property
    def input(self) -> IO[bytes]:
        assert self.process.stdin is not None
        return self.process.stdin

    @property
    def output(self) -> IO[bytes]:
        assert self.process.stdout is not None
        return self.process.stdout

    def hello(self) -> dict[str, Any]:
        self.input.write(payload(program()))
        self.input.flush()
        return read_hello(self.output)

    def send(self, kind: str, **rest: Any) -> None:
        write_frame(self.input, {"type": kind, **rest})

    def step(self, number: int, module: str, args: Mapping[str, Any], **rest: Any) -> None:
        self.send("step", step=Step(number, f"step {number}", module, args, **rest).to_json())

    def blob(self, content: bytes, sha256: str | None = None) -> None:
        write_blob(self.input, sha256 or blob_ref(content).sha256, len(content), [content])

    def receive(self) -> dict[str, Any] | None:
        return read_frame(self.output)

    def outcome(self) -> dict[str, Any]:
        frame = self.receive()
        assert frame is not None and frame["type"] == "outcome", frame
        outcome: dict[str, Any] = frame["outcome"]
        return outcome

    def end(self) -> int:
        self.send("end")
        assert self.receive() == {"type": "bye"}
        return self.process.wait(DEADLINE)


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    cache = tmp_path / "cache"
    started = subprocess.Popen(
        ["/bin/sh", "-c", COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "LABCTL_BLOBS": str(cache)},
    )
    guard = threading.Timer(DEADLINE, started.kill)
    guard.start()
    yield Controller(started, cache)
    guard.cancel()
    started.kill()
    started.wait()
    for stream in (started.stdin, started.stdout, started.stderr):
        assert stream is not None
        with contextlib.suppress(BrokenPipeError):
            stream.close()
