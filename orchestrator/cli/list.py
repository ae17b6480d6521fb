# SPDX-License-Identifier: Apache-2.0
"""labctl list: suites, benchmarks, metrics."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.planned_run import how_often
from orchestrator.shipped import suite_folders

if TYPE_CHECKING:
    from orchestrator.model.run import Suite
    from remote_agent.contract.benchmark import Benchmark


@click.command("list", epilog=examples("labctl list", "labctl list --long", "labctl list --json"))
@click.option("--long", "long", is_flag=True, help="Also every metric, parameter, and what is timed.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and nothing else.")
def list_command(long: bool, as_json: bool) -> None:
    """List suites, benchmarks and metrics."""
    from orchestrator.pipeline.run import known_suites
    from remote_agent.benchmarks.registry import catalogue

    suites, benchmarks = known_suites(suite_folders()), catalogue()
    if as_json:
        told = {
            "suites": [_suite(each) for each in suites],
            "benchmarks": [_benchmark(each) for each in benchmarks],
        }
        click.echo(json.dumps(told, indent=2))
        return
    click.echo("Suites (labctl run --suite NAME)")
    for suite in suites:
        click.echo("\n".join(suite_lines(suite, long)))
    click.echo("\nBenchmarks")
    for benchmark in benchmarks:
        click.echo("\n".join(benchmark_lines(benchmark, long)))


def suite_lines(suite: Suite, long: bool) -> list[str]:
    lines = [f"  {suite.name:<14} {suite.description}"]
    if long:
        lines.append(f"    compares  {', '.join(item.name for item in suite.combinations)}")
        lines += [f"    executes  {plan.name}: {how_often(plan)}" for plan in suite.benchmarks]
    return lines


def benchmark_lines(benchmark: Benchmark, long: bool) -> list[str]:
    lines = [f"  {benchmark.name:<32} {benchmark.summary}"]
    if long:
        for metric in benchmark.metrics:
            marks = [metric.unit, f"{metric.better} is better"]
            marks += ["primary"] if metric.name == benchmark.primary else []
            marks += [f"one a {metric.item}"] if metric.per_item else []
            lines.append(f"    {metric.name:<22} {metric.timed} ({', '.join(marks)})")
        for name, value in benchmark.params.items():
            quick = f", in profile quick {benchmark.quick[name]!r}" if name in benchmark.quick else ""
            lines.append(f"    parameter {name}, default {value!r}{quick}")
    return lines


def _suite(suite: Suite) -> dict[str, Any]:
    return {**asdict(suite), "combinations": [item.name for item in suite.combinations]}


def _benchmark(benchmark: Benchmark) -> dict[str, Any]:
    return {
        "name": benchmark.name,
        "summary": benchmark.summary,
        "primary": benchmark.primary,
        "params": dict(benchmark.params),
        "quick": dict(benchmark.quick),
        "metrics": [asdict(metric) for metric in benchmark.metrics],
    }
