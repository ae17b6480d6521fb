# SPDX-License-Identifier: Apache-2.0
"""A small typed client of one CRI runtime over its Unix socket. Every call has a deadline; every failure is a CriError."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, TypeVar

import grpc

from remote_agent.gen.runtime.v1 import cri_pb2 as pb
from remote_agent.gen.runtime.v1 import cri_pb2_grpc

DEADLINE_S = 60.0
"""For every call; a StopContainer has its own timeout on top. A pod takes 2 s under emulation (RUNTIMES.md)."""

SANDBOX_DEADLINE_S = 2 * DEADLINE_S
"""For RunPodSandbox, which the kubelet too gives twice the time: the first pod of runsc on an emulated machine took more than 60 s."""

QUICK_S = 10.0
"""For calls that only ask."""

OPTIONS = (
    ("grpc.default_authority", "localhost"),  # containerd refuses the socket's path as authority
    ("grpc.enable_http_proxy", 0),
    (
        "grpc.initial_reconnect_backoff_ms",
        100,
    ),  # a daemon that restarts is back in a second, not in two minutes
    ("grpc.max_reconnect_backoff_ms", 1000),
)


Reply = TypeVar("Reply")


class CriError(Exception):
    """``call`` failed at the runtime. ``code`` is gRPC's (``UNAVAILABLE``), ``message`` the runtime's own words."""

    def __init__(self, call: str, code: str, message: str) -> None:
        super().__init__(f"{call}: {message or code} ({code})")
        self.call, self.code, self.message = call, code, message


@dataclass(frozen=True, slots=True)
class Version:
    runtime: str
    version: str


@dataclass(frozen=True, slots=True)
class Status:
    """``handlers`` is None where the runtime does not tell; ``problems`` are the conditions that do not hold, in words.

    ``config`` is the runtime's own configuration as it tells it, {} where it does not.
    """

    handlers: frozenset[str] | None
    problems: tuple[str, ...]
    config: Mapping[str, Any]

    @property
    def ready(self) -> bool:
        return not self.problems


@dataclass(frozen=True, slots=True)
class Image:
    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size: int


class Cri:
    """One runtime at ``socket`` (a path). Connects with the first call. Use it as a context manager, or close it."""

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self._channel = grpc.insecure_channel(f"unix:{socket}", options=OPTIONS)
        self.runtime = cri_pb2_grpc.RuntimeServiceStub(self._channel)
        self.images = cri_pb2_grpc.ImageServiceStub(self._channel)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Cri:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def version(self) -> Version:
        reply = call("Version", self.runtime.Version, pb.VersionRequest(version="v1"), QUICK_S)
        return Version(reply.runtime_name, reply.runtime_version)

    def status(self) -> Status:
        reply = call("Status", self.runtime.Status, pb.StatusRequest(verbose=True), QUICK_S)
        config = _config(reply.info)
        problems = tuple(
            f"{condition.type} is false: {condition.message or condition.reason or 'no reason given'}"
            for condition in reply.status.conditions
            if not condition.status and condition.type in ("RuntimeReady", "NetworkReady")
        )
        return Status(_handlers(reply, config), problems, config)

    def cgroup_driver(self, status: Status | None = None) -> str:
        """``systemd`` or ``cgroupfs``. containerd 1.7 has no RuntimeConfig: there its handlers' options decide."""
        try:
            reply = call("RuntimeConfig", self.runtime.RuntimeConfig, pb.RuntimeConfigRequest(), QUICK_S)
        except CriError as error:
            if error.code != "UNIMPLEMENTED":
                raise
            return _driver_of_config((status or self.status()).config)
        return "systemd" if reply.linux.cgroup_driver == pb.SYSTEMD else "cgroupfs"

    def pods(self, labels: Mapping[str, str] | None = None) -> list[pb.PodSandbox]:
        """The pods that carry all of ``labels``."""
        request = pb.ListPodSandboxRequest(filter=pb.PodSandboxFilter(label_selector=dict(labels or {})))
        return list(call("ListPodSandbox", self.runtime.ListPodSandbox, request, QUICK_S).items)

    def pod_status(self, pod: str) -> pb.PodSandboxStatus:
        request = pb.PodSandboxStatusRequest(pod_sandbox_id=pod)
        return call("PodSandboxStatus", self.runtime.PodSandboxStatus, request, QUICK_S).status

    def stop_pod(self, pod: str) -> None:
        request = pb.StopPodSandboxRequest(pod_sandbox_id=pod)
        call("StopPodSandbox", self.runtime.StopPodSandbox, request, DEADLINE_S)

    def remove_pod(self, pod: str) -> None:
        request = pb.RemovePodSandboxRequest(pod_sandbox_id=pod)
        call("RemovePodSandbox", self.runtime.RemovePodSandbox, request, DEADLINE_S)

    def containers(self, labels: Mapping[str, str] | None = None) -> list[pb.Container]:
        """The containers that carry all of ``labels``."""
        request = pb.ListContainersRequest(filter=pb.ContainerFilter(label_selector=dict(labels or {})))
        return list(call("ListContainers", self.runtime.ListContainers, request, QUICK_S).containers)

    def container_status(self, container: str) -> pb.ContainerStatus:
        request = pb.ContainerStatusRequest(container_id=container)
        return call("ContainerStatus", self.runtime.ContainerStatus, request, QUICK_S).status

    def start_container(self, container: str) -> None:
        request = pb.StartContainerRequest(container_id=container)
        call("StartContainer", self.runtime.StartContainer, request, DEADLINE_S)

    def remove_container(self, container: str) -> None:
        request = pb.RemoveContainerRequest(container_id=container)
        call("RemoveContainer", self.runtime.RemoveContainer, request, DEADLINE_S)

    def image(self, name: str) -> Image | None:
        """The image of that name, or None where the runtime does not have it."""
        request = pb.ImageStatusRequest(image=pb.ImageSpec(image=name, user_specified_image=name))
        reply = call("ImageStatus", self.images.ImageStatus, request, QUICK_S)
        return _image(reply.image) if reply.HasField("image") else None

    def remove_image(self, name: str) -> None:
        request = pb.RemoveImageRequest(image=pb.ImageSpec(image=name, user_specified_image=name))
        call("RemoveImage", self.images.RemoveImage, request, DEADLINE_S)

    def image_folder(self) -> str:
        """Where the runtime keeps images (and what containers write, as far as it is known); empty where it does not tell."""
        reply = call("ImageFsInfo", self.images.ImageFsInfo, pb.ImageFsInfoRequest(), QUICK_S)
        return next((each.fs_id.mountpoint for each in reply.image_filesystems if each.fs_id.mountpoint), "")

    def list_images(self) -> list[Image]:
        reply = call("ListImages", self.images.ListImages, pb.ListImagesRequest(), QUICK_S)
        return [_image(image) for image in reply.images]


