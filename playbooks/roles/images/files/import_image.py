# SPDX-License-Identifier: Apache-2.0
"""Puts an image out of a Docker archive into the storage that CRI-O reads, with the storage library's own command.

    import_image.py ARCHIVE REF PROGRAM ROOT RUNROOT DRIVER [--check]

PROGRAM is containers-storage, of the version that CRI-O was built with. Prints `present`, or `imported`; with --check it
imports nothing. The name comes last, so that an import that was cut off is done again. An image's id is the sha256 of its
configuration, which names its layers by theirs: where the id is there under its name, so is the image. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

SECONDS = 120.0
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar"

Storage = Callable[..., str]
"""Runs containers-storage with these words, and gives what it printed."""


def main(archive: str, ref: str, program: str, root: str, run: str, driver: str, check: str = "") -> str:
    def storage(command: str, *words: str) -> str:
        line = [program, command, "--graph", root, "--run", run, "--storage-driver", driver, *words]
        done = subprocess.run(line, capture_output=True, text=True, timeout=SECONDS, check=False)
        if done.returncode != 0:
            sys.exit(f"{command} of containers-storage failed: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    with tarfile.open(archive) as packed, tempfile.TemporaryDirectory() as folder:
        (about,) = json.loads(read(packed, "manifest.json"))
        config = read(packed, about["Config"])
        image = identity(digest(config))
        images = {
            one["id"]: one.get("names") or []
            for one in json.loads(storage("images", "--json") or "null") or []
        }
        if ref in images.get(image, []):
            return "present"
        if check:
            return "imported"
        layers = [read(packed, name) for name in about["Layers"]]
        if image in images:  # begun, and cut off
            storage("delete-image", image)
        top = add_layers(layers, storage, Path(folder))
        storage("create-image", "--id", image, top)
        for name, data in documents(config, layers).items():
            path = Path(folder) / "document"
            path.write_bytes(data)
            storage("set-image-data", "--file", str(path), image, name)
        storage("add-names", "--name", ref, image)
    return "imported"


def add_layers(layers: list[bytes], storage: Storage, folder: Path) -> str:
    """One upon the other, each under its chain id (https://github.com/opencontainers/image-spec, "Layer ChainID"); gives the top's."""
    there = {one["id"] for one in json.loads(storage("layers", "--json") or "null") or []}
    chain = ""
    for layer in layers:
        parent, own = chain, digest(layer)
        chain = digest(f"{parent} {own}".encode()) if parent else own
        if identity(chain) not in there:
            path = folder / "layer"
            path.write_bytes(layer)
            below = [identity(parent)] if parent else []
            storage("import-layer", "--readonly", "--id", identity(chain), "--file", str(path), *below)
    return identity(chain)


def documents(config: bytes, layers: list[bytes]) -> dict[str, bytes]:
    """What an image carries beside its layers, by the names under which the image library looks for it."""
    manifest: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": CONFIG, "size": len(config), "digest": digest(config)},
        "layers": [{"mediaType": LAYER, "size": len(layer), "digest": digest(layer)} for layer in layers],
    }
    data = json.dumps(manifest).encode()
    return {digest(config): config, f"manifest-{digest(data)}": data, "manifest": data}


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def identity(digest: str) -> str:
    return digest.removeprefix("sha256:")


def read(packed: tarfile.TarFile, name: str) -> bytes:
    stream = packed.extractfile(name)
    if stream is None:
        sys.exit(f"{name} in the archive is not a file.")
    return stream.read()


if __name__ == "__main__":
    sys.stdout.write(main(*sys.argv[1:]) + "\n")
