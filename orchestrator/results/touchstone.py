# SPDX-License-Identifier: Apache-2.0
"""Touchstone's result file (L. Espe, TU Munich 2019; github.com/lnsp/touchstone), read as if it were a journal.

The file is a JSON array of one entry a combination, and Touchstone appends one such array each time it is run with the same `output`:

    [{"CRI": "containerd", "OCI": "runc", "Results": [
        {"Name": "operations.container.lifecycle", "Aggregated": {METRIC: mean}, "Reports": [{METRIC: value}, ...]}]}]

Keys are taken in any case (as Go reads JSON). Values are seconds, but for metrics that end in Latency: those are sysbench's milliseconds.

What it does not record: when it ran, on what, which versions, why a run failed (it stops a benchmark at the first failure).
And it has no blocks: it runs all repeats of one combination, then all of the next, so that nothing tells drift of the machine
from a difference of the runtimes (STATISTICS.md: such a design claims a difference between two identical runtimes in 18-57 %
of tests). So each of its runs becomes a trial in a block of its own: nothing can pair with it, here or in any other reading of
samples.parquet. Medians with their intervals are what is left, and no claim is made. Where a file has no reports, its means
are kept as `METRIC (mean)`: a mean is no sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.model.errors import ResultError
from orchestrator.model.run import BenchmarkPlan, Combination, RunHost, RunSpec
from orchestrator.model.text import printable_value
from remote_agent.contract.journal import record

NAME = "touchstone"
"""Of the import, and of its source file."""
IMPORTED = "imported"
"""How its journal ends."""
NO_BLOCKS = "Touchstone runs all repeats of one combination before the next, without blocks, so nothing pairs"
NO_VALUE = "Touchstone recorded a run without a value"
EARLIER = {"operations.container.lifecycle": {"Startup": "CreateAndRun", "Start": "Run"}}
"""Metrics that Touchstone had renamed by the time of the thesis; what is timed is the same."""
HINT = "Give the file that a Touchstone configuration names as its `output`."


@dataclass(frozen=True, slots=True)
class Result:
    """One benchmark of one combination: ``reports`` are its runs in their order, ``means`` what Touchstone made of them."""

    combination: Combination
    benchmark: str
    reports: tuple[Mapping[str, float], ...]
    means: Mapping[str, float]


def read_results(path: Path) -> tuple[Result, ...]:
    """Every result, in the order of the file. Raises ResultError: unreadable, not of this format, or empty."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ResultError(f"{path}: cannot be read: {why}.", HINT) from error
    found = tuple(result for entry in _entries(path, text) for result in _results(path, entry))
    if not found:
        _refuse(path, "has no result")
    return found


def planned(results: Sequence[Result]) -> tuple[tuple[Combination, ...], tuple[BenchmarkPlan, ...]]:
    """Combinations and benchmarks in the order of the file; as many blocks as the combination with the most runs has."""
    runs: dict[str, dict[Combination, int]] = {}
    for result in results:
        known = runs.setdefault(result.benchmark, {})
        known[result.combination] = known.get(result.combination, 0) + max(1, len(result.reports))
    plans = tuple(BenchmarkPlan(name, max(counts.values()), warmup=0) for name, counts in runs.items())
    return tuple(dict.fromkeys(result.combination for result in results)), plans


def imported_spec(
    results: Sequence[Result], file: Path, run: str, host: str, created: str, version: str
) -> RunSpec:
    """run.json of an import. ``created`` is when it was imported: Touchstone does not record when it ran."""
    combinations, plans = planned(results)
    return RunSpec(
        id=run,
        suite=f"{NAME}, {file.name}",
        inventory="-",
        created=created,
        seed=0,
        hosts=(RunHost(host, host, imported=NAME),),
        combinations=combinations,
        benchmarks=plans,
        baseline=combinations[0].name,
        labctl_version=version,
    )


def as_journal(path: Path, host: RunHost, run: str) -> bytes:
    """The journal that the result file comes to. Raises ResultError."""
    records = _records(read_results(path))
    return "".join(json.dumps(each, separators=(",", ":")) + "\n" for each in records).encode()


def _records(results: Sequence[Result]) -> Iterator[dict[str, Any]]:
    blocks: dict[str, int] = {}
    for result in results:
        for trial in _trials(result):
            block = blocks[result.benchmark] = blocks.get(result.benchmark, -1) + 1
            where = {"benchmark": result.benchmark, "block": block}
            yield record("block", **where, warmup=False, order=[result.combination.name])
            yield record("trial", **where, position=0, combination=result.combination.name, attempt=1, warmup=False,
                         start_ns=None, elapsed_ns=None, cleanup_ns=None, leaks=[], **trial)  # fmt: skip
    for message, hint in _notes(results):
        yield record("note", level="warning", message=message, hint=hint)
    yield record("ended", status=IMPORTED)


