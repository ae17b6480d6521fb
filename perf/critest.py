# SPDX-License-Identifier: Apache-2.0
"""critest's benchmark mode and labctl on the same host: `python perf/critest.py [INVENTORY] [HANDLER] [--runs N] [--rounds N]`.

They take turns, three rounds, with containerd and one handler, both with `top` in the same image and one after another. Of
each call that both time, the medians, each less its own client's floor, must be within 3 % of each other, or no farther apart
than critest's rounds are from one another; else it exits with 1. The host is the inventory's first, up and provisioned.

A floor is the median of a call of Version on the client's own connection. labctl times it in every trial; critest does not,
so perf/floor does it with critest's client library, immediately before and after it. critest's CreateContainer has a call of
ImageStatus in it (framework.CreateContainerWithError), which labctl's has not: it is timed by perf/floor too, and taken off.
critest's StatusContainer and StatusPod have no peer: they ask for verbose replies.

The two do not ask for quite the same container. labctl's has a log and processes of its own, as the kubelet asks for;
critest's has no log and shares the pod's processes. critest does not warm up; labctl leaves out its first block.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from onhost import OnHost, counted, labctl, middle

from orchestrator.build import toolchain
from orchestrator.build.toolchain import Caches
from orchestrator.load.component import load_toolchain
from remote_agent.benchmarks.bench import IMAGE
from remote_agent.benchmarks.operations import LIFECYCLE as CONTAINER
from remote_agent.benchmarks.sandbox import LIFECYCLE as POD

HERE = Path(__file__).resolve().parent
SOCKET = "unix:///run/containerd/containerd.sock"
FOLDER = "/run/labctl-critest"
BOUND = 0.03
CALLS = 200
SHARED = {
    "CreatePod": (POD.name, "RunPodSandbox"),
    "StopPod": (POD.name, "StopPodSandbox"),
    "RemovePod": (POD.name, "RemovePodSandbox"),
    "CreateContainer": (CONTAINER.name, "CreateContainer"),
    "StartContainer": (CONTAINER.name, "StartContainer"),
    "StopContainer": (CONTAINER.name, "StopContainer"),
    "RemoveContainer": (CONTAINER.name, "RemoveContainer"),
}
"""critest's name of an operation -> labctl's benchmark and metric."""


@dataclass(frozen=True, slots=True)
class Side:
    """One round of one of the two, in ms: each operation's median, and what of it is the client's (the floor)."""

    medians: Mapping[str, float]
    floors: Mapping[str, float]

    def net(self, operation: str) -> float:
        return self.medians[operation] - self.floors[operation]


def build_floor(folder: Path) -> Path:
    """perf/floor with the pinned toolchain."""
    caches = Caches.of_user()
    components = HERE.parent / "playbooks/components"
    root = toolchain.ensure(load_toolchain(components), caches, lambda text: None, platform.machine())
    own = {
        "GOROOT": str(root),
        "GOMODCACHE": str(caches.modules),
        "GOCACHE": str(caches.build),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=readonly -modcacherw",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
    }
    command = [
        str(root / "bin/go"),
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-o",
        str(folder / "floor"),
        ".",
    ]
    subprocess.run(command, cwd=HERE / "floor", env={**os.environ, **own}, timeout=1200, check=True)
    return folder / "floor"


def build_critest(folder: Path) -> Path:
    """critest, by labctl: its artifact, unpacked."""
    (built,) = [each for each in json.loads(labctl("build", "critest", "--json")) if each["component"] == "critest"]  # fmt: skip
    with tarfile.open(built["path"]) as packed:
        packed.extractall(folder, filter="data")
    return next(folder.glob("critest/*/bin/critest"))


def install(host: OnHost) -> None:
    host.shell(f"mkdir -p {FOLDER}")
    with tempfile.TemporaryDirectory(prefix="labctl-perf-") as name:
        host.put(build_floor(Path(name)), f"{FOLDER}/floor")
        host.put(build_critest(Path(name)), f"{FOLDER}/critest")


def floors(host: OnHost) -> dict[str, int]:
    """Of critest's client: median ns of Version and of ImageStatus."""
    command = [f"{FOLDER}/floor", "-endpoint", SOCKET, "-image", IMAGE, "-calls", str(CALLS)]
    return dict(json.loads(host.shell(shlex.join(command))))


def by_critest(host: OnHost, handler: str, runs: int) -> Side:
    before = floors(host)
    found = run_critest(host, handler, runs)
    after = floors(host)
    version, image = ((before[call] + after[call]) / 2e6 for call in ("Version", "ImageStatus"))
    medians = {name: statistics.median(values) / 1e6 for name, values in found.items()}
    return Side(
        medians, {name: image + version if name == "CreateContainer" else version for name in medians}
    )


