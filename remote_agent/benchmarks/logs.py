# SPDX-License-Identifier: Apache-2.0
"""operations.container.logs and .reopen: the way from a container's standard output to its log file."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median

from remote_agent.benchmarks.bench import POD_PARAMS, READY, Bench, BenchError, destroy, running, start
from remote_agent.benchmarks.reach import Pod, Shape
from remote_agent.contract.benchmark import Benchmark, Better, Metric

LINE = "x" * 99
LINES = 10_000
MEGABYTE = 1_000_000
"""So many bytes are LINES lines of LINE."""

END = "all is written"
PAUSE_S = 0.5
"""Between the line that says that all is prepared and the first byte, so that the watch is set."""

LOOK_S = 0.0005
WRITTEN_S = 60.0
REOPENED_S = 5.0


def script(megabytes: int) -> str:
    """Prepares a megabyte of lines, says so, waits, writes it so often, says so, and ends at once on TERM."""
    blocks = " ".join(["/block"] * megabytes)
    return (
        f"trap 'exit 0' TERM; yes {LINE} | head -n {LINES} > /block; echo {READY}; sleep {PAUSE_S}; cat {blocks}; echo {END}; "
        "while :; do sleep 3600 & wait; done"
    )


def logs(bench: Bench) -> None:
    """A container writes as fast as it is let; its log file is watched."""
    megabytes = max(1, bench.params["megabytes"])
    pod = bench.pod(Shape(command=("/bin/sh", "-c", script(megabytes))))
    start(pod)
    pod.await_ready()
    payload = megabytes * MEGABYTE
    elapsed = _written(bench, pod.log_file, payload)
    bench.observe()
    bench.sample("Throughput", payload / MEGABYTE / (elapsed / 1e9))
    bench.took("Written", elapsed)
    destroy(pod)


def reopen(bench: Bench) -> None:
    """As the kubelet rotates a log: rename it, then ask for a new one."""
    pod = running(bench)
    bench.observe()
    times = [_reopen(bench, pod, number) for number in range(max(1, bench.params["rounds"]))]
    destroy(pod)
    bench.took("ReopenContainerLog", round(median(times)))


def _written(bench: Bench, log: Path, payload: int) -> int:
    """From the first growth of the file to the last line. Raises BenchError: it was too late, or it never came."""
    before = log.stat().st_size
    if before > len(LINE):
        raise BenchError("The container wrote before its log was watched; the host is too busy to measure.")
    deadline = bench.clock() + int(WRITTEN_S * 1e9)
    while log.stat().st_size == before:
        _wait(bench, deadline, "nothing")
    begin = bench.clock()
    while not _complete(log, payload):
        _wait(bench, deadline, "not all")
    return bench.clock() - begin


def _wait(bench: Bench, deadline: int, what: str) -> None:
    if bench.clock() > deadline:
        raise BenchError(f"The log file has {what} of what the container writes within {WRITTEN_S:.0f} s.")
    bench.sleep(LOOK_S)


def _complete(log: Path, payload: int) -> bool:
    """Only a file of that size is opened, for its end."""
    if log.stat().st_size < payload:
        return False
    with log.open("rb") as file:
        file.seek(-min(payload, 2 * len(END) + 64), os.SEEK_END)
        return f" F {END}\n".encode() in file.read()


def _reopen(bench: Bench, pod: Pod, number: int) -> int:
    """Raises BenchError: no new file is made."""
    log = pod.log_file
    log.rename(log.with_name(f"{log.name}.{number}"))
    took = pod.reopen_log()
    deadline = bench.clock() + int(REOPENED_S * 1e9)
    while not log.exists():
        if bench.clock() > deadline:
            raise BenchError("ReopenContainerLog was answered, and no new log file was made.")
        bench.sleep(LOOK_S)
    return took


LOGS = Benchmark(
    name="operations.container.logs",
    summary="A container writes lines of 100 bytes to its standard output as fast as it can; its log file is watched.",
    primary="Throughput",
    metrics=(
        Metric(
            "Throughput",
            "MB/s",
            "Bytes that the container wrote, by the time between its first ones in the log file and the last ones there (looked "
            "at every half millisecond; the CRI's prefix of each line is not counted).",
            better=Better.HIGHER,
        ),
        Metric("Written", "s", "That time."),
    ),
    function=logs,
    source="CRI's logging format",
    params={**POD_PARAMS, "megabytes": 32},
)

REOPEN = Benchmark(
    name="operations.container.reopen",
    summary="Renames a container's log and asks for a new one (ReopenContainerLog), five times.",
    primary="ReopenContainerLog",
    metrics=(
        Metric(
            "ReopenContainerLog",
            "s",
            "From the call to the reply; that the new file is there is seen to afterwards. The median of the trial's calls.",
        ),
    ),
    function=reopen,
    source="CRI ReopenContainerLog, what the kubelet calls when it rotates a log",
    params={**POD_PARAMS, "rounds": 5},
)
