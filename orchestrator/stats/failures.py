# SPDX-License-Identifier: Apache-2.0
"""Whether trials fail more often: Fisher's exact test.

R. A. Fisher: The logic of inductive inference. J. R. Statist. Soc. 98 (1935) 39-82. It is exact at any size, and
conservative at small ones: of equal rates it errs in less than alpha.
"""

from __future__ import annotations


def failure_rise_p(failed_a: int, trials_a: int, failed_b: int, trials_b: int) -> float:
    """The one-sided p of "B fails no more often than A"; 1 where nothing failed in B, or a side has no trial."""
    if failed_b == 0 or trials_a == 0:
        return 1.0
    from scipy.stats import fisher_exact

    table = [[failed_b, trials_b - failed_b], [failed_a, trials_a - failed_a]]
    return float(fisher_exact(table, alternative="greater").pvalue)
