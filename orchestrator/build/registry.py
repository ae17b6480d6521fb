# SPDX-License-Identifier: Apache-2.0
"""What the registry on a host's loopback serves: a folder whose paths are those of its API, so that serving is reading files.

    v2/NAME/manifests/TAG, v2/NAME/manifests/DIGEST, v2/NAME/blobs/DIGEST

https://github.com/opencontainers/distribution-spec; images by https://github.com/opencontainers/image-spec. Pure.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchestrator.build.layer import Entry, pack

LAYERS = 4
LAYER_BYTES = 5 * 2**20
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EPOCH = "1970-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Served:
    """An image in the registry: ``layers`` are uncompressed tars, ``architecture`` is Debian's name of it, which is Go's too."""

    name: str
    tag: str
    architecture: str
    layers: Sequence[bytes]
    command: tuple[str, ...] = ()


def several_layers(architecture: str) -> Served:
    """LAYERS layers of one file each, which no compression makes smaller: 20 MiB to be pulled, the same everywhere."""
    layers = [
        pack([Entry("data"), Entry(f"data/{number}", 0o644, _noise(number))]) for number in range(LAYERS)
    ]
    return Served("labctl/layers", "1", architecture, layers)


def tree(images: Sequence[Served]) -> dict[str, bytes]:
    """Path -> content."""
    files: dict[str, bytes] = {}
    for image in images:
        files |= _image(image)
    return files


def _image(image: Served) -> Mapping[str, bytes]:
    compressed = [_gzip(layer) for layer in image.layers]
    config = _json(
        {
            "architecture": image.architecture,
            "os": "linux",
            "created": EPOCH,
            "config": {"Cmd": list(image.command)} if image.command else {},
            "rootfs": {"type": "layers", "diff_ids": [digest(layer) for layer in image.layers]},
        }
    )
    manifest = _json(
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _descriptor(CONFIG, config),
            "layers": [_descriptor(LAYER, layer) for layer in compressed],
        }
    )
    top = f"v2/{image.name}"
    names = {f"{top}/manifests/{name}": manifest for name in (image.tag, digest(manifest))}
    return names | {f"{top}/blobs/{digest(blob)}": blob for blob in (config, *compressed)}


def _noise(number: int) -> bytes:
    return hashlib.shake_256(f"labctl layer {number}".encode()).digest(LAYER_BYTES)


def _gzip(data: bytes) -> bytes:
    """Without a time or a name in its header."""
    packer = zlib.compressobj(6, zlib.DEFLATED, 31)
    return packer.compress(data) + packer.flush()


def _descriptor(kind: str, blob: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest(blob), "size": len(blob)}


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
