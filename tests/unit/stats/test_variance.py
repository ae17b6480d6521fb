# SPDX-License-Identifier: Apache-2.0
"""The variance split: by hand, against what was put in, and what cannot be told apart."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from orchestrator.stats.variance import components


def test_two_hosts_of_two_runs_by_hand() -> None:
    # Means 1 and 3 of host 1 (2), 6 and 8 of host 2 (7). Within: 8 deviations of 1, 8 / 4 degrees = 2.
    # Runs: 8 deviations of 1, 8 / 2 = 4 = W + 2 R, R = 1. Hosts: 8 of 2.5, 50 / 1 = W + 2 R + 4 H = 4 + 4 H, H = 11.5.
    runs = [[np.array([0.0, 2.0]), np.array([2.0, 4.0])], [np.array([5.0, 7.0]), np.array([7.0, 9.0])]]
    found = components(runs)
    assert found is not None
    assert (found.within, found.runs, found.hosts) == pytest.approx((2.0, 1.0, 11.5))
    assert found.zeroed == ()


def test_unequal_numbers_by_hand() -> None:
    # One run a host: k3 = (N - sum n^2 / N) / (a - 1) = 5 - 13/5 = 2.4. Within: 2 + 2 over 3 degrees. Hosts: 2 * 3^2 + 3 * 2^2 = 30.
    found = components([[np.array([0.0, 2.0])], [np.array([5.0, 6.0, 7.0])]])
    assert found is not None
    assert found.within == pytest.approx(4 / 3)
    assert found.hosts == pytest.approx((30 - 4 / 3) / 2.4)
    assert found.runs is None


@pytest.mark.parametrize("shape", [((4, 9), (12,), (3, 5, 7), (6, 6)), ((2, 3), (4, 1, 2)), ((5, 2),)])
def test_the_coefficients_of_unequal_numbers_are_those_of_linear_algebra(
    shape: tuple[tuple[int, ...], ...],
) -> None:
    """Of y with the covariance H HH' + R RR' + W, the expected sum of squares y'Ay is H tr(AHH') + R tr(ARR') + W tr(A)."""
    rng = np.random.default_rng(9)
    values = [
        [rng.normal(9 * host + 3 * run, 0.5, n) for run, n in enumerate(lengths)]
        for host, lengths in enumerate(shape)
    ]
    y = np.concatenate([run for runs in values for run in runs])
    hosts = _indicators([sum(lengths) for lengths in shape])
    runs = _indicators([n for lengths in shape for n in lengths])
    mean, of_hosts, of_runs, one = (
        _projection(x) for x in (np.ones((len(y), 1)), hosts, runs, np.eye(len(y)))
    )
    parts = [one - of_runs, of_runs - of_hosts, *([of_hosts - mean] if len(shape) > 1 else [])]
    covariances = [np.eye(len(y)), runs @ runs.T, hosts @ hosts.T][: len(parts)]
    expected = np.array([[np.trace(part @ covariance) for covariance in covariances] for part in parts])
    within, between_runs, *between_hosts = np.linalg.solve(expected, [y @ part @ y for part in parts])
    found = components(values)
    assert found is not None
    assert min(within, between_runs, *between_hosts) > 0, "else it were set to 0"
    assert (found.within, found.runs) == pytest.approx((within, between_runs))
    assert found.hosts == (pytest.approx(between_hosts[0]) if between_hosts else None)


def _indicators(sizes: list[int]) -> NDArray[np.float64]:
    """Which value is of which group."""
    return np.repeat(np.eye(len(sizes)), sizes, axis=0)


def _projection(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(x @ np.linalg.pinv(x))


def test_what_is_estimated_below_zero_is_set_to_zero_and_named() -> None:
    found = components([[np.array([0.0, 10.0])], [np.array([1.0, 9.0])]])
    assert found is not None
    assert (found.hosts, found.zeroed) == (0.0, ("hosts",))
    three = components(
        [[np.array([0.0, 10.0]), np.array([1.0, 9.0])], [np.array([20.0, 30.0]), np.array([21.0, 29.0])]]
    )
    assert three is not None
    assert (three.runs, three.zeroed) == (0.0, ("runs",))
    assert three.hosts is not None and three.hosts > 100


def test_one_host_has_runs_and_one_run_has_nothing_to_split() -> None:
    one = components([[np.array([0.0, 2.0]), np.array([8.0, 10.0])]])
    assert one is not None
    assert (one.hosts, one.within) == (None, 2.0)
    assert one.runs == pytest.approx(31.0)
    assert components([[np.array([1.0, 2.0, 3.0])]]) is None
    assert components([[np.array([1.0])], [np.array([2.0])]]) is None, "no run has two values"
    assert components([]) is None
    assert components([[np.array([1.0, 2.0, 3.0]), np.empty(0)], [np.empty(0)]]) is None, (
        "of a host that is gone"
    )
