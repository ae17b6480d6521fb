# SPDX-License-Identifier: Apache-2.0
"""Take in a run of another controller: looked at as a whole beside the store, and only then moved into it.

Either all of it is there in the end, digested, or nothing has changed. What it is called and contains is decided by its run.json; what
it is joined with, by `labctl report RUN RUN`, which tells the two controllers' machines apart.
"""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from orchestrator.files import sha256_of
from orchestrator.model.errors import ResultError
from orchestrator.model.run import RunSpec
from orchestrator.pipeline.report import digest
from orchestrator.results.journals import recorded_origin
from orchestrator.results.parcel import PLACE, RUN, opened
from orchestrator.results.store import RunFolder, RunStore

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


@dataclass(frozen=True, slots=True)
class TakenIn:
    """``known``: the very same run was there already, and nothing was done."""

    folder: RunFolder
    spec: RunSpec
    known: bool


def import_run(source: Path, store: RunStore) -> TakenIn:
    """The run in a folder or a tar.

    Raises ResultError: it is no run, not ended, of another schema, not what it says it is, or the store has another run of its id.
    """
    beside = store.root / f".import-{secrets.token_hex(4)}"
    with opened(source) as parcel:
        try:
            beside.mkdir(parents=True)
            parcel.copy_to(beside)
            return _take_in(source, RunFolder(beside), store)
        except OSError as error:
            raise ResultError(f"{source}: cannot be imported into {store.root}: {error.strerror}.") from error
        finally:
            shutil.rmtree(beside, ignore_errors=True)


def _take_in(source: Path, run: RunFolder, store: RunStore) -> TakenIn:
    try:
        spec = run.read_spec()
        _check(source, run, spec)
        final = RunFolder(store.root / spec.id)
        if not final.path.exists():
            digest(run.path)
            run.path.rename(final.path)
            return TakenIn(final, spec, known=False)
    except ResultError as error:
        # Where the copy lies is nobody's concern: it is gone by the time that this is read.
        message = error.message.replace(f"{run.path}/", f"{source}: ").replace(str(run.path), str(source))
        hint = "Nothing was imported. Look at it with `labctl report` where it was made."
        raise ResultError(
            message, error.hint if error.hint and "labctl fetch" not in error.hint else hint
        ) from error
    differing = _differing(run, final)
    if differing:
        raise ResultError(
            f"{source}: {store.root} has a run {spec.id} already, and its {differing} is another.",
            "Nothing was changed. Import into another folder (--root), or move the run that is here away.",
        )
    return TakenIn(final, spec, known=True)


def _check(source: Path, run: RunFolder, spec: RunSpec) -> None:
    if not ID.fullmatch(spec.id):
        _refuse(source, f"its id {spec.id!r} is no run's")
    if spec.runs:
        _refuse(source, "is a report of joined runs", "Import these runs: " + ", ".join(spec.runs) + ".")
    strange = sorted(set(_hosts_there(run)) - {host.name for host in spec.hosts})
    if strange:
        _refuse(source, f"has results of {', '.join(strange)}, which is no host of the run")
    state = run.read_state()
    if state is None or state.exit_code is None:
        hint = "`labctl attach` or `labctl cancel` ends it there. Then hand it over again."
        _refuse(source, f"the run {spec.id} has not ended where it was made", hint)
    if state.id != spec.id:
        _refuse(source, f"its state.json is of the run {state.id}, and its run.json of {spec.id}")
    for host in spec.hosts:
        _check_journal(source, run.journal(host.name), spec.id, host.name)


def _check_journal(source: Path, path: Path, run: str, host: str) -> None:
    """That it is this run's of this host, by its first record of a start; all else is looked at by the merge."""
    origin = recorded_origin(path) if path.exists() else None
    if origin not in (None, (run, host)):
        _refuse(source, f"the journal of {host} is that of {origin[1]} in the run {origin[0]}")


def _hosts_there(run: RunFolder) -> list[str]:
    return [path.name for path in run.path.glob("hosts/*")]


def _differing(run: RunFolder, other: RunFolder) -> str | None:
    """The first file, of those that are measured, that is another; what hosts ran is noted in run.json later, and is from the journals."""
    mine, theirs = _plain(run.read_spec()), _plain(other.read_spec())
    if mine != theirs:
        return RUN
    here, there = _sums(run.path), _sums(other.path)
    return next(
        (place for place in sorted(here.keys() | there.keys()) if here.get(place) != there.get(place)), None
    )


def _plain(spec: RunSpec) -> RunSpec:
    return replace(spec, hosts=tuple(replace(host, provenance={}) for host in spec.hosts))


def _sums(folder: Path) -> Mapping[str, str]:
    paths = {path.relative_to(folder).as_posix(): path for path in folder.glob("hosts/*/*")}
    return {place: sha256_of(path) for place, path in paths.items() if PLACE.fullmatch(place)}


def _refuse(source: Path, what: str, hint: str = "It is not a run as labctl leaves it.") -> NoReturn:
    raise ResultError(f"{source}: {what}.", hint)
