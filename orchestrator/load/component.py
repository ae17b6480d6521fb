# SPDX-License-Identifier: Apache-2.0
"""Components: what a runtime stack is made of, each in a folder of its own.

    playbooks/components/NAME/component.yaml    what it is, and where its files come from
    playbooks/components/NAME/go.mod, go.sum    the lock of what is built from a Go module

Keys of component.yaml:

    source     module, checkout, prebuilt or debian
    go         module, cgo, tags, ldflags ({version} is filled in), build and test {OUTPUT: PACKAGE}, c {OUTPUT: {sources, flags}}
    checkout   a git work tree, relative to the folder (source: checkout; packages are then ./PATHS)
    prebuilt   {OUTPUT: {path, sha256}} and version (source: prebuilt)
    debian     programs {NAME: PATH}, and for one release: release, packages {NAME: {version, sha256: {amd64: ...}}};
               for several: releases {RELEASE: {packages}, RELEASE: {unavailable: WHY}}; beside another source it is the fast path
    needs      Debian packages that a build takes
    handler    {name, program, kind}: an OCI runtime as the CRI runtimes know it; kind is runc or runsc
    optional   only built when it is named;  only_with   left out where that component is
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.load.document import Document, load_document, validate
from orchestrator.model.component import (
    HANDLER_KINDS,
    HANDLER_NAME,
    Component,
    CTarget,
    DebianPackage,
    GoBuild,
    GoTarget,
    Handler,
    PrebuiltFile,
    Source,
    Toolchain,
    unknown_kind,
)
from orchestrator.model.errors import UsageError

FILE = "component.yaml"
TOOLCHAIN = "toolchain.yaml"
GIT_SECONDS = 120.0
_Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_Output = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-][A-Za-z0-9_.+-]*(/[A-Za-z0-9_+-][A-Za-z0-9_.+-]*)*$")]
_Name = Annotated[str, Field(pattern=rf"^{HANDLER_NAME}$")]
_Text = Annotated[str, Field(min_length=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _C(_Strict):
    sources: _Text
    flags: list[str] = Field(default_factory=list)


class _Go(_Strict):
    module: str = ""
    cgo: bool = False
    tags: list[str] = Field(default_factory=list)
    ldflags: str = ""
    build: dict[_Output, _Text] = Field(default_factory=dict)
    test: dict[_Output, _Text] = Field(default_factory=dict)
    c: dict[_Output, _C] = Field(default_factory=dict)


class _Prebuilt(_Strict):
    path: _Text
    sha256: _Sha256


class _Package(_Strict):
    version: _Text
    sha256: dict[str, _Sha256]


_Packages = Annotated[dict[_Name, _Package], Field(min_length=1)]


class _Release(_Strict):
    packages: _Packages | None = None
    unavailable: _Text | None = None


class _Debian(_Strict):
    release: _Text | None = None
    packages: _Packages | None = None
    releases: Annotated[dict[str, _Release], Field(min_length=1)] | None = None
    programs: Annotated[dict[str, _Text], Field(min_length=1)]


class _Handler(_Strict):
    name: _Name
    program: _Text
    kind: str = HANDLER_KINDS[0]


class _File(_Strict):
    source: Literal["module", "checkout", "prebuilt", "debian"]
    summary: str = ""
    version: str | None = None
    go: _Go | None = None
    checkout: str | None = None
    prebuilt: dict[_Output, _Prebuilt] | None = None
    debian: _Debian | None = None
    needs: list[_Name] = Field(default_factory=list)
    handler: _Handler | None = None
    optional: bool = False
    only_with: str | None = None


class _ToolchainFile(_Strict):
    go: Annotated[str, Field(pattern=r"^\d+\.\d+(\.\d+)?$")]
    sha256: dict[str, _Sha256]


def load_toolchain(folder: Path) -> Toolchain:
    """Raises ConfigError."""
    file = validate(load_document(folder / TOOLCHAIN), _ToolchainFile)
    return Toolchain(file.go, file.sha256)


def list_components(folders: Sequence[Path]) -> dict[str, Path]:
    """Name to folder of every component in ``folders``; the first that has a name wins."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted(folder.glob(f"*/{FILE}")):
            found.setdefault(path.parent.name, path.parent)
    return found


def load_components(folders: Sequence[Path], source: Source | None = None) -> tuple[Component, ...]:
    """All of them, by name. ``source`` debian: those that have Debian packages, from these. Raises ConfigError."""
    loaded: dict[str, tuple[Component, str | None]] = {}
    for name, folder in sorted(list_components(folders).items()):
        component, only_with = load_component(folder, source)
        if component is not None:
            loaded[name] = component, only_with
    chosen = tuple(component for component, other in loaded.values() if other is None or other in loaded)
    _check_handlers(chosen)
    return chosen


