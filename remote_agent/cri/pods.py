# SPDX-License-Identifier: Apache-2.0
"""Pods of one container as benchmarks make them: every request is built before its call, every call is timed by itself."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remote_agent.benchmarks.reach import BenchError, Ended, Executed, Limits, NotSupported, Shape, Stats
from remote_agent.cri.client import DEADLINE_S, QUICK_S, SANDBOX_DEADLINE_S, Cri, CriError, call, timed
from remote_agent.cri.endings import Endings
from remote_agent.cri.lines import logged_at, without_prefixes
from remote_agent.gen.runtime.v1 import cri_pb2 as pb

RUN_LABEL = "labctl.run"
TRIAL_LABEL = "labctl.trial"
NAMESPACE = "labctl"
LOG = "main.log"
READY_S = 20.0
LOOK_S = 0.002


@dataclass(frozen=True, slots=True)
class PodPlan:
    """What all pods of one trial have in common. ``checkpoint`` is called before each call; it may raise to end the trial.

    ``logs`` is an existing folder; ``stop_timeout_s`` is what StopContainer gives the container to end by itself;
    ``ready`` is the line in its log that says that it can (empty: at once).
    """

    handler: str
    run: str
    trial: str
    image: str
    command: tuple[str, ...]
    cgroup_parent: str
    logs: Path
    stop_timeout_s: int
    ready: str = ""
    checkpoint: Callable[[], None] = lambda: None

    @property
    def labels(self) -> Mapping[str, str]:
        return {RUN_LABEL: self.run, TRIAL_LABEL: self.trial}


class CriPod:
    """One pod and its one container. A method that is one CRI call gives the nanoseconds that it took; raises CriError."""

    def __init__(
        self, cri: Cri, plan: PodPlan, number: int, endings: Endings, shape: Shape | None = None
    ) -> None:
        self._cri = cri
        self._calls = cri.runtime
        self._plan = plan
        self._shape = shape or Shape()
        self._endings = endings
        self._run = pb.RunPodSandboxRequest(config=_sandbox(plan, number), runtime_handler=plan.handler)
        self._create = pb.CreateContainerRequest(
            config=_container(plan, self._shape), sandbox_config=self._run.config
        )
        self._start = pb.StartContainerRequest()
        self._stop = pb.StopContainerRequest(timeout=plan.stop_timeout_s)
        self._remove = pb.RemoveContainerRequest()
        self._stop_sandbox = pb.StopPodSandboxRequest()
        self._remove_sandbox = pb.RemovePodSandboxRequest()

    @property
    def id(self) -> str:
        """The pod's id; empty before run_sandbox."""
        return self._create.pod_sandbox_id

    @property
    def container(self) -> str:
        """The container's id; empty before create."""
        return self._start.container_id

    @property
    def log_file(self) -> Path:
        return Path(self._run.config.log_directory) / LOG

    def run_sandbox(self) -> int:
        self._plan.checkpoint()
        reply, took = timed("RunPodSandbox", self._calls.RunPodSandbox, self._run, SANDBOX_DEADLINE_S)
        self._create.pod_sandbox_id = reply.pod_sandbox_id
        self._stop_sandbox.pod_sandbox_id = reply.pod_sandbox_id
        self._remove_sandbox.pod_sandbox_id = reply.pod_sandbox_id
        return took

    def create(self) -> int:
        self._plan.checkpoint()
        if self._shape.ends:
            self._endings.watch()
        reply, took = timed("CreateContainer", self._calls.CreateContainer, self._create, DEADLINE_S)
        for request in (self._start, self._stop, self._remove):
            request.container_id = reply.container_id
        return took

    def start(self) -> int:
        self._plan.checkpoint()
        return timed("StartContainer", self._calls.StartContainer, self._start, DEADLINE_S)[1]

    def await_ready(self) -> None:
        """Until the container has logged that it may be stopped. Raises CriError after READY_S seconds without it."""
        ready = self._plan.ready if self._shape.ready is None else self._shape.ready
        if not ready:
            return
        wanted = f" F {ready}\n".encode()
        deadline = time.monotonic() + READY_S
        while not (self.log_file.exists() and wanted in self.log_file.read_bytes()):
            self._plan.checkpoint()
            if time.monotonic() > deadline:
                raise CriError(
                    "StartContainer",
                    "NOT_READY",
                    f"the container did not log {ready!r} within {READY_S:.0f} s",
                )
            time.sleep(LOOK_S)

    def await_end(self, timeout_s: float) -> Ended:
        if not self._shape.ends:
            raise BenchError("The end of a container is waited for whose shape does not say that it ends.")
        return self._endings.of(self.container, timeout_s, self._plan.checkpoint)

    def exec(self, command: Sequence[str], timeout_s: int = 10) -> Executed:
        self._plan.checkpoint()
        request = pb.ExecSyncRequest(container_id=self.container, cmd=command, timeout=timeout_s)
        reply, took = timed("ExecSync", self._calls.ExecSync, request, DEADLINE_S + timeout_s)
        out, err = (text.decode(errors="replace") for text in (reply.stdout, reply.stderr))
        return Executed(took, reply.exit_code, out, err)

    def update(self, limits: Limits) -> int:
        self._plan.checkpoint()
        request = pb.UpdateContainerResourcesRequest(container_id=self.container, linux=_resources(limits))
        return timed("UpdateContainerResources", self._calls.UpdateContainerResources, request, DEADLINE_S)[1]

    def stats(self) -> Stats:
        self._plan.checkpoint()
        request = pb.ContainerStatsRequest(container_id=self.container)
        reply, took = timed("ContainerStats", self._calls.ContainerStats, request, DEADLINE_S)
        cpu, memory = reply.stats.cpu, reply.stats.memory
        return Stats(
            took,
            cpu.usage_core_nano_seconds.value if cpu.HasField("usage_core_nano_seconds") else None,
            memory.working_set_bytes.value if memory.HasField("working_set_bytes") else None,
        )

    def status(self) -> int:
        self._plan.checkpoint()
        request = pb.ContainerStatusRequest(container_id=self.container)
        return timed("ContainerStatus", self._calls.ContainerStatus, request, DEADLINE_S)[1]

    def reopen_log(self) -> int:
        """Also NotSupported: CRI-O 1.36 takes every container of a `vm` runtime (gVisor's) for one that does not run."""
        self._plan.checkpoint()
        request = pb.ReopenContainerLogRequest(container_id=self.container)
        try:
            return timed("ReopenContainerLog", self._calls.ReopenContainerLog, request, DEADLINE_S)[1]
        except CriError as error:
            status = self._cri.container_status(self.container)
            if "not running" in error.message and status.state == pb.CONTAINER_RUNNING:
                raise NotSupported(f"{error}, although the container runs by its own status.") from error
            raise

    def log(self) -> str:
        return without_prefixes(self.log_file.read_text(errors="replace") if self.log_file.exists() else "")

    def logged_ns(self, start: str) -> int:
        text = self.log_file.read_text(errors="replace") if self.log_file.exists() else ""
        logged = logged_at(text, start)
        if logged is None:
            raise BenchError(f"The container has logged no line that begins with {start!r}.")
        return logged - (time.time_ns() - time.monotonic_ns())

    def running(self) -> bool:
        self._plan.checkpoint()
        return self._cri.container_status(self.container).state == pb.CONTAINER_RUNNING

    def info(self) -> Mapping[str, Any]:
        """What the runtime tells of the container beyond the CRI (``pid``, ``runtimeSpec``); {} where it tells nothing."""
        request = pb.ContainerStatusRequest(container_id=self.container, verbose=True)
        reply = call("ContainerStatus", self._calls.ContainerStatus, request, QUICK_S)
        try:
            told = json.loads(reply.info.get("info", "{}"))
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    def stop(self) -> int:
        """Also a CriError where the container had to be killed: its timeout was measured then, not the runtime."""
        self._plan.checkpoint()
        timeout = self._plan.stop_timeout_s
        took = timed("StopContainer", self._calls.StopContainer, self._stop, DEADLINE_S + timeout)[1]
        if 0 < timeout * 10**9 <= took:
            raise CriError(
                "StopContainer", "KILLED", f"the container did not end on its stop signal within {timeout} s"
            )
        return took

    def remove(self) -> int:
        self._plan.checkpoint()
        return timed("RemoveContainer", self._calls.RemoveContainer, self._remove, DEADLINE_S)[1]

    def stop_sandbox(self) -> int:
        self._plan.checkpoint()
        return timed("StopPodSandbox", self._calls.StopPodSandbox, self._stop_sandbox, DEADLINE_S)[1]

    def remove_sandbox(self) -> int:
        self._plan.checkpoint()
        return timed("RemovePodSandbox", self._calls.RemovePodSandbox, self._remove_sandbox, DEADLINE_S)[1]


