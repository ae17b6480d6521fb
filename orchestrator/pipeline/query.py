# SPDX-License-Identifier: Apache-2.0
"""A question in SQL over all runs: those that are not digested yet are digested first, those that cannot be read are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.model.errors import ResultError
from orchestrator.pipeline.report import exportable, is_digested
from orchestrator.results.database import Answer, answered, named_in
from orchestrator.results.rows import Digested
from orchestrator.results.store import RunFolder, RunStore

Say = Callable[[str], None]


@contextmanager
def query(sql: str, store: RunStore, say: Say) -> Iterator[Answer]:
    """``say`` is told what takes time, and what is left out.

    Raises UsageError (the question; no run) and ResultError (no run that can be read).
    """
    needed = named_in(sql)
    store.find("latest")
    with answered(sql, readable_runs(store, say), needed) as answer:
        yield answer


def readable_runs(store: RunStore, say: Say) -> list[Digested]:
    """Every run that can be read, oldest first. Raises ResultError: there is none."""
    found, ids = [], sorted(store.ids())
    for number, name in enumerate(ids, 1):
        folder = store.root / name
        try:
            RunFolder(folder).read_spec()  # what cannot be read is not said to be digested
            if not is_digested(folder):
                say(f"digesting {name} ({number} of {len(ids)})")
            found.append(exportable(folder))
        except ResultError as error:
            say(f"left out: {error}")
    if ids and not found:
        raise ResultError(f"None of the {len(ids)} runs in {store.root} can be read.", "Above it says why.")
    return found
