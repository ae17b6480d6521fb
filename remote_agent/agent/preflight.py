# SPDX-License-Identifier: Apache-2.0
"""Can these combinations run here? Answered before a run begins, each finding with what to do about it."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from remote_agent.agent.executor import lacks_handler
from remote_agent.agent.spec import BenchmarkSpec, Combination
from remote_agent.benchmarks.bench import IMAGE
from remote_agent.contract.checks import UNSUPPORTED
from remote_agent.cri.client import Cri, CriError, Status
from remote_agent.host.missing import missing_handlers

PROVISION = "Provision the host: labctl provision INVENTORY."
IMAGE_PARAM = "image"
"""The parameter of a benchmark that names an image which its containers run: the runtime must have it."""
OWN_IMAGES = IMAGE.rpartition("/")[0] + "/"
"""What the names of labctl's own images begin with."""
PULL_PARAM = "pull"
"""The parameter of a benchmark that names an image which it pulls: its registry must have it."""
REGISTRY_S = 5.0
LOOPBACK = ("127.0.0.1", "localhost")
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True)
class Finding:
    """``combination`` is empty where it is about the host. Where ``ok``, ``message`` says what is there."""

    combination: str
    name: str
    ok: bool
    message: str
    hint: str = ""


def preflight(
    combinations: Sequence[Combination], benchmarks: Sequence[BenchmarkSpec] = (), root: Path = Path("/")
) -> list[Finding]:
    """Every check of every combination, then of the registry; a runtime that does not answer has that one finding.

    A handler that this host cannot have is the finding UNSUPPORTED, which stands against no run that has other combinations.

    ``benchmarks`` say which images are looked for; without any it is the usual one.
    """
    images = _named(benchmarks, IMAGE_PARAM) if benchmarks else [IMAGE]
    found = [finding for combination in combinations for finding in _combination(combination, images, root)]
    unsupported = [finding for finding in found if finding.name == UNSUPPORTED]
    if combinations and len(unsupported) == len(combinations):
        found.append(Finding("", "handler", False, f"No combination can run here: {unsupported[0].message}"))
    return found + [finding for ref in _named(benchmarks, PULL_PARAM) for finding in _registry(ref)]


def _named(benchmarks: Sequence[BenchmarkSpec], param: str) -> list[str]:
    """What the benchmarks' parameters of that name say, each once; empty ones left out."""
    said = (str(item.all_params.get(param) or "") for item in benchmarks)
    return [ref for ref in dict.fromkeys(said) if ref]


def _registry(ref: str) -> Iterator[Finding]:
    """Whether the registry on this host's loopback has the image. Of any other registry nothing is said: a run needs no network."""
    address, _, path = ref.partition("/")
    host, _, port = address.partition(":")
    name, colon, tag = path.rpartition(":")
    if host not in LOOPBACK or not (port.isdigit() and colon):
        return
    try:
        connection = http.client.HTTPConnection(host, int(port), timeout=REGISTRY_S)
        connection.request("HEAD", f"/v2/{name}/manifests/{tag}", headers={"Accept": MANIFEST})
        status = connection.getresponse().status
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        hint = f"{PROVISION} Look at it: systemctl status labctl-registry."
        yield Finding("", "registry", False, f"The registry at {address} does not answer: {error}.", hint)
        return
    there = status == http.client.OK
    message = f"The registry at {address} has {ref}." if there else f"The registry at {address} lacks {ref}."
    yield Finding("", "registry", there, message, "" if there else PROVISION)


def _combination(combination: Combination, images: Sequence[str], root: Path) -> Iterator[Finding]:
    name, socket = combination.name, combination.socket
    if not Path(socket).is_socket():
        yield Finding(name, "socket", False, f"There is no socket {socket}.", PROVISION)
        return
    with Cri(socket) as cri:
        try:
            yield from _runtime(cri, combination, images, root)
        except CriError as error:
            hint = f"Look at it: systemctl status {combination.cri}."
            yield Finding(name, "socket", False, f"{socket} does not answer: {error}.", hint)


def _runtime(cri: Cri, combination: Combination, images: Sequence[str], root: Path) -> Iterator[Finding]:
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
    lacking = lacks_handler(cri, combination, root)
    if lacking and combination.handler in missing_handlers(root):
        yield Finding(name, UNSUPPORTED, True, lacking)
    else:
        message = lacking or f"Handler {combination.handler} is configured."
        yield Finding(name, "handler", lacking is None, message, PROVISION if lacking else "")
    for image in [*images, *_pause(status)]:
        there = cri.image(image) is not None
        message = f"Image {image} is present." if there else f"Image {image} is missing."
        yield Finding(name, "image", there, message, "" if there else _image_hint(combination.cri, image))


def _image_hint(cri: str, image: str) -> str:
    """How to bring an image: labctl's own come with provisioning, others are the user's to bring."""
    if image.startswith(OWN_IMAGES):
        return PROVISION
    pull = f"crictl-{cri} pull {image}"
    if cri == "containerd":
        return f"labctl does not bring it. On the host: ctr --namespace k8s.io images import ARCHIVE.tar, or {pull}."
    return f"labctl does not bring it. On the host: {pull}."


def _pause(status: Status) -> list[str]:
    """The pause image, where the runtime tells which (containerd 1.x does)."""
    pause = status.config.get("sandboxImage")
    return [pause] if isinstance(pause, str) and pause else []
