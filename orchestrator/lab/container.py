# SPDX-License-Identifier: Apache-2.0
"""Lab hosts as system containers: systemd-nspawn, native speed, booted in a second or two; needs root.

Everything is set before the boot: files in the host's folder, its network namespace, its cgroup. systemd-nspawn is started
inside that namespace (nsenter), so that the host's /sys shows its own interfaces, and inside that cgroup.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.files import cache_folder
from orchestrator.lab import guest, sources
from orchestrator.lab.cgroups import Cgroups
from orchestrator.lab.files import remove_tree
from orchestrator.lab.keys import public_key
from orchestrator.lab.machine import cannot_begin, missing
from orchestrator.lab.network import Network, network_of
from orchestrator.lab.provider import Site, process_alive
from orchestrator.lab.rootfs import Recipe, RootfsCache
from orchestrator.lab.state import LABS, HostState, StateFile, with_host
from orchestrator.lab.system import Identity, System, find_tool, last_lines, tail
from orchestrator.model.errors import LabError
from orchestrator.model.lab import LabHost
from orchestrator.model.system_packages import CONTAINER_HOSTS, NOTHING, Needs

ENVIRONMENT = ("SYSTEMD_SECCOMP=0", "SYSTEMD_NSPAWN_API_VFS_WRITABLE=1")
DEVICES = (Path("/dev/fuse"), Path("/dev/kmsg"))
POWER_OFF = signal.SIGRTMIN + 4
"""What systemd as PID 1 powers off at: systemd(1), "Signals"."""
STOP_SECONDS = 30.0
NSPAWN_LEAVES = (Path("/run/systemd/nspawn/propagate"), Path("/run/systemd/nspawn/unix-export"))
"""Where systemd-nspawn leaves a folder or mount of the machine's name when it is killed; 257 then refuses to start again."""


@dataclass(frozen=True, slots=True)
class Place:
    """The names of everything of one host."""

    folder: Path
    machine: str

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def partial(self) -> Path:
        return self.folder / "root.partial"

    @property
    def namespace(self) -> Path:
        return self.folder / "net"

    @property
    def log(self) -> Path:
        return self.folder / "boot.log"

    @property
    def pid_file(self) -> Path:
        return self.folder / "pid"


def place_of(site: Site, name: str) -> Place:
    """Below the folder of the state file."""
    return Place(site.state.path.parent / name, f"labctl-{site.lab.name}.{name}")


def nspawn_command(place: Place, hostname: str, shared: Sequence[tuple[Path, str]] = ()) -> list[str]:
    """systemd-nspawn in the host's network namespace. ``shared``: folders of this machine, and where the host sees them."""
    binds = [f"--bind={device}" for device in DEVICES if device.exists()]
    binds += [f"--bind={folder}:{inside}" for folder, inside in shared]
    return [
        *("nsenter", f"--net={place.namespace}", "env", *ENVIRONMENT),
        *("systemd-nspawn", "--quiet", f"--directory={place.root}", "--boot"),
        *(f"--machine={place.machine}", f"--hostname={hostname}"),
        *("--capability=all", "--private-users=no", "--register=no", "--keep-unit"),
        *("--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"),
        *binds,
    ]


CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
"""What bridges and nspawn need, with their bits; root in a container may lack them."""


def effective_capabilities(status: Path = Path("/proc/self/status")) -> int:
    """This process's, as bits."""
    lines = status.read_text(encoding="ascii", errors="replace").splitlines()
    return next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))


