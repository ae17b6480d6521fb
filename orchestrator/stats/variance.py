# SPDX-License-Identifier: Apache-2.0
"""How much of the variance lies between hosts, between the runs of a host, and within a run: a nested analysis of variance.

The method of moments (ANOVA estimators) for a two-fold nested random model with unequal numbers, y = mean + host + run in host +
block in run: J. C. Gower: Variance component estimation for unbalanced hierarchical classifications, Biometrics 18 (1962) 537-542; the
same in S. R. Searle, G. Casella, C. E. McCulloch: Variance Components (Wiley 1992), chapter 5. With a hosts, b runs and N values, n of a
host's run and n. of a host:

    E[MS within] = W
    E[MS runs]   = W + k1 R             k1 = (N - sum_hosts sum_runs n^2/n.) / (b - a)
    E[MS hosts]  = W + k2 R + k3 H      k2 = (sum_hosts sum_runs n^2/n. - sum_runs n^2/N) / (a - 1),  k3 = (N - sum_hosts n.^2/N) / (a - 1)

An estimate below 0, which chance makes where a component is small, is set to 0 and named; each is estimated before any is set.
With one run a host, what lies between runs cannot be told from what lies between hosts, and is in the latter. It describes: no test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HOSTS, RUNS = "hosts", "runs"


@dataclass(frozen=True, slots=True)
class Components:
    """Variances. None: not to be told apart (one host, or one run a host). ``zeroed`` were estimated below 0."""

    hosts: float | None
    runs: float | None
    within: float
    zeroed: tuple[str, ...] = ()


def components(values: Sequence[Sequence[NDArray[np.float64]]]) -> Components | None:
    """Of each host's runs' values (log scale). None where no run has two values, or there is one run of one host only."""
    hosts = [[run for run in runs if len(run)] for runs in values]
    hosts = [runs for runs in hosts if runs]
    a, b = len(hosts), sum(map(len, hosts))
    every = np.concatenate([run for runs in hosts for run in runs]) if hosts else np.empty(0)
    if b < 2 or len(every) == b:
        return None
    within = _squares([run - run.mean() for runs in hosts for run in runs]) / (len(every) - b)
    between_runs, k2 = _runs(hosts, within, a, b)
    between_hosts = _hosts(hosts, every, within + k2 * (between_runs or 0.0)) if a > 1 else None
    found = ((HOSTS, between_hosts), (RUNS, between_runs))
    zeroed = tuple(name for name, value in found if value is not None and value < 0)
    return Components(_floor(between_hosts), _floor(between_runs), within, zeroed)


def _runs(
    hosts: Sequence[Sequence[NDArray[np.float64]]], within: float, a: int, b: int
) -> tuple[float | None, float]:
    """What lies between runs, None where each host has one; and k2."""
    if b == a:
        return None, 0.0
    total = sum(len(run) for runs in hosts for run in runs)
    inner = sum(sum(len(run) ** 2 for run in runs) / sum(map(len, runs)) for runs in hosts)
    squares = sum(
        len(run) * (run.mean() - np.concatenate(runs).mean()) ** 2 for runs in hosts for run in runs
    )
    found = (float(squares) / (b - a) - within) / ((total - inner) / (b - a))
    outer = sum(len(run) ** 2 for runs in hosts for run in runs) / total
    return found, (inner - outer) / (a - 1) if a > 1 else 0.0


def _hosts(hosts: Sequence[Sequence[NDArray[np.float64]]], every: NDArray[np.float64], below: float) -> float:
    """What lies between hosts, given what ``below`` them the mean square holds."""
    sizes = np.array([sum(map(len, runs)) for runs in hosts])
    means = np.array([np.concatenate(runs).mean() for runs in hosts])
    squares = float((sizes * (means - every.mean()) ** 2).sum()) / (len(hosts) - 1)
    return (squares - below) / ((len(every) - float((sizes**2).sum()) / len(every)) / (len(hosts) - 1))


def _squares(deviations: Sequence[NDArray[np.float64]]) -> float:
    return float(sum((one**2).sum() for one in deviations))


def _floor(value: float | None) -> float | None:
    return None if value is None else max(0.0, value)
