# SPDX-License-Identifier: Apache-2.0
"""The bare CRI calls of operations.container.lifecycle in one process: what perf/suite.py pipes to a host.

It runs there with the agent's own package and wheels, and without its engine: no journal, no clean-up, no audit, no noise
counters. Its arguments are the host's name, the runtime's socket, the handler and the number of runs; it prints JSON in ns:
the wall time of each run after one that is not counted, and what the same leak audit takes where nothing is left.
"""

from __future__ import annotations

import json
import sys
import time

from remote_agent.agent.executor import LOGS, cgroup_parents
from remote_agent.benchmarks.bench import POD_PARAMS
from remote_agent.cri.client import Cri
from remote_agent.cri.endings import Endings
from remote_agent.cri.leftovers import ours
from remote_agent.cri.pods import CriPod, PodPlan, remove_logs
from remote_agent.host.audit import Audit


def plan_of(cri: Cri, host: str, handler: str) -> PodPlan:
    """What the agent's executor plans for a trial of it."""
    cgroupfs, systemd = cgroup_parents(host)
    return PodPlan(
        handler=handler,
        run="bare",
        trial="bare",
        image=POD_PARAMS["image"],
        command=tuple(POD_PARAMS["command"]),
        cgroup_parent=cgroupfs if cri.cgroup_driver() == "cgroupfs" else systemd.rsplit("/", 1)[1],
        logs=LOGS / "bare",
        stop_timeout_s=POD_PARAMS["stop_timeout_s"],
        ready=POD_PARAMS["ready"],
    )


def one_run(cri: Cri, plan: PodPlan, number: int, endings: Endings) -> int:
    """The wall time of a pod's life, in ns."""
    start = time.monotonic_ns()
    pod = CriPod(cri, plan, number, endings)
    pod.run_sandbox()
    pod.create()
    pod.start()
    pod.await_ready()
    pod.stop()
    pod.remove()
    pod.stop_sandbox()
    pod.remove_sandbox()
    return time.monotonic_ns() - start


def one_audit(audit: Audit) -> int:
    """What an audit takes, in ns: a look before the trial and one after it."""
    start = time.monotonic_ns()
    audit.leaks(audit.snapshot())
    return time.monotonic_ns() - start


def main(host: str, socket: str, handler: str, runs: int) -> None:
    with Cri(socket) as cri:
        plan, endings = plan_of(cri, host, handler), Endings(cri)
        plan.logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        begun = time.monotonic_ns()
        took = []
        for number in range(runs + 1):
            if number == 1:
                begun = time.monotonic_ns()
            took.append(one_run(cri, plan, number, endings))
        wall = time.monotonic_ns() - begun
        audit = Audit(lambda: ours(cri), cgroup_parents(host))
        audits = [one_audit(audit) for _ in range(5)]
        endings.close()
    remove_logs(plan.logs)
    print(json.dumps({"runs": took[1:], "wall": wall, "audits": audits}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
