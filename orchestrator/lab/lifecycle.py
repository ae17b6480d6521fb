# SPDX-License-Identifier: Apache-2.0
"""up, down, status: when a provider does what, for all hosts of a lab at the same time."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.lab.container import ContainerProvider
from orchestrator.lab.files import locked, remove_empty, remove_tree
from orchestrator.lab.keys import forget, host_pattern, make_key, remember
from orchestrator.lab.provider import Factory, Provider, Site, choose
from orchestrator.lab.state import LABS, LabState, StateFile
from orchestrator.lab.system import Progress, System
from orchestrator.lab.vm import VmProvider
from orchestrator.model.errors import LabctlError, LabError
from orchestrator.model.lab import (
    HostResult,
    HostStanding,
    HostStatus,
    LabHost,
    LabResult,
    LabSpec,
    LabStatus,
    place,
)

PROVIDERS: Mapping[str, Factory] = {
    "container": ContainerProvider.of_machine,
    "vm": VmProvider.of_machine,
}
"""By name, the best first."""

HEALTH_SHARE = 1 / 6
"""Of the time to boot, how long a host that runs already may take to answer before it is booted anew."""
LOCK_SECONDS = 900.0
FORKS = 8


def _locks_folder() -> Path:
    """Root's labs are locked for the whole machine, a user's own for that user."""
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    return (
        Path("/run/lock") if os.geteuid() == 0 else Path(runtime) if runtime.startswith("/") else LABS.parent
    )


@dataclass(frozen=True, slots=True)
class Labs:
    """The labs of this machine. Raises LabError where a method cannot even begin; what fails on a host is in the result."""

    system: System = field(default_factory=System)
    folder: Path = LABS
    locks: Path = field(default_factory=_locks_folder)
    providers: Mapping[str, Factory] = field(default_factory=lambda: PROVIDERS)

    def up(self, lab: LabSpec, progress: Progress) -> LabResult:
        """Make and boot what is not up; hosts that are well are left alone."""
        chosen = choose(lab.provider, self.providers, self.system)
        progress(lab.name, f"provider {chosen.provider.name}: {chosen.why}")
        with self._lock(lab):
            site = self._begin(lab, chosen.provider, progress)
            chosen.provider.open(site)
            results = self._each([host.name for host in lab.hosts], self._raiser(site, chosen.provider))
            self._write_known_hosts(site)
            self._tell_of_strangers(site)
        return LabResult(lab.name, results)

    def down(self, lab: LabSpec, progress: Progress) -> LabResult | None:
        """Remove every trace; None where there is none. Goes on where something fails, and then keeps the state."""
        if not self._site(lab, progress).state.path.parent.exists():
            return None
        with self._lock(lab):
            site = self._site(lab, progress)
            state = site.state.read()
            if state is None:
                remove_tree(site.state.path.parent, self.system)
                self._remove_empty_folders()
                return None
            self._refuse_stranger(lab, state)
            provider = choose(state.provider, self.providers, self.system).provider
            result = LabResult(lab.name, self._each(sorted(state.hosts), self._remover(site, provider)))
            return self._finish(site, provider, state, result) if result.ok else result

    def status(self, lab: LabSpec) -> LabStatus:
        """How each host stands: those of the inventory, then those that are only here."""
        site = self._site(lab, _silent)
        state = site.state.read()
        if state is None:
            rows = [HostStatus(host.name, host.where, HostStanding.ABSENT) for host in lab.hosts]
            return LabStatus(lab.name, lab.inventory, None, tuple(rows))
        names = dict.fromkeys([*(host.name for host in lab.hosts), *state.hosts])
        provider = self._provider(state.provider)
        rows = [self._standing(site, provider, state, name) for name in names]
        return LabStatus(lab.name, lab.inventory, state.provider, tuple(rows))

    # --- up

    def _begin(self, lab: LabSpec, provider: Provider, progress: Progress) -> Site:
        """The state file, and the key that the hosts let in."""
        site = self._site(lab, progress)
        state = site.state.read()
        if state is None:
            site.state.write(LabState(lab.name, str(lab.inventory.resolve()), provider.name))
        else:
            self._refuse_stranger(lab, state)
            _refuse_other_key(lab, state)
            if state.provider != provider.name:
                raise LabError(
                    f"The lab {lab.name} is up with provider {state.provider}, not {provider.name}.",
                    f"Run `labctl lab down {lab.inventory}` first.",
                )
        first = lab.hosts[0]
        if any(
            (host.key_file, host.known_hosts) != (first.key_file, first.known_hosts) for host in lab.hosts
        ):
            raise LabError(
                f"The hosts of {lab.inventory} have different key or known_hosts files.",
                "Set ansible_ssh_private_key_file and labctl_known_hosts once, for all of them.",
            )
        made = not first.key_file.exists()
        key_file, known_hosts = str(first.key_file.resolve()), str(first.known_hosts.resolve())
        site.state.update(
            lambda state: replace(
                state, key_file=key_file, known_hosts=known_hosts, key_made=made or state.key_made
            )
        )
        if made:
            make_key(Path(key_file), f"labctl lab {lab.name}", self.system)
        return site

    def _raiser(self, site: Site, provider: Provider) -> Callable[[str], str]:
        hosts = {host.name: host for host in site.lab.hosts}

        def raise_host(name: str) -> str:
            host = hosts[name]
            made = provider.make(site, host)
            if not made and provider.alive(site, name):
                if self._wait_ready(site, provider, host, provider.boot_seconds * HEALTH_SHARE) is None:
                    site.progress(name, f"already up at {host.where}")
                    return "untouched"
                site.progress(name, "does not answer: it is booted anew")
                provider.stop(site, name)
            site.progress(name, "booting")
            provider.boot(site, host)
            if lacking := self._wait_ready(site, provider, host, provider.boot_seconds):
                raise LabError(
                    f"{name} was not up after {provider.boot_seconds:.0f} seconds: it still waits for {lacking}.",
                    "Try `labctl lab up` once more, or start over with `labctl lab down`.",
                )
            site.progress(name, f"up at {host.where}")
            return "made" if made else "booted"

        return raise_host

    def _wait_ready(self, site: Site, provider: Provider, host: LabHost, seconds: float) -> str | None:
        """None when its SSH server has said its banner and its system is up; else what is lacking."""
        lacking: list[str | None] = [None]

        def ready() -> bool:
            if not provider.alive(site, host.name):
                raise LabError(
                    f"{host.name} ended while it booted.",
                    f"What it said: {site.state.path.parent / host.name / 'boot.log'}",
                )
            address, port = provider.address(host)
            lacking[0] = None if banner(address, port) else f"an SSH server at {address}:{port}"
            lacking[0] = lacking[0] or provider.booting(site, host)
            return lacking[0] is None

        self.system.clock.wait_until(ready, seconds)
        return lacking[0]

    def _write_known_hosts(self, site: Site) -> None:
        """From what the state knows, never by asking a host."""
        state = site.state.read()
        if state and state.known_hosts:
            known = {
                host_pattern(host.address, host.port): host.host_key
                for host in state.hosts.values()
                if host.host_key
            }
            remember(Path(state.known_hosts), known)

    def _tell_of_strangers(self, site: Site) -> None:
        state = site.state.read()
        wanted = {host.name for host in site.lab.hosts}
        gone = [name for name in (state.hosts if state else ()) if name not in wanted]
        for name in gone:
            site.progress(name, "is no longer in the inventory; `labctl lab down` removes it")

    # --- down

    def _remover(self, site: Site, provider: Provider) -> Callable[[str], str]:
        def remove_host(name: str) -> str:
            site.progress(name, "shutting down")
            provider.stop(site, name)
            site.progress(name, "removing")
            provider.remove(site, name)
            site.progress(name, "removed")
            return "removed"

        return remove_host

    def _finish(self, site: Site, provider: Provider, was: LabState, result: LabResult) -> LabResult:
        """What the hosts shared, then the keys, then the state itself."""
        try:
            provider.close(site, last=not self._others(site))
            self._remove_keys(site, was)
            remove_tree(site.state.path.parent, self.system)
        except LabctlError as error:
            return replace(result, problems=(str(error),))
        self._remove_empty_folders()
        return result

    def _remove_keys(self, site: Site, was: LabState) -> None:
        """Our lines of known_hosts, and the key if it is ours; then their folders as far as they are empty."""
        described = {host_pattern(str(host.address), host.port) for host in site.lab.hosts}
        made = {host_pattern(host.address, host.port) for host in was.hosts.values()}
        if was.known_hosts:
            forget(Path(was.known_hosts), described | made)
        if was.key_file and was.key_made:
            Path(was.key_file).unlink(missing_ok=True)
            Path(f"{was.key_file}.pub").unlink(missing_ok=True)
        for path in filter(None, (was.known_hosts, was.key_file)):
            folder = Path(path).parent
            top = next((parent for parent in (folder, *folder.parents) if parent.name == ".labctl"), None)
            if top:
                remove_empty(folder, top)

    def _remove_empty_folders(self) -> None:
        remove_empty(self.folder, self.folder.parent)

    def _others(self, site: Site) -> bool:
        return any(path != site.state.path for path in self.folder.glob("*/state.json"))

    # --- status

    def _provider(self, name: str) -> Provider:
        """To ask, not to work with: whether it works here does not matter. Raises LabError where there is none of that name."""
        if name not in self.providers:
            raise LabError(f"There is no lab provider '{name}'.", f"There is: {', '.join(self.providers)}.")
        return self.providers[name](self.system)

    def _standing(self, site: Site, provider: Provider, state: LabState, name: str) -> HostStatus:
        known = state.hosts.get(name)
        if known is None:
            where = next(host.where for host in site.lab.hosts if host.name == name)
            return HostStatus(name, where, HostStanding.ABSENT)
        where = place(known.address, known.port)
        if not known.made:
            reason = "it was begun and not finished: `labctl lab up` starts over"
            return HostStatus(name, where, HostStanding.STOPPED, reason=reason)
        if not provider.alive(site, name):
            reason = "it does not run: `labctl lab up` boots it"
            return HostStatus(name, where, HostStanding.STOPPED, reason=reason)
        answers = banner(known.address, known.port)
        return HostStatus(
            name,
            where,
            HostStanding.RUNNING if answers else HostStanding.UNHEALTHY,
            known.process.pid if known.process else None,
            known.since,
            None if answers else "its SSH server does not answer",
            known.how,
        )

    # --- all of them

    def _site(self, lab: LabSpec, progress: Progress) -> Site:
        return Site(lab, StateFile.of(lab.name, self.folder), self.system, progress)

    def _lock(self, lab: LabSpec) -> AbstractContextManager[int]:
        path = self.locks / f"labctl-lab-{lab.name}.lock"
        return locked(path, f"the lab {lab.name}", self.system.clock, LOCK_SECONDS, keep=False)

    def _refuse_stranger(self, lab: LabSpec, state: LabState) -> None:
        """A lab belongs to one inventory file, as long as that exists."""
        if state.inventory != str(lab.inventory.resolve()) and Path(state.inventory).exists():
            raise LabError(
                f"The lab {lab.name} on this machine belongs to {state.inventory}, not to {lab.inventory}.",
                f"Take it down with `labctl lab down {state.inventory}`, give this one another labctl_lab.name, "
                "or let `labctl init` write an inventory of a lab of its own here.",
            )

    def _each(self, names: list[str], act: Callable[[str], str]) -> tuple[HostResult, ...]:
        """``act`` on all hosts at the same time; an interrupt makes every wait end."""

        def one(name: str) -> HostResult:
            try:
                return HostResult(name, act(name))
            except LabError as error:
                return HostResult(name, None, str(error))

        with ThreadPoolExecutor(max_workers=FORKS) as pool:
            try:
                return tuple(pool.map(one, names))
            except BaseException:
                self.system.clock.stop()
                raise


def _refuse_other_key(lab: LabSpec, state: LabState) -> None:
    """An inventory that comes with labctl serves every project, and its hosts let in the key of the project that made them."""
    key = str(lab.hosts[0].key_file.resolve())
    if not state.hosts or state.key_file in (None, key):
        return
    gone = not Path(str(state.key_file)).exists()
    raise LabError(
        f"The hosts of the lab {lab.name} let in the key {state.key_file}{', which is gone' if gone else ''}, not {key}.",
        f"{'Remove them with `labctl lab down`' if gone else 'Work in the folder that made them'}, "
        "or let `labctl init` write an inventory of a lab of its own here.",
    )


def banner(address: str, port: int, seconds: float = 2.0) -> bool:
    """Whether an SSH server says who it is there."""
    try:
        with socket.create_connection((address, port), timeout=seconds) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def _silent(who: str, what: str) -> None:
    pass
