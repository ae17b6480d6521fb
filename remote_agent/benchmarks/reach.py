# SPDX-License-Identifier: Apache-2.0
"""What a benchmark reaches: a host, its pods, their control groups, its images. Protocols: the agent has the real ones, tests fakes.

Every method that stands for a CRI call gives the nanoseconds between call and reply, or an answer that has them as ``took_ns``;
nothing else of it is timed. Each may raise a CriError of the agent's, which fails the trial with the runtime's own words.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Cancelled(Exception):
    """The run is being cancelled: the trial ends here and is not recorded."""


class BenchError(Exception):
    """A benchmark did what its description does not allow, or could not measure; the text is one sentence."""


class NotSupported(Exception):
    """This combination, or this host, cannot do what the benchmark is about; the text is one sentence that says why.

    The trial's status is "unsupported" then: never a number, and no failure.
    """


@dataclass(frozen=True, slots=True)
class Limits:
    """What a container may use (the CRI's LinuxContainerResources). None: no limit, or on update: left as it is.

    ``unified`` are files of cgroup v2 with their content.
    """

    cpu_quota_us: int | None = None
    cpu_period_us: int = 100_000
    memory_bytes: int | None = None
    unified: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shape:
    """How a pod's one container differs from what the benchmark's parameters say; None: it does not.

    ``ends``: its end is to be waited for (`Pod.await_end`). ``mounts``: path in the container to a folder of the host's.
    """

    image: str | None = None
    command: tuple[str, ...] | None = None
    ready: str | None = None
    limits: Limits | None = None
    ends: bool = False
    mounts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Executed:
    """An ExecSync."""

    took_ns: int
    exit_code: int
    stdout: str
    stderr: str


@dataclass(frozen=True, slots=True)
class Stats:
    """A ContainerStats. ``cpu_ns`` (CPU time used) and ``memory_bytes`` (working set) are None where the runtime does not tell."""

    took_ns: int
    cpu_ns: int | None
    memory_bytes: int | None


@dataclass(frozen=True, slots=True)
class Ended:
    """A container that has ended. ``ran_ns`` is finished_at - started_at, by the runtime's clock; ``reason`` is the CRI's.

    ``seen_ns`` is when the agent learnt of it, on the benchmark's clock. ``how``: "event" of the runtime's, or "status" where
    the event did not come (or the runtime sends none) and the status was asked for.
    """

    exit_code: int
    reason: str
    ran_ns: int
    seen_ns: int
    how: str


@dataclass(frozen=True, slots=True)
class Traces:
    """When the stages of a pod's start came about, on the benchmark's clock; None where this host does not tell it.

    The pod must be the trial's only one: namespace and lease are the newest ones.
    """

    namespace_ns: int | None
    lease_ns: int | None
    shim_ns: int | None
    snapshot_ns: int | None
    bundle_ns: int | None
    process_ns: int | None
    started_ns: int | None
    first_line_ns: int | None


class Cgroup(Protocol):
    """A control group as the host sees it, v1 and v2 alike. Raises NotSupported where the host's kernel does not have the file."""

    @property
    def version(self) -> int: ...
    def cpu_ns(self) -> int:
        """CPU time used by all that is in it."""

    def throttled_ns(self) -> int:
        """Time for which it was held back by its CPU quota."""

    def cpu_quota_us(self) -> tuple[int, int] | None:
        """Quota and period; None: no quota."""

    def memory_bytes(self) -> int:
        """Memory charged to it, page cache included."""

    def memory_limit_bytes(self) -> int | None:
        """None: no limit."""

    def read(self, controller: str, name: str) -> str:
        """A file of it, stripped; ``controller`` finds the hierarchy on v1."""


class OciRuntime(Protocol):
    """The OCI runtime's own program, for one container that runs: what the CRI has no call for.

    A call is timed from the start of the program to its end. Raises NotSupported with the program's own words.
    """

    @property
    def program(self) -> str: ...
    def pause(self) -> int: ...
    def resume(self) -> int: ...
    def paused(self) -> bool:
        """Untimed."""


class Pod(Protocol):
    """One pod of one container."""

    @property
    def id(self) -> str: ...
    @property
    def container(self) -> str: ...
    def run_sandbox(self) -> int: ...
    def create(self) -> int: ...
    def start(self) -> int: ...
    def await_ready(self) -> None:
        """Wait, untimed, until the container has logged that it is ready (and may be stopped)."""

    def await_end(self, timeout_s: float) -> Ended:
        """Wait until the container ends: for the runtime's event. Its shape must say that it ends. Raises BenchError after the time."""

    def exec(self, command: Sequence[str], timeout_s: int = 10) -> Executed: ...
    def update(self, limits: Limits) -> int: ...
    def stats(self) -> Stats: ...
    def status(self) -> int: ...
    def reopen_log(self) -> int: ...
    def log(self) -> str:
        """What the container has written so far, both streams, without the CRI's prefix of each line."""

    def logged_ns(self, start: str) -> int:
        """When the runtime took in the first line that begins with ``start``, on the benchmark's clock (by the time in its log).

        Raises BenchError where there is no such line.
        """

    def running(self) -> bool:
        """Whether the container runs now. Untimed."""

    @property
    def log_file(self) -> Path:
        """Where the runtime writes it."""

    def cgroup(self) -> Cgroup:
        """The container's own, where its limits are set (by its OCI configuration's ``cgroupsPath``)."""

    def process_cgroup(self) -> Cgroup:
        """The one in which its process is: gVisor's sandbox process is in that of the pod's pause container."""

    def traces(self) -> Traces: ...
    def oci(self) -> OciRuntime:
        """Raises NotSupported where the program of the running container cannot be found."""

    def stop(self) -> int: ...
    def remove(self) -> int: ...
    def stop_sandbox(self) -> int: ...
    def remove_sandbox(self) -> int: ...


class Images(Protocol):
    """The runtime's image service."""

    def pull(self, name: str) -> int: ...
    def list(self) -> int: ...
    def remove(self, name: str) -> int: ...
    def has(self, name: str) -> bool:
        """Untimed."""

    def names(self, name: str) -> tuple[str, ...]:
        """Every tag of that image, untimed: a runtime may remove them all with one. Empty: it is not there."""


@dataclass(frozen=True, slots=True)
class Spent:
    """CPU time that the runtime has used so far, in ns; None where this host does not tell it.

    ``daemon``: the process that listens at the CRI socket. ``service``: all that ever ran in the daemon's service, shims and the
    OCI runtime's calls included, by its control group.
    """

    daemon_ns: int | None
    service_ns: int | None


@dataclass(frozen=True, slots=True)
class Usage:
    """What the runtime holds now. Bytes are PSS (proportional set size); None where this host does not tell it.

    ``shims``: what stands by each pod (containerd-shim, conmon); ``shim_cpu_ns``: their CPU time, since each was started.
    """

    daemon_bytes: int | None
    shims: int
    shim_bytes: int | None
    shim_cpu_ns: int | None


class Host(Protocol):
    """The host as one trial reaches it."""

    @property
    def images(self) -> Images: ...
    def pod(self, number: int, shape: Shape) -> Pod:
        """A new pod with all its requests built; nothing is called yet."""

    def version(self) -> int:
        """The CRI's Version, which does nothing: what a call costs at the least."""

    def spent(self) -> Spent: ...
    def usage(self) -> Usage: ...
    def parent(self) -> Cgroup:
        """The control group below which all pods of this trial are."""

    def disk(self) -> str:
        """MAJOR:MINOR of the disk on which the runtime keeps images and containers. Raises NotSupported."""

    def available_bytes(self) -> int:
        """MemAvailable of /proc/meminfo."""
