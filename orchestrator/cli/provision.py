# SPDX-License-Identifier: Apache-2.0
"""`labctl provision`: bring hosts to the state that the playbooks describe."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import forks_option, inventory_option, limit_option
from orchestrator.model.errors import UsageError

STATE = Path(".labctl")
_PATH = click.Path(path_type=Path)


@click.command(
    epilog=examples(
        "labctl provision",
        "labctl provision machines.yaml --limit web1 --check --diff",
        "labctl provision --tags containerd,crun",
        "labctl provision --retry-failed",
    )
)
@inventory_option
@limit_option
@click.option(
    "-p",
    "--playbook",
    type=_PATH,
    default=Path("playbooks/site.yaml"),
    show_default=True,
    help="What to carry out.",
)
@click.option(
    "-t", "--tags", multiple=True, metavar="TAG", help="Only tasks with these tags (commas or several times)."
)
@click.option("--skip-tags", multiple=True, metavar="TAG", help="No tasks with these tags.")
@click.option(
    "-e",
    "--extra-vars",
    multiple=True,
    metavar="NAME=VALUE",
    help="Variables that win over all others; @FILE or JSON too.",
)
@click.option("-C", "--check", is_flag=True, help="Predict what would change, and change nothing.")
@click.option("-D", "--diff", is_flag=True, help="Show what changes in files.")
@click.option(
    "--retry-failed", is_flag=True, help="Only the hosts that failed or were unreachable the last time."
)
@click.option(
    "--source",
    type=click.Choice(["debian"]),
    help="Debian's packages instead of builds: the fast path for a first look.",
)
@click.option(
    "--components", type=_PATH, multiple=True, metavar="FOLDER", help="A further folder of components."
)
@click.option("-v", "--verbose", is_flag=True, help="Show every task, not only what changed or failed.")
@forks_option
@click.option("--json", "as_json", is_flag=True, help="Events as JSON lines, the recap as the last.")
def provision(
    inventory: Path,
    limit: str | None,
    playbook: Path,
    tags: Sequence[str],
    skip_tags: Sequence[str],
    extra_vars: Sequence[str],
    verbose: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Bring the hosts of INVENTORY to the state that the playbook describes. Done twice, the second time changes nothing.

    What is to be installed is built first, as far as it is not built yet (labctl build). A failed host does not keep the others.
    Exit code 1 where a task failed, 3 where a host was unreachable.
    The log of each host is in .labctl/logs/provision/.
    """
    from orchestrator.cli.build import asked_for
    from orchestrator.cli.build_view import build_view
    from orchestrator.cli.provision_view import JsonLines, Terminal
    from orchestrator.pipeline.provision import Request, as_json_line
    from orchestrator.pipeline.provision import provision as carry_out
    from orchestrator.provision.logs import HostLogs, Several

    request = Request(
        inventory,
        playbook=playbook,
        limit=limit,
        tags=_words(tags),
        skip_tags=_words(skip_tags),
        extra_vars=parse_extra_vars(extra_vars),
        artifacts=asked_for(
            source=options.pop("source"), inventory=inventory, folders=options.pop("components")
        ),
        state=STATE,
        **options,
    )
    view = JsonLines() if as_json else Terminal(verbose=verbose, check=request.check)
    with HostLogs(STATE / "logs" / "provision") as logs, view, build_view(err=True, cached=False) as building:
        recap = carry_out(request, Several((logs, view)), building)
    if as_json:
        click.echo(as_json_line(recap))
    else:
        Terminal.recap(recap, {report.host: logs.path(report.host) for report in recap.hosts})
    return recap.exit_code


def _words(values: Sequence[str]) -> tuple[str, ...]:
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def parse_extra_vars(texts: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE ...`` (values are text, as in Ansible), a JSON or YAML mapping, or @FILE. Raises UsageError, ConfigError."""
    variables: dict[str, Any] = {}
    for text in texts:
        variables.update(_from_file(Path(text[1:])) if text.startswith("@") else _from_text(text))
    return variables


def _from_file(path: Path) -> Mapping[str, Any]:
    from orchestrator.load.language import Language
    from orchestrator.load.roles import read_vars_file

    return read_vars_file(path, Language())


def _from_text(text: str) -> Mapping[str, Any]:
    import shlex

    if text.lstrip().startswith("{"):
        try:
            found = json.loads(text)
        except ValueError as error:
            raise UsageError(
                f"-e {text}: this is not JSON: {error}.", "Write -e NAME=VALUE, -e '{...}' or -e @FILE."
            ) from error
        if isinstance(found, dict):
            return found
    try:
        words = [word.partition("=") for word in shlex.split(text)]
    except ValueError as error:
        raise UsageError(f"-e {text}: a quote has no end.") from error
    for name, sign, _ in words:
        if not sign or not name.isidentifier():
            raise UsageError(
                f"-e {text}: '{name}' is not NAME=VALUE.", "Write -e NAME=VALUE, -e '{...}' or -e @FILE."
            )
    return {name: value for name, _, value in words}
