# SPDX-License-Identifier: Apache-2.0
"""estimates.json, as it is."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.results.estimates import to_json
from orchestrator.results.rows import Digested


def lines(run: Digested) -> Iterator[str]:
    yield from to_json(run.estimates).splitlines(keepends=True)
