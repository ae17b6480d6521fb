# SPDX-License-Identifier: Apache-2.0
"""sysbench 1.0 in a container: its commands, its results, and a container that runs it to its end.

The thesis used sysbench 0.4, which does a fixed amount of work; 1.0 stops after 10 s unless it is told ``--time=0`` and a
number of events, and then measures the same quantity. Numbers of 0.4 and 1.0 must not be compared with one another.
"""

from __future__ import annotations

import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from remote_agent.benchmarks.bench import Bench, BenchError
from remote_agent.benchmarks.reach import Ended, Limits, Pod, Shape

IMAGE = "localhost/labctl/sysbench:1"
FOLDER = "/labctl-work"
"""Where fileio's files are made: in the container's own writable layer, which goes with the container."""

MARK = "== "
"""Before the name of the mode whose results follow."""

BLOCK = 16 << 10
"""Bytes a request of fileio (sysbench's default, as in the thesis)."""

FILES = 128
FSYNC_EVERY = 100
"""fileio's defaults: after so many random writes each of its files is synced, and each sync is an event of its own."""

LOG_S = 5.0
LOOK_S = 0.005

FIELDS = {
    "total_s": ("total time", r"total time:\s+([0-9.]+)s"),
    "events": ("total number of events", r"total number of events:\s+([0-9]+)"),
    "min_ms": ("min latency", r"min:\s+([0-9.]+)"),
    "avg_ms": ("avg latency", r"avg:\s+([0-9.]+)"),
    "max_ms": ("max latency", r"max:\s+([0-9.]+)"),
    "sum_ms": ("sum of latencies", r"sum:\s+([0-9.]+)"),
}
"""What sysbench calls it, and how its line looks."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of sysbench printed: seconds with four decimals, milliseconds with two."""

    total_s: float
    events: int
    min_ms: float
    avg_ms: float
    max_ms: float
    sum_ms: float

    @property
    def fine_avg_ms(self) -> float:
        """The mean latency with more digits than are printed: all latencies together by the number of events."""
        return self.sum_ms / self.events


def cpu(max_prime: int, events: int) -> tuple[str, ...]:
    """All primes up to ``max_prime``, ``events`` times over."""
    return _run("cpu", f"--cpu-max-prime={max_prime}", f"--events={events}")


def memory(block: str, total: str) -> tuple[str, ...]:
    """Writes ``total`` bytes through one buffer of ``block`` bytes."""
    return _run("memory", f"--memory-block-size={block}", f"--memory-total-size={total}")


def prepare(mib: int) -> tuple[str, ...]:
    return ("sysbench", "fileio", f"--file-total-size={mib}M", "prepare")


def sequential(mode: str, mib: int) -> tuple[str, ...]:
    """Every block of the files once, in order; synced once, at the end."""
    events = (mib << 20) // BLOCK
    return _fileio(mib, f"--file-test-mode={mode}", "--file-fsync-freq=0", f"--events={events}")


def random_reads(mib: int, requests: int) -> tuple[str, ...]:
    return _fileio(mib, "--file-test-mode=rndrd", f"--events={requests}")


