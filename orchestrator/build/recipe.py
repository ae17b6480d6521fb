# SPDX-License-Identifier: Apache-2.0
"""A component -> the shell text that builds it. Pure: the same component gives the same text, which provenance records."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from orchestrator.build.builder import GoPlaces
from orchestrator.build.tree import LOCKED, GoTree, ModuleMode
from orchestrator.model.component import Component, CTarget, DebianPackage, GoBuild, GoTarget

FLAGS = ("-trimpath", "-buildvcs=false")
"""Without paths of the builder and without the state of a work tree: the same input gives the same bits."""
DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a component was made: the commands, and what else provenance tells (toolchain, packages, glibc)."""

    commands: tuple[str, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)


def go_environment(
    go: GoBuild,
    places: GoPlaces,
    home: str,
    extra: Mapping[str, str] | None = None,
    tree: GoTree = LOCKED,
) -> dict[str, str]:
    """All that a build sees: nothing of the builder's own settings may change the bits."""
    vendored = tree.mode is ModuleMode.VENDOR
    return {
        "PATH": f"{places.root}/bin:{PATH}",
        "HOME": home,
        "LC_ALL": "C.UTF-8",
        "GOROOT": places.root,
        "GOMODCACHE": places.modules,
        "GOCACHE": places.cache,
        "GOPROXY": "off" if vendored else places.proxy,
        "GOENV": "off",
        "GOFLAGS": f"-mod={tree.mode}",
        "GOTOOLCHAIN": "local",
        "GOSUMDB": "off",  # go.sum, which -mod=readonly holds to, has every hash already
        "GOTELEMETRY": "off",
        "CGO_ENABLED": "1" if go.cgo else "0",
        # A workspace is go.work in the folder of the build, which Go looks for itself; one above it never counts.
        **({} if tree.workspace else {"GOWORK": "off"}),
        **(extra or {}),
    }


def build_flags(tree: GoTree = LOCKED) -> tuple[str, ...]:
    """The flags that every `go build` has."""
    return (f"-mod={tree.mode}", *FLAGS)


def go_commands(component: Component, out: str, tree: GoTree = LOCKED) -> list[str]:
    """`go build`, `go test -c` and cc, in the folder of go.mod; outputs below ``out``."""
    assert component.go is not None
    go = component.go
    built = [target for target in go.targets if not target.test]
    together = len(built) > 1 and len({_go_name(target.package) for target in built} - {None}) == len(built)
    flags = _flags(component, tree)
    commands = _together(flags, built, out) if together else []
    for target in go.targets:
        if target.test or not together:
            verb = ["test", "-c"] if target.test else ["build", "-v"]
            commands.append(_line(["go", *verb, *flags, "-o", f"{out}/{target.output}", target.package]))
    return commands + [_compile(component, target, out) for target in go.c]


def _together(flags: Sequence[str], targets: Sequence[GoTarget], out: str) -> list[str]:
    """One call for all of them, so that the last link of one runs beside the next."""
    packages = [target.package for target in targets]
    line = _line(["go", "build", "-v", *flags, "-o", f"{out}/.together/", *packages])
    moves = [
        _line(["mv", f"{out}/.together/{_go_name(target.package)}", f"{out}/{target.output}"])
        for target in targets
    ]
    return [_line(["mkdir", "-p", f"{out}/.together"]), line, *moves, _line(["rmdir", f"{out}/.together"])]


def _go_name(package: str) -> str | None:
    """What `go build` calls a package's program; None where that takes the module's say."""
    name = package.rstrip("/").rsplit("/", 1)[-1]
    return None if package in (".", "./") or re.fullmatch(r"v\d+", name) else name


def _flags(component: Component, tree: GoTree) -> list[str]:
    assert component.go is not None
    flags = [*build_flags(tree)]
    if component.go.tags:
        flags += ["-tags", ",".join(component.go.tags)]
    if component.go.ldflags:
        flags += ["-ldflags", component.go.ldflags.replace("{version}", component.version)]
    return flags


def _compile(component: Component, target: CTarget, out: str) -> str:
    """The sources lie in the module of the lock, or in the tree itself."""
    assert component.go is not None
    module = shlex.quote(component.go.module)
    folder = "." if component.checkout else f"\"$(go list -m -f '{{{{.Dir}}}}' {module})\""
    return f"cc {_line(target.flags)} -o {shlex.quote(f'{out}/{target.output}')} {folder}/{target.sources}"


def folders_command(component: Component, out: str) -> str:
    """Make the outputs' folders."""
    assert component.go is not None
    outputs = [target.output for target in component.go.targets] + [
        target.output for target in component.go.c
    ]
    folders = sorted({f"{out}/{output}".rsplit("/", 1)[0] for output in outputs})
    return _line(["mkdir", "-p", *folders])


def deb_name(package: DebianPackage, architecture: str) -> str:
    """The file as Debian's pool names it: without the epoch."""
    return f"{package.name}_{package.version.split(':', 1)[-1]}_{architecture}.deb"


def glibc_question(out: str) -> str:
    """Shell text that prints the newest version of glibc that the programs below ``out`` need, or nothing."""
    return (
        f"find {shlex.quote(out)} -type f -exec objdump -T {{}} + 2>/dev/null"
        r" | grep -o 'GLIBC_[0-9][0-9.]*' | sort -u -V | tail -n 1"
    )


def _line(words: Sequence[str]) -> str:
    return shlex.join(words)
