# SPDX-License-Identifier: Apache-2.0
"""A run spec to start from."""

from __future__ import annotations

import pytest

from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec


@pytest.fixture
def spec() -> RunSpec:
    """Two hosts on one machine and one alone; two combinations; 1+2 blocks of one benchmark and 0+1 of another."""
    return RunSpec(
        id="20261123-224501-demo-ab12",
        suite="demo",
        inventory="lab.yaml",
        created="2026-11-23T22:45:01+00:00",
        seed=7,
        hosts=(RunHost("a", "m1"), RunHost("b", "m1"), RunHost("c", "m2")),
        combinations=(Combination("containerd", "runc"), Combination("containerd", "crun")),
        benchmarks=(BenchmarkPlan("operations.x.y", 2, 1), BenchmarkPlan("scalability.x.5", 1, 0, {"n": 5})),
        baseline="containerd/runc",
        labctl_version="0.1.0",
    )
