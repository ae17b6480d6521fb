# SPDX-License-Identifier: Apache-2.0
"""A build from end to end, its builder aside: what is made, what is taken from the store, what the vars file says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from orchestrator.build.builder import Builder, Say
from orchestrator.build.execute import Order
from orchestrator.build.recipe import Recipe
from orchestrator.build.toolchain import Caches
from orchestrator.model.artifact import ImageSet
from orchestrator.model.component import Source
from orchestrator.model.errors import BuildError, UsageError
from orchestrator.pipeline import build as pipeline
from orchestrator.pipeline.build import Asked, Built, build, pin, verify
from orchestrator.pipeline.builders import Choice


class Watch:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.made: list[str] = []
        self.cached: list[str] = []

    def say(self, name: str, text: str) -> None:
        self.said.append(f"{name}: {text}")

    @property
    def hidden(self) -> list[str]:
        return [line for line in self.said if "goes before" in line]

    def built(self, built: Built) -> None:
        (self.cached if built.seconds is None else self.made).append(built.artifact.component)


class Builders:
    """In place of lab hosts and compilers: files whose bytes the component decides, or ``salt``."""

    def __init__(self) -> None:
        self.started = 0
        self.salt = ""
        self.fails: str | None = None

    @contextmanager
    def builder_for(self, choice: Choice, inventory: Path | None, say: Say) -> Iterator[object]:
        self.started += 1
        yield object()

    def make(self, order: Order, builder: Builder, caches: Caches, say: Say) -> Recipe:
        name = order.component.name
        if name == self.fails:
            raise BuildError(f"{name} does not compile.")
        names = [target.output for target in order.component.go.targets] if order.component.go else []
        for output in names or [f"{name}.deb"]:
            path = order.out / output
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} {order.component.version} {self.salt}")
        return Recipe((f"make {name}",), {"go": "1.26.8"})


@pytest.fixture
def builders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Builders:
    fake = Builders()
    monkeypatch.setattr(pipeline, "builder_for", fake.builder_for)
    monkeypatch.setattr(pipeline, "make", fake.make)
    monkeypatch.setattr(pipeline, "images", lambda cache, say, folders: ImageSet((), "k", "/set.tar", "s"))
    monkeypatch.setattr(pipeline, "cache_folder", lambda environ: tmp_path / "cache")
    return fake


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    folder = tmp_path / "components"
    folder.mkdir()
    (folder / "toolchain.yaml").write_text(f'go: "1.26.8"\nsha256: {{linux-amd64: {"a" * 64}}}\n')
    for name in ("runc", "runsc"):
        (folder / name).mkdir()
        (folder / name / "component.yaml").write_text(
            f"source: module\ngo:\n  module: example.org/{name}\n  build: {{bin/{name}: example.org/{name}}}\n"
            f"handler: {{name: {name}, program: bin/{name}}}\n"
        )
        (folder / name / "go.mod").write_text(f"require example.org/{name} v1.0.0\n")
        (folder / name / "go.sum").write_text("")
    (folder / "crun").mkdir()
    (folder / "crun/component.yaml").write_text(
        "source: debian\ndebian:\n  release: trixie\n"
        f"  packages: {{crun: {{version: 1.21-1, sha256: {{amd64: {'b' * 64}}}}}}}\n"
        "  programs: {crun: /usr/bin/crun}\nhandler: {name: crun, program: crun}\n"
    )
    return Asked(folders=(folder,), state=tmp_path / "state", cache=tmp_path / "cache")


def vars_of(asked: Asked) -> dict[str, dict[str, dict[str, object]]]:
    found: dict[str, dict[str, dict[str, object]]] = yaml.safe_load(
        (asked.state / "artifacts.yaml").read_text()
    )["labctl_artifacts"]
    return found


def add_prebuilt(asked: Asked, name: str, content: str = "#!/bin/sh\n", sha256: str | None = None) -> None:
    folder = asked.folders[0] / name
    folder.mkdir(exist_ok=True)
    (folder / "mine.sh").write_text(content)
    digest = sha256 or hashlib.sha256(content.encode()).hexdigest()
    (folder / "component.yaml").write_text(
        f'source: prebuilt\nversion: "1"\nprebuilt:\n  bin/mine: {{path: mine.sh, sha256: {digest}}}\n'
        f"handler: {{name: {name}, program: bin/mine}}\n"
    )


def test_what_is_lacking_is_made_and_the_second_time_nothing_is(asked: Asked, builders: Builders) -> None:
    first, again = Watch(), Watch()
    build(asked, first)
    assert (first.made, first.cached, builders.started) == (["crun", "runc", "runsc"], [], 1)
    build(asked, again)
    assert (again.made, again.cached, builders.started) == ([], ["crun", "runc", "runsc"], 1)
    assert set(vars_of(asked)["handlers"]) == {"crun", "runc", "runsc"}
    assert vars_of(asked)["handlers"]["crun"]["program"] == "/usr/bin/crun"


def test_a_component_of_the_project_goes_before_a_shipped_one_with_a_word(
    asked: Asked, builders: Builders, tmp_path: Path
) -> None:
    own = replace(asked, folders=(tmp_path / "own", *asked.folders))
    (tmp_path / "own").mkdir()
    watch = Watch()
    build(own, watch)
    assert watch.hidden == []
    add_prebuilt(replace(asked, folders=(tmp_path / "own",)), "crun")
    add_prebuilt(replace(asked, folders=(tmp_path / "own",)), "mine")
    build(own, watch)
    assert watch.hidden == [f"crun: {tmp_path}/own/crun goes before the crun that comes with labctl"]
    assert vars_of(own)["components"]["crun"]["source"] == "prebuilt"


def test_a_folder_that_is_named_twice_hides_nothing(asked: Asked, builders: Builders) -> None:
    watch = Watch()
    build(replace(asked, folders=(*asked.folders, *asked.folders)), watch)
    assert watch.hidden == []


def test_a_flipped_byte_is_said_and_only_that_one_is_made_again(asked: Asked, builders: Builders) -> None:
    build(asked, Watch())
    before = vars_of(asked)["components"]["runc"]
    tar = Path(str(before["path"]))
    tar.write_bytes(tar.read_bytes().replace(b"runc 1.0.0", b"runc 1.0.1"))
    watch = Watch()
    build(asked, watch)
    assert watch.made == ["runc"]
    assert any(line.startswith("runc: ") and line.endswith("It is made again.") for line in watch.said)
    assert vars_of(asked)["components"]["runc"] == before


def test_one_that_fails_leaves_those_before_it_in_the_store(asked: Asked, builders: Builders) -> None:
    builders.fails = "runsc"
    with pytest.raises(BuildError, match="does not compile"):
        build(asked, Watch())
    assert not (asked.state / "artifacts.yaml").exists()
    builders.fails = None
    watch = Watch()
    build(asked, watch)
    assert (watch.made, watch.cached) == (["runsc"], ["crun", "runc"])


def test_where_some_are_named_the_vars_file_keeps_the_others(asked: Asked, builders: Builders) -> None:
    build(asked, Watch())
    (asked.folders[0] / "runc/go.mod").write_text("require example.org/runc v1.1.0\n")
    build(replace(asked, names=("runc",)), Watch())
    told = vars_of(asked)["components"]
    assert (told["runc"]["version"], set(told)) == ("1.1.0", {"crun", "runc", "runsc"})
    (asked.folders[0] / "runsc/go.mod").write_text("require example.org/runsc v1.1.0\n")
    build(replace(asked, names=("runc",)), Watch())
    assert set(vars_of(asked)["components"]) == {"crun", "runc"}, "runsc is not what its lock says any more"


def test_two_components_of_the_same_files_are_two_artifacts(asked: Asked, builders: Builders) -> None:
    """An own commit beside the release, and a wrapper twice: both are there, under their names."""
    add_prebuilt(asked, "mine")
    build(asked, Watch())
    add_prebuilt(asked, "other")
    watch = Watch()
    build(asked, watch)
    assert watch.made == ["other"]
    handlers = vars_of(asked)["handlers"]
    assert handlers["mine"]["program"] == "/opt/labctl/mine/current/bin/mine"
    assert handlers["other"]["program"] == "/opt/labctl/other/current/bin/mine"


def test_a_prebuilt_file_is_held_to_its_sha256(asked: Asked, builders: Builders) -> None:
    add_prebuilt(asked, "mine", sha256="c" * 64)
    with pytest.raises(BuildError, match=r"component\.yaml says c") as caught:
        build(asked, Watch())
    assert "If the new file is right" in str(caught.value.hint)


def test_verify_says_which_files_came_out_otherwise(asked: Asked, builders: Builders) -> None:
    assert verify(replace(asked, names=("runc",)), Watch()) == {"runc": []}
    builders.salt = "another time"
    assert verify(replace(asked, names=("runc", "crun")), Watch())["runc"] == ["bin/runc"]


def test_debian_is_chosen_for_those_that_have_packages(asked: Asked, builders: Builders) -> None:
    watch = Watch()
    build(replace(asked, source=Source.DEBIAN), watch)
    assert watch.made == ["crun"]


def test_only_what_has_a_lock_is_pinned(asked: Asked, builders: Builders) -> None:
    add_prebuilt(asked, "mine")
    with pytest.raises(UsageError, match="nothing to lock"):
        pin(asked, "mine", "latest", Watch())
    with pytest.raises(UsageError, match="no component runcc"):
        build(replace(asked, names=("runcc",)), Watch())
