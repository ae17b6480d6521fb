# SPDX-License-Identifier: Apache-2.0
"""What labctl made in a runtime, found and removed: pods and containers by their labels, images by their registry and name.

What does not carry them is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from remote_agent.benchmarks.images import OURS
from remote_agent.contract.journal import Leak
from remote_agent.cri.client import Cri, CriError
from remote_agent.cri.pods import RUN_LABEL
from remote_agent.gen.runtime.v1 import cri_pb2 as pb
from remote_agent.host.oci import of_container
from remote_agent.host.read import Absent

ROUNDS = 3
"""How often removal is tried: a pod that is still being made when its maker dies appears late."""


def ours(cri: Cri) -> list[Leak]:
    """Our pods, containers and pulled images that are there, of whatever run. Raises CriError."""
    pods = [Leak("pod", pod.id) for pod in cri.pods() if RUN_LABEL in pod.labels]
    containers = [Leak("container", made.id) for made in cri.containers() if RUN_LABEL in made.labels]
    return [*pods, *containers, *_images(cri)]


def _images(cri: Cri) -> list[Leak]:
    """An image that has also another name is kept: containerd would remove that name too."""
    return [
        Leak("image", image.tags[0])
        for image in cri.list_images()
        if image.tags and all(OURS.fullmatch(tag) for tag in image.tags)
    ]


def remove_ours(cri: Cri) -> list[CriError]:
    """Remove them; what went wrong the last time it was tried. Never raises: a runtime that is gone is the first error."""
    problems: list[CriError] = []
    for _ in range(ROUNDS):
        try:
            found = ours(cri)
        except CriError as error:
            return [error]
        if not found:
            return []
        _resume_paused(cri)
        _start_created(cri)
        problems = list(_remove(cri, found))
    return problems


def _resume_paused(cri: Cri) -> None:
    """A halted container takes no signal: containerd waits until its call's deadline to stop one of crun's."""
    with suppress(CriError):
        for container in cri.containers():
            if RUN_LABEL in container.labels and container.state == pb.CONTAINER_RUNNING:
                with suppress(Absent):
                    found = of_container(container.id)
                    if found.paused():
                        found.resume()


def _start_created(cri: Cri) -> None:
    """CRI-O waits a minute and more to stop a container of gVisor's that was created and never started, and fails: start it first."""
    with suppress(CriError):
        if cri.version().runtime != "cri-o":
            return
        for container in cri.containers():
            if RUN_LABEL in container.labels and container.state == pb.CONTAINER_CREATED:
                with suppress(CriError):
                    cri.start_container(container.id)


def _remove(cri: Cri, found: list[Leak]) -> Iterator[CriError]:
    for kind, remove in _removals(cri):
        for leak in found:
            if leak.kind == kind:
                try:
                    remove(leak.what)
                except CriError as error:
                    if error.code != "NOT_FOUND":
                        yield error


def _removals(cri: Cri) -> Iterator[tuple[str, Callable[[str], None]]]:
    """Pods first: their removal takes their containers along."""
    yield "pod", cri.stop_pod
    yield "pod", cri.remove_pod
    yield "container", cri.remove_container
    yield "image", cri.remove_image
