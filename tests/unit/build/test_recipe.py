# SPDX-License-Identifier: Apache-2.0
"""What a builder is told to do: the commands that provenance records."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.build.builder import GoPlaces
from orchestrator.build.recipe import (
    folders_command,
    glibc_question,
    go_commands,
    go_environment,
)
from orchestrator.build.tree import LOCKED, GoTree, ModuleMode
from orchestrator.load.component import load_components
from orchestrator.model.component import Component, CTarget, GoBuild, GoTarget, Source

COMPONENTS = Path(__file__).parents[3] / "playbooks/components"
PLACES = GoPlaces("/go", "/modules", "/cache")


def shipped(name: str) -> Component:
    return next(one for one in load_components([COMPONENTS]) if one.name == name)


def test_runc_is_built_as_its_facts_say() -> None:
    (line,) = go_commands(shipped("runc"), "/out")
    assert line == (
        "go build -v -mod=readonly -trimpath -buildvcs=false -tags seccomp,urfave_cli_no_docs"
        f"{_ldflags('runc')} -o /out/bin/runc github.com/opencontainers/runc"
    )


def _ldflags(name: str) -> str:
    component = shipped(name)
    assert component.go is not None
    flags = component.go.ldflags.replace("{version}", component.version)
    return f" -ldflags '{flags}'" if " " in flags else f" -ldflags {flags}" if flags else ""


def test_several_programs_are_one_call_so_that_they_are_linked_at_once() -> None:
    lines = go_commands(shipped("cni-plugins"), "/out")
    assert [line for line in lines if line.startswith("go build")] == [lines[1]]
    assert "mv /out/.together/bridge /out/bin/bridge" in lines
    assert lines[-1] == "rmdir /out/.together"


def test_a_test_binary_and_c_have_commands_of_their_own() -> None:
    assert [line for line in go_commands(shipped("critest"), "/out") if line.startswith("go test -c ")]
    cc = go_commands(shipped("cri-o"), "/out")[-1]
    assert cc.startswith("cc -std=c99 -Os -static -o /out/bin/pinns ")
    assert cc.endswith("/pinns/src/*.c")
    assert folders_command(shipped("cri-o"), "/out") == "mkdir -p /out/bin"


def test_two_programs_of_one_name_are_built_one_by_one() -> None:
    targets = (GoTarget("example.org/a/cmd/x", "bin/a"), GoTarget("example.org/b/cmd/x", "bin/b"))
    component = Component("x", Path("/x"), Source.MODULE, "1", go=GoBuild("example.org/x", targets))
    assert len([line for line in go_commands(component, "/out") if line.startswith("go build")]) == 2


def test_the_environment_is_the_recipes_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOFLAGS", "-mod=mod")
    monkeypatch.setenv("CGO_CFLAGS", "-O0")
    found = go_environment(GoBuild("m", (), cgo=True), PLACES, "/nonexistent", {"HTTPS_PROXY": "proxy"})
    assert "CGO_CFLAGS" not in found
    assert (found["GOFLAGS"], found["GOPROXY"], found["GOTOOLCHAIN"]) == ("-mod=readonly", "off", "local")
    assert (found["CGO_ENABLED"], found["HTTPS_PROXY"]) == ("1", "proxy")


def test_a_vendored_tree_is_built_in_vendor_mode_and_its_c_where_it_lies() -> None:
    tree = GoTree(ModuleMode.VENDOR)
    build = GoBuild("", (GoTarget("./cmd/crio", "bin/crio"),), c=(CTarget("pinns/src/*.c", "bin/pinns"),))
    mine = Component("mine", Path("/x"), Source.CHECKOUT, "1", go=build, checkout=Path("/src/cri-o"))
    assert go_commands(mine, "/out", tree) == [
        "go build -v -mod=vendor -trimpath -buildvcs=false -o /out/bin/crio ./cmd/crio",
        "cc  -o /out/bin/pinns ./pinns/src/*.c",
    ]
    places = GoPlaces("/go", "/modules", "/cache", "file:///proxy")
    vendored, locked = (go_environment(build, places, "/nonexistent", tree=one) for one in (tree, LOCKED))
    assert (vendored["GOFLAGS"], vendored["GOPROXY"], vendored["GOWORK"]) == ("-mod=vendor", "off", "off")
    assert (locked["GOFLAGS"], locked["GOPROXY"], locked["GOWORK"]) == (
        "-mod=readonly",
        "file:///proxy",
        "off",
    )
    assert "GOWORK" not in go_environment(build, places, "/nonexistent", tree=GoTree(workspace=True))


def test_the_c_library_that_a_program_needs_is_asked_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "ls").write_bytes(Path("/bin/ls").read_bytes())
    said = subprocess.run(
        ["sh", "-c", glibc_question(str(tmp_path))], capture_output=True, text=True, check=True
    ).stdout
    assert said.startswith("GLIBC_2.")