def remove_logs(folder: Path) -> None:
    """The logs of one trial, with their folder."""
    shutil.rmtree(folder, ignore_errors=True)


def _sandbox(plan: PodPlan, number: int) -> pb.PodSandboxConfig:
    uid = str(uuid.uuid4())
    return pb.PodSandboxConfig(
        metadata=pb.PodSandboxMetadata(name=f"labctl-{number}-{uid[:8]}", uid=uid, namespace=NAMESPACE),
        hostname="labctl",
        log_directory=str(plan.logs / uid),
        labels=plan.labels,
        linux=pb.LinuxPodSandboxConfig(
            cgroup_parent=plan.cgroup_parent,
            security_context=pb.LinuxSandboxSecurityContext(namespace_options=_namespaces()),
        ),
    )


def _container(plan: PodPlan, shape: Shape) -> pb.ContainerConfig:
    image = shape.image or plan.image
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name="main"),
        image=pb.ImageSpec(image=image, user_specified_image=image),
        command=plan.command if shape.command is None else shape.command,
        labels=plan.labels,
        log_path=LOG,
        mounts=[pb.Mount(container_path=path, host_path=folder) for path, folder in shape.mounts.items()],
        linux=pb.LinuxContainerConfig(
            resources=_resources(shape.limits) if shape.limits else None,
            security_context=pb.LinuxContainerSecurityContext(namespace_options=_namespaces()),
        ),
    )


def _resources(limits: Limits) -> pb.LinuxContainerResources:
    resources = pb.LinuxContainerResources(unified=limits.unified)
    if limits.cpu_quota_us is not None:
        resources.cpu_quota, resources.cpu_period = limits.cpu_quota_us, limits.cpu_period_us
    if limits.memory_bytes is not None:
        resources.memory_limit_in_bytes = limits.memory_bytes
    return resources


def _namespaces() -> pb.NamespaceOption:
    """As the kubelet asks for an ordinary pod: network and IPC of the pod, each container its own processes."""
    return pb.NamespaceOption(network=pb.POD, pid=pb.CONTAINER, ipc=pb.POD)
