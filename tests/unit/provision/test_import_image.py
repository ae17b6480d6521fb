# SPDX-License-Identifier: Apache-2.0
"""An image's way into CRI-O's storage, with a storage command that only remembers: whole, once, and again after a cut."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parents[3] / "playbooks/roles/images/files/import_image.py"
REF = "localhost/labctl/busybox:1"
STORAGE = """\
#!{python}
import json, pathlib, sys
state = pathlib.Path({state!r})
told = json.loads(state.read_text())
command, words = sys.argv[1], sys.argv[2:]
if command == told["fails"]:
    sys.exit("disk full")
value = lambda name: words[words.index(name) + 1]
if command == "images":
    print(json.dumps([{{"id": name, "names": one["names"]}} for name, one in told["images"].items()] or None))
elif command == "layers":
    print(json.dumps([{{"id": name}} for name in told["layers"]] or None))
elif command == "import-layer":
    told["layers"][value("--id")] = words[-1] if words[-2] != "--file" else None
elif command == "create-image":
    told["images"][value("--id")] = {{"names": [], "top": words[-1], "data": []}}
elif command == "set-image-data":
    told["images"][words[-2]]["data"].append(words[-1])
elif command == "add-names":
    told["images"][words[-1]]["names"].append(value("--name"))
elif command == "delete-image":
    del told["images"][words[-1]]
state.write_text(json.dumps(told))
"""


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A Docker archive of two layers."""
    manifest = json.dumps([{"Config": "c.json", "Layers": ["one.tar", "two.tar"]}])
    with tarfile.open(tmp_path / "image.tar", "w") as packed:
        for name, text in {
            "manifest.json": manifest,
            "c.json": "{}",
            "one.tar": "one",
            "two.tar": "two",
        }.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            packed.addfile(entry, io.BytesIO(text.encode()))
    return tmp_path / "image.tar"


class Storage:
    def __init__(self, folder: Path) -> None:
        self.program, self._state = folder / "containers-storage", folder / "state.json"
        self.program.write_text(STORAGE.format(python=sys.executable, state=str(self._state)))
        self.program.chmod(0o755)
        self.write(images={}, layers={}, fails="")

    def read(self) -> dict[str, Any]:
        return dict(json.loads(self._state.read_text()))

    def write(self, **what: Any) -> None:
        before = self.read() if self._state.exists() else {}
        self._state.write_text(json.dumps({**before, **what}))

    def run(self, archive: Path, *more: str) -> subprocess.CompletedProcess[str]:
        words = [str(archive), REF, str(self.program), "/root", "/run", "overlay", *more]
        return subprocess.run(
            [sys.executable, str(PROGRAM), *words], capture_output=True, text=True, timeout=60, check=False
        )


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_it_is_imported_once_with_its_layers_one_upon_the_other(tmp_path: Path, archive: Path) -> None:
    storage = Storage(tmp_path)
    assert storage.run(archive).stdout == "imported\n"
    told = storage.read()
    below = sha256("one")
    top = sha256(f"sha256:{below} sha256:{sha256('two')}")
    assert told["layers"] == {below: None, top: below}
    image = told["images"][sha256("{}")]
    assert (image["names"], image["top"]) == ([REF], top)
    assert {name.split("-")[0].split(":")[0] for name in image["data"]} == {"sha256", "manifest"}
    assert storage.run(archive).stdout == "present\n"
    assert storage.read() == told


def test_a_prediction_imports_nothing(tmp_path: Path, archive: Path) -> None:
    storage = Storage(tmp_path)
    before = storage.read()
    assert storage.run(archive, "--check").stdout == "imported\n"
    assert storage.read() == before


@pytest.mark.parametrize("where", ["import-layer", "create-image", "set-image-data", "add-names"])
def test_one_that_was_cut_off_is_not_taken_for_whole(tmp_path: Path, archive: Path, where: str) -> None:
    storage = Storage(tmp_path)
    storage.write(fails=where)
    done = storage.run(archive)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{where} of containers-storage failed: disk full\n"
    storage.write(fails="")
    assert storage.run(archive).stdout == "imported\n"
    assert storage.run(archive).stdout == "present\n"
    assert len(storage.read()["images"][sha256("{}")]["data"]) == 3
