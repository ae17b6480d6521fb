# SPDX-License-Identifier: Apache-2.0
"""labctl query 'SQL': all runs, asked in SQL."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.runs import root_option


@click.command(
    "query",
    epilog=examples(
        "labctl query --tables                                # what may be asked for",
        "labctl query \"SELECT run, sentence FROM verdicts WHERE kind = 'different'\"",
        'labctl query "SELECT host, combination, median FROM cells WHERE is_primary"',
        'labctl query --csv "SELECT reason, count(*) FROM trials GROUP BY reason"',
    ),
)
@click.argument("sql", required=False, metavar="SQL")
@click.option("--tables", is_flag=True, help="List the views, their columns and what these mean.")
@click.option("--json", "as_json", is_flag=True, help="Print an array of objects, and nothing else.")
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, and nothing else.")
@root_option
def query(sql: str | None, tables: bool, as_json: bool, as_csv: bool, root: Path) -> None:
    """Ask all runs one question in SQL, in DuckDB's dialect. SQL may be `-`: it is read from standard input.

    The views are runs, hosts, trials, samples, cells, pairs, verdicts and rankings: `--tables` explains them. Whatever a question
    does, it reads these and nothing else. A run that is not digested yet is digested; one that cannot be read is left out, and
    said so.

    \b
    The fastest OCI handler of each CRI runtime, run by run:
      SELECT run, host, benchmark, cri, arg_min(oci, median) AS fastest
      FROM cells WHERE is_primary AND better = 'lower' GROUP BY ALL
    """
    from orchestrator.cli import query_view as view
    from orchestrator.pipeline.query import query as ask
    from orchestrator.results.store import RunStore

    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other: name one.")
    if tables:
        view.print_tables()
        return
    if sql is None:
        raise click.UsageError("What is asked? Name SQL, or --tables.")
    question = sys.stdin.read() if sql == "-" else sql
    show = view.print_json if as_json else view.print_csv if as_csv else view.print_table
    with ask(question, RunStore(root), lambda text: click.echo(text, err=True)) as answer:
        show(answer)
