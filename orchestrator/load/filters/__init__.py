# SPDX-License-Identifier: Apache-2.0
"""Ansible's filters and tests, as far as playbooks for runtimes use them; Jinja2's own are there besides.

Each behaves as its namesake in ansible-core; what a filter refuses is a FilterError with one sentence. What needs more than
labctl has (password_hash, vault, json_query and other collections' filters) is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from orchestrator.load.filters import containers, formats, places, quantities, texts, truth
from orchestrator.load.filters.places import files_like
from orchestrator.load.filters.problem import FilterError
from orchestrator.load.filters.truth import to_bool

__all__ = ["FILTERS", "TESTS", "FilterError", "files_like", "to_bool"]

FILTERS: Mapping[str, Callable[..., Any]] = {
    **containers.FILTERS,
    **formats.FILTERS,
    **places.FILTERS,
    **quantities.FILTERS,
    **texts.FILTERS,
    **truth.FILTERS,
}
TESTS: Mapping[str, Callable[..., bool]] = {
    **containers.TESTS,
    **places.TESTS,
    **quantities.TESTS,
    **texts.TESTS,
    **truth.TESTS,
}
