# SPDX-License-Identifier: Apache-2.0
"""A playbook carried out by the real runner, which runs here as a subprocess instead of behind SSH."""

from __future__ import annotations

import os
import subprocess
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from orchestrator.load.inventory import load_inventory, select_hosts
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.model.errors import ConnectionTimeout, HostError
from orchestrator.provision.events import Event, HostReport, Kind
from orchestrator.provision.host import Settings, Visit, carry_out_plays
from orchestrator.provision.selection import tags_of
from orchestrator.ssh import Completed


class Pipe:
    """Standard input whose errors are those of orchestrator.ssh.Stream."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream

    def write(self, data: bytes) -> int:
        try:
            return self._stream.write(data)
        except BrokenPipeError as error:
            raise HostError("h1", "the program ended before it had read its input.") from error

    def flush(self) -> None:
        self.write(b"")
        with suppress(BrokenPipeError):
            self._stream.flush()


class LocalStream:
    """What orchestrator.ssh.Stream is, for a subprocess."""

    def __init__(self, command: str, folder: Path) -> None:
        environment = {**os.environ, "LABCTL_BLOBS": str(folder / "blobs")}
        self._errors = (folder / "stderr").open("w+b")
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command], stdin=pipe, stdout=pipe, stderr=self._errors, env=environment
        )
        assert self._process.stdin and self._process.stdout
        self.stdin = Pipe(self._process.stdin)
        self.stdout: IO[bytes] = self._process.stdout

    def stderr_tail(self, lines: int = 10) -> str:
        self._errors.seek(0)
        return "\n".join(self._errors.read().decode().splitlines()[-lines:])

    def wait(self, timeout: float) -> int:
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise ConnectionTimeout("h1", "the program did not end.") from error

    def close(self) -> None:
        for stream in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):
                stream.close()  # type: ignore[union-attr]
        self._process.wait(20)
        self._errors.close()


class LocalConnection:
    """``program`` replaces the runner's command."""

    def __init__(self, host: str, folder: Path, program: str | None = None) -> None:
        self.endpoint = SimpleNamespace(host=host)
        self._folder, self._program = folder, program

    def stream(self, command: str) -> LocalStream:
        return LocalStream(self._program or command, self._folder)

    def run(self, command: str, timeout: float = 60.0) -> Completed:
        """Only the programs in the folder ``bin`` are found."""
        environment = {**os.environ, "PATH": str(self._folder / "bin")}
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Completed(done.stdout, done.stderr, done.returncode)


@dataclass
class Recorder:
    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def results(self) -> list[tuple[str, str]]:
        """(title, status) of every task, in order."""
        return [(event.task, str(event.status)) for event in self.events if event.kind is Kind.RESULT]

    def messages(self, module: str = "debug") -> list[str]:
        return [event.msg for event in self.events if event.kind is Kind.RESULT and event.module == module]


@dataclass
class Done:
    report: HostReport
    recorder: Recorder
    folder: Path

    @property
    def results(self) -> list[tuple[str, str]]:
        return self.recorder.results()

    @property
    def messages(self) -> list[str]:
        return self.recorder.messages()


Play = Callable[..., Done]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where site.yaml and inventory.yaml lie, and ``out`` for what tasks write."""
    (tmp_path / "out").mkdir()
    (tmp_path / "inventory.yaml").write_text(
        'all: {hosts: {h1: {where: inventory}, h2: {other: "{{ inventory_hostname }}!"}}}\n'
    )
    return tmp_path


@pytest.fixture
def play(folder: Path) -> Play:
    """``play(text, check=..., tags=..., extra=...)``: carry out the playbook on h1, which is this machine."""

    def carry_out(
        text: str,
        check: bool = False,
        diff: bool = False,
        tags: tuple[str, ...] = (),
        skip: tuple[str, ...] = (),
        extra: Mapping[str, Any] | None = None,
        program: str | None = None,
    ) -> Done:
        site = folder / "site.yaml"
        site.write_text(text)
        language = Language({})
        playbook = load_playbook(site, language)
        inventory = load_inventory(folder / "inventory.yaml", folder)
        chosen = tags_of(tags, skip, playbook)
        settings = Settings(
            language,
            inventory,
            extra=extra or {},
            tags=chosen,
            check=check,
            diff=diff,
        )
        recorder = Recorder()
        connection = LocalConnection("h1", folder, program)
        visit = Visit(
            inventory.host("h1"), playbook.plays, settings, recorder, lambda: nullcontext(connection)
        )
        for each in playbook.plays:
            visit.carry_out(each)
        report = visit.report
        assert report is not None
        return Done(report, recorder, folder)

    return carry_out


Together = Callable[..., dict[str, Done]]


@pytest.fixture
def together(folder: Path) -> Together:
    """``together(text)``: carry out the playbook on h1 and h2 at the same time, as `labctl provision` does; by their names."""

    def carry_out(text: str) -> dict[str, Done]:
        (folder / "site.yaml").write_text(text)
        language, inventory = Language({}), load_inventory(folder / "inventory.yaml", folder)
        plays = load_playbook(folder / "site.yaml", language).plays
        hosts = {
            id(play): [host.name for host in select_hosts(inventory, str(play.hosts.value))] for play in plays
        }
        settings, recorders = Settings(language, inventory), {name: Recorder() for name in ("h1", "h2")}

        def visit(name: str) -> Visit:
            (folder / name).mkdir()
            own = [play for play in plays if name in hosts[id(play)]]
            connection = LocalConnection(name, folder / name)
            return Visit(
                inventory.host(name), own, settings, recorders[name], lambda: nullcontext(connection)
            )

        visits = {name: visit(name) for name in recorders}
        with ThreadPoolExecutor(2) as pool:
            carry_out_plays(plays, visits, lambda names, work: deque(pool.map(work, names)))
        reports = {name: each.report for name, each in visits.items()}
        return {
            name: Done(report, recorders[name], folder / name) for name, report in reports.items() if report
        }

    return carry_out


@pytest.fixture
def local_connection(folder: Path) -> LocalConnection:
    """A connection to this machine."""
    return LocalConnection("h1", folder)
