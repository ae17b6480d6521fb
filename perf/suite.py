# SPDX-License-Identifier: Apache-2.0
"""What the engine adds to the calls that it times: `python perf/suite.py [INVENTORY] [HOST] [ROUNDS]`.

Life cycles of containerd/runc, 20 by `labctl run` and 20 by a bare loop in one process of the host's (the agent's own CRI client,
without engine, journal, floor and costs), in turn. A trial's wall time without clean-up and audit is to be at most 1.03 of a
bare cycle's; clean-up and what lies between trials (audit, journal, noise counters) are shown apart. Then a metric of sysbench's
of some 50 ms of work: a trial of it is to take at most 0.3 s. The host is up and provisioned, and nothing else runs there.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from orchestrator.load.inventory import load_inventory
from orchestrator.results.store import RunFolder, RunStore
from remote_agent.benchmarks.bench import IMAGE, POD_PARAMS

CYCLES = 20
MOST_RATIO, MOST_SECONDS = 1.03, 0.3
SOCKET = "/run/containerd/containerd.sock"
LIFECYCLE = "cri: [containerd]\noci: [runc]\nfilter: [operations.container.lifecycle]\nruns: {runs}\n"
SYSBENCH = "cri: [containerd]\noci: [runc]\nbenchmarks: {{performance.cpu.time: {{blocks: {runs}, params: {{events: {events}}}}}}}\n"
EVENTS = 25
"""Of the thesis' 10,000: some 50 ms of work here; what sysbench itself says of it is printed beside."""

BARE = """
import json, sys, time
from pathlib import Path
from remote_agent.cri.client import Cri
from remote_agent.cri.endings import Endings
from remote_agent.cri.leftovers import remove_ours
from remote_agent.cri.pods import CriPod, PodPlan
socket, image, command, ready, cycles = json.loads(sys.argv[1])
took = []
with Cri(socket) as cri:
    plan = PodPlan("runc", "perf", "perf", image, tuple(command), "/labctl/perf", Path("/run/labctl/perf"), 10, ready)
    for number in range(cycles + 1):
        pod = CriPod(cri, plan, number, Endings(cri))
        begin = time.monotonic()
        pod.run_sandbox(), pod.create(), pod.start()
        pod.await_ready()
        pod.stop(), pod.remove(), pod.stop_sandbox(), pod.remove_sandbox()
        took.append(time.monotonic() - begin)
        time.sleep(0.05)
    remove_ours(cri)
print(json.dumps(took[1:]))
"""


@dataclass(frozen=True)
class Ours:
    """A run of labctl's, seconds a trial: its wall time, clean-up, and from one trial's end to the next one's start."""

    walls: list[float]
    cleanups: list[float]
    gaps: list[float]
    values: list[float]


def bare(inventory: str, host: str) -> list[float]:
    given = json.dumps([SOCKET, IMAGE, POD_PARAMS["command"], POD_PARAMS["ready"], CYCLES])
    line = (
        "here=$(readlink -f /opt/labctl/agent/current); mkdir -p /run/labctl/perf; "
        f"PYTHONPATH=$here:$here/wheels python3 -P -s - {shlex.quote(given)}"
    )
    said = labctl("lab", "ssh", "--inventory", inventory, host, "--", line, given=BARE)
    return [float(one) for one in json.loads(said.splitlines()[-1])]


def ours(inventory: str, host: str, suite: str, folder: Path) -> Ours:
    file = folder / "suite.yaml"
    file.write_text(suite)
    root = folder / "runs"
    labctl("run", "--suite", str(file), "--inventory", inventory, "--limit", host, "--root", str(root))
    run = RunStore(root).find("latest")
    trials = [record for record in _records(run, host) if record["type"] == "trial"]
    if any(trial["status"] != "ok" for trial in trials):
        sys.exit(f"A trial did not succeed: {next(t['reason'] for t in trials if t['status'] != 'ok')}")
    ends = [(t["start_ns"] + t["elapsed_ns"] + t["cleanup_ns"]) / 1e9 for t in trials]
    return Ours(
        [t["elapsed_ns"] / 1e9 for t in trials[1:]],
        [t["cleanup_ns"] / 1e9 for t in trials[1:]],
        [t["start_ns"] / 1e9 - end for end, t in zip(ends, trials[1:], strict=False)],
        [s["value"] for t in trials[1:] for s in t["samples"] if s["metric"] == "TotalTime"],
    )


def _records(run: RunFolder, host: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.journal(host).read_text().splitlines()]


def labctl(*words: str, given: str | None = None) -> str:
    command = [sys.executable, "-m", "orchestrator.cli.main", *words]
    done = subprocess.run(command, input=given, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode != 0:
        sys.exit(f"labctl {' '.join(words)} failed: {done.stderr or done.stdout}")
    return done.stdout


def main(inventory: str, host: str | None, rounds: int) -> int:
    host = host or load_inventory(Path(inventory)).hosts[0].name
    ratios, found = [], list[Ours]()
    with tempfile.TemporaryDirectory(prefix="labctl-perf-") as name:
        for number in range(rounds):
            found.append(ours(inventory, host, LIFECYCLE.format(runs=CYCLES), Path(name)))
            own, loop = median(found[-1].walls), median(bare(inventory, host))
            ratios.append(own / loop)
            print(
                f"round {number + 1}: a trial {1000 * own:.1f} ms, a bare cycle {1000 * loop:.1f} ms, ratio {ratios[-1]:.3f}"
            )
        small = ours(inventory, host, SYSBENCH.format(runs=CYCLES, events=EVENTS), Path(name))
    cleanup = 1000 * median(value for one in found for value in one.cleanups)
    gap = 1000 * median(value for one in found for value in one.gaps)
    print(f"ratio: median {median(ratios):.3f}, {min(ratios):.3f} to {max(ratios):.3f} (bar {MOST_RATIO})")
    print(f"beside it, a trial: clean-up {cleanup:.1f} ms; audit, journal and noise counters {gap:.1f} ms")
    wall = median(small.walls)
    print(
        f"performance.cpu.time of {1000 * median(small.values):.0f} ms: a trial {wall:.3f} s (bar {MOST_SECONDS} s)"
    )
    return 0 if median(ratios) <= MOST_RATIO and wall <= MOST_SECONDS else 1


if __name__ == "__main__":
    sys.exit(
        main(
            sys.argv[1] if len(sys.argv) > 1 else "inventories/lab.yaml",
            sys.argv[2] if len(sys.argv) > 2 else None,
            int(sys.argv[3]) if len(sys.argv) > 3 else 3,
        )
    )
