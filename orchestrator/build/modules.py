# SPDX-License-Identifier: Apache-2.0
"""The modules that a build needs, fetched by the controller with its own network, proxies and credentials; go.sum decides what is right.

A builder then compiles without any network. `pin` makes a lock anew.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.build.builder import Say
from orchestrator.build.toolchain import GO_NAMES, Caches
from orchestrator.build.tree import LOCKED, GoTree, ModuleMode, newer_toolchain
from orchestrator.model.component import Component, GoBuild
from orchestrator.model.errors import BuildError

SECONDS = 1200.0
_SETTINGS = ("GOFLAGS", "GOTOOLCHAIN", "GOROOT", "GOPATH", "GOMODCACHE", "GOCACHE", "GOWORK", "CGO_ENABLED")
"""Of this machine's Go settings, what could change which modules are needed; proxies and checksum databases stay as they are."""


@dataclass(frozen=True, slots=True)
class _Go:
    """The go command of this machine, in ``folder``, with this machine's network settings.

    ``name`` says in an error whose modules they are; ``place`` is what the user knows ``folder`` as;
    ``remedy`` is the hint where nothing more is known.
    """

    folder: Path
    root: Path
    environment: Mapping[str, str]
    name: str
    place: Path | None
    remedy: str
    say: Say

    def run(self, words: Sequence[str]) -> str:
        """Return what it prints; what it says on standard error is passed on. Raises BuildError."""
        command = [str(self.root / "bin/go"), *words]
        try:
            process = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, text=True, errors="replace",
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
        except OSError as error:
            raise BuildError(
                f"The Go toolchain in {self.root} cannot be started: {error.strerror}."
            ) from error
        with process:
            output, errors, code = _communicate(process, self.say)
        if code != 0:
            raise self._failure(words, code, errors)
        return output

    def _failure(self, words: Sequence[str], code: int, lines: Sequence[str]) -> BuildError:
        text = "\n".join(lines).replace(str(self.folder), str(self.place or self.folder))
        if self.place is not None and "vendor/modules.txt" in text:
            (line, *_) = (line for line in text.splitlines() if "vendor/modules.txt" in line)
            message = f"vendor/ of {self.place} does not match its go.mod: {line.strip()}."
            return BuildError(message, f"Run `go mod vendor` in {self.place}.")
        reason = _reason(text.splitlines())
        return BuildError(
            f"The modules of {self.name} cannot be had: `go {' '.join(words[:2])}` ended with {code}: {reason}",
            _hint(text, self.place) or self.remedy,
        )


_CAUSES = (
    (r"-mod=vendor", "Run `go mod vendor` in {place}."),
    (r"updates to go\.(?:mod|sum) needed|missing go\.sum entry", "Run `go mod tidy` in {place}."),
)
"""What go says of a tree whose files do not fit together, and how to mend it."""


_PROXY = "the module proxy can be reached (GOPROXY, HTTPS_PROXY)."


def _hint(text: str, place: Path | None) -> str | None:
    if newer := re.search(r"requires go >= (\S+)", text):
        return newer_toolchain(newer[1])
    for pattern, advice in _CAUSES:
        if place is not None and re.search(pattern, text):
            return advice.format(place=place)
    return None


def fetch(
    component: Component,
    folder: Path,
    root: Path,
    caches: Caches,
    machine: str,
    say: Say,
    tree: GoTree = LOCKED,
) -> int:
    """See that the cache has every module that the component's packages need. Return the number of packages.

    ``folder`` holds go.mod, ``root`` is a toolchain for this machine. A vendored tree has all of it already.
    Raises BuildError: a module cannot be had, or is not what go.sum says.
    """
    go = component.go
    assert go is not None
    name = f"{component.name} ({component.checkout})" if component.checkout else go.module
    environment = {**_machine_settings(os.environ), **_own(go, root, caches, machine, tree)}
    remedy = f"Check that {_PROXY}"
    if not component.checkout:
        again = f"labctl build --pin {component.name}@{component.version}"
        remedy += f" If the lock lacks a hash, make it anew: {again}"
    command = _Go(folder, root, environment, name, component.checkout, remedy, say)
    count = 0
    for tests in (False, True):
        packages = [target.package for target in go.targets if target.test == tests]
        if packages:
            count += len(command.run([*_list(go, tests), *packages]).split())
    if go.c and not component.checkout:
        command.run(["mod", "download", go.module])
    return count


