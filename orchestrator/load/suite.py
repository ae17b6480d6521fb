# SPDX-License-Identifier: Apache-2.0
"""Suites: what to compare, and how often.

A suite is a YAML file. Touchstone's keys mean what they mean there, and its files load unchanged:

    cri      CRI runtimes: [containerd]
    oci      their handlers: [runc, crun]; every CRI runtime with every handler is a combination
    filter   benchmarks, by name or by regular expression (below)
    runs     counted blocks of each benchmark (default 20)
    scale    given to the benchmarks that have a parameter of that name
    output   accepted and not used: what a run leaves stands in its own folder

A name that a filter gives in full may also be one of a family that the catalogue shows only the usual members of
(``scalability.runtime.20``). And ours:

    description   one line for `labctl list`
    baseline      the combination that the others are compared with (default: the first)
    warmup        blocks at the start of each benchmark that are left out of estimates (default 1)
    precision     instead of runs: blocks until every interval is as narrow as this (3%), 15 to 60 of them
    budget        with precision: how long each host may work at most (30m); the benchmarks share it
    profile       thesis (default), or quick: each benchmark's `quick` parameters, a tenth of the work
    benchmarks    a mapping of a benchmark's name to {blocks, warmup, params, precision, budget}: selects it, and sets it apart
                  from the rest; a budget that stands here is this benchmark's own

A filter is anchored at the parts of a name: it must match the whole name, or the whole of its first parts. So ``scalability``
and ``scalability.runtime`` select all of theirs, ``.*\\.5`` selects ``scalability.runtime.5`` and not ``scalability.runtime.50``.
(Touchstone takes a filter as the beginning of a name's text, so that there ``scalability.runtime.5`` selects ``.50`` too, and
keeps of several filters what all of them select; here each adds its own. The files that come with it have one filter each, of
whole parts, and select the same here. One filter may stand without a list, as the thesis prints it.)
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from orchestrator.load.document import Document, KeyPath, load_document, validate
from orchestrator.load.quantity import share, time_span
from orchestrator.model.errors import UsageError
from orchestrator.model.run import BenchmarkPlan, Profile, Suite
from orchestrator.model.stopping import MOST
from remote_agent.contract.benchmark import Benchmark

DEFAULT_BLOCKS = 20
Find = Callable[[str], Benchmark]
_Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
_Names = Annotated[list[_Name], Field(min_length=1)]
_Count = Annotated[int, Field(ge=1)]
_Warmup = Annotated[int, Field(ge=0)]
_Quantity = str | int | float
_PROFILES = {profile.value: profile for profile in Profile}


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class _BenchmarkEntry(_Strict):
    blocks: _Count | None = None
    warmup: _Warmup | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    precision: _Quantity | None = None
    budget: _Quantity | None = None


class _SuiteFile(_Strict):
    cri: _Names
    oci: _Names
    filter: Annotated[list[str], BeforeValidator(_listed)] = Field(default_factory=list)
    runs: _Count | None = None
    scale: _Count | None = None
    output: str | None = None
    description: str = ""
    baseline: str | None = None
    warmup: _Warmup = 1
    precision: _Quantity | None = None
    budget: _Quantity | None = None
    profile: str = Profile.THESIS.value
    benchmarks: dict[str, _BenchmarkEntry | None] = Field(default_factory=dict)


def list_suites(folders: Sequence[Path]) -> dict[str, Path]:
    """Name to file of every suite in ``folders``; the first folder that has a name wins."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((*folder.glob("*.yaml"), *folder.glob("*.yml"))):
            found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find_suite(wanted: str, folders: Sequence[Path]) -> Path:
    """The file of the suite that is named by name or by path. Raises UsageError, naming the suites there are."""
    if "/" in wanted or wanted.endswith((".yaml", ".yml")):
        path = Path(wanted)
        if not path.is_file():
            raise UsageError(
                f"There is no suite file {wanted}.", "Give a path to a suite, or the name of one."
            )
        return path
    suites = list_suites(folders)
    if wanted in suites:
        return suites[wanted]
    close = difflib.get_close_matches(wanted, suites, n=1)
    guess = f"Did you mean {close[0]}? " if close else ""
    names = ", ".join(suites) or "none"
    raise UsageError(
        f"There is no suite named {wanted!r}.", f"{guess}Suites: {names} (`labctl list` describes them)."
    )


def load_suite(
    path: Path, catalogue: Sequence[Benchmark], find: Find | None = None, profile: Profile | None = None
) -> Suite:
    """Read and check a suite against the benchmarks that there are. Raises ConfigError with file, line and key.

    ``find`` gives also those that the catalogue does not list, by their full name; it raises KeyError for others.
    ``profile`` goes before the suite's own.
    """
    document = load_document(path)
    if not isinstance(document.value, dict):
        raise document.error((), "a suite is a mapping with at least cri, oci, and filter or benchmarks.")
    file = validate(document, _SuiteFile)
    _check_names(document, file)
    budget = _span(document, ("budget",), file.budget)
    plans = _plans(document, file, _with_named(file, catalogue, find), profile or _profile(document, file))
    suite = Suite(
        name=path.stem,
        cri=tuple(file.cri),
        oci=tuple(file.oci),
        benchmarks=plans,
        baseline=file.baseline,
        description=file.description,
        profile=profile or _profile(document, file),
        budget=budget,
    )
    if budget is not None and all(plan.precision is None for plan in plans):
        raise document.error(("budget",), "a budget needs a precision target beside it.", at_key=True)
    names = [combination.name for combination in suite.combinations]
    if suite.baseline is not None and suite.baseline not in names:
        raise document.error(("baseline",), f"{suite.baseline!r} is not one of {', '.join(names)}.")
    return suite


