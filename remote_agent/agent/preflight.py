# SPDX-License-Identifier: Apache-2.0
"""Can these combinations run here? Answered before a run begins, each finding with what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from remote_agent.agent.executor import lacks_handler
from remote_agent.agent.spec import Combination
from remote_agent.benchmarks.bench import IMAGE
from remote_agent.cri.client import Cri, CriError, Status

PROVISION = "Provision the host: labctl provision INVENTORY."


@dataclass(frozen=True, slots=True)
class Finding:
    """``combination`` is empty where it is about the host. Where ``ok``, ``message`` says what is there."""

    combination: str
    name: str
    ok: bool
    message: str
    hint: str = ""


def preflight(combinations: Sequence[Combination]) -> list[Finding]:
    """Every check of every combination; a runtime that does not answer has that one finding."""
    return [finding for combination in combinations for finding in _combination(combination)]


def _combination(combination: Combination) -> Iterator[Finding]:
    name, socket = combination.name, combination.socket
    if not Path(socket).is_socket():
        yield Finding(name, "socket", False, f"There is no socket {socket}.", PROVISION)
        return
    with Cri(socket) as cri:
        try:
            yield from _runtime(cri, combination)
        except CriError as error:
            hint = f"Look at it: systemctl status {combination.cri}."
            yield Finding(name, "socket", False, f"{socket} does not answer: {error}.", hint)


def _runtime(cri: Cri, combination: Combination) -> Iterator[Finding]:
    version, status, name = cri.version(), cri.status(), combination.name
    yield Finding(name, "socket", True, f"{version.runtime} {version.version} at {combination.socket}.")
    problems = "; ".join(status.problems)
    hint = f"{PROVISION} Look at the CNI configuration in /etc/cni/labctl.d."
    yield Finding(
        name,
        "ready",
        status.ready,
        problems or "Runtime and network are ready.",
        "" if status.ready else hint,
    )
    lacking = lacks_handler(cri, combination)
    yield Finding(
        name,
        "handler",
        lacking is None,
        lacking or f"Handler {combination.handler} is configured.",
        PROVISION if lacking else "",
    )
    for image in _images(status):
        there = cri.image(image) is not None
        message = f"Image {image} is present." if there else f"Image {image} is missing."
        yield Finding(name, "image", there, message, "" if there else PROVISION)


def _images(status: Status) -> list[str]:
    """The benchmarks' image, and the pause image where the runtime tells which (containerd 1.x does)."""
    pause = status.config.get("sandboxImage")
    return [IMAGE, *([pause] if isinstance(pause, str) and pause else [])]
