# SPDX-License-Identifier: Apache-2.0
"""Pods of one container as benchmarks make them: every request is built before its call, every call is timed by itself."""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from remote_agent.cri.client import DEADLINE_S, Cri, CriError, timed
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


class Pod:
    """One pod and its one container. Each method is one CRI call and gives the nanoseconds that it took; raises CriError."""

    def __init__(self, cri: Cri, plan: PodPlan, number: int) -> None:
        self._calls = cri.runtime
        self._plan = plan
        self._run = pb.RunPodSandboxRequest(config=_sandbox(plan, number), runtime_handler=plan.handler)
        self._create = pb.CreateContainerRequest(config=_container(plan), sandbox_config=self._run.config)
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

    def run_sandbox(self) -> int:
        self._plan.checkpoint()
        reply, took = timed("RunPodSandbox", self._calls.RunPodSandbox, self._run, DEADLINE_S)
        self._create.pod_sandbox_id = reply.pod_sandbox_id
        self._stop_sandbox.pod_sandbox_id = reply.pod_sandbox_id
        self._remove_sandbox.pod_sandbox_id = reply.pod_sandbox_id
        return took

    def create(self) -> int:
        self._plan.checkpoint()
        reply, took = timed("CreateContainer", self._calls.CreateContainer, self._create, DEADLINE_S)
        for request in (self._start, self._stop, self._remove):
            request.container_id = reply.container_id
        return took

    def start(self) -> int:
        self._plan.checkpoint()
        return timed("StartContainer", self._calls.StartContainer, self._start, DEADLINE_S)[1]

    def await_ready(self) -> None:
        """Until the container has logged that it may be stopped. Raises CriError after READY_S seconds without it."""
        if not self._plan.ready:
            return
        log = Path(self._run.config.log_directory) / LOG
        wanted = f" F {self._plan.ready}\n".encode()
        deadline = time.monotonic() + READY_S
        while not (log.exists() and wanted in log.read_bytes()):
            self._plan.checkpoint()
            if time.monotonic() > deadline:
                raise CriError(
                    "StartContainer",
                    "NOT_READY",
                    f"the container did not log {self._plan.ready!r} within {READY_S:.0f} s",
                )
            time.sleep(LOOK_S)

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


def _container(plan: PodPlan) -> pb.ContainerConfig:
    return pb.ContainerConfig(
        metadata=pb.ContainerMetadata(name="main"),
        image=pb.ImageSpec(image=plan.image, user_specified_image=plan.image),
        command=plan.command,
        labels=plan.labels,
        log_path=LOG,
        linux=pb.LinuxContainerConfig(
            security_context=pb.LinuxContainerSecurityContext(namespace_options=_namespaces())
        ),
    )


def _namespaces() -> pb.NamespaceOption:
    """As the kubelet asks for an ordinary pod: network and IPC of the pod, each container its own processes."""
    return pb.NamespaceOption(network=pb.POD, pid=pb.CONTAINER, ipc=pb.POD)
