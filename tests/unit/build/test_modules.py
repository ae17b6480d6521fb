# SPDX-License-Identifier: Apache-2.0
"""The controller's go command: how it is called for a lock, a tree and a vendored tree, and what its errors become."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.build import modules
from orchestrator.build.toolchain import Caches
from orchestrator.build.tree import LOCKED, GoTree, ModuleMode
from orchestrator.model.component import Component, CTarget, GoBuild, GoTarget, Source
from orchestrator.model.errors import BuildError

INCONSISTENT = """\
go: inconsistent vendoring in $PWD:
\tgithub.com/a/b@v1.2.3: is explicitly required in go.mod, but not marked as explicit in vendor/modules.txt

\tTo ignore the vendor directory, use -mod=readonly or -mod=mod.
\tTo sync the vendor directory, run:
\t\tgo mod vendor"""
NOT_VENDORED = (
    "main.go:3:8: cannot find module providing package github.com/a/b: import lookup disabled by -mod=vendor"
)
VENDOR = GoTree(ModuleMode.VENDOR)


def go(folder: Path, script: str) -> Path:
    """A toolchain whose go command is ``script``."""
    (folder / "root/bin").mkdir(parents=True)
    program = folder / "root/bin/go"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return folder / "root"


def component(folder: Path, checkout: bool = True) -> Component:
    build = GoBuild(
        "" if checkout else "example.org/m",
        (GoTarget("./cmd/x", "bin/x"),),
        c=(CTarget("c/*.c", "bin/c"),),
    )
    source = Source.CHECKOUT if checkout else Source.MODULE
    return Component("mine", folder, source, "1", go=build, checkout=folder / "tree" if checkout else None)


def fetch(folder: Path, script: str, tree: GoTree = LOCKED, checkout: bool = True) -> tuple[int, list[str]]:
    messages: list[str] = []
    unpacked = folder / "unpacked"
    unpacked.mkdir(exist_ok=True)
    count = modules.fetch(
        component(folder, checkout),
        unpacked,
        go(folder, script),
        Caches(folder),
        "x86_64",
        messages.append,
        tree,
    )
    return count, messages


@pytest.mark.parametrize(
    ("tree", "flags", "network", "work"),
    [
        (LOCKED, "-modcacherw -mod=readonly", "proxy", "off"),
        (VENDOR, "-modcacherw -mod=vendor", "off", "off"),
        (GoTree(ModuleMode.VENDOR, True), "-modcacherw -mod=vendor", "off", "unset"),
    ],
)
def test_a_vendored_tree_needs_no_network_and_a_workspace_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tree: GoTree, flags: str, network: str, work: str
) -> None:
    monkeypatch.setenv("GOPROXY", "proxy")
    monkeypatch.setenv("GOWORK", "/elsewhere/go.work")
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    count, messages = fetch(tmp_path, 'echo "$GOFLAGS,$GOPROXY,${GOWORK-unset},$*" >&2; echo a; echo b', tree)
    assert count == 2
    assert messages == [f"{flags},{network},{work},list -deps ./cmd/x"], "C files of a tree are no module's"


@pytest.mark.parametrize(
    ("says", "message", "hint"),
    [
        (
            INCONSISTENT,
            "vendor/ of {tree} does not match its go.mod: github.com/a/b@v1.2.3: is explicitly required",
            "Run `go mod vendor` in {tree}.",
        ),
        (NOT_VENDORED, "The modules of mine ({tree}) cannot be had: ", "Run `go mod vendor` in {tree}."),
        (
            "go: updates to go.mod needed; to update it:\n\tgo mod tidy",
            "updates to go.mod",
            "`go mod tidy` in {tree}",
        ),
        ("x.go:3:8: missing go.sum entry for module", "missing go.sum", "`go mod tidy` in {tree}"),
        ("go: dial tcp: no route", "The modules of mine ({tree}) cannot be had: ", "GOPROXY"),
        ("go: a@v1 requires go >= 1.28 (running go 1.26.8)", "requires go >= 1.28", 'go: "1.28"'),
    ],
)
def test_what_go_says_of_a_tree_becomes_a_sentence_and_what_to_do(
    tmp_path: Path, says: str, message: str, hint: str
) -> None:
    with pytest.raises(BuildError) as caught:
        fetch(tmp_path, f"cat >&2 <<END\n{says}\nEND\nexit 1", VENDOR)
    tree = tmp_path / "tree"
    assert message.format(tree=tree) in caught.value.message
    assert hint.format(tree=tree) in (caught.value.hint or "")
    assert "unpacked" not in str(caught.value), "where it was unpacked says nothing to the user"
    assert "\n" not in caught.value.message


@pytest.mark.skipif(shutil.which("go") is None, reason="the go command is not here")
def test_the_go_command_itself_says_so_of_vendor_and_go_mod_apart(tmp_path: Path) -> None:
    command = shutil.which("go") or ""
    root = subprocess.run(
        [command, "env", "GOROOT"], capture_output=True, text=True, check=True
    ).stdout.strip()
    folder = tmp_path / "unpacked"
    (folder / "vendor").mkdir(parents=True)
    (folder / "vendor/modules.txt").write_text("")
    (folder / "go.mod").write_text("module example.org/m\n\ngo 1.21\n\nrequire example.org/x v1.0.0\n")
    with pytest.raises(BuildError) as caught:
        modules.fetch(
            component(tmp_path), folder, Path(root), Caches(tmp_path), "x86_64", lambda _: None, VENDOR
        )
    assert caught.value.message == (
        f"vendor/ of {tmp_path / 'tree'} does not match its go.mod: example.org/x@v1.0.0: is explicitly required"
        " in go.mod, but not marked as explicit in vendor/modules.txt."
    )
    assert caught.value.hint == f"Run `go mod vendor` in {tmp_path / 'tree'}."


def test_of_a_lock_the_module_is_named_and_the_lock_is_what_is_made_anew(tmp_path: Path) -> None:
    with pytest.raises(BuildError) as caught:
        fetch(tmp_path, "echo 'missing go.sum entry' >&2; exit 1", checkout=False)
    assert caught.value.message.startswith("The modules of example.org/m cannot be had")
    assert "labctl build --pin mine@1" in (caught.value.hint or "")


def test_a_version_that_cannot_be_locked_does_not_advise_the_same_command(tmp_path: Path) -> None:
    root = go(tmp_path, "echo 'go: example.org/m@v9: 404 Not Found' >&2; exit 1")
    with pytest.raises(BuildError, match="404 Not Found") as caught:
        modules.pin(
            component(tmp_path, checkout=False), "9", root, Caches(tmp_path), "x86_64", lambda _: None
        )
    assert "--pin" not in (caught.value.hint or "") and "GOPROXY" in (caught.value.hint or "")


def test_c_files_of_a_locked_module_are_fetched_with_it(tmp_path: Path) -> None:
    _, messages = fetch(tmp_path, 'echo "$*" >&2', checkout=False)
    assert messages == ["list -deps ./cmd/x", "mod download example.org/m"]
