# SPDX-License-Identifier: Apache-2.0
"""component.yaml: the four sources, what each needs, and errors that name the place."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from orchestrator.load.component import (
    choose,
    debian_components,
    declared_handlers,
    load_component,
    load_components,
    load_toolchain,
)
from orchestrator.model.component import Component, Source
from orchestrator.model.errors import ConfigError, UsageError

COMPONENTS = Path(__file__).parents[3] / "playbooks/components"
MODULE = """\
summary: An OCI runtime
source: module
go:
  module: example.org/runc
  cgo: true
  tags: [seccomp]
  ldflags: -X main.version={version}
  build: {bin/runc: example.org/runc}
needs: [gcc]
debian:
  release: trixie
  packages:
    runc: {version: 1.1.15-1, sha256: {amd64: %s}}
  programs: {runc: /usr/bin/runc}
handler: {name: runc, program: bin/runc}
""" % ("a" * 64)
GO_MOD = "module labctl/components/runc\n\ngo 1.26.8\n\nrequire example.org/runc v1.5.2\n"


def put(folder: Path, text: str, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "component.yaml").write_text(text)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_text(content)
    return folder


def loaded(folder: Path, source: Source | None = None) -> Component:
    component, _ = load_component(folder, source)
    assert component is not None
    return component


def test_what_labctl_ships_is_in_order() -> None:
    found = {component.name: component for component in load_components([COMPONENTS])}
    assert set(found) == {
        "cni-plugins", "conmon", "containerd", "cri-o", "cri-tools", "critest", "crun", "runc", "runsc", "containers-storage",
    }  # fmt: skip
    assert {name for name, one in found.items() if one.source is Source.DEBIAN} == {"conmon", "crun"}
    assert {name for name, one in found.items() if one.optional} == {"critest"}
    handlers = {one.handler.name: one.handler.kind for one in found.values() if one.handler}
    assert handlers == {"runc": "runc", "crun": "runc", "runsc": "runsc"}
    assert load_toolchain(COMPONENTS).version == "1.26.8"


def test_a_module_takes_its_version_from_the_lock(tmp_path: Path) -> None:
    component = loaded(put(tmp_path / "runc", MODULE, go_mod=GO_MOD, go_sum=""))
    assert (component.name, component.version, component.source) == ("runc", "1.5.2", Source.MODULE)
    assert component.go is not None
    assert [(target.package, target.output) for target in component.go.targets] == [
        ("example.org/runc", "bin/runc")
    ]
    assert component.needs == ("gcc",)


def test_debian_is_the_fast_path_of_what_has_packages(tmp_path: Path) -> None:
    put(tmp_path / "runc", MODULE, go_mod=GO_MOD, go_sum="")
    put(tmp_path / "own", MODULE.partition("debian:")[0].replace("runc", "own"), go_mod=GO_MOD, go_sum="")
    (component,) = load_components([tmp_path], Source.DEBIAN)
    assert (component.version, component.programs) == ("1.1.15-1", {"runc": "/usr/bin/runc"})


def test_one_that_is_there_for_another_goes_with_it(tmp_path: Path) -> None:
    put(tmp_path / "runc", MODULE + "only_with: cri-o\n", go_mod=GO_MOD, go_sum="")
    assert load_components([tmp_path]) == ()
    put(tmp_path / "cri-o", MODULE.replace("runc", "crio"), go_mod=GO_MOD.replace("runc", "crio"), go_sum="")
    assert [one.name for one in load_components([tmp_path])] == ["cri-o", "runc"]


def test_the_first_folder_that_has_a_name_wins(tmp_path: Path) -> None:
    first = put(tmp_path / "one/runc", MODULE, go_mod=GO_MOD, go_sum="")
    put(tmp_path / "two/runc", MODULE, go_mod=GO_MOD, go_sum="")
    (component,) = load_components([tmp_path / "one", tmp_path / "two"])
    assert component.folder == first


def test_a_checkout_is_called_what_git_calls_it(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "main.go").write_text("package main\n")
    git = ["git", "-C", str(tree), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "One"], ["tag", "v2.0.0"]):
        subprocess.run([*git, *words], check=True)
    text = "source: checkout\ncheckout: ../tree\ngo:\n  build: {bin/mine: .}\n"
    component = loaded(put(tmp_path / "mine", text))
    assert (component.version, component.checkout) == ("2.0.0", tree)
    (tree / "main.go").write_text("package main // changed\n")
    assert loaded(tmp_path / "mine").version == "2.0.0-dirty"


def test_prebuilt_files_are_found_beside_component_yaml(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"x").hexdigest()
    text = f'source: prebuilt\nversion: "1"\nprebuilt:\n  bin/mine: {{path: mine.sh, sha256: {sha256}}}\n'
    component = loaded(put(tmp_path / "mine", text, mine_sh="x"))
    assert [(file.path, file.output) for file in component.prebuilt] == [
        (tmp_path / "mine/mine.sh", "bin/mine")
    ]


@pytest.mark.parametrize(
    ("before", "after", "key", "said"),
    [
        ("source: module", "source: modul", "source", "'module', 'checkout', 'prebuilt' or 'debian'"),
        ("source: module", "source: prebuilt", "source", "needs the key `prebuilt`"),
        ("source: module", "source: checkout", "source", "needs the key `checkout`"),
        ("cgo: true", "cgoo: true", "go.cgoo", "cgoo"),
        ("  module: example.org/runc\n", "", "go", "lacks `module`"),
        ("  build: {bin/runc: example.org/runc}\n", "", "go", "builds nothing"),
        ("program: bin/runc", "program: bin/run", "handler.program", "none of the outputs"),
        ("build: {bin/runc", "build: {../runc", "go.build", "pattern"),
        ("a" * 64, "abc", "debian.packages.runc.sha256.amd64", "[0-9a-f]{64}"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, before: str, after: str, key: str, said: str
) -> None:
    assert before in MODULE
    folder = put(tmp_path / "runc", MODULE.replace(before, after), go_mod=GO_MOD, go_sum="")
    with pytest.raises(ConfigError) as caught:
        load_component(folder)
    assert caught.value.file == folder / "component.yaml"
    assert caught.value.line is not None
    assert str(caught.value.key).startswith(key)
    assert said in str(caught.value)


def test_a_checkouts_name_says_when_it_is_not_a_commit(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    put(tree, "", go_mod=GO_MOD)
    git = ["git", "-C", str(tree), "-c", "user.name=A", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    text = f"source: checkout\ncheckout: {tree}\ngo: {{build: {{bin/x: .}}}}\n"
    with pytest.raises(ConfigError, match=r"git cannot describe .* at least one commit"):
        loaded(put(tmp_path / "mine", text))
    for words in (["add", "-A"], ["commit", "-qm", "One"], ["tag", "v1.5.2"]):
        subprocess.run([*git, *words], check=True)
    assert loaded(tmp_path / "mine").version == "1.5.2"
    (tree / "new.go").write_text("package main\n")
    assert loaded(tmp_path / "mine").version == "1.5.2-dirty", "a new file is built too"


def test_the_handlers_of_all_components_are_known_before_a_lock_is(tmp_path: Path) -> None:
    put(tmp_path / "runc-1.5", MODULE.replace("name: runc,", "name: runc-1.5,"))
    put(tmp_path / "plain", MODULE.partition("handler:")[0])
    found = declared_handlers([tmp_path, COMPONENTS])
    assert {name: (one.name, one.kind) for name, one in found.items()} == {
        "runc-1.5": ("runc-1.5", "runc"),
        "runc": ("runc", "runc"),
        "crun": ("crun", "runc"),
        "runsc": ("runsc", "runsc"),
    }
    put(tmp_path / "kata", MODULE.replace("program: bin/runc", "program: bin/runc, kind: kata"))
    with pytest.raises(
        ConfigError, match=r"component.yaml:\d+:\d+: handler.kind: kata is not a kind .* runc and runsc"
    ):
        declared_handlers([tmp_path])
    with pytest.raises(ConfigError, match="kata is not a kind of handler"):
        load_component(tmp_path / "kata")


def test_two_components_cannot_be_one_handler(tmp_path: Path) -> None:
    for name in ("mine", "runc"):
        put(tmp_path / name, MODULE, go_mod=GO_MOD, go_sum="")
    with pytest.raises(ConfigError, match=rf"runc is the handler of {tmp_path / 'mine'} too"):
        load_components([tmp_path])
    put(tmp_path / "mine", MODULE.replace("name: runc,", "name: mine,"))
    assert len(load_components([tmp_path])) == 2


def test_the_hint_of_a_missing_lock_names_the_folder_where_that_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder, command in (
        ("components", "labctl build --pin mine@latest"),
        ("elsewhere", "labctl build --pin mine@latest --components elsewhere"),
    ):
        put(Path(folder) / "mine", MODULE)
        with pytest.raises(ConfigError) as caught:
            load_component(Path(folder) / "mine")
        assert caught.value.hint == f"Make the lock: {command}"
    unlocked, _ = load_component(Path("components/mine"), locked=False)
    assert unlocked is not None and unlocked.version == ""


def test_a_module_without_its_lock_is_told_how_to_make_one(tmp_path: Path) -> None:
    folder = put(tmp_path / "runc", MODULE)
    with pytest.raises(ConfigError, match="does not lock") as caught:
        load_component(folder)
    assert "labctl build --pin runc@latest" in str(caught.value.hint)


def test_a_name_that_is_none_is_refused_with_those_that_are() -> None:
    components = load_components([COMPONENTS])
    with pytest.raises(UsageError, match="no component runcc") as caught:
        choose(components, ["runcc"])
    assert "runsc" in str(caught.value.hint)
    assert "critest" not in {one.name for one in choose(components, [])}
    assert [one.name for one in choose(components, ["critest", "runc", "critest"])] == ["critest", "runc"]


SEVERAL = """\
source: debian
debian:
  releases:
    trixie: {packages: {crun: {version: 1.21-1, sha256: {amd64: %s}}}}
    bookworm: {unavailable: It is too old there.}
  programs: {crun: /usr/bin/crun}