def pin(
    component: Component, version: str, root: Path, caches: Caches, machine: str, say: Say
) -> tuple[str, str, str]:
    """The lock of another version: (version, go.mod, go.sum). ``version`` may be ``latest``. Raises BuildError."""
    go = component.go
    assert go is not None
    with tempfile.TemporaryDirectory(prefix="labctl-pin-") as name:
        folder = Path(name)
        environment = {**_machine_settings(os.environ), **_own(go, root, caches, machine, LOCKED)}
        remedy = f"Check that this version and the packages of component.yaml exist, and that {_PROXY}"
        command = _Go(folder, root, environment, go.module, None, remedy, say)
        exact = _resolve(command, go.module, version)
        toolchain = root.name.removeprefix("go").split(".linux")[0]
        (folder / "go.mod").write_text(
            f"module labctl/components/{component.name}\n\ngo {toolchain}\n\nrequire {go.module} {exact}\n"
        )
        for tests in (False, True):
            packages = [target.package for target in go.targets if target.test == tests]
            if packages:
                command.run([*_list(go, tests), "-mod=mod", *packages])
        return exact.removeprefix("v"), (folder / "go.mod").read_text(), (folder / "go.sum").read_text()


def _list(go: GoBuild, tests: bool) -> list[str]:
    tags = ["-tags", ",".join(go.tags)] if go.tags else []
    return ["list", "-deps", *(["-test"] if tests else []), *tags]


def _resolve(command: _Go, module: str, version: str) -> str:
    query = version if version == "latest" or version.startswith("v") else f"v{version}"
    (command.folder / "go.mod").write_text("module labctl/pin\n")
    return command.run(["list", "-m", "-mod=mod", "-f", "{{.Version}}", f"{module}@{query}"]).strip()


def _communicate(process: subprocess.Popen[str], say: Say) -> tuple[str, list[str], int]:
    """Standard output, the lines of standard error, the exit code."""
    lines: list[str] = []

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line.strip())
            say(lines[-1].removeprefix("go: "))

    listener = threading.Thread(target=listen, daemon=True)
    watchdog = threading.Timer(SECONDS, process.kill)
    listener.start()
    watchdog.start()
    try:
        assert process.stdout is not None
        output = process.stdout.read()
        code = process.wait()
        listener.join(5.0)
    except BaseException:
        process.kill()
        raise
    finally:
        watchdog.cancel()
    return output, lines, code


def _reason(lines: Sequence[str]) -> str:
    telling = [line for line in lines if line and not line.startswith("go: downloading")]
    return " ".join(telling[-3:]) or "it said nothing."


def _machine_settings(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _SETTINGS}


def _own(go: GoBuild, root: Path, caches: Caches, machine: str, tree: GoTree) -> dict[str, str]:
    return {
        "GOROOT": str(root),
        "GOMODCACHE": str(caches.modules),
        "GOCACHE": str(caches.build),
        "GOFLAGS": f"-modcacherw -mod={tree.mode}",
        "GOTOOLCHAIN": "local",
        "GOOS": "linux",
        "GOARCH": GO_NAMES.get(machine, machine),
        "CGO_ENABLED": "1" if go.cgo else "0",
        "LC_ALL": "C.UTF-8",
        **({"GOPROXY": "off"} if tree.mode is ModuleMode.VENDOR else {}),
        **({} if tree.workspace else {"GOWORK": "off"}),
    }


def escaped(module: str) -> str:
    """A module's path as the cache's folders spell it: capitals with ``!`` (https://go.dev/ref/mod#goproxy-protocol)."""
    return re.sub(r"[A-Z]", lambda found: f"!{found[0].lower()}", module)
