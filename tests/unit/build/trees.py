# SPDX-License-Identifier: Apache-2.0
"""Git work trees for tests."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

GIT = (
    "git",
    "-c",
    "user.name=A Developer",
    "-c",
    "user.email=dev@example.org",
    "-c",
    "protocol.file.allow=always",
)


def git(tree: Path, *words: str) -> str:
    """Run git in ``tree``. Return what it prints."""
    command = [*GIT, "-C", str(tree), *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def git_tree(tree: Path, files: Mapping[str, str]) -> Path:
    """Make ``tree`` a work tree with one commit of ``files``."""
    for name, content in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content)
    git(tree, "init", "--quiet")
    git(tree, "add", "--all", "--force")
    git(tree, "commit", "--quiet", "--message", "One")
    return tree
