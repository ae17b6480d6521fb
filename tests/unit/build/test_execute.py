# SPDX-License-Identifier: Apache-2.0
"""A tree on its way to a builder."""

from __future__ import annotations

from pathlib import Path

from orchestrator.build import snapshot
from orchestrator.build.execute import Order, unpacked_sources
from orchestrator.model.component import Component, Source, Toolchain
from tests.unit.build.trees import git_tree


def test_a_tree_with_links_to_anywhere_is_unpacked_as_it_is(tmp_path: Path) -> None:
    tree = git_tree(tmp_path / "tree", {"go.mod": "module example.org/m\n\ngo 1.26\n"})
    (tree / "absolute").symlink_to("/etc/hostname")
    (tree / "outside").symlink_to("../../elsewhere")
    snapshot.take(tree, tmp_path / "tree.tar")
    component = Component("mine", tmp_path, Source.CHECKOUT, "1", checkout=tree)
    order = Order(component, Toolchain("1.26.8", {}), tmp_path / "tree.tar", False, tmp_path / "out")
    with unpacked_sources(order) as folder:
        assert (folder / "go.mod").is_file()
        assert (folder / "absolute").readlink() == Path("/etc/hostname")
        assert (folder / "outside").is_symlink()
    assert not folder.exists()
