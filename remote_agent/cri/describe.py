# SPDX-License-Identifier: Apache-2.0
"""What a runtime tells of itself, for a host's fingerprint."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from remote_agent.cri.client import Cri


def describe(cri: Cri) -> dict[str, Any]:
    """Version, handlers, cgroup driver, snapshotter and the images' digests. Raises CriError."""
    version, status = cri.version(), cri.status()
    containerd = status.config.get("containerd")
    return {
        "runtime": version.runtime,
        "version": version.version,
        "handlers": sorted(status.handlers) if status.handlers is not None else None,
        "cgroup_driver": cri.cgroup_driver(status),
        "snapshotter": containerd.get("snapshotter") if isinstance(containerd, dict) else None,
        "images": {tag: image.id for image in cri.list_images() for tag in image.tags},
    }


def handler_binaries(config: Mapping[str, Any]) -> set[str]:
    """The OCI runtimes' paths that containerd's configuration names."""
    return set(_binaries(config))


def _binaries(config: Mapping[str, Any]) -> Iterator[str]:
    containerd = config.get("containerd")
    runtimes = containerd.get("runtimes") if isinstance(containerd, dict) else None
    for runtime in (runtimes or {}).values():
        name = ((runtime or {}).get("options") or {}).get("BinaryName")
        if isinstance(name, str) and name:
            yield name