@dataclass(frozen=True, slots=True)
class ContainerProvider:
    """Protocol: orchestrator.lab.provider.Provider."""

    system: System
    cgroups: Cgroups
    network: Network
    cache: Path
    root_user: bool
    which: Callable[[str], str | None] = find_tool
    capabilities: Callable[[], int] = effective_capabilities
    name: str = "container"
    summary: str = "system containers (root, systemd-nspawn)"
    boot_seconds: float = 90.0

    @classmethod
    def of_machine(cls, system: System) -> ContainerProvider:
        cgroups = Cgroups.of_machine(system)
        return cls(system, cgroups, Network(system), cache_folder() / "rootfs", os.geteuid() == 0)

    def problem(self, besides: Needs = NOTHING) -> LabError | None:
        lacking = missing({**CONTAINER_HOSTS, **besides}, self.which)
        if lacking or not self.root_user:
            what = "Lab hosts as containers" + (" and container images" if besides else "")
            return cannot_begin(what, lacking, not self.root_user)
        if absent := [name for name, bit in CAPABILITIES.items() if not self.capabilities() >> bit & 1]:
            return LabError(
                f"Lab hosts as containers need {' and '.join(absent)}, which root does not have here.",
                "If this is a container, start it with all capabilities (systemd-nspawn --capability=all "
                "--private-network), or write `provider: vm`.",
            )
        if reason := self.cgroups.problem():
            return LabError(f"Lab hosts as containers do not work here: {reason}.")
        return None

    # --- shared

    def open(self, site: Site) -> None:
        state = site.state.read()
        network, wanted = state.network if state else None, network_of(site.lab)
        if network is None:
            self.network.refuse_collisions(site.lab)
            network = self.network.plan(site.lab, _forward_before(site.state))
            planned = network
            site.state.update(lambda state: replace(state, network=planned))
        elif (network.bridge, network.subnet, network.gateway) != (
            wanted.bridge,
            str(wanted.subnet),
            str(wanted.gateway),
        ):
            raise LabError(
                f"The lab {site.lab.name} is up with another network ({network.bridge}, {network.subnet}) than "
                f"{site.lab.inventory} describes.",
                f"Run `labctl lab down {site.lab.inventory}` first.",
            )
        if self.network.ensure(network):
            site.progress(site.lab.name, f"bridge {network.bridge}, {network.gateway}, masqueraded by nft")
        if warning := self.network.blocked(network):
            site.progress(site.lab.name, warning)
        for release in dict.fromkeys(
            host.release for host in site.lab.hosts if not self._made(site, host.name)
        ):
            self._image(site, release)

    def close(self, site: Site, *, last: bool) -> None:
        state = site.state.read()
        if state and state.network:
            self.network.remove(state.network, last=last)
            site.state.update(lambda state: replace(state, network=None))

    # --- one host

    def make(self, site: Site, host: LabHost) -> bool:
        place = place_of(site, host.name)
        if known := self._made(site, host.name):
            self._refuse_change(site, host, known)
            self.network.attach(place.namespace, host, site.lab)
            return False
        fresh = HostState(str(host.address), host.port, host.release)
        site.state.update(lambda state: with_host(state, host.name, fresh))
        image = self._image(site, host.release)
        remove_tree(place.partial, self.system)
        remove_tree(place.root, self.system)
        place.folder.mkdir(parents=True, exist_ok=True)
        site.progress(host.name, "copying the root file system")
        self.system.run("cp", "-a", "--reflink=auto", "--", str(image), str(place.partial), timeout=300)
        key = guest.furnish(place.partial, host, self._furniture(site, host), self.system)
        place.partial.rename(place.root)
        site.state.update_host(host.name, lambda known: replace(known, made=True, host_key=key))
        self.network.attach(place.namespace, host, site.lab)
        return True

    def boot(self, site: Site, host: LabHost) -> None:
        place = place_of(site, host.name)
        # Whatever is left belongs to a host that has died.
        self._clear(place)
        self.cgroups.make(place.machine)
        place.log.unlink(missing_ok=True)
        place.pid_file.unlink(missing_ok=True)
        place.log.touch()
        command = [
            *self.cgroups.launcher(place.machine, place.pid_file),
            *nspawn_command(place, host.name, site.lab.binds),
        ]
        self.system.run(*command, log=place.log)
        if not self.system.clock.wait_until(place.pid_file.exists, 10.0, 0.02):
            raise LabError(
                f"{host.name} did not start: {last_lines(tail(place.log))}", f"Its log: {place.log}"
            )
        identity = self.system.processes.identify(int(place.pid_file.read_text()))
        if identity is None:
            raise LabError(
                f"{host.name} ended as it started: {last_lines(tail(place.log))}", f"Its log: {place.log}"
            )
        now = datetime.now(UTC).isoformat(timespec="seconds")
        site.state.update_host(host.name, lambda known: replace(known, process=identity, since=now))

    def alive(self, site: Site, name: str) -> bool:
        return process_alive(site, name)

    def booting(self, site: Site, host: LabHost) -> str | None:
        leader = self._leader(site, host.name)
        if leader is None:
            return "its first process"
        done = self.system.run(
            *("nsenter", f"--target={leader.pid}", "--all", "systemctl", "is-system-running"),
            check=False,
            timeout=20,
        )
        standing = done.stdout.strip()
        return (
            None
            if standing in ("running", "degraded")
            else f"systemd, which is {standing or 'not answering yet'}"
        )

    def address(self, host: LabHost) -> tuple[str, int]:
        return str(host.address), host.port

    def host_key(self, site: Site, host: LabHost) -> str:
        state = site.state.read()
        key = state.hosts[host.name].host_key if state and host.name in state.hosts else None
        if key is None:
            raise LabError(f"{host.name} has no host key yet.", "Run `labctl lab up` again.")
        return key

    def stop(self, site: Site, name: str) -> None:
        place = place_of(site, name)
        leader = self._leader(site, name)
        if leader and self.system.processes.signal(leader, POWER_OFF):
            self.system.clock.wait_until(lambda: not self.cgroups.processes(place.machine), STOP_SECONDS)
        self.cgroups.kill(place.machine)

    def remove(self, site: Site, name: str) -> None:
        place = place_of(site, name)
        self._clear(place)
        self.network.detach(place.namespace)
        remove_tree(place.folder, self.system)
        site.state.update(lambda state: with_host(state, name, None))

    # --- helpers

    def _clear(self, place: Place) -> None:
        """Take away what running left: processes, cgroup, systemd-nspawn's own folders."""
        self.cgroups.kill(place.machine)
        self.cgroups.remove(place.machine)
        for folder in NSPAWN_LEAVES:
            remove_tree(folder / place.machine, self.system)

    def _refuse_change(self, site: Site, host: LabHost, known: HostState) -> None:
        if (known.address, known.port, known.release) != (str(host.address), host.port, host.release):
            raise LabError(
                f"{host.name} is there as {known.release} at {known.address}, and {site.lab.inventory} describes it differently.",
                f"Run `labctl lab down {site.lab.inventory}` first.",
            )

    def _made(self, site: Site, name: str) -> HostState | None:
        """What is recorded of a host whose folder is complete."""
        state = site.state.read()
        known = state.hosts.get(name) if state else None
        return known if known and known.made and place_of(site, name).root.is_dir() else None

    def _image(self, site: Site, release: str) -> Path:
        recipe = Recipe.of(release, site.lab.packages)
        cache = RootfsCache(self.cache, self.system)
        if not cache.find(recipe):
            what = f"making the root file system of Debian {release} (once; about half a minute)"
            site.progress(site.lab.name, what)
        return cache.ensure(recipe, sources.mirror_for(site.lab.mirror), sources.apt_options(self.system))

    def _furniture(self, site: Site, host: LabHost) -> guest.Furniture:
        return guest.Furniture(
            apt_sources=sources.mirror_for(site.lab.mirror).lines(host.release),
            apt_options=sources.for_guest(sources.apt_options(self.system), network_of(site.lab).gateway),
            nameservers=sources.nameservers(),
            authorized_key=public_key(host.key_file, self.system),
        )

    def _leader(self, site: Site, name: str) -> Identity | None:
        """The host's own PID 1: the child of its systemd-nspawn."""
        state = site.state.read()
        known = state.hosts.get(name) if state else None
        process = known.process if known else None
        if process is None or not self.system.processes.alive(process):
            return None
        for pid in self.system.processes.children(process.pid):
            # While it starts, its child is still in our namespaces, and would answer for this machine.
            if self.system.processes.is_init(pid):
                return self.system.processes.identify(pid)
        return None


def _forward_before(mine: StateFile, labs: Path = LABS) -> str | None:
    """What the first of the labs that are up found in ip_forward: what it is by now is their doing."""
    for path in sorted(labs.glob("*/state.json")):
        state = StateFile(path).read() if path != mine.path else None
        if state and state.network:
            return state.network.forward_before
    return None
