# SPDX-License-Identifier: Apache-2.0
"""Looks for secrets everywhere: in what was said, in files, in a host's journal, and in all processes again and again meanwhile.

The same two programs look on this machine and on a host, and they are told what to look for on their standard input: a command
line with a secret on it would find itself.
"""

from __future__ import annotations

import base64
import json
import re
import secrets
import shlex
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.model.endpoint import Endpoint
from orchestrator.model.errors import LabctlError
from orchestrator.ssh import Stream, connect

ODD = "\"\\'$ {é"
"""Characters that JSON, a shell, YAML or a template write in another way."""
DECOY_SECONDS = 0.05

_COMMON = """\
import json, os, sys, threading, time
told = json.loads(sys.stdin.readline())
forms = {name: [bytes.fromhex(form) for form in found] for name, found in told["forms"].items()}
clean = set()
def names(content):
    # most of what is looked at has been looked at before
    if content in clean:
        return []
    found = [name for name, written in forms.items() if any(form in content for form in written)]
    if not found and len(content) < 100_000:
        clean.add(content)
    return found
"""

SAMPLER = (
    _COMMON
    + """\
try:
    os.nice(-10)
except OSError:
    pass
stop, found = threading.Event(), {}
threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
print(json.dumps({"ready": True}), flush=True)
while not stop.is_set():
    for pid in os.listdir("/proc"):
        if not pid.isdigit():
            continue
        for kind in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{kind}", "rb", 0) as file:
                    content = file.read()
                for name in names(content):
                    with open(f"/proc/{pid}/cmdline", "rb", 0) as file:
                        command = file.read().replace(b"\\0", b" ").decode(errors="replace")
                    entry = found.setdefault((name, kind, pid), {"name": name, "kind": kind, "pid": int(pid), "since": time.monotonic()})
                    entry.update(command=command, until=time.monotonic())
            except OSError:
                pass
    stop.wait(0.015)
print(json.dumps({"seen": list(found.values())}), flush=True)
"""
)
"""Says that it is ready, then looks until its input ends."""

SEARCH = (
    _COMMON
    + """\
import subprocess
found = []
def look(content, place):
    found.extend({"name": name, "place": place} for name in names(content))
for root in told["roots"]:
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in told["skip"]]
        for name in folders + files:
            path = os.path.join(folder, name)
            look(os.fsencode(name), path)
            try:
                state = os.lstat(path)
                if os.path.islink(path):
                    look(os.fsencode(os.readlink(path)), path)
                elif os.path.isfile(path) and state.st_ctime >= told["since"]:
                    with open(path, "rb") as file:
                        look(file.read(), path)
            except OSError:
                pass
if told["journal"]:
    look(subprocess.run(["journalctl", "--no-pager", "-a", "-o", "export"], stdout=subprocess.PIPE, check=True).stdout, "the journal")
print(json.dumps(found))
"""
)
"""Names, links and contents of files; those that have not changed ``since`` cannot hold what was made after it."""

_DECOYS = """\
import json, subprocess, sys
told = json.loads(sys.stdin.readline())
subprocess.run(["sh", "-c", "sleep %s; :" % told["seconds"], told["word"]], check=True)
subprocess.run(["sleep", str(told["seconds"])], env={"PATH": "/usr/bin:/bin", "DECOY": told["word"]}, check=True)
"""


def new_secret(name: str, odd: str = ODD) -> str:
    """One that nobody has ever had, with what is hard to write in its middle."""
    return f"{name[:4]}{secrets.token_hex(7)}{odd}{secrets.token_hex(7)}"