def _check_handlers(components: Sequence[Component]) -> None:
    """Refuse a handler's name that two components have: one of them would be measured as the other."""
    owners: dict[str, Component] = {}
    for component in components:
        if component.handler is None:
            continue
        owner = owners.setdefault(component.handler.name, component)
        if owner is not component:
            raise load_document(component.folder / FILE).error(
                ("handler", "name"),
                f"{component.handler.name} is the handler of {owner.folder} too.",
                "Give one of them another name.",
            )


def declared_handlers(folders: Sequence[Path]) -> dict[str, Handler]:
    """Component to handler, of those that have one; neither locks nor checkouts are looked at. Raises ConfigError."""
    handlers: dict[str, Handler] = {}
    for name, folder in sorted(list_components(folders).items()):
        document = load_document(folder / FILE)
        file = validate(document, _File)
        _check_kind(document, file)
        if file.handler is not None:
            handlers[name] = Handler(file.handler.name, file.handler.program, file.handler.kind)
    return handlers


def load_component(
    folder: Path, source: Source | None = None, locked: bool = True
) -> tuple[Component | None, str | None]:
    """One, and which other it is there for; None where it has nothing of ``source``.

    Without ``locked`` a Go module needs no lock: its version is then "". Raises ConfigError.
    """
    document = load_document(folder / FILE)
    file = validate(document, _File)
    chosen = source or Source(file.source)
    if source is Source.DEBIAN and file.debian is None:
        return None, file.only_with
    _check(document, file, chosen)
    parts = (
        _module(document, file, folder, locked)
        if chosen is Source.MODULE
        else _PARTS[chosen](document, file, folder)
    )
    handler = file.handler
    return (
        Component(
            name=folder.name,
            folder=folder,
            source=chosen,
            summary=file.summary,
            handler=Handler(handler.name, handler.program, handler.kind) if handler else None,
            optional=file.optional,
            **parts,
        ),
        file.only_with,
    )


def debian_components(folders: Sequence[Path]) -> tuple[Component, ...]:
    """The components whose source is Debian's packages; the others' locks and checkouts are not looked at. Raises ConfigError."""
    places = list_components(folders).values()
    sources = {folder: validate(load_document(folder / FILE), _File).source for folder in places}
    own = [folder for folder, source in sources.items() if Source(source) is Source.DEBIAN]
    loaded = (load_component(folder)[0] for folder in own)
    return tuple(component for component in loaded if component is not None)


def _check_kind(document: Document, file: _File) -> None:
    if file.handler and file.handler.kind not in HANDLER_KINDS:
        raise document.error(("handler", "kind"), unknown_kind(file.handler.kind))


def _check(document: Document, file: _File, source: Source) -> None:
    _check_kind(document, file)
    needed = {
        Source.MODULE: "go",
        Source.CHECKOUT: "checkout",
        Source.PREBUILT: "prebuilt",
        Source.DEBIAN: "debian",
    }[source]
    if getattr(file, needed) is None:
        raise document.error(("source",), f"{source} needs the key `{needed}`.")
    if source is Source.CHECKOUT and file.go is None:
        raise document.error(("source",), "a checkout is built with the key `go`.")
    if source in (Source.MODULE, Source.CHECKOUT) and file.go and not (file.go.build or file.go.test):
        raise document.error(("go",), "builds nothing: it needs `build` or `test`.")
    if file.handler and source is not Source.DEBIAN and file.handler.program not in _outputs(file, source):
        raise document.error(("handler", "program"), f"{file.handler.program} is none of the outputs.")


def _outputs(file: _File, source: Source) -> set[str]:
    if source is Source.PREBUILT:
        return set(file.prebuilt or ())
    return {*(file.go.build if file.go else ()), *(file.go.c if file.go else ())}


def _module(document: Document, file: _File, folder: Path, locked: bool) -> dict[str, Any]:
    assert file.go is not None
    if not file.go.module:
        raise document.error(("go",), "lacks `module`: the Go module that go.mod locks.")
    return {
        "go": _go(file.go),
        "version": locked_version(document, folder, file.go.module) if locked else "",
        "needs": tuple(file.needs),
    }


def locked_version(document: Document, folder: Path, module: str) -> str:
    """The version, without v, of the one module that go.mod requires. Raises ConfigError."""
    path = folder / "go.mod"
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    found = re.search(rf"^(?:require)?\s+{re.escape(module)} v(\S+)", text, re.MULTILINE)
    if found is None or not (folder / "go.sum").is_file():
        raise document.error(
            ("go", "module"),
            f"{path} does not lock {module}.",
            f"Make the lock: {pin_command(folder)}",
        )
    return found[1]


