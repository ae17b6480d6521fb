# SPDX-License-Identifier: Apache-2.0
"""How much `labctl --help` costs beside its bound, a python that does nothing: `python perf/startup.py [ROUNDS]`.

Both are started in turn, so that a machine that gets slower does so for both.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "labctl --help": [sys.executable, "-m", "orchestrator.cli.main", "--help"],
    "labctl list --help": [sys.executable, "-m", "orchestrator.cli.main", "list", "--help"],
}


def seconds(command: Sequence[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=60)
    return time.perf_counter() - start


def main(rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(rounds + 1):
        for name, command in COMMANDS.items():
            taken = seconds(command)
            if turn:  # the first turn warms the caches
                times[name].append(taken)
    bound = times["python -c pass"]
    print(f"{'command':22} {'median':>9} {'worst':>9} {'x bound':>8}   {rounds} rounds")
    for name, samples in times.items():
        ratio = statistics.median(a / b for a, b in zip(samples, bound, strict=True))
        print(
            f"{name:22} {statistics.median(samples) * 1e3:6.0f} ms {max(samples) * 1e3:6.0f} ms {ratio:8.1f}"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