handler: {name: crun, program: crun}
""" % ("a" * 64)


def test_each_release_has_packages_of_its_own_or_a_reason(tmp_path: Path) -> None:
    component = loaded(put(tmp_path / "crun", SEVERAL))
    newer = component.for_release("trixie")
    assert isinstance(newer, Component)
    assert (newer.version, [package.release for package in newer.debian]) == ("1.21-1", ["trixie"])
    assert component.for_release("bookworm") == "It is too old there."
    assert component.for_release("forky") == "No package of crun is locked for Debian forky."


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("{unavailable: It is too old there.}", "{}", "needs either `packages`, or `unavailable`"),
        ("  releases:", "  release: trixie\n  releases:", "stands instead of `release` and `packages`"),
    ],
)
def test_releases_say_one_thing(tmp_path: Path, old: str, new: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        loaded(put(tmp_path / "crun", SEVERAL.replace(old, new)))


def test_debians_packages_are_known_whatever_other_components_lack(tmp_path: Path) -> None:
    put(tmp_path / "runc", MODULE)
    put(tmp_path / "mine", "source: checkout\ncheckout: nowhere\ngo: {build: {bin/x: .}}\n")
    put(tmp_path / "crun", SEVERAL)
    assert [component.name for component in debian_components([tmp_path])] == ["crun"]
    with pytest.raises(ConfigError, match="checkout"):
        load_component(tmp_path / "mine")
