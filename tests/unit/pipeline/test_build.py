# SPDX-License-Identifier: Apache-2.0
"""A build from end to end, its builder aside: what is made, what is taken from the store, what the vars file says."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from orchestrator.build import modules, toolchain
from orchestrator.build.builder import Builder, Say
from orchestrator.build.debian import Apt
from orchestrator.build.execute import Order
from orchestrator.build.recipe import DEBIAN_NAMES, Recipe
from orchestrator.build.store import Store
from orchestrator.build.toolchain import Caches
from orchestrator.load.component import load_component
from orchestrator.model.artifact import ImageSet, MissingComponent, Target
from orchestrator.model.component import Component, DebianPackage, Source
from orchestrator.model.errors import BuildError, UsageError
from orchestrator.pipeline import build as pipeline
from orchestrator.pipeline import pin as pipeline_pin
from orchestrator.pipeline import workshop
from orchestrator.pipeline.build import Asked, Built, build, pin, verify
from orchestrator.pipeline.builders import Choice, NoBuilder
from orchestrator.pipeline.pin import Lock

MACHINE = platform.machine()


class Watch:
    """A view that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.made: list[str] = []
        self.cached: list[str] = []
        self.lacking: list[tuple[str, str, str]] = []

    def say(self, name: str, text: str) -> None:
        self.said.append(f"{name}: {text}")

    @property
    def hidden(self) -> list[str]:
        return [line for line in self.said if "goes before" in line]

    def warn(self, name: str, text: str) -> None:
        self.warned.append(f"{name}: {text}")

    def built(self, built: Built) -> None:
        (self.cached if built.seconds is None else self.made).append(built.artifact.component)

    def missing(self, missing: MissingComponent, target: Target) -> None:
        self.lacking.append((missing.component, target.name, missing.reason))


class Builders:
    """In place of lab hosts and compilers: files whose bytes the component decides, or ``salt``."""

    def __init__(self) -> None:
        self.started = 0
        self.salt = ""
        self.fails: str | None = None
        self.asked_for: list[str] = []
        self.release: str | None = None

    @contextmanager
    def builder_for(
        self, choice: Choice, inventory: Path | None, say: Say, target: Target
    ) -> Iterator[object]:
        if target.architecture != MACHINE:
            raise NoBuilder(f"Nothing here builds for {target.architecture}.")
        self.started += 1
        self.asked_for.append(target.release)
        yield SimpleNamespace(architecture=target.architecture, release=self.release or target.release)

    def download(
        self, packages: Sequence[DebianPackage], apt: object, component: str, out: Path
    ) -> tuple[str, ...]:
        for package in packages:
            (out / f"{package.name}.deb").write_text(f"{package.version} {package.release} {self.salt}")
        return ("apt-get download",)

    def make(self, order: Order, builder: Builder, caches: Caches, say: Say) -> Recipe:
        name = order.component.name
        if name == self.fails:
            raise BuildError(f"{name} does not compile.")
        assert order.component.go
        for output in [target.output for target in order.component.go.targets]:
            path = order.out / output
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{name} {order.component.version} {self.salt}")
        return Recipe((f"make {name}",), {"go": "1.26.8", "notes": [f"{name} leaves something unused."]})


@pytest.fixture
def builders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Builders:
    fake = Builders()
    monkeypatch.setattr(workshop, "builder_for", fake.builder_for)
    monkeypatch.setattr(pipeline, "make", fake.make)
    monkeypatch.setattr(pipeline, "download_locked", fake.download)
    monkeypatch.setattr(workshop, "package_sources", lambda release: (release,))
    monkeypatch.setattr(workshop, "run_tool", lambda command, folder: "")
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
        "source: debian\ndebian:\n  releases:\n"
        f"    trixie: {{packages: {{crun: {{version: 1.21-1, sha256: {{amd64: {'b' * 64}}}}}}}}}\n"
        "    bookworm: {unavailable: It is too old there.}\n"
        "  programs: {crun: /usr/bin/crun}\nhandler: {name: crun, program: crun}\n"
    )
    return Asked(folders=(folder,), state=tmp_path / "state", cache=tmp_path / "cache")


def vars_of(asked: Asked, release: str = "trixie") -> dict[str, dict[str, dict[str, object]]]:
    """What the vars file says of one target."""
    found = yaml.safe_load((asked.state / "artifacts.yaml").read_text())["labctl_artifacts"]
    of_target: dict[str, dict[str, dict[str, object]]] = found["targets"][f"{release}-{MACHINE}"]
    return of_target


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


def test_only_what_has_a_lock_is_pinned(asked: Asked, builders: Builders) -> None:
    add_prebuilt(asked, "mine")
    with pytest.raises(UsageError, match="nothing to lock"):
        pin(asked, "mine", "latest", Watch())
    with pytest.raises(UsageError, match="no component runcc"):
        build(replace(asked, names=("runcc",)), Watch())


BOTH = (Target(MACHINE, "trixie"), Target(MACHINE, "bookworm"))


def add_c(asked: Asked, name: str) -> None:
    """Make the component one that is compiled with C."""
    path = asked.folders[0] / name / "component.yaml"
    path.write_text(path.read_text().replace("go:\n", "go:\n  cgo: true\n"))


