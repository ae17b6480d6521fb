# SPDX-License-Identifier: Apache-2.0
"""What a provision with nothing to do costs, beside its bound: `python perf/reprovision.py [INVENTORY] [ROUNDS]`.

The bound is `labctl ping` of the same hosts: the same process and connections, and one round trip instead of facts and
plan. Both run in turn on hosts that are up and provisioned (`labctl lab up`, `labctl provision`).
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(*words: str) -> float:
    start = time.perf_counter()
    command = [sys.executable, "-m", "orchestrator.cli.main", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    taken = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit(f"labctl {' '.join(words)} failed: {done.stderr or done.stdout}")
    if words[0] == "provision" and done.stdout.count("changed=0") != done.stdout.count("changed="):
        sys.exit("There was something to do, so this is not what is measured here; start again.")
    return taken


def main(inventory: str, rounds: int) -> None:
    pairs = [(seconds("provision", inventory), seconds("ping", inventory)) for _ in range(rounds + 1)][1:]
    print(f"labctl provision, nothing to do: median {statistics.median(a for a, _ in pairs):.2f} s")
    print(f"labctl ping (the bound):         median {statistics.median(b for _, b in pairs):.2f} s")
    ratios = [a / b for a, b in pairs]
    print(
        f"ratio: median {statistics.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}; {rounds} rounds"
    )


if __name__ == "__main__":
    main(
        sys.argv[1] if len(sys.argv) > 1 else "inventories/lab.yaml",
        int(sys.argv[2]) if len(sys.argv) > 2 else 10,
    )
