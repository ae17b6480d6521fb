# SPDX-License-Identifier: Apache-2.0
"""Do the statistics keep what they promise? `python -m perf.simulate [--runs N] [--seed N] [--write docs/statistics.md]`

The experiments of tests/fixtures/simulations.py, made-up runs whose truth is known: the unit tests make each a few thousand times, this
ten thousand times, or N. Prints a table a group: what, in which setting, how often, and whether that is within its bounds. ``--write`` puts
the tables between the marks of a Markdown file, with the command and how long it took. Exits with 1 where a bound is broken.

It is not called perf/statistics.py: the scripts beside it import Python's own module of that name.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fixtures.simulations import EXPERIMENTS, OTHER_DESIGNS, POWER, Experiment

BEGIN, END = "<!-- python -m perf.simulate writes from here -->", "<!-- to here -->"
HEAD = ("| what | setting | share | bounds | |", "|---|---|---|---|---|")


def rows(experiments: Sequence[Experiment], runs: int, seed: int) -> Iterator[tuple[str, bool]]:
    """A line of the table, and whether its bounds hold."""
    for one in experiments:
        rate = one.rate(runs, seed)
        fine = one.fine(rate, runs)
        mark = "" if (one.low, one.high) == (0, 1) else "holds" if fine else "**broken**"
        yield f"| {one.subject} | {one.setting} | {100 * rate:.2f} % | {bounds(one, runs)} | {mark} |", fine


def bounds(one: Experiment, runs: int) -> str:
    if (one.low, one.high) == (0, 1):
        return ""
    if one.error:
        return f"at most {100 * one.high:g} % + {100 * one.slack(runs):.2f} %"
    return f"{100 * one.low:g}–{100 * one.high:g} %"


def told(runs: int, seed: int) -> tuple[list[str], bool]:
    """All tables, and whether every bound holds."""
    groups = (
        ("What must hold", EXPERIMENTS),
        ("What a report of 30 comparisons finds: noise of 10 % a trial, 5 % outliers", POWER),
        ("Why blocks in random order: the same runtimes, in other orders", OTHER_DESIGNS),
    )
    lines, every = [], True
    for title, experiments in groups:
        lines += [f"**{title}**", "", *HEAD]
        for line, fine in rows(experiments, runs, seed):
            lines.append(line)
            every &= fine
        lines.append("")
    return lines, every


def write(path: Path, lines: Sequence[str]) -> None:
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text("\n".join((before + BEGIN, "", *lines, END)) + after)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--write", type=Path, metavar="FILE")
    wanted = parser.parse_args()
    start = time.process_time()
    lines, fine = told(wanted.runs, wanted.seed)
    took = time.process_time() - start
    command = f"python -m perf.simulate --runs {wanted.runs} --seed {wanted.seed} --write docs/statistics.md"
    made = f"`{command}`: {wanted.runs:,} runs of each, {took:.0f} s of CPU time on one core."
    print("\n".join((*lines, made)))
    if wanted.write is not None:
        write(wanted.write, [made, "", *lines])
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
