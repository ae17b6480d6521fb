# SPDX-License-Identifier: Apache-2.0
"""A value of a YAML text is replaced where it stands, and nothing else changes."""

from __future__ import annotations

import pytest
import yaml

from orchestrator.load.yaml_edit import replace_values

TEXT = """\
# What Debian has.
debian:
  releases:
    trixie:
      packages:
        crun: {version: 1.21-1, sha256: {amd64: aaa}}  # the newer one
    bookworm:
      packages:
        crun:
          version: 1.21-1
          sha256: {amd64: bbb}
"""


def test_only_the_value_at_its_path_changes() -> None:
    path = ("debian", "releases", "bookworm", "packages", "crun")
    found = replace_values(TEXT, {(*path, "version"): "1.8-1", (*path, "sha256", "amd64"): "ccc"})
    head, tail = TEXT.split("    bookworm:")
    assert found == head + "    bookworm:" + tail.replace("1.21-1", "1.8-1").replace("bbb", "ccc")


def test_an_architecture_that_was_not_there_is_added() -> None:
    path = ("debian", "releases", "trixie", "packages", "crun", "sha256")
    found = replace_values(TEXT, {(*path, "arm64"): "ddd"})
    assert yaml.safe_load(found)["debian"]["releases"]["trixie"]["packages"]["crun"]["sha256"] == {
        "amd64": "aaa",
        "arm64": "ddd",
    }
    assert "# the newer one" in found


@pytest.mark.parametrize(
    "path", [("debian", "nothing", "x"), ("debian", "releases"), ("debian", "releases", "x")]
)
def test_a_path_to_no_value_is_an_error(path: tuple[str, ...]) -> None:
    with pytest.raises(KeyError):
        replace_values(TEXT, {path: "x"})