def timed(
    name: str,
    method: Callable[..., Reply],
    request: object,
    deadline_s: float,
    *,
    clock: Callable[[], int] = time.monotonic_ns,
) -> tuple[Reply, int]:
    """Call ``method`` with a request that is built already; the reply, and the nanoseconds between call and reply.

    Nothing stands between the two readings of the clock but the call. Raises CriError.
    """
    try:
        start = clock()
        reply = method(request, timeout=deadline_s)
        end = clock()
    except grpc.RpcError as error:
        raise cri_error(name, error) from error
    return reply, end - start


def call(name: str, method: Callable[..., Reply], request: object, deadline_s: float) -> Reply:
    """The same for what nobody times. Raises CriError."""
    return timed(name, method, request, deadline_s)[0]


def cri_error(name: str, error: grpc.RpcError) -> CriError:
    """gRPC's error in our words. Everything that a unary call raises is a grpc.Call too, and knows code and details."""
    if isinstance(error, grpc.Call):
        return CriError(name, error.code().name, _words(_first_line(error.details())))
    return CriError(name, "UNKNOWN", _first_line(str(error)))


def _words(details: str) -> str:
    """gRPC tells a socket where nobody listens in a line of its own layers; the system's reason stands at its end."""
    if not details.startswith("failed to connect to all addresses"):
        return details
    return f"the runtime's socket does not answer: {details.rsplit('error: ', 1)[-1]}"


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n", 1)[0]


def _handlers(reply: pb.StatusResponse, config: Mapping[str, Any]) -> frozenset[str] | None:
    """What the runtime lists (CRI >= 1.30), else what containerd 1.7 has in its configuration."""
    if reply.runtime_handlers:
        return frozenset(handler.name for handler in reply.runtime_handlers if handler.name)
    runtimes = _containerd(config).get("runtimes")
    return frozenset(runtimes) if isinstance(runtimes, dict) else None


def _containerd(config: Mapping[str, Any]) -> Mapping[str, Any]:
    section = config.get("containerd")
    return section if isinstance(section, dict) else {}


def _config(info: Mapping[str, str]) -> Mapping[str, Any]:
    try:
        config = json.loads(info.get("config", "{}"))
    except ValueError:  # CRI-O tells TOML here; it has RuntimeConfig and lists its handlers
        return {}
    return config if isinstance(config, dict) else {}


def _driver_of_config(config: Mapping[str, Any]) -> str:
    """systemd where every handler says SystemdCgroup, as containerd's own default is cgroupfs."""
    runtimes = _containerd(config).get("runtimes") or {}
    options = [(runtime or {}).get("options") or {} for runtime in runtimes.values()]
    return (
        "systemd"
        if options and all(option.get("SystemdCgroup") is True for option in options)
        else "cgroupfs"
    )


def _image(image: pb.Image) -> Image:
    return Image(image.id, tuple(image.repo_tags), tuple(image.repo_digests), image.size)