def forms(secret: str) -> list[bytes]:
    """Everything that a secret may look like: as it is, escaped for JSON, a shell or an address, in hexadecimal, in base64 wherever
    in a text it began, and each of its halves, whatever was made of the odd characters between them."""
    raw = secret.encode()
    written = {
        *(raw, json.dumps(secret)[1:-1].encode(), json.dumps(secret, ensure_ascii=False)[1:-1].encode()),
        *(repr(secret)[1:-1].encode(), shlex.quote(secret).strip("'").encode()),
        *(urllib.parse.quote(secret).encode(), raw.hex().encode()),
        *(word.encode() for word in re.findall(r"[A-Za-z0-9]{12,}", secret)),
    }
    for shift, start in enumerate((0, 2, 3)):
        encoded = base64.b64encode(b"x" * shift + raw)
        written.add(encoded[start : (shift + len(raw)) * 8 // 6])
    return sorted(written)


@dataclass(frozen=True)
class Said:
    """What a call of labctl ended with, and wrote."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Found:
    """A secret, and where it was. ``pid`` and ``seconds`` (how long it was to be seen) are those of a process."""

    name: str
    place: str
    pid: int | None = None
    seconds: float = 0.0


@dataclass
class Hunt:
    """``words`` are what is looked for, by name. ``folder`` is the controller's, ``host`` how root reaches the host, ``since`` when
    the first of the words was made."""

    words: Mapping[str, str]
    folder: Path
    host: Endpoint
    since: float
    found: list[Found] = field(default_factory=list)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at all processes, here and on the host, until the end of the block. A host that dies meanwhile is no error."""
        decoy = new_secret("decoy", odd="")
        told = self._told({**self.words, "a decoy": decoy})
        command = [sys.executable, "-c", SAMPLER]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as here:
            assert here.stdin is not None and here.stdout is not None
            try:
                here.stdin.write(told)
                here.stdin.flush()
                assert json.loads(here.stdout.readline()) == {"ready": True}
                with connect(self.host) as connection:
                    there = connection.stream(f"python3 -c {shlex.quote(SAMPLER)}")
                    there.stdin.write(told)
                    assert json.loads(there.stdout.readline()) == {"ready": True}
                    self._show_decoys(decoy)
                    yield
                    last = _end_of(there)
                    self._take("host", last)
                    here.stdin.close()
                    self._take("controller", json.loads(here.stdout.read()))
            finally:
                here.kill()
        self._assert_decoys_seen(["controller"] if last is None else ["controller", "host"])

    def said(self, said: Said) -> Said:
        """Look at what a call wrote."""
        for place, text in (("stdout", said.out), ("stderr", said.err)):
            for name, word in self.words.items():
                if any(form in text.encode() for form in forms(word)):
                    self.found.append(Found(name, place))
        return said

    def files(self) -> None:
        """Look at every file of the controller's folder and of the host, and at the host's journal."""
        self.files_here()
        self.files_there()

    def files_here(self) -> None:
        here = self._told(self.words, roots=[str(self.folder)], skip=[], journal=False)
        done = subprocess.run([sys.executable, "-c", SEARCH], input=here, capture_output=True, check=True)
        self._note("controller", json.loads(done.stdout))

    def files_there(self) -> None:
        skip = ["/proc", "/sys", "/dev", "/usr"]
        there = self._told(self.words, roots=["/"], skip=skip, journal=True)
        with connect(self.host) as connection:
            looked = connection.run(f"python3 -c {shlex.quote(SEARCH)}", timeout=120, stdin=there)
        assert looked.exit_status == 0, looked.stderr
        self._note("host", json.loads(looked.stdout))

    def places(self, name: str) -> set[str]:
        return {found.place for found in self.found if found.name == name}

    def _told(self, words: Mapping[str, str], **more: Any) -> bytes:
        told = {
            "forms": {name: [form.hex() for form in forms(word)] for name, word in words.items()},
            "since": self.since,
            **more,
        }
        return json.dumps(told).encode() + b"\n"

    def _note(self, where: str, seen: Sequence[Mapping[str, Any]]) -> None:
        for entry in seen:
            place = str(entry["place"])
            if where == "controller":
                place = str(Path(place).relative_to(self.folder))
            self.found.append(Found(str(entry["name"]), f"{where}: {place}"))

    def _take(self, where: str, last: Mapping[str, Any] | None) -> None:
        for entry in (last or {"seen": []})["seen"]:
            place = f"{where}'s {entry['kind']}: {entry['command'][:200]}"
            seconds = entry["until"] - entry["since"]
            self.found.append(Found(entry["name"], place, entry["pid"], seconds))

    def _show_decoys(self, decoy: str) -> None:
        """On a command line and in an environment for 50 ms, here and on the host: who misses them would miss a secret."""
        told = json.dumps({"seconds": DECOY_SECONDS, "word": decoy}).encode() + b"\n"
        subprocess.run([sys.executable, "-c", _DECOYS], input=told, check=True)
        with connect(self.host) as connection:
            shown = connection.run(f"python3 -c {shlex.quote(_DECOYS)}", stdin=told)
            assert shown.exit_status == 0, shown.stderr

    def _assert_decoys_seen(self, sides: Sequence[str]) -> None:
        seen = {found.place.partition(":")[0] for found in self.found if found.name == "a decoy"}
        assert {f"{side}'s {kind}" for side in sides for kind in ("cmdline", "environ")} <= seen
        self.found = [found for found in self.found if found.name != "a decoy"]


def _end_of(sampler: Stream) -> Mapping[str, Any] | None:
    """What it has seen; None where its host is gone."""
    with suppress(LabctlError):
        sampler.stdin.close()
        line = sampler.stdout.readline()
        sampler.close()
        return dict(json.loads(line)) if line.endswith(b"\n") else None
    return None


def now() -> float:
    """For ``since``: clocks of file systems are coarse."""
    return time.time() - 1
