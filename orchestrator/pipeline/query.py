# SPDX-License-Identifier: Apache-2.0
"""A question in SQL over all runs: those that are not digested yet are digested first.

Those that cannot be read are left out, and so is a folder that is a copy of another: its rows would be there twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

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
    return list(_distinct(found, say))


def _distinct(runs: Sequence[Digested], say: Say) -> Iterator[Digested]:
    """The runs without copies, in their order; of two folders of one run, that is kept whose name is the run's id."""
    holders: dict[str, Digested] = {}
    copies: set[Path] = set()
    for run in sorted(runs, key=lambda run: run.folder.name != run.spec.id):
        marks = [run.spec.id, *_journal_sums(run)]
        original = next((holders[mark] for mark in marks if mark in holders), None)
        if original:
            say(f"left out: {run.folder} holds measurements of {original.folder} once more")
            copies.add(run.folder)
        else:
            holders.update(dict.fromkeys(marks, run))
    return (run for run in runs if run.folder not in copies)


def _journal_sums(run: Digested) -> list[str]:
    return [sha256 for path, sha256 in run.estimates.sources.items() if path.startswith("hosts/")]
