# SPDX-License-Identifier: Apache-2.0
"""Lab hosts as virtual machines: QEMU, a kernel of their own, cgroup v2, every capability; no root where user namespaces are allowed.

A host is a folder: its disk (a copy of the base disk, sparse, or sharing its blocks where the file system can), kernel, initrd,
and what QEMU makes while it runs. Its SSH server is at a port of this machine's loopback.
"""

from __future__ import annotations

import getpass
import os
import signal
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from ipaddress import IPv4Address
from pathlib import Path

from orchestrator.files import cache_folder, write_text
from orchestrator.lab import qemu, sources
from orchestrator.lab.disk import ENTER_NAMESPACE, BaseDisk, DiskCache, disk_recipe, personalise
from orchestrator.lab.files import remove_tree
from orchestrator.lab.guest import Entry, Furniture, own_files
from orchestrator.lab.keys import host_pattern, make_key, public_key
from orchestrator.lab.machine import cannot_begin, missing
from orchestrator.lab.provider import Site, process_alive
from orchestrator.lab.state import HostState, with_host
from orchestrator.lab.system import Identity, Progress, System, find_tool, last_lines, tail
from orchestrator.model.errors import LabError
from orchestrator.model.lab import LabHost, LabSpec
from orchestrator.model.system_packages import (
    NOTHING,
    VIRTUAL_MACHINES,
    VIRTUAL_MACHINES_OF_USERS,
    Needs,
)

STOP_SECONDS = 60.0
KILL_SECONDS = 10.0
HOST_KEY = "etc/ssh/ssh_host_ed25519_key"


@dataclass(frozen=True, slots=True)
class Place:
    """The files of one host."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.raw"

    @property
    def partial(self) -> Path:
        return self.folder / "disk.partial"

    @property
    def kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def pid_file(self) -> Path:
        return self.folder / "pid"

    @property
    def log(self) -> Path:
        return self.folder / "boot.log"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"


def place_of(site: Site, name: str) -> Place:
    """Below the folder of the state file."""
    return Place(site.state.path.parent / name)


@dataclass(slots=True)
class _Proven:
    """What was found out about KVM, once for all hosts."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    accelerator: qemu.Accelerator | None = None