def run_critest(host: OnHost, handler: str, runs: int) -> dict[str, list[int]]:
    """Each operation's durations, in ns."""
    params = "".join(f"{what}Number: {runs}\n{what}NumberParallel: 1\n" for what in ("containers", "pods"))
    command = ["./critest", "-benchmark", "-runtime-endpoint", SOCKET, "-runtime-handler", handler, "-test-images-file",
               "images.yaml", "-benchmarking-params-file", "params.yaml", "-benchmarking-output-dir", "out",
               "-ginkgo.focus=operations on (Container|Pod)", "-ginkgo.no-color"]  # fmt: skip
    script = (
        f"cd {FOLDER}; rm -rf out; mkdir out;"
        f" printf %s {shlex.quote(f'defaultTestContainerImage: {IMAGE}' + chr(10))} > images.yaml;"
        f" printf %s {shlex.quote(params)} > params.yaml;"
        f" {shlex.join(command)} > log 2>&1 || {{ tail -n 40 log >&2; exit 1; }};"
        " cat out/container_benchmark_data.json; printf '\\0'; cat out/pod_benchmark_data.json"
    )
    return dict(pair for text in host.shell(script).split("\0") for pair in durations(json.loads(text), runs))


def durations(told: Mapping[str, Any], runs: int) -> Iterator[tuple[str, list[int]]]:
    """What critest's file says of the shared operations. Ends the process where it lost samples."""
    if len(told["datapoints"]) != runs:
        sys.exit(f"critest has {len(told['datapoints'])} samples of {runs}; start again.")
    for place, name in enumerate(told["operationsNames"]):
        if name in SHARED:
            yield name, [point["operationsDurationsNs"][place] for point in told["datapoints"]]


def by_labctl(host: OnHost, handler: str, runs: int) -> Side:
    params = {"command": ["top"], "ready": ""}
    suite = {"cri": ["containerd"], "oci": [handler],
             "benchmarks": {POD.name: {"blocks": runs}, CONTAINER.name: {"blocks": runs, "params": params}}}  # fmt: skip
    trials = host.trials(suite)
    medians: dict[str, float] = {}
    own: dict[str, float] = {}
    for operation, (benchmark, metric) in SHARED.items():
        of = counted(trials, benchmark)
        medians[operation], own[operation] = 1e3 * middle(of, metric), middle(of, "Floor")
    return Side(medians, own)


def judge(operation: str, critest: Sequence[Side], ours: Sequence[Side]) -> tuple[float, str, bool]:
    """labctl's median of rounds by critest's, the verdict in words, and whether it is within the bound."""
    theirs = [side.net(operation) for side in critest]
    peer, own = statistics.median(theirs), statistics.median(side.net(operation) for side in ours)
    ratio, spread = own / peer, max(theirs) - min(theirs)
    if abs(ratio - 1) <= BOUND:
        return ratio, f"within {BOUND:.0%}", True
    within = abs(own - peer) <= spread
    return ratio, f"{'within' if within else 'OUTSIDE'} critest's spread of {spread:.2f} ms", within


def table(critest: Sequence[Side], ours: Sequence[Side]) -> bool:
    """Print it; whether all is within the bound."""
    width = 8 * len(critest)
    print(
        "Medians of each round, in ms, as timed; the floors (medians of rounds) are taken off in the ratio."
    )
    print(f"{'':16}{'critest':>{width}} {'floor':>6} {'labctl':>{width}} {'floor':>6} {'ratio':>6}  verdict")
    fine = True
    for operation in SHARED:
        cells = []
        for sides in (critest, ours):
            floor = statistics.median(side.floors[operation] for side in sides)
            cells.append("".join(f"{side.medians[operation]:8.2f}" for side in sides) + f" {floor:6.2f}")
        ratio, words, within = judge(operation, critest, ours)
        print(f"{operation:16}{' '.join(cells)} {ratio:6.3f}  {words}")
        fine &= within
    return fine


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("inventory", nargs="?", type=Path, default=Path("inventories/lab.yaml"))
    parser.add_argument("handler", nargs="?", default="runc")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    host = OnHost.first(wanted.inventory)
    install(host)
    critest: list[Side] = []
    ours: list[Side] = []
    try:
        for number in range(wanted.rounds):
            turns = [(by_critest, critest), (by_labctl, ours)]
            for measure, sides in turns if number % 2 == 0 else reversed(turns):
                sides.append(measure(host, wanted.handler, wanted.runs))
    finally:
        host.shell(f"rm -rf {FOLDER}")
    print(
        f"containerd/{wanted.handler} on {host.name}, {wanted.runs} runs a round, load {os.getloadavg()[0]:.1f}"
    )
    return 0 if table(critest, ours) else 1


if __name__ == "__main__":
    sys.exit(main())