def matches(pattern: re.Pattern[str], name: str) -> bool:
    """Does the filter select the benchmark: is the whole name matched, or the whole of its first parts?"""
    parts = name.split(".")
    return any(pattern.fullmatch(".".join(parts[:count])) for count in range(1, len(parts) + 1))


def _with_named(file: _SuiteFile, catalogue: Sequence[Benchmark], find: Find | None) -> dict[str, Benchmark]:
    """The catalogue, and behind it what the file names in full and only ``find`` knows."""
    known = {benchmark.name: benchmark for benchmark in catalogue}
    for name in (*file.filter, *file.benchmarks):
        if find is not None and name not in known:
            with suppress(KeyError):
                known[name] = find(name)
    return known


def _check_names(document: Document, file: _SuiteFile) -> None:
    for key, names in (("cri", file.cri), ("oci", file.oci)):
        for index, name in enumerate(names):
            if name in names[:index]:
                raise document.error((key, index), f"{name} is there twice.")


def _profile(document: Document, file: _SuiteFile) -> Profile:
    if file.profile not in _PROFILES:
        raise document.error(("profile",), f"{file.profile!r} is neither {' nor '.join(_PROFILES)}.")
    return _PROFILES[file.profile]


def _plans(
    document: Document, file: _SuiteFile, catalogue: Mapping[str, Benchmark], profile: Profile
) -> tuple[BenchmarkPlan, ...]:
    """The selected benchmarks: those of the filters in the catalogue's order, then those that are only named."""
    selected = _filtered(document, file.filter, catalogue)
    for name in file.benchmarks:
        if name not in catalogue:
            raise document.error(
                ("benchmarks", name), "there is no such benchmark.", _known(catalogue), at_key=True
            )
        if name not in selected:
            selected.append(name)
    if not selected:
        raise document.error(
            (), "selects no benchmark: it needs `filter` or `benchmarks`.", _known(catalogue)
        )
    return tuple(_plan(document, file, catalogue[name], profile) for name in selected)


def _filtered(document: Document, filters: Sequence[str], catalogue: Mapping[str, Benchmark]) -> list[str]:
    chosen: set[str] = set()
    for index, text in enumerate(filters):
        try:
            pattern = re.compile(text)
        except re.error as error:
            raise document.error(
                ("filter", index), f"{text!r} is not a regular expression: {error}."
            ) from error
        hits = {name for name in catalogue if matches(pattern, name)}
        if not hits:
            raise document.error(("filter", index), f"{text!r} selects no benchmark.", _known(catalogue))
        chosen |= hits
    return [name for name in catalogue if name in chosen]


def _plan(document: Document, file: _SuiteFile, benchmark: Benchmark, profile: Profile) -> BenchmarkPlan:
    """What is set explicitly goes before what the profile sets."""
    entry = file.benchmarks.get(benchmark.name) or _BenchmarkEntry()
    for key, value in entry.params.items():
        _check_param(document, benchmark, key, value)
    sized = benchmark.quick if profile is Profile.QUICK else {}
    scale = {"scale": file.scale} if file.scale is not None and "scale" in benchmark.params else {}
    precision = _precision(document, file, benchmark.name, entry)
    fixed = entry.blocks or file.runs or DEFAULT_BLOCKS
    return BenchmarkPlan(
        name=benchmark.name,
        blocks=fixed if precision is None else MOST,
        warmup=file.warmup if entry.warmup is None else entry.warmup,
        params={**sized, **scale, **entry.params},
        precision=precision,
        budget=_own_budget(document, benchmark.name, entry, precision),
    )


def _precision(document: Document, file: _SuiteFile, name: str, entry: _BenchmarkEntry) -> float | None:
    """The benchmark's own rule, else the suite's. Raises ConfigError: two rules at one place."""
    here: KeyPath = ("benchmarks", name)
    if file.runs is not None and file.precision is not None:
        raise document.error(("precision",), "`runs` and `precision` exclude each other.", at_key=True)
    if entry.blocks is not None and entry.precision is not None:
        message = "`blocks` and `precision` exclude each other."
        raise document.error((*here, "precision"), message, at_key=True)
    if entry.blocks is not None:
        return None
    own = entry.precision is not None
    where: KeyPath = (*here, "precision") if own else ("precision",)
    wanted = entry.precision if own else file.precision
    try:
        return None if wanted is None else share(wanted)
    except ValueError as error:
        raise document.error(where, f"{error}.") from error


def _own_budget(
    document: Document, name: str, entry: _BenchmarkEntry, precision: float | None
) -> float | None:
    where: KeyPath = ("benchmarks", name, "budget")
    if entry.budget is not None and precision is None:
        raise document.error(where, "a budget needs a precision target beside it.", at_key=True)
    return _span(document, where, entry.budget)


def _span(document: Document, where: KeyPath, value: _Quantity | None) -> float | None:
    try:
        return None if value is None else time_span(value)
    except ValueError as error:
        raise document.error(where, f"{error}.") from error


def _check_param(document: Document, benchmark: Benchmark, key: str, value: object) -> None:
    where = ("benchmarks", benchmark.name, "params", key)
    if key not in benchmark.params:
        known = ", ".join(sorted(benchmark.params)) or "none"
        raise document.error(
            where, f"{benchmark.name} has no such parameter.", f"It has: {known}.", at_key=True
        )
    default = benchmark.params[key]
    fits = type(value) is type(default) or (isinstance(default, float) and type(value) is int)
    if default is not None and not fits:
        raise document.error(
            where, f"should be of type {type(default).__name__}, as its default {default!r} is."
        )


def _known(catalogue: Mapping[str, Benchmark]) -> str:
    return f"Benchmarks: {', '.join(catalogue)}."
