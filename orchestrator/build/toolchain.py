# SPDX-License-Identifier: Apache-2.0
"""The pinned Go toolchain: fetched once from the Go module proxy that this machine has configured, checked, unpacked in the cache."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from orchestrator.build.builder import Say
from orchestrator.files import aside, cache_folder, sha256_of
from orchestrator.model.component import Toolchain
from orchestrator.model.errors import BuildError

DEFAULT_PROXY = "https://proxy.golang.org,direct"
CHUNK = 1 << 20
SECONDS = 60.0
"""Without a byte: then the proxy counts as gone."""
GO_NAMES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Caches:
    """What Go keeps on the controller, all of which can be fetched or made again."""

    folder: Path

    @classmethod
    def of_user(cls, environ: Mapping[str, str] = os.environ) -> Caches:
        return cls(cache_folder(environ) / "go")

    @property
    def toolchains(self) -> Path:
        return self.folder / "toolchains"

    @property
    def modules(self) -> Path:
        """GOMODCACHE."""
        return self.folder / "modules"

    @property
    def build(self) -> Path:
        """GOCACHE of ordinary builds."""
        return self.folder / "build"


def go_platform(machine: str) -> str:
    """``linux-amd64`` for `uname -m`'s ``x86_64``. Raises BuildError: Go's name is not known."""
    if machine not in GO_NAMES:
        raise BuildError(f"There is no pinned Go toolchain for {machine} machines.")
    return f"linux-{GO_NAMES[machine]}"


def ensure(toolchain: Toolchain, caches: Caches, say: Say, machine: str | None = None) -> Path:
    """The unpacked toolchain for ``machine`` (default: this one's architecture): a GOROOT. Raises BuildError."""
    wanted = go_platform(machine or platform.machine())
    root = caches.toolchains / f"go{toolchain.version}.{wanted}"
    if not (root / "bin/go").is_file():
        _unpack(archive(toolchain, caches, say, machine), root)
    return root


def archive(toolchain: Toolchain, caches: Caches, say: Say, machine: str | None = None) -> Path:
    """The toolchain's zip in the cache, with the bytes that are pinned. Raises BuildError."""
    wanted = go_platform(machine or platform.machine())
    sha256 = toolchain.sha256.get(wanted)
    if sha256 is None:
        raise BuildError(
            f"toolchain.yaml pins no Go toolchain for {wanted}.", f"Known: {', '.join(toolchain.sha256)}."
        )
    path = caches.toolchains / f"go{toolchain.version}.{wanted}.zip"
    if path.is_file() and sha256_of(path) == sha256:
        return path
    _fetch(f"golang.org/toolchain/@v/v0.0.1-go{toolchain.version}.{wanted}.zip", path, sha256, say)
    return path


def proxies(environ: Mapping[str, str] = os.environ) -> list[str]:
    """The module proxies of this machine, in order: GOPROXY, else Go's own file of settings, else Go's default."""
    value = environ.get("GOPROXY") or _go_settings(environ).get("GOPROXY") or DEFAULT_PROXY
    found = [entry.strip().rstrip("/") for entry in re.split(r"[,|]", value)]
    return [entry for entry in found if entry and entry not in ("direct", "off")]


def _go_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """What `go env -w` has written (https://go.dev/ref/mod, https://pkg.go.dev/cmd/go#hdr-Environment_variables)."""
    config = environ.get("XDG_CONFIG_HOME") or str(Path(environ.get("HOME") or "/nonexistent") / ".config")
    path = Path(environ.get("GOENV") or Path(config) / "go" / "env")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    return {name: value for name, sign, value in (line.partition("=") for line in lines) if sign}


def _fetch(name: str, path: Path, sha256: str, say: Say) -> None:
    """The first proxy that has it decides. Raises BuildError with what each of them said."""
    said: list[str] = []
    for proxy in proxies():
        try:
            with aside(path) as new:
                _download(f"{proxy}/{name}", new, say)
                found = sha256_of(new)
                if found != sha256:
                    raise BuildError(
                        f"The Go toolchain that the module proxy sent is not the pinned one: sha256 {found}, not {sha256}.",
                        "If a newer one is wanted, pin it in toolchain.yaml.",
                    )
            return
        except (OSError, ValueError) as error:
            said.append(str(error))
    raise BuildError(
        f"No Go module proxy gave {name.rsplit('/@v/', maxsplit=1)[-1]}: {'; '.join(said) or 'GOPROXY names none'}.",
        "Set GOPROXY (and HTTPS_PROXY) as for Go itself.",
    )


def _download(url: str, path: Path, say: Say) -> None:
    with urllib.request.urlopen(url, timeout=SECONDS) as answer, path.open("wb") as file:
        size = int(answer.headers.get("Content-Length") or 0)
        done = 0
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            say(f"fetching the Go toolchain, {done >> 20} of {size >> 20} MiB")


def _unpack(zipped: Path, root: Path) -> None:
    """As the go command does it: programs executable, ``_go.mod`` under its real name. Complete before it has its name."""
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpacking-", dir=root.parent) as aside_folder:
        new = Path(aside_folder) / "go"
        with zipfile.ZipFile(zipped) as packed:
            for info in packed.infolist():
                for name in _inside(info.filename):
                    _place(packed, info, new / name)
        os.sync()
        shutil.rmtree(root, ignore_errors=True)
        new.rename(root)


def _inside(name: str) -> Iterator[str]:
    """The name below golang.org/toolchain@VERSION/, if there is one."""
    parts = name.split("/")[2:]
    if parts and parts[-1] and ".." not in parts:
        yield "/".join([*parts[:-1], "go.mod" if parts[-1] == "_go.mod" else parts[-1]])


def _place(packed: zipfile.ZipFile, info: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with packed.open(info) as source, path.open("wb") as target:
        shutil.copyfileobj(source, target, CHUNK)
    text = str(path)
    if "/go/bin/" in text or "/go/pkg/tool/" in text:
        path.chmod(0o755)
