# SPDX-License-Identifier: Apache-2.0
"""A runtime's image service as benchmarks call it; each call gives the nanoseconds that it took. Raises CriError."""

from __future__ import annotations

from remote_agent.cri.client import QUICK_S, Cri, timed
from remote_agent.gen.runtime.v1 import cri_pb2 as pb

PULL_S = 300.0


class CriImages:
    def __init__(self, cri: Cri) -> None:
        self._cri = cri

    def pull(self, name: str) -> int:
        """PullImage: fetch and unpack."""
        return timed("PullImage", self._cri.images.PullImage, pb.PullImageRequest(image=_spec(name)), PULL_S)[
            1
        ]

    def list(self) -> int:
        return timed("ListImages", self._cri.images.ListImages, pb.ListImagesRequest(), QUICK_S)[1]

    def remove(self, name: str) -> int:
        request = pb.RemoveImageRequest(image=_spec(name))
        return timed("RemoveImage", self._cri.images.RemoveImage, request, PULL_S)[1]

    def has(self, name: str) -> bool:
        return self._cri.image(name) is not None

    def names(self, name: str) -> tuple[str, ...]:
        image = self._cri.image(name)
        return image.tags if image else ()


def _spec(name: str) -> pb.ImageSpec:
    return pb.ImageSpec(image=name, user_specified_image=name)