def _trials(result: Result) -> Iterator[dict[str, Any]]:
    for report in result.reports:
        if report:
            yield {"status": "ok", "reason": None, "samples": _samples(result, report, "")}
        else:
            yield {"status": "failed", "reason": NO_VALUE, "samples": []}
    if not result.reports and result.means:
        yield {"status": "ok", "reason": None, "samples": _samples(result, result.means, " (mean)")}
    elif not result.reports:
        reason = "Touchstone recorded no run: it stops at the first failure, and keeps no reason"
        yield {"status": "failed", "reason": reason, "samples": []}


def failed_trials(results: Sequence[Result]) -> int:
    """How many of the trials that the results come to count as failed."""
    return sum(trial["status"] == "failed" for result in results for trial in _trials(result))


def _samples(result: Result, values: Mapping[str, float], suffix: str) -> list[dict[str, Any]]:
    names = EARLIER.get(result.benchmark, {})
    return [
        {"metric": names.get(name, name) + suffix, "value": value, "unit": _unit(name), "item": None}
        for name, value in values.items()
    ]


def _unit(metric: str) -> str:
    return "ms" if metric.endswith("Latency") else "s"


def _notes(results: Sequence[Result]) -> Iterator[tuple[str, str]]:
    yield (
        f"Imported from Touchstone: {NO_BLOCKS}.",
        "Run the suite with labctl for a comparison; Touchstone's configuration files load unchanged.",
    )
    yield (
        "Touchstone records neither when and where it ran nor which versions.",
        "Keep that beside its file.",
    )
    asked = {plan.name: plan.blocks for plan in planned(results)[1]}
    for result in results:
        if 0 < len(result.reports) < asked[result.benchmark]:
            of = f"{result.combination.name} in {result.benchmark}"
            yield (
                f"{of} has {len(result.reports)} runs, where another combination has {asked[result.benchmark]}.",
                "Touchstone stops a benchmark at its first failure, and keeps no reason.",
            )
    if any(result.means and not result.reports for result in results):
        yield "Of some benchmarks there are means only.", "A mean has no interval; nothing is made of it."
    if zeros := sum(
        value == 0 for result in results for report in result.reports for value in report.values()
    ):
        yield (
            f"{zeros} value{'s are' if zeros > 1 else ' is'} exactly 0.",
            "Touchstone found no number in the tool's output, or the tool rounded it: look at its output.",
        )
    renamed = sorted(
        f"{old} is {new} here"
        for benchmark, names in EARLIER.items()
        for old, new in names.items()
        if any(result.benchmark == benchmark and old in {*result.means, *_metrics(result)} for result in results)
    )  # fmt: skip
    if renamed:
        yield f"An early Touchstone's names: {', '.join(renamed)}.", "What is timed is the same."


def _metrics(result: Result) -> set[str]:
    return {name for report in result.reports for name in report}


def _entries(path: Path, text: str) -> Iterator[dict[str, Any]]:
    """The entries of every array: Touchstone appends an array each time that it is run."""
    decoder, at = json.JSONDecoder(parse_constant=_no_constant), 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except ValueError as error:
            raise ResultError(f"{path}: is not JSON: {error}.", HINT) from error
        for entry in value if isinstance(value, list) else [value]:
            if not isinstance(entry, dict):
                _refuse(path, f"has {entry!r} where an entry of a combination should be")
            if "cri_endpoint" in entry:
                _refuse(path, "was written by a Touchstone from before its result format (`cri_endpoint`)")
            yield _folded(printable_value(entry))


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no measurement")


def _folded(value: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): each for name, each in value.items()}


def _results(path: Path, entry: Mapping[str, Any]) -> Iterator[Result]:
    combination = Combination(_text(path, entry, "CRI"), _text(path, entry, "OCI"))
    for value in _list(path, entry, "Results"):
        if not isinstance(value, dict):
            _refuse(path, f"has {value!r} among the Results of {combination.name}")
        result = _folded(value)
        name = _text(path, result, "Name")
        where = f"{name} of {combination.name}"
        reports = tuple(_values(path, report, where) for report in _list(path, result, "Reports"))
        yield Result(combination, name, reports, _values(path, result.get("aggregated"), where))


def _text(path: Path, value: Mapping[str, Any], key: str) -> str:
    found = value.get(key.lower())
    if not isinstance(found, str) or not found:
        _refuse(path, f"lacks {key} in an entry")
    return found


def _list(path: Path, value: Mapping[str, Any], key: str) -> list[Any]:
    found = value.get(key.lower())
    if found is not None and not isinstance(found, list):
        _refuse(path, f"has {key} that are no list")
    return found or []


def _values(path: Path, report: Any, where: str) -> Mapping[str, float]:
    if report is None:
        return {}
    if not isinstance(report, dict):
        _refuse(path, f"has a report that is no object, in {where}")
    for name, value in report.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            _refuse(path, f"has {value!r} for {name}, in {where}, where a number should be")
    return {str(name): float(value) for name, value in report.items()}


def _refuse(path: Path, what: str) -> NoReturn:
    raise ResultError(f"{path}: {what}.", HINT)
