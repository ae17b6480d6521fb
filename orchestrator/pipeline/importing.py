# SPDX-License-Identifier: Apache-2.0
"""Take in results that another tool measured: checked, copied as they are, digested like a run of one's own."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from orchestrator.files import aside
from orchestrator.model.errors import ResultError, UsageError
from orchestrator.model.run import HostState, RunState, RunStatus
from orchestrator.pipeline.report import digest
from orchestrator.results import touchstone
from orchestrator.results.store import RunFolder, RunStore, new_run_id

HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def import_touchstone(file: Path, store: RunStore, host: str, now: datetime | None = None) -> RunFolder:
    """The run that a result file of Touchstone's becomes. Raises ResultError (the file) and UsageError (the host's name)."""
    if not HOST.fullmatch(host):
        raise UsageError(f"{host!r} is no name for a host.", "Use letters, digits, `.`, `_` and `-`.")
    results, now = touchstone.read_results(file), now or datetime.now(UTC)
    created = now.isoformat(timespec="seconds")
    run = new_run_id(touchstone.NAME, now)
    spec = touchstone.imported_spec(results, file, run, host, created, version("labctl"))
    folder = store.create(spec)
    try:
        with aside(folder.source(host, touchstone.NAME)) as beside:
            shutil.copyfile(file, beside)
        trials = sum(max(1, len(result.reports)) for result in results)
        failed = touchstone.failed_trials(results)
        state = HostState(host, RunStatus.COMPLETE, trials, failed, 0)
        folder.write_state(RunState(run, RunStatus.COMPLETE, (state,), created, exit_code=0))
        digest(folder.path)
    except ResultError:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    except OSError as error:
        shutil.rmtree(folder.path, ignore_errors=True)
        raise ResultError(f"{file}: cannot be copied: {error.strerror}.") from error
    return folder
