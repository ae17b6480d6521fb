# SPDX-License-Identifier: Apache-2.0
"""A developer's tree: what its snapshot holds, and where Go takes its modules from."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from orchestrator.build import snapshot
from orchestrator.build.tree import GoTree, ModuleMode, read_tree
from orchestrator.model.component import Toolchain
from orchestrator.model.errors import BuildError
from tests.unit.build.trees import git, git_tree

TOOLCHAIN = Toolchain("1.26.8", {})
MOD = "module example.org/m\n\ngo 1.26\n"
OLD = "module example.org/m\n\ngo 1.13\n"
NEW = "module example.org/m\n\ngo 1.27.1\n"
WORK = "go 1.26\n\nuse (\n\t./a\n\t./b // ../c is not in use\n)\n"
VENDORED = {"vendor/modules.txt": "# example.org/x v1.0.0\n"}
WORK_VENDORED = {"vendor/modules.txt": "## workspace\n"}
REPLACED = (
    MOD
    + "\nreplace (\n\texample.org/x v1.0.0 => ../x // as it is\n\texample.org/y => example.org/z v1.0.0\n)\n"
)


def tree_of(folder: Path, checkout: Path) -> GoTree:
    snapshot.take(checkout, folder / "tree.tar")
    return read_tree(folder / "tree.tar", checkout, TOOLCHAIN)


@pytest.mark.parametrize(
    ("files", "mode", "workspace"),
    [
        ({"go.mod": MOD}, ModuleMode.READONLY, False),
        ({"go.mod": MOD, **VENDORED}, ModuleMode.VENDOR, False),
        ({"go.mod": MOD, "vendor/x/x.go": ""}, ModuleMode.VENDOR, False),
        ({"go.mod": OLD, **VENDORED}, ModuleMode.READONLY, False),
        ({"go.mod": "module example.org/m\n", **VENDORED}, ModuleMode.READONLY, False),
        ({"go.mod": MOD, **WORK_VENDORED}, ModuleMode.READONLY, False),
        ({"go.mod": MOD, "go.work": WORK}, ModuleMode.READONLY, True),
        ({"go.mod": MOD, "go.work": WORK, **VENDORED}, ModuleMode.READONLY, True),
        ({"go.work": WORK, **WORK_VENDORED}, ModuleMode.VENDOR, True),
        ({"go.mod": REPLACED, **VENDORED}, ModuleMode.VENDOR, False),
    ],
)
def test_modules_come_from_where_go_itself_takes_them(
    tmp_path: Path, files: dict[str, str], mode: ModuleMode, workspace: bool
) -> None:
    checkout = git_tree(tmp_path / "tree", files)
    assert tree_of(tmp_path, checkout) == GoTree(mode, workspace)


@pytest.mark.skipif(shutil.which("go") is None, reason="the go command is not here")
@pytest.mark.parametrize("vendored", [{}, VENDORED, WORK_VENDORED])
@pytest.mark.parametrize("version", ["1.13", "1.14", "1.21"])
def test_the_go_command_decides_alike(tmp_path: Path, vendored: dict[str, str], version: str) -> None:
    files = {
        "go.mod": f"module example.org/m\n\ngo {version}\n",
        "main.go": "package main\n\nfunc main() {}\n",
    }
    checkout = git_tree(tmp_path / "tree", {**files, **vendored})
    assert list_packages(checkout, f"-mod={tree_of(tmp_path, checkout).mode}") == list_packages(checkout)


def list_packages(checkout: Path, *flags: str) -> tuple[int, str, str]:
    go = shutil.which("go") or "go"
    environment = {"PATH": str(Path(go).parent), "HOME": str(checkout.parent), "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        [go, "list", *flags, "."], cwd=checkout, env=environment, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        ({"main.c": ""}, "has no go.mod", "the folder that holds go.mod"),
        ({"go.mod": NEW}, "needs Go 1.27.1, and the pinned toolchain is Go 1.26.8", 'go: "1.27.1"'),
        ({"go.mod": MOD, "go.work": "go 1.27\n"}, "go.work needs Go 1.27,", "toolchain.yaml"),
        ({"go.mod": REPLACED}, "go.mod names ../x, which is not in the checkout", "go mod vendor"),
        ({"go.mod": MOD + "replace a => /abs\n"}, "go.mod names /abs", "go mod vendor"),
        (
            {"go.mod": MOD, "go.work": WORK + "use ../c\n"},
            "go.work names ../c",
            "Name the folder that holds both",
        ),
    ],
)
def test_a_tree_that_cannot_be_built_is_refused_before_a_builder_is_started(
    tmp_path: Path, files: dict[str, str], message: str, hint: str
) -> None:
    checkout = git_tree(tmp_path / "tree", files)
    with pytest.raises(BuildError) as caught:
        tree_of(tmp_path, checkout)
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_a_folder_below_the_module_is_refused_with_the_right_one(tmp_path: Path) -> None:
    checkout = git_tree(tmp_path / "tree", {"go.mod": MOD, "cmd/x/main.go": "package main\n"})
    with pytest.raises(BuildError) as caught:
        tree_of(tmp_path, checkout / "cmd/x")
    assert f"write `checkout: {checkout}`, and packages as ./cmd/x" in (caught.value.hint or "")


def test_a_module_in_a_folder_of_a_repository_is_that_folder(tmp_path: Path) -> None:
    repository = git_tree(tmp_path / "tree", {"README": "", "sub/go.mod": MOD, "sub/main.go": ""})
    assert tree_of(tmp_path, repository / "sub").mode is ModuleMode.READONLY
    assert names(tmp_path / "tree.tar") == ["go.mod", "main.go"]
    (repository / "README").write_text("changed")
    assert snapshot.commit_of(repository / "sub")["dirty"] is False
    assert snapshot.commit_of(repository)["dirty"] is True


def test_what_is_left_unused_is_said(tmp_path: Path) -> None:
    checkout = git_tree(tmp_path / "above/tree", {"go.mod": MOD, ".gitignore": "/vendor/\n"})
    (checkout / "vendor").mkdir()
    (checkout / "vendor/modules.txt").write_text("")
    (tmp_path / "above/go.work").write_text("go 1.26\nuse ./tree\n")
    result = tree_of(tmp_path, checkout)
    assert result.mode is ModuleMode.READONLY
    assert result.notes == (
        "git ignores vendor/ of the tree, so that the modules of go.mod are used in its place.",
        f"{tmp_path / 'above/go.work'} is not part of the tree, so that go.mod alone decides.",
    )


def names(tar: Path) -> list[str]:
    with tarfile.open(tar) as packed:
        return packed.getnames()


def test_submodules_and_repositories_in_the_tree_are_part_of_it(tmp_path: Path) -> None:
    library = git_tree(tmp_path / "library", {"lib.go": "package lib\n"})
    checkout = git_tree(tmp_path / "tree", {"go.mod": MOD})
    git(checkout, "submodule", "--quiet", "add", str(library), "third/lib")
    git(checkout, "commit", "--quiet", "--message", "Two")
    git_tree(checkout / "nested", {"n.go": "package n\n"})
    snapshot.take(checkout, tmp_path / "tree.tar")
    assert names(tmp_path / "tree.tar") == [".gitmodules", "go.mod", "nested/n.go", "third/lib/lib.go"]
    (checkout / "third/lib/lib.go").write_text("package lib // changed\n")
    before = (tmp_path / "tree.tar").read_bytes()
    snapshot.take(checkout, tmp_path / "tree.tar")
    assert (tmp_path / "tree.tar").read_bytes() != before
    git(checkout, "submodule", "--quiet", "deinit", "--force", "third/lib")
    snapshot.take(checkout, tmp_path / "tree.tar")
    assert names(tmp_path / "tree.tar") == [".gitmodules", "go.mod", "nested/n.go"]


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = git_tree(tmp_path / "tree", {"go.mod": MOD})
    real = Path.open

    def refuse(path: Path, *words: object, **more: object) -> object:
        if path.name == "go.mod":
            raise PermissionError(13, "Permission denied", str(path))
        return real(path, *words, **more)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(BuildError, match=r"Permission denied: .*go\.mod"):
        snapshot.take(checkout, tmp_path / "tree.tar")


def test_a_name_that_is_not_utf_8_is_no_trouble(tmp_path: Path) -> None:
    checkout = git_tree(tmp_path / "tree", {"go.mod": MOD})
    (checkout / "caf\udce9.txt").write_text("x")
    snapshot.take(checkout, tmp_path / "tree.tar")
    assert names(tmp_path / "tree.tar") == ["caf\udce9.txt", "go.mod"]