def pin_command(folder: Path) -> str:
    """What writes the lock of the component in ``folder``."""
    place = "" if folder.parent == Path("components") else f" --components {folder.parent}"
    return f"labctl build --pin {folder.name}@latest{place}"


def _go(file: _Go) -> GoBuild:
    built = [GoTarget(package, output) for output, package in file.build.items()]
    tests = [GoTarget(package, output, test=True) for output, package in file.test.items()]
    c = tuple(CTarget(one.sources, output, tuple(one.flags)) for output, one in file.c.items())
    return GoBuild(file.module, (*built, *tests), tuple(file.tags), file.ldflags, file.cgo, c)


def _checkout(document: Document, file: _File, folder: Path) -> dict[str, Any]:
    assert file.go is not None and file.checkout is not None
    tree = (folder / Path(file.checkout).expanduser()).resolve()
    version = file.version or _described(document, tree)
    return {"go": _go(file.go), "checkout": tree, "version": version, "needs": tuple(file.needs)}


def _described(document: Document, tree: Path) -> str:
    """What git calls the tree: its last tag and commit, without v; ``-dirty`` with uncommitted or new files."""
    commit = _git(document, tree, "describe", "--always", "--tags", "--abbrev=12")
    changed = _git(document, tree, "status", "--porcelain", "--", ".")
    return commit.removeprefix("v") + ("-dirty" if changed else "")


def _git(document: Document, tree: Path, *words: str) -> str:
    command = ["git", "-C", str(tree), *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=GIT_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise document.error(("checkout",), f"git {words[0]} does not work in {tree}: {error}.") from error
    if done.returncode != 0:
        raise document.error(
            ("checkout",),
            f"git cannot describe {tree}: {done.stderr.strip()}.",
            "`checkout` names a git work tree with at least one commit.",
        )
    return done.stdout.strip()


def _prebuilt(document: Document, file: _File, folder: Path) -> dict[str, Any]:
    assert file.prebuilt is not None
    files = tuple(
        PrebuiltFile((folder / Path(one.path).expanduser()).resolve(), output, one.sha256)
        for output, one in file.prebuilt.items()
    )
    for one in files:
        if not one.path.is_file():
            raise document.error(("prebuilt", one.output, "path"), f"there is no file {one.path}.")
    if not file.version:
        raise document.error(("source",), "prebuilt needs the key `version`: what reports call it.")
    return {"prebuilt": files, "version": file.version}


def _debian(document: Document, file: _File, folder: Path) -> dict[str, Any]:
    assert file.debian is not None
    releases = _releases(document, file.debian)
    packages = tuple(
        DebianPackage(name, package.version, release, package.sha256)
        for release, entry in releases.items()
        for name, package in (entry.packages or {}).items()
    )
    if not packages:
        raise document.error(("debian", "releases"), "no release has packages.")
    programs: Mapping[str, str] = file.debian.programs
    handler = file.handler
    if handler and Path(handler.program).name not in programs:
        raise document.error(("debian", "programs"), f"does not say where {Path(handler.program).name} is.")
    return {
        "debian": packages,
        "version": packages[0].version,
        "programs": programs,
        "unavailable": {name: entry.unavailable for name, entry in releases.items() if entry.unavailable},
    }


def _releases(document: Document, debian: _Debian) -> Mapping[str, _Release]:
    """Return what ``debian`` says of each release: one release (``release`` and ``packages``), or several (``releases``)."""
    if debian.releases is None:
        if debian.release is None or debian.packages is None:
            raise document.error(("debian",), "needs `releases`, or else `release` and `packages`.")
        return {debian.release: _Release(packages=debian.packages)}
    if debian.release is not None or debian.packages is not None:
        raise document.error(
            ("debian", "releases"), "stands instead of `release` and `packages`.", at_key=True
        )
    for name, entry in debian.releases.items():
        if (entry.packages is None) == (entry.unavailable is None):
            raise document.error(
                ("debian", "releases", name), "needs either `packages`, or `unavailable` with the reason."
            )
    return debian.releases


_PARTS = {
    Source.CHECKOUT: _checkout,
    Source.PREBUILT: _prebuilt,
    Source.DEBIAN: _debian,
}


def choose(components: Sequence[Component], names: Sequence[str]) -> tuple[Component, ...]:
    """Those that are named; without a name all that are not optional. Raises UsageError."""
    if not names:
        return tuple(component for component in components if not component.optional)
    known = {component.name: component for component in components}
    for name in names:
        if name not in known:
            raise UsageError(f"There is no component {name}.", f"There is: {', '.join(known)}.")
    return tuple(known[name] for name in dict.fromkeys(names))
