# SPDX-License-Identifier: Apache-2.0
"""Executes one trial on this host's runtimes: prepare, measure, clean up, audit. Only the measuring is timed."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from remote_agent.agent.measure import Measured, failed, measure, unsupported
from remote_agent.agent.reach import TrialHost
from remote_agent.agent.schedule import DoTrial
from remote_agent.agent.spec import BenchmarkSpec, Combination, RunSpec
from remote_agent.agent.trial import FORGOTTEN, Note, Torn
from remote_agent.benchmarks.bench import POD_PARAMS
from remote_agent.contract.journal import Leak, Trial
from remote_agent.cri.client import Cri, CriError
from remote_agent.cri.daemon import daemon
from remote_agent.cri.describe import describe, handler_binaries
from remote_agent.cri.endings import Endings
from remote_agent.cri.leftovers import ours, remove_ours
from remote_agent.cri.pods import PodPlan, remove_logs
from remote_agent.host.audit import SETTLE_S, Audit, Snapshot
from remote_agent.host.fingerprint import fingerprint, with_missing
from remote_agent.host.missing import missing_handlers
from remote_agent.host.noise import Counters, read_counters

LOGS = Path("/run/labctl/logs")
RETURN_S = 30.0
"""A runtime that does not answer is waited for before a trial: its service may be starting again."""

RETURN_PAUSE_S = 0.2
ORPHAN_PAUSE_S = 0.05

FORGET_S = 150.0
"""CRI-O keeps, unlisted, a pod that it was making when its client went away, for a client that asks again; after one to two
minutes it removes it by itself."""

FORGET_PAUSE_S = 1.0


class CriExecutor:
    """The real Executor. ``root`` and the patience (``settle_s`` is the audit's) are other ones in tests alone."""

    def __init__(
        self,
        root: Path = Path("/"),
        logs: Path = LOGS,
        settle_s: float = SETTLE_S,
        return_s: float = RETURN_S,
        forget_s: float = FORGET_S,
    ) -> None:
        self._root = root
        self._return_s = return_s
        self._forget_s = forget_s
        self._gone: set[str] = set()
        self._logs = logs
        self._settle_s = settle_s
        self._clients: dict[str, Cri] = {}
        self._endings: dict[str, Endings] = {}
        self._parents: dict[str, str] = {}

    def clean(self, spec: RunSpec, note: Note) -> int:
        found = 0
        for cri, sockets in self._runtimes(spec):
            try:
                self._await(cri, lambda: None)
                found += len(ours(cri))
            except CriError as error:
                note("warning", f"{sockets}: cannot look for leftovers: {error}", "Is the runtime running?")
                continue
            for problem in remove_ours(cri):
                note(
                    "warning",
                    f"{sockets}: a leftover cannot be removed: {problem}",
                    "`labctl clean` tries again.",
                )
        remove_logs(self._logs)
        self._remove_groups(spec.host)
        return found

    def snapshot(self, spec: RunSpec) -> Snapshot:
        return self._audit(spec, [cri for cri, _ in self._runtimes(spec)], set()).snapshot()

    def leaks(self, spec: RunSpec, before: Snapshot) -> tuple[Leak, ...]:
        runtimes = [cri for cri, _ in self._runtimes(spec)]
        audit = self._audit(spec, runtimes, set())
        deadline = time.monotonic() + self._forget_s
        left = audit.leaks(before, self._settle_s)
        while left and time.monotonic() < deadline:
            time.sleep(min(FORGET_PAUSE_S, self._forget_s))
            for cri in runtimes:
                remove_ours(cri)
            self._remove_groups(spec.host)
            left = audit.leaks(before, 0)
        return left

    def fingerprint(self, spec: RunSpec) -> Mapping[str, Any]:
        runtimes: dict[str, Any] = {}
        missing: dict[str, str] = {}
        binaries: set[str] = set()
        for combination in spec.combinations:
            if combination.cri in runtimes:
                continue
            try:
                cri = self._cri(combination.socket)
                runtimes[combination.cri] = describe(cri)
                binaries |= handler_binaries(cri.status().config)
            except CriError as error:
                runtimes[combination.cri] = None
                missing[f"runtimes.{combination.cri}"] = str(error)
        facts = fingerprint(self._root, sorted(binaries))
        return with_missing({**facts, "runtimes": runtimes}, missing)

    def counters(self) -> Counters:
        return read_counters(self._root)

    def trial(self, spec: RunSpec, due: DoTrial, checkpoint: Callable[[], None], note: Note) -> Trial:
        combination, item = spec.combination(due.combination), spec.benchmark(due.benchmark)
        cri = self._cri(combination.socket)
        try:
            self._await(cri, checkpoint)
            served = daemon(combination.socket)
            if lacking := lacks_handler(cri, combination, self._root):
                return _trial(due, unsupported(lacking), 0, ())
            plan = self._plan(spec, due, combination, item, cri, checkpoint)
        except CriError as error:
            return _trial(due, failed(str(error)), 0, ())
        problems: set[str] = set()
        audit = self._audit(spec, [cri], problems)
        before = self._ready(cri, audit, plan)
        try:
            measured = measure(item, self._host(spec.host, combination.socket, plan))
        finally:
            begun = time.monotonic_ns()
            problems |= {str(problem) for problem in self._clean_up(cri)}
            remove_logs(plan.logs)
            cleaned = time.monotonic_ns() - begun
        gone = served is None or daemon(combination.socket) != served
        if gone:
            self._end_orphans(spec.host)
        leaks = audit.leaks(before, self._settle_s)
        for problem in sorted(problems):
            note("warning", f"Clean-up after {combination.name} met: {problem}", "Look at the runtime's log.")
        if gone:
            for leak in leaks:
                note("warning", f"A torn trial left the {leak.kind} {leak.what}.", FORGOTTEN)
            raise Torn(f"{combination.cri}'s daemon went away in it.")
        return _trial(due, measured, cleaned, leaks)

    def finish(self, spec: RunSpec) -> None:
        self._remove_groups(spec.host)
        for socket in {combination.socket for combination in spec.combinations}:
            if endings := self._endings.pop(socket, None):
                endings.close()
            if client := self._clients.pop(socket, None):
                client.close()

    def _end_orphans(self, host: str) -> None:
        """What a runtime that was killed has made and forgotten: it lists no such pod, so no label tells that it is ours.

        But all that runs below this host's own control groups was made for us, and after clean-up nothing is to run there.
        """
        deadline = time.monotonic() + self._settle_s
        while (orphans := self._in_groups(host)) and time.monotonic() < deadline:
            for pid in orphans:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(ORPHAN_PAUSE_S)
        self._remove_groups(host)

    def _in_groups(self, host: str) -> set[int]:
        """The processes in this host's own control groups, as this process numbers them."""
        found: set[int] = set()
        for hierarchy in _hierarchies(self._root / "sys/fs/cgroup"):
            for parent in cgroup_parents(host):
                for path in (hierarchy / parent.lstrip("/")).rglob("cgroup.procs"):
                    with suppress(OSError, ValueError):
                        found |= {int(word) for word in path.read_text().split()}
        return found - {0}

    def _remove_groups(self, host: str) -> None:
        """What is empty of this host's own control groups; a runtime that was interrupted forgets some."""
        for parent in cgroup_parents(host):
            for hierarchy in _hierarchies(self._root / "sys/fs/cgroup"):
                _remove_groups(hierarchy, parent)

    def _clean_up(self, cri: Cri) -> list[CriError]:
        """Remove what is ours; a runtime that went away in the trial is waited for: what it holds is not lost to it."""
        problems = remove_ours(cri)
        if any(problem.code == "UNAVAILABLE" for problem in problems):
            try:
                self._await(cri, lambda: None)
            except CriError:
                return problems
            return remove_ours(cri)
        return problems

    def _await(self, cri: Cri, checkpoint: Callable[[], None]) -> None:
        """Until the runtime answers, but once only as long as ``return_s``: then every trial fails at once.

        Raises CriError, and what ``checkpoint`` does.
        """
        deadline = time.monotonic() + (0 if cri.socket in self._gone else self._return_s)
        while True:
            try:
                cri.version()
            except CriError as error:
                if error.code != "UNAVAILABLE" or time.monotonic() >= deadline:
                    self._gone.add(cri.socket)
                    raise
            else:
                self._gone.discard(cri.socket)
                return
            checkpoint()
            time.sleep(RETURN_PAUSE_S)

    def _ready(self, cri: Cri, audit: Audit, plan: PodPlan) -> Snapshot:
        """Nothing of ours is there, the logs have a place; what is there is seen."""
        remove_ours(cri)
        plan.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        return audit.snapshot()

    def _plan(
        self,
        spec: RunSpec,
        due: DoTrial,
        combination: Combination,
        item: BenchmarkSpec,
        cri: Cri,
        checkpoint: Callable[[], None],
    ) -> PodPlan:
        params = {**POD_PARAMS, **item.all_params}
        name = f"{due.benchmark}.{due.block}.{combination.cri}.{combination.handler}.{due.attempt}"
        return PodPlan(
            handler=combination.handler,
            run=spec.run_id,
            trial=name,
            image=params["image"],
            command=tuple(params.get("command", ())),
            cgroup_parent=self._cgroup_parent(spec.host, cri),
            logs=self._logs / name,
            stop_timeout_s=params.get("stop_timeout_s", POD_PARAMS["stop_timeout_s"]),
            ready=params.get("ready", ""),
            checkpoint=checkpoint,
        )

    def _cgroup_parent(self, host: str, cri: Cri) -> str:
        if cri.socket not in self._parents:
            cgroupfs, systemd = cgroup_parents(host)
            self._parents[cri.socket] = (
                cgroupfs if cri.cgroup_driver() == "cgroupfs" else systemd.rsplit("/", 1)[1]
            )
        return self._parents[cri.socket]

    def _cri(self, socket: str) -> Cri:
        if socket not in self._clients:
            self._clients[socket] = Cri(socket)
        return self._clients[socket]

    def _host(self, host: str, socket: str, plan: PodPlan) -> TrialHost:
        cri = self._cri(socket)
        endings = self._endings.setdefault(socket, Endings(cri))
        group = plan.cgroup_parent if plan.cgroup_parent.startswith("/") else cgroup_parents(host)[1]
        return TrialHost(cri, plan, endings, group, self._root)

    def _runtimes(self, spec: RunSpec) -> list[tuple[Cri, str]]:
        sockets = dict.fromkeys(combination.socket for combination in spec.combinations)
        return [(self._cri(socket), socket) for socket in sockets]

    def _audit(self, spec: RunSpec, runtimes: Iterable[Cri], problems: set[str]) -> Audit:
        def look() -> list[Leak]:
            found: list[Leak] = []
            for cri in runtimes:
                try:
                    found += ours(cri)
                except CriError as error:
                    problems.add(str(error))
            return found

        return Audit(look, cgroup_parents(spec.host), self._root)


def lacks_handler(cri: Cri, combination: Combination, root: Path) -> str | None:
    """Why the combination cannot be run here, or None. Below ``root`` is written which handlers this host cannot have.

    Raises CriError: the runtime does not answer.
    """
    handlers = cri.status().handlers
    if handlers is None or combination.handler in handlers:
        return None
    if reason := missing_handlers(root).get(combination.handler):
        return f"{combination.handler} is not to be had on this host: {reason}"
    return f"{combination.cri} has no handler {combination.handler}; it has {', '.join(sorted(handlers)) or 'none'}."


def cgroup_parents(host: str) -> tuple[str, str]:
    """This host's own parents, from the root of a hierarchy: for cgroupfs, and for systemd (`-` nests slices).

    Its own, because hosts of one machine may see one cgroup v1 tree.
    """
    name = re.sub(r"[^A-Za-z0-9_]", "_", host)
    return f"/labctl/{name}", f"/labctl.slice/labctl-{name}.slice"


def _trial(due: DoTrial, measured: Measured, cleaned: int, leaks: tuple[Leak, ...]) -> Trial:
    return Trial(
        due.benchmark, due.block, due.position, due.combination, due.attempt, due.warmup, measured.status,
        measured.reason,
        measured.samples, measured.start_ns, measured.elapsed_ns, cleaned, leaks,
    )  # fmt: skip


def _hierarchies(mount: Path) -> list[Path]:
    try:
        return [mount, *(path for path in mount.iterdir() if path.is_dir() and not path.is_symlink())]
    except OSError:
        return []


def _remove_groups(hierarchy: Path, parent: str) -> None:
    """Our parent with all that a runtime forgot below it, and the one above, if they are empty: the kernel refuses else."""
    if parent.endswith(".slice"):
        return  # systemd made it and removes it
    own = hierarchy / parent.lstrip("/")
    below = sorted((path for path in own.rglob("*/") if path.is_dir()), reverse=True)
    for folder in (*below, own, own.parent):
        try:
            os.rmdir(folder)  # noqa: PTH106 - of a control group, nothing else removes it
        except OSError:
            continue