def test_two_releases_share_what_the_older_one_builds(asked: Asked, builders: Builders) -> None:
    add_c(asked, "runc")
    watch = Watch()
    build(replace(asked, targets=BOTH), watch)
    assert sorted(watch.made) == ["crun", "runc", "runsc"]
    assert builders.asked_for == ["bookworm"], "one builder, of the oldest release"
    older, newer = vars_of(asked, "bookworm"), vars_of(asked, "trixie")
    assert older["components"]["runc"] == newer["components"]["runc"]
    assert set(older["handlers"]) == {"runc", "runsc"}
    assert set(newer["handlers"]) == {"crun", "runc", "runsc"}


def test_what_a_release_cannot_have_is_said_and_the_rest_is_there(asked: Asked, builders: Builders) -> None:
    watch = Watch()
    build(replace(asked, targets=BOTH), watch)
    assert watch.lacking == [("crun", f"bookworm-{MACHINE}", "It is too old there.")]
    assert vars_of(asked, "bookworm")["missing"] == {
        "crun": {"reason": "It is too old there.", "handler": "crun"}
    }
    assert vars_of(asked, "trixie")["missing"] == {}


def test_a_new_release_is_another_build_only_where_c_is_compiled(asked: Asked, builders: Builders) -> None:
    add_c(asked, "runc")
    build(asked, Watch())
    watch = Watch()
    build(replace(asked, targets=BOTH), watch)
    assert (watch.made, sorted(watch.cached)) == (["runc"], ["crun", "runsc"])


def test_without_targets_those_of_the_last_build_are_meant(asked: Asked, builders: Builders) -> None:
    build(replace(asked, targets=BOTH), Watch())
    watch = Watch()
    build(asked, watch)
    assert watch.made == []
    assert watch.lacking, "Debian 12 is still one of them"


def test_packages_of_each_release_are_artifacts_of_their_own(asked: Asked, builders: Builders) -> None:
    path = asked.folders[0] / "crun/component.yaml"
    older = f"{{packages: {{crun: {{version: 1.8.1-1, sha256: {{amd64: {'c' * 64}}}}}}}}}"
    path.write_text(path.read_text().replace("{unavailable: It is too old there.}", older))
    watch = Watch()
    build(replace(asked, targets=BOTH, source=Source.DEBIAN), watch)
    assert watch.made == ["crun", "crun"]
    assert builders.started == 0, "packages need no builder"
    versions = [
        vars_of(asked, release)["components"]["crun"]["version"] for release in ("bookworm", "trixie")
    ]
    assert versions == ["1.8.1-1", "1.21-1"]


def test_an_architecture_that_nothing_builds_for_is_missing_everything(
    asked: Asked, builders: Builders
) -> None:
    watch = Watch()
    build(replace(asked, targets=(Target(MACHINE, "trixie"), Target("m68k", "trixie"))), watch)
    assert sorted(watch.made) == ["crun", "runc", "runsc"]
    assert {name for name, target, _ in watch.lacking if target == "trixie-m68k"} == {"crun", "runc", "runsc"}


def test_a_builder_that_is_newer_than_a_host_compiles_no_c_for_it(asked: Asked, builders: Builders) -> None:
    builders.release = "trixie"
    local = replace(asked, choice="local", targets=BOTH)
    build(local, Watch())
    add_c(asked, "runc")
    with pytest.raises(BuildError, match=r"does not start on Debian 12 \(bookworm\)"):
        build(local, Watch())
    build(replace(local, targets=BOTH[:1]), Watch())


def test_a_debian_lock_names_what_each_release_has_now(asked: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the release that has packages; what says why another has none stays as it is."""

    def locked(name: str, version: str, release: str, apt: Apt) -> DebianPackage:
        return DebianPackage(name, "1.28-1", release, {"here": "d" * 64})

    monkeypatch.setattr(pipeline_pin, "package_sources", lambda release: (release,))
    monkeypatch.setattr(pipeline_pin, "run_tool", lambda command, folder: "")
    monkeypatch.setattr(pipeline_pin, "locked_package", locked)
    before = (asked.folders[0] / "crun/component.yaml").read_text()
    assert pin(asked, "crun", "latest", Watch()) == Lock("1.28-1", asked.folders[0] / "crun")
    architecture = DEBIAN_NAMES.get(MACHINE, MACHINE)
    expected = before.replace("1.21-1", "1.28-1")
    text = (asked.folders[0] / "crun/component.yaml").read_text()
    assert (
        text == expected.replace("b" * 64, "d" * 64)
        if architecture == "amd64"
        else f"{architecture}: d" in text
    )


def test_the_others_of_two_releases_are_looked_up_once_and_kept(
    asked: Asked, builders: Builders, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = replace(asked, targets=BOTH)
    build(both, Watch())
    looked_up: list[str] = []
    find = Store.find

    def counting(self: Store, component: Component, key: str) -> object:
        looked_up.append(component.name)
        return find(self, component, key)

    monkeypatch.setattr(Store, "find", counting)
    before = vars_of(asked, "bookworm"), vars_of(asked, "trixie")
    build(replace(both, names=("runc",)), Watch())
    assert sorted(looked_up) == ["crun", "runc", "runsc"]
    assert (vars_of(asked, "bookworm")["components"], vars_of(asked, "trixie")["components"]) == (
        before[0]["components"],
        before[1]["components"],
    )


def test_naming_components_does_not_fail_where_an_architecture_has_no_builder(
    asked: Asked, builders: Builders
) -> None:
    targets = (Target(MACHINE, "trixie"), Target("m68k", "trixie"))
    watch = Watch()
    build(replace(asked, targets=targets, names=("runc",)), watch)
    assert watch.made == ["runc"]
    assert [name for name, target, _ in watch.lacking if target == "trixie-m68k"] == ["runc"]
