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
from pathlib import Path

from orchestrator.build.builder import Say
from orchestrator.build.toolchain import GO_NAMES, Caches
from orchestrator.model.component import Component, GoBuild
from orchestrator.model.errors import BuildError

SECONDS = 1200.0
_SETTINGS = ("GOFLAGS", "GOTOOLCHAIN", "GOROOT", "GOPATH", "GOMODCACHE", "GOCACHE", "GOWORK", "CGO_ENABLED")
"""Of this machine's Go settings, what could change which modules are needed; proxies and checksum databases stay as they are."""


def fetch(component: Component, folder: Path, root: Path, caches: Caches, machine: str, say: Say) -> int:
    """See that the cache has every module that the component's packages need; ``folder`` holds its go.mod. Gives how many packages.

    ``root`` is a toolchain for this machine. Raises BuildError: a module cannot be had, or is not what go.sum says.
    """
    go = component.go
    assert go is not None
    count = 0
    for tests in (False, True):
        packages = [target.package for target in go.targets if target.test == tests]
        if packages:
            said = _go([*_list(go, tests), *packages], folder, go, root, caches, machine, say)
            count += len(said.split())
    if go.c:
        _go(["mod", "download", go.module], folder, go, root, caches, machine, say)
    return count


def pin(
    component: Component, version: str, root: Path, caches: Caches, machine: str, say: Say
) -> tuple[str, str, str]:
    """The lock of another version: (version, go.mod, go.sum). ``version`` may be ``latest``. Raises BuildError."""
    go = component.go
    assert go is not None
    with tempfile.TemporaryDirectory(prefix="labctl-pin-") as name:
        folder = Path(name)
        wanted = version if version == "latest" or version.startswith("v") else f"v{version}"
        exact = _resolve(go.module, wanted, folder, root, caches, machine, say)
        toolchain = root.name.removeprefix("go").split(".linux")[0]
        (folder / "go.mod").write_text(
            f"module labctl/components/{component.name}\n\ngo {toolchain}\n\nrequire {go.module} {exact}\n"
        )
        for tests in (False, True):
            packages = [target.package for target in go.targets if target.test == tests]
            if packages:
                _go([*_list(go, tests), "-mod=mod", *packages], folder, go, root, caches, machine, say)
        return exact.removeprefix("v"), (folder / "go.mod").read_text(), (folder / "go.sum").read_text()


def _list(go: GoBuild, tests: bool) -> list[str]:
    tags = ["-tags", ",".join(go.tags)] if go.tags else []
    return ["list", "-deps", *(["-test"] if tests else []), *tags]


def _resolve(
    module: str, wanted: str, folder: Path, root: Path, caches: Caches, machine: str, say: Say
) -> str:
    (folder / "go.mod").write_text("module labctl/pin\n")
    nothing = GoBuild(module, ())
    said = _go(
        ["list", "-m", "-mod=mod", "-f", "{{.Version}}", f"{module}@{wanted}"],
        folder,
        nothing,
        root,
        caches,
        machine,
        say,
    )
    return said.strip()


def _go(
    words: Sequence[str], folder: Path, go: GoBuild, root: Path, caches: Caches, machine: str, say: Say
) -> str:
    """Run this machine's go with its own network settings; what it says on standard error is passed on."""
    command = [str(root / "bin/go"), *words]
    environment = {**_machine_settings(os.environ), **_own(go, root, caches, machine)}
    try:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, text=True, errors="replace", stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
    except OSError as error:
        raise BuildError(f"The Go toolchain in {root} cannot be started: {error.strerror}.") from error
    with process:
        return _heard(process, words, go.module, say)


def _heard(process: subprocess.Popen[str], words: Sequence[str], module: str, say: Say) -> str:
    said: list[str] = []

    def listen() -> None:
        assert process.stderr is not None
        for line in process.stderr:
            said.append(line.strip())
            say(said[-1].removeprefix("go: "))

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
    if code != 0:
        raise BuildError(
            f"The modules of {module} cannot be had: `go {' '.join(words[:2])}` ended with {code}: {_reason(said)}",
            "Is the module proxy reached (GOPROXY, HTTPS_PROXY)? A lock that lacks a hash is made anew by `labctl build --pin`.",
        )
    return output


def _reason(lines: Sequence[str]) -> str:
    telling = [line for line in lines if line and not line.startswith("go: downloading")]
    return " ".join(telling[-3:]) or "it said nothing."


def _machine_settings(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name not in _SETTINGS}


def _own(go: GoBuild, root: Path, caches: Caches, machine: str) -> dict[str, str]:
    architecture = GO_NAMES.get(machine, machine)
    return {
        "GOROOT": str(root),
        "GOMODCACHE": str(caches.modules),
        "GOCACHE": str(caches.build),
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
        "GOOS": "linux",
        "GOARCH": architecture,
        "CGO_ENABLED": "1" if go.cgo else "0",
        "LC_ALL": "C.UTF-8",
    }


def escaped(module: str) -> str:
    """A module's path as the cache's folders spell it: capitals with ``!`` (https://go.dev/ref/mod#goproxy-protocol)."""
    return re.sub(r"[A-Z]", lambda found: f"!{found[0].lower()}", module)
