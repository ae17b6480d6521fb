# SPDX-License-Identifier: Apache-2.0
"""labctl schema [NAME]: what the files for other programs look like, as JSON Schema."""

from __future__ import annotations

from pathlib import Path

import click

from orchestrator.cli.examples import examples


@click.command(
    "schema",
    epilog=examples(
        "labctl schema                       # which there are",
        "labctl schema estimates > estimates.schema.json",
    ),
)
@click.argument("name", required=False)
@click.option(
    "--write",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write all of them into this folder.",
)
def schema(name: str | None, folder: Path | None) -> None:
    """Print the JSON Schema of a file that labctl writes, or list them. This version's files are valid by it, to the last key."""
    from orchestrator.model.errors import UsageError
    from orchestrator.results.schemas import ABOUT, SCHEMAS, schema_text, write_schemas

    if name is not None and folder is not None:
        raise click.UsageError("NAME and --write exclude each other: --write writes all of them.")
    if folder is not None:
        for path in write_schemas(folder):
            click.echo(path)
    elif name is None:
        for each, about in ABOUT.items():
            click.echo(f"{each:<12}{about}")
    elif name in SCHEMAS:
        click.echo(schema_text(name), nl=False)
    else:
        raise UsageError(f"There is no schema {name!r}.", f"There are: {', '.join(SCHEMAS)}.")