@dataclass(frozen=True, slots=True)
class VmProvider:
    """Protocol: orchestrator.lab.provider.Provider."""

    system: System
    cache: Path
    root_user: bool
    architectures: Mapping[str, qemu.Architecture] = field(default_factory=lambda: qemu.ARCHITECTURES)
    machine: str = field(default_factory=lambda: os.uname().machine)
    which: Callable[[str], str | None] = find_tool
    name: str = "vm"
    summary: str = "virtual machines (QEMU)"
    boot_seconds: float = 300.0
    _proven: _Proven = field(default_factory=_Proven)

    @classmethod
    def of_machine(cls, system: System) -> VmProvider:
        return cls(system, cache_folder() / "disks", os.geteuid() == 0)

    def problem(self, besides: Needs = NOTHING) -> LabError | None:
        architecture = self.architectures.get(self.machine)
        if architecture is None:
            known = ", ".join(self.architectures)
            return LabError(f"Lab hosts as virtual machines are made on {known}, and this is {self.machine}.")
        of_users = NOTHING if self.root_user else VIRTUAL_MACHINES_OF_USERS
        needs = {architecture.program: architecture.package, **VIRTUAL_MACHINES, **of_users, **besides}
        if lacking := missing(needs, self.which):
            what = "Lab hosts as virtual machines" + (" and container images" if besides else "")
            return cannot_begin(what, lacking)
        return None if self.root_user else self._namespace_problem()

    # --- shared

    def open(self, site: Site) -> None:
        for host in site.lab.hosts:
            if not self._running(site, host.name):
                _refuse_taken_port(host, site.lab)
        for release in dict.fromkeys(
            host.release for host in site.lab.hosts if self._made(site, host.name) is None
        ):
            self.base_disk(site.lab, release, site.progress)

    def close(self, site: Site, *, last: bool) -> None:
        """Nothing: virtual machines share only the cached disk."""

    def base_disk(self, lab: LabSpec, release: str, progress: Progress) -> BaseDisk:
        """The disk that every host of the lab with that Debian release begins with."""
        recipe = disk_recipe(release, self.architecture, lab.packages)
        cache = DiskCache(self.cache, self.system, self.root_user)
        if not cache.find(recipe):
            progress(lab.name, f"making the disk of Debian {release} (once; about a minute)")
        return cache.ensure(recipe, sources.mirror_for(lab.mirror), sources.apt_options(self.system))

    @property
    def architecture(self) -> qemu.Architecture:
        """Raises LabError where there is none."""
        problem = self.problem() if self.machine not in self.architectures else None
        if problem:
            raise problem
        return self.architectures[self.machine]

    def accelerator(self) -> qemu.Accelerator:
        """Found out when it is first asked for."""
        with self._proven.lock:
            if self._proven.accelerator is None:
                self._proven.accelerator = qemu.find_accelerator(self.architecture, self.system)
            return self._proven.accelerator

    # --- one host

    def make(self, site: Site, host: LabHost) -> bool:
        place = place_of(site, host.name)
        if known := self._made(site, host.name):
            _refuse_change(site, host, known)
            return False
        fresh = HostState(str(host.address), host.port, host.release)
        site.state.update(lambda state: with_host(state, host.name, fresh))
        base = self.base_disk(site.lab, host.release, site.progress)
        self._kill(site, host.name)
        remove_tree(place.folder, self.system)
        place.folder.mkdir(mode=0o700, parents=True)
        site.progress(host.name, "copying the disk")
        for source, target in (
            (base.disk, place.partial),
            (base.kernel, place.kernel),
            (base.initrd, place.initrd),
        ):
            copy = ("cp", "--sparse=always", "--reflink=auto", "--", str(source), str(target))
            self.system.run(*copy, timeout=300)
        key = self._personalise(site, host, place)
        os.truncate(place.partial, site.lab.size.disk << 30)
        write_text(place.known_hosts, f"{host_pattern(str(host.address), host.port)} {key}\n", 0o600)
        place.partial.rename(place.disk)
        site.state.update_host(host.name, lambda known: replace(known, made=True, host_key=key))
        return True

    def boot(self, site: Site, host: LabHost) -> None:
        place, accelerator = place_of(site, host.name), self.accelerator()
        # Whatever is left belongs to a host that has died.
        self._kill(site, host.name)
        for left in (place.pid_file, place.log, place.folder / "qmp"):
            left.unlink(missing_ok=True)
        site.progress(host.name, accelerator.how)
        machine = qemu.Machine(
            f"labctl-{site.lab.name}.{host.name}",
            self.architecture,
            accelerator,
            site.lab.size,
            place.disk,
            place.kernel,
            place.initrd,
            host.port,
        )
        done = self.system.run(*qemu.detached(machine, place.folder), check=False)
        if done.code != 0:
            raise LabError(f"{host.name} did not start: {last_lines(done.stderr, 3)}")
        identity = self.system.processes.identify(int(place.pid_file.read_text()))
        if identity is None:
            raise LabError(
                f"{host.name} ended as it started: {last_lines(tail(place.log), 3)}", f"Its log: {place.log}"
            )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        site.state.update_host(
            host.name, lambda known: replace(known, process=identity, since=now, how=accelerator.how)
        )

    def alive(self, site: Site, name: str) -> bool:
        return process_alive(site, name)

    def booting(self, site: Site, host: LabHost) -> str | None:
        command = [
            *("ssh", "-F", "/dev/null", "-i", str(host.key_file), "-p", str(host.port)),
            *("-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes"),
            *("-o", f'UserKnownHostsFile="{place_of(site, host.name).known_hosts}"'),
            *("-o", "GlobalKnownHostsFile=/dev/null", "-o", "ConnectTimeout=20", "-o", "LogLevel=ERROR"),
            *(f"{host.user}@{host.address}", "systemctl is-system-running --wait"),
        ]
        try:
            done = self.system.run(*command, check=False, timeout=60)
        except LabError:
            return "systemd, which is still starting"
        standing = done.stdout.strip()
        return (
            None
            if standing in ("running", "degraded")
            else f"systemd, which is {standing or 'not answering yet'}"
        )

    def address(self, host: LabHost) -> tuple[str, int]:
        return str(host.address), host.port

    def host_key(self, site: Site, host: LabHost) -> str:
        known = self._made(site, host.name)
        if known is None or known.host_key is None:
            raise LabError(f"{host.name} has no host key yet.", "Run `labctl lab up` again.")
        return known.host_key

    def stop(self, site: Site, name: str) -> None:
        if self._running(site, name) and qemu.press_power(place_of(site, name).folder):
            self.system.clock.wait_until(lambda: not self._running(site, name), STOP_SECONDS)
        self._kill(site, name)

    def remove(self, site: Site, name: str) -> None:
        self._kill(site, name)
        remove_tree(place_of(site, name).folder, self.system)
        site.state.update(lambda state: with_host(state, name, None))

    # --- helpers

    def _personalise(self, site: Site, host: LabHost, place: Place) -> str:
        """Give the new disk its name, keys, sources; return its public host key."""
        furniture = Furniture(
            apt_sources=sources.mirror_for(site.lab.mirror).lines(host.release),
            apt_options=sources.for_guest(sources.apt_options(self.system), IPv4Address(qemu.GATEWAY)),
            nameservers="",
            authorized_key=public_key(host.key_file, self.system),
        )
        key = place.folder / "host_key"
        make_key(key, host.name, self.system)
        public = key.with_name("host_key.pub")
        keys = {HOST_KEY: Entry(key.read_text(), 0o600), f"{HOST_KEY}.pub": Entry(public.read_text())}
        personalise(
            place.partial, {**own_files(host, furniture), **keys}, place.folder / "staging", self.system
        )
        said = public_key(key, self.system)
        for path in (key, public):
            path.unlink()
        return said

    def _running(self, site: Site, name: str) -> list[Identity]:
        """Its process: QEMU with this host's pid file on its command line, whoever started it and whether it was recorded."""
        return self.system.processes.having(str(place_of(site, name).pid_file))

    def _kill(self, site: Site, name: str) -> None:
        """End what is left of it by force. Raises LabError where it does not end."""

        def gone() -> bool:
            running = self._running(site, name)
            for identity in running:
                self.system.processes.signal(identity, signal.SIGKILL)
            return not running

        if not self.system.clock.wait_until(gone, KILL_SECONDS):
            raise LabError(f"The virtual machine {name} does not end.")

    def _made(self, site: Site, name: str) -> HostState | None:
        """What is recorded of a host whose disk is complete."""
        state = site.state.read()
        known = state.hosts.get(name) if state else None
        return known if known and known.made and place_of(site, name).disk.is_file() else None

    def _namespace_problem(self) -> LabError | None:
        done = self.system.run(*ENTER_NAMESPACE, "true", check=False)
        if done.code == 0:
            return None
        return LabError(
            "Lab hosts as virtual machines need root or a user namespace with a range of user ids, and this machine does "
            f"not give one: {last_lines(done.stderr, 1)}",
            f"Let root run: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {getpass.getuser()}; "
            "sysctl user.max_user_namespaces must not be 0.",
        )


def _refuse_change(site: Site, host: LabHost, known: HostState) -> None:
    if (known.address, known.port, known.release) != (str(host.address), host.port, host.release):
        raise LabError(
            f"{host.name} is there as {known.release} at {known.address}:{known.port}, and {site.lab.inventory} describes it "
            "differently.",
            f"Run `labctl lab down {site.lab.inventory}` first.",
        )


def _refuse_taken_port(host: LabHost, lab: LabSpec) -> None:
    if not port_is_free(str(host.address), host.port):
        raise LabError(
            f"Something else on this machine has the port {host.where}, which {host.name} is to have.",
            f"Choose another ansible_port in {lab.inventory}.",
        )


def port_is_free(address: str, port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((address, port))
        except OSError:
            return False
    return True
