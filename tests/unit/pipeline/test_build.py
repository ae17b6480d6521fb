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

from orchestrator.build import modules, toolchain
from orchestrator.build.builder import Builder, Say
from orchestrator.build.execute import Order
from orchestrator.build.recipe import Recipe
from orchestrator.build.toolchain import Caches
from orchestrator.load.component import load_component
from orchestrator.model.artifact import ImageSet
from orchestrator.model.component import Component, Source
from orchestrator.model.errors import BuildError, UsageError
from orchestrator.pipeline import build as pipeline
from orchestrator.pipeline import pin as pipeline_pin
from orchestrator.pipeline.build import Asked, Built, build, pin, verify
from orchestrator.pipeline.builders import Choice
from orchestrator.pipeline.images import LOCK, lock_file
from orchestrator.pipeline.pin import Lock


class Watch:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.made: list[str] = []
        self.cached: list[str] = []

    def say(self, name: str, text: str) -> None:
        self.said.append(f"{name}: {text}")

    def warn(self, name: str, text: str) -> None:
        self.warned.append(f"{name}: {text}")

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
        return Recipe((f"make {name}",), {"go": "1.26.8", "notes": [f"{name} leaves something unused."]})


@pytest.fixture
def builders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Builders:
    fake = Builders()
    monkeypatch.setattr(pipeline, "builder_for", fake.builder_for)
    monkeypatch.setattr(pipeline, "make", fake.make)
    monkeypatch.setattr(pipeline, "images", lambda cache, say: ImageSet((), "k", "/set.tar", "s"))
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
    assert "runc: runc leaves something unused." in first.warned
    build(asked, again)
    assert (again.made, again.cached, builders.started) == ([], ["crun", "runc", "runsc"], 1)
    assert set(vars_of(asked)["handlers"]) == {"crun", "runc", "runsc"}
    assert vars_of(asked)["handlers"]["crun"]["program"] == "/usr/bin/crun"


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


NEW = "source: module\ngo:\n  module: example.org/new\n  build: {bin/new: example.org/new}\n"


class Proxy:
    """In place of the module proxy."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.queries: list[tuple[str, str]] = []
        monkeypatch.setattr(toolchain, "ensure", lambda pinned, caches, say: Path("/go1.26.8"))
        monkeypatch.setattr(modules, "pin", self.pin)

    def pin(self, component: Component, version: str, *more: object) -> tuple[str, str, str]:
        self.queries.append((component.name, version))
        assert component.go is not None
        return "1.2.3", f"require {component.go.module} v1.2.3\n", "sums\n"


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Proxy:
    monkeypatch.chdir(tmp_path)
    return Proxy(monkeypatch)


def test_a_new_component_gets_its_first_lock_whatever_the_others_lack(asked: Asked, proxy: Proxy) -> None:
    for name in ("new", "newer"):
        (asked.folders[0] / name).mkdir()
        (asked.folders[0] / name / "component.yaml").write_text(NEW.replace("new", name))
    (asked.folders[0] / "torn").mkdir()
    (asked.folders[0] / "torn/component.yaml").write_text("source: [")
    assert pin(asked, "new", "latest", Watch()) == Lock("1.2.3", asked.folders[0] / "new")
    assert proxy.queries == [("new", "latest")]
    assert (asked.folders[0] / "new/go.sum").read_text() == "sums\n"
    component, _ = load_component(asked.folders[0] / "new")
    assert component is not None and component.version == "1.2.3"
    assert not (asked.folders[0] / "newer/go.mod").exists()


def test_a_component_that_is_not_there_is_told_which_file_to_write(asked: Asked, proxy: Proxy) -> None:
    with pytest.raises(UsageError) as caught:
        pin(asked, "neu", "1.0.0", Watch())
    assert caught.value.message == "There is no component neu."
    hint = caught.value.hint or ""
    assert hint.startswith("Write components/neu/component.yaml, for example:\n")
    example = hint.partition("\n")[2]
    (asked.folders[0] / "neu").mkdir()
    (asked.folders[0] / "neu/component.yaml").write_text(example)
    assert pin(asked, "neu", "1.0.0", Watch()).version == "1.2.3", "the example is a component"


@pytest.mark.parametrize("explicit", [False, True])
def test_what_comes_with_labctl_is_copied_and_never_written(
    asked: Asked, proxy: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, explicit: bool
) -> None:
    """Unless its folder is named: then the maintainer wants to change what labctl ships."""
    shipped_folder = tmp_path / "shipped/playbooks/components"
    shipped_folder.parent.mkdir(parents=True)
    asked.folders[0].rename(shipped_folder)
    monkeypatch.setattr(pipeline_pin, "shipped", lambda: tmp_path / "shipped")
    before = {path: path.read_text() for path in shipped_folder.rglob("*") if path.is_file()}
    named = (Path("shipped/playbooks/components"),) if explicit else ()
    lock = pin(replace(asked, folders=(*named, Path("components"), shipped_folder)), "runc", "1.2.3", Watch())
    own = tmp_path / "components/runc"
    if explicit:
        assert (shipped_folder / "runc/go.mod").read_text() == "require example.org/runc v1.2.3\n"
        assert not own.exists() and not lock.copied
        return
    assert {path: path.read_text() for path in shipped_folder.rglob("*") if path.is_file()} == before
    assert (own / "component.yaml").read_text() == before[shipped_folder / "runc/component.yaml"]
    assert (own / "go.mod").read_text() == "require example.org/runc v1.2.3\n"
    assert lock == Lock("1.2.3", Path("components/runc"), copied=True)
    again = pin(replace(asked, folders=(Path("components"), shipped_folder)), "runc", "1.2.3", Watch())
    assert not again.copied, "the second time it is the project's own"


@pytest.mark.parametrize("explicit", [False, True])
def test_the_images_lock_of_a_project_is_its_own(
    asked: Asked, monkeypatch: pytest.MonkeyPatch, explicit: bool
) -> None:
    targets: list[Path] = []

    def fake(machine: str, say: object, target: Path) -> str:
        targets.append(target)
        return "1"

    monkeypatch.setattr(pipeline, "pin_images", fake)
    named = (Path("playbooks/components"),) if explicit else ()
    pin(replace(asked, folders=(*named, *pipeline.component_folders())), "images", "latest", Watch())
    assert targets == [LOCK if explicit else Path("components/images/packages.yaml")]


def test_only_what_has_a_lock_is_pinned(asked: Asked, builders: Builders) -> None:
    add_prebuilt(asked, "mine")
    with pytest.raises(UsageError, match="nothing to lock"):
        pin(asked, "mine", "latest", Watch())
    with pytest.raises(UsageError, match="no component runcc"):
        build(replace(asked, names=("runcc",)), Watch())


def test_a_projects_lock_of_the_images_goes_before_labctls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert lock_file() == LOCK
    own = Path("components/images/packages.yaml")
    own.parent.mkdir(parents=True)
    own.write_text("")
    assert lock_file() == own