def random_writes(mib: int, requests: int) -> tuple[str, ...]:
    """As many events as ``requests`` writes and their syncs are: 1.0 counts the syncs as well, 0.4 did not."""
    rounds = max((requests - 1) // FSYNC_EVERY, 0)
    return _fileio(mib, "--file-test-mode=rndwr", f"--events={requests + rounds * FILES}")


def direct_writes(mib: int) -> tuple[str, ...]:
    """Writes one new file past the page cache, 256 KiB at a time; synced once, at the end."""
    return _fileio(
        mib, "--file-num=1", "--file-test-mode=seqwr", "--file-block-size=256K", "--file-extra-flags=direct",
        "--file-fsync-freq=0", f"--events={mib * 4}",
    )  # fmt: skip


def execute(
    bench: Bench,
    commands: Mapping[str, Sequence[str]],
    first: Sequence[str] = (),
    limits: Limits | None = None,
    meanwhile: Callable[[Pod], None] = lambda pod: None,
) -> Mapping[str, Result]:
    """Run the commands one after another in one container and wait for its end; each one's result by its name.

    ``first`` is run before them, and no part of any result. ``meanwhile`` is called when the container has been started.
    Raises BenchError where the container fails, where a result lacks something, or less work was done than was asked for.
    """
    pod = bench.pod(Shape(command=script(commands, first), ready="", limits=limits, ends=True))
    pod.run_sandbox()
    pod.create()
    bench.observe()
    pod.start()
    meanwhile(pod)
    ended = pod.await_end(bench.params["timeout_s"])
    return _results(pod, ended, commands)


def script(commands: Mapping[str, Sequence[str]], first: Sequence[str] = ()) -> tuple[str, ...]:
    """One command is the container's own process; several are a shell's, each announced by its name."""
    if len(commands) == 1 and not first:
        return tuple(next(iter(commands.values())))
    lines = ["set -e", f"mkdir -p {FOLDER}", f"cd {FOLDER}"]
    lines += [f"{shlex.join(first)} >/dev/null"] if first else []
    for name, command in commands.items():
        lines += [f"echo {shlex.quote(MARK + name)}", shlex.join(command)]
    return ("/bin/sh", "-c", "\n".join(lines))


def parse(text: str, of: str = "sysbench") -> Result:
    """What sysbench printed. Raises BenchError, which names what is missing."""
    found = {
        name: re.search(rf"^\s*{pattern}\s*$", text, re.MULTILINE) for name, (_, pattern) in FIELDS.items()
    }
    missing = [FIELDS[name][0] for name, match in found.items() if match is None]
    if missing:
        raise BenchError(f"{of}: its output has no {', '.join(missing)}; it ends with: {tail(text)}")
    values = {name: float(match[1]) for name, match in found.items() if match}
    result = Result(events=int(values.pop("events")), **values)
    if result.events <= 0:
        raise BenchError(f"{of} did no work: its number of events is {result.events}.")
    return result


def tail(text: str, lines: int = 3) -> str:
    """The last lines of an output, for an error's one sentence."""
    last = [line.strip() for line in text.splitlines() if line.strip()][-lines:]
    return " / ".join(last) if last else "nothing at all"


def _run(test: str, *options: str) -> tuple[str, ...]:
    return ("sysbench", test, *options, "--threads=1", "--time=0", "run")


def _fileio(mib: int, *options: str) -> tuple[str, ...]:
    return _run("fileio", f"--file-total-size={mib}M", *options)


def _results(pod: Pod, ended: Ended, commands: Mapping[str, Sequence[str]]) -> Mapping[str, Result]:
    """The log may come a little after the end: what still lacks something is looked at again, for some seconds."""
    if ended.exit_code != 0:
        raise BenchError(
            f"sysbench's container ended with exit code {ended.exit_code} ({ended.reason or 'no reason told'}); "
            f"it said: {tail(pod.log())}"
        )
    deadline = time.monotonic() + LOG_S
    while True:
        try:
            return _read(pod.log(), commands)
        except BenchError:
            if time.monotonic() > deadline:
                raise
        time.sleep(LOOK_S)


def _read(log: str, commands: Mapping[str, Sequence[str]]) -> Mapping[str, Result]:
    texts = _sections(log) if f"{MARK}" in log else dict.fromkeys(commands, log)
    results = {name: parse(texts.get(name, ""), name) for name in commands}
    for name, command in commands.items():
        asked = next((int(each.split("=")[1]) for each in command if each.startswith("--events=")), None)
        if asked is not None and results[name].events != asked:
            raise BenchError(f"{name}: sysbench did {results[name].events} events of {asked}.")
    return results


def _sections(log: str) -> Mapping[str, str]:
    """The output below each mark, by the mark's name."""
    parts = re.split(rf"^{MARK}(.+)$", log, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))
