# SPDX-License-Identifier: Apache-2.0
"""A conductor as a process of its own, for tests that kill it.

`python conductor_process.py RUN_FOLDER SOCKETS_FOLDER [METRIC]`, METRIC being every benchmark's primary one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.model.run import RunHost
from orchestrator.results.store import RunFolder
from orchestrator.runs.events import Phase
from orchestrator.runs.process import owning

if TYPE_CHECKING:
    from orchestrator.runs.session import Link


def main(run: str, sockets: str, metric: str = "") -> int:
    @contextmanager
    def reach(host: RunHost, say: Callable[[Phase], None]) -> Iterator[Link]:
        from orchestrator.runs.session import Link

        yield Link(Path(sockets) / f"{host.name}.sock", {"containerd": "/run/containerd/containerd.sock"})

    folder = RunFolder(Path(run))
    with owning(folder.lock, patience=0.5) as mine:
        if not mine:
            return 0
        # As in the real one: behind the lock, for which whoever started this process waits.
        from orchestrator.runs.conductor import conduct
        from orchestrator.runs.session import Patience
        from remote_agent.contract.benchmark import Metric

        spec = folder.read_spec()
        primaries = {plan.name: Metric(metric, "s", ".") for plan in spec.benchmarks if metric}
        return conduct(spec, folder, reach, lambda: None, Patience(settle=0.02), primaries)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
