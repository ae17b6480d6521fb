# SPDX-License-Identifier: Apache-2.0
"""How Go finds the modules of a source tree, read from the tree's snapshot.

The rules are Go's own (https://go.dev/ref/mod#build-commands, https://go.dev/ref/mod#workspaces). They are
applied here, before a build, so that the artifact's key and its provenance have the answer.
"""

from __future__ import annotations

import posixpath
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from orchestrator.model.component import Toolchain
from orchestrator.model.errors import BuildError

VENDOR_SINCE = (1, 14)
"""The version in go.mod from which Go uses a vendor folder without being asked to."""
_READ = ("go.mod", "go.work", "vendor/modules.txt")


class ModuleMode(StrEnum):
    """The value of the go command's flag ``-mod``."""

    READONLY = "readonly"
    """Modules come from the module cache; go.sum has their hashes."""
    VENDOR = "vendor"
    """Packages come from the tree's folder ``vendor``."""


@dataclass(frozen=True, slots=True)
class GoTree:
    """``workspace``: go.work at the top decides. ``notes`` are sentences on what the build leaves unused."""

    mode: ModuleMode = ModuleMode.READONLY
    workspace: bool = False
    notes: tuple[str, ...] = ()


LOCKED = GoTree()
"""What a component with a lock is built from: go.mod and go.sum of its own folder."""


@dataclass(frozen=True, slots=True)
class _Files:
    """``texts``: the contents of those of _READ that are there. ``vendored``: there is a folder vendor."""

    texts: Mapping[str, str] = field(default_factory=dict)
    vendored: bool = False


def read_tree(snapshot: Path, checkout: Path, toolchain: Toolchain) -> GoTree:
    """Raises BuildError: no module is there, it needs a newer Go, or it needs folders outside of the tree."""
    files = _read(snapshot, checkout)
    workspace = "go.work" in files.texts
    if not workspace and "go.mod" not in files.texts:
        raise _no_module(checkout)
    main = "go.work" if workspace else "go.mod"
    _check_version(files.texts, checkout, toolchain)
    mode = _mode(files, main, workspace)
    if mode is ModuleMode.READONLY:
        _check_paths(files.texts[main], main, checkout)
    return GoTree(mode, workspace, tuple(_notes(checkout, workspace, files.vendored)))


def _read(snapshot: Path, checkout: Path) -> _Files:
    texts: dict[str, str] = {}
    vendored = False
    try:
        with tarfile.open(snapshot) as packed:
            for entry in packed:
                vendored = vendored or entry.name.startswith("vendor/")
                if entry.name in _READ and (stream := packed.extractfile(entry)) is not None:
                    texts[entry.name] = stream.read().decode("utf-8", "replace")
    except (OSError, tarfile.TarError, KeyError) as error:
        raise BuildError(f"The snapshot of {checkout} cannot be read: {error}.") from error
    return _Files(texts, vendored)


def _mode(files: _Files, main: str, workspace: bool) -> ModuleMode:
    modules = files.texts.get("vendor/modules.txt", "")
    alike = modules.startswith("## workspace") == workspace
    version = _go_version(files.texts[main])
    if files.vendored and alike and version is not None and version >= VENDOR_SINCE:
        return ModuleMode.VENDOR
    return ModuleMode.READONLY


def _no_module(checkout: Path) -> BuildError:
    above = next((folder for folder in checkout.parents if (folder / "go.mod").is_file()), None)
    if above is not None:
        inside = checkout.relative_to(above)
        hint = f"The module is in {above}: write `checkout: {above}`, and packages as ./{inside}."
    else:
        hint = "`checkout` names the folder that holds go.mod, and git must know that file or not ignore it."
    return BuildError(f"{checkout} has no go.mod.", hint)


def _check_version(texts: Mapping[str, str], checkout: Path, toolchain: Toolchain) -> None:
    pinned = _numbers(toolchain.version)
    for name in ("go.work", "go.mod"):
        text = re.search(r"^go\s+(\S+)", texts.get(name, ""), re.MULTILINE)
        if text and _numbers(text[1]) > pinned:
            raise BuildError(
                f"{checkout / name} needs Go {text[1]}, and the pinned toolchain is Go {toolchain.version}.",
                newer_toolchain(text[1]),
            )


def newer_toolchain(version: str) -> str:
    """The hint for a source that needs a newer Go than the pinned one."""
    return (
        f'Pin a newer one: copy toolchain.yaml of labctl\'s components to ./components, and write `go: "{version}"`'
        " or later there, with the sha256 of the module golang.org/toolchain for it."
    )


def _check_paths(text: str, name: str, checkout: Path) -> None:
    """Refuse paths of replacements and workspaces that lie outside of the tree: the builder has the tree alone."""
    for path in _local_paths([line.partition("//")[0] for line in text.splitlines()]):
        if path.startswith("/") or posixpath.normpath(path).split("/")[0] == "..":
            hint = (
                "Name the folder that holds both as `checkout`, or let git ignore go.work: go.mod alone then decides."
                if name == "go.work"
                else "Run `go mod vendor` in the tree, or name a folder in the tree."
            )
            raise BuildError(f"{checkout / name} names {path}, which is not in the checkout.", hint)


def _local_paths(lines: list[str]) -> Iterator[str]:
    """The folders that directives ``replace`` and ``use`` name."""
    block = ""
    for line in lines:
        words = [word.strip('"`') for word in line.split()]
        if not words:
            continue
        if words[-1] == "(":
            block = words[0]
        elif words[0] == ")":
            block = ""
        elif words[-2:-1] == ["=>"] or "use" in (block, words[0]):
            yield words[-1]


def _notes(checkout: Path, workspace: bool, vendored: bool) -> Iterator[str]:
    if not vendored and (checkout / "vendor").is_dir():
        yield "git ignores vendor/ of the tree, so that the modules of go.mod are used in its place."
    if not workspace:
        above = [folder / "go.work" for folder in (checkout, *checkout.parents)]
        for path in (path for path in above if path.is_file()):
            yield f"{path} is not part of the tree, so that go.mod alone decides."
            break


def _go_version(text: str) -> tuple[int, ...] | None:
    directive = re.search(r"^go\s+(\S+)", text, re.MULTILINE)
    return _numbers(directive[1]) if directive else None


def _numbers(version: str) -> tuple[int, ...]:
    """``1.26.8`` -> (1, 26, 8); of a release candidate the release."""
    match = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", version)
    return tuple(int(part or 0) for part in match.groups()) if match else (0,)
