# SPDX-License-Identifier: Apache-2.0
"""`labctl doctor`: what each host can run, what not, and why."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options, forks_option, inventory_option, json_option, limit_option

if TYPE_CHECKING:
    from orchestrator.model.errors import LabctlError
    from orchestrator.provision.doctor import Combination, Diagnosis

WIDTH = 80
_LABEL = 13
_CELL = 7


@click.command(
    epilog=examples("labctl doctor", "labctl doctor machines.yaml --limit web1", "labctl doctor --json")
)
@inventory_option
@limit_option
@click.option(
    "--artifacts",
    type=click.Path(path_type=Path),
    default=Path(".labctl/artifacts.yaml"),
    show_default=True,
    help="What a build left, to compare with.",
)
@click.option(
    "--components",
    "folders",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A further folder of components.",
)
@become_options
@forks_option
@json_option
def doctor(
    inventory: Path, limit: str | None, artifacts: Path, folders: tuple[Path, ...], forks: int, as_json: bool
) -> int:
    """Say what each host of INVENTORY can run, what not, and why. Changes nothing.

    The OCI runtimes are the handlers of all components, and those of the inventory's labctl_extra_handlers.
    Exit code 0 where every host can run every combination, 1 where one cannot, 3 where a host is unreachable.
    """
    from orchestrator.pipeline import reach
    from orchestrator.pipeline.doctor import doctor as examine_all
    from orchestrator.shipped import component_folders

    places = (*folders, *component_folders())
    results = examine_all(reach.select(inventory, limit), artifacts, places, forks)
    if as_json:
        found = {host: diagnosis.to_json() for host, diagnosis in results.succeeded.items()}
        lost = {host: {"error": error.message, "hint": error.hint} for host, error in results.failed.items()}
        click.echo(json.dumps({**found, **lost}, indent=2))
    else:
        _print(results.succeeded, results.failed)
    codes = [error.exit_code for error in results.failed.values()]
    return max([*codes, *(0 if one.ok else 1 for one in results.succeeded.values())], default=0)


def _print(found: dict[str, Diagnosis], lost: dict[str, LabctlError]) -> None:
    for number, (host, diagnosis) in enumerate(found.items()):
        if number:
            click.echo()
        click.echo("\n".join(lines(host, diagnosis)))
    for host, error in lost.items():
        click.echo(f"{click.style(host, fg='red')}  {str(error).removeprefix(f'{host}: ')}", err=True)


def lines(host: str, diagnosis: Diagnosis) -> Iterator[str]:
    """What a terminal of WIDTH columns shows of one host."""
    yield click.style(host, bold=True)
    yield from _entry("system", diagnosis.system)
    for name, text in diagnosis.settings.items():
        yield from _entry(name, text)
    for text in diagnosis.adapters:
        yield from _entry("adapter", text)
    yield from _entry("installed", _installed(diagnosis))
    yield from _table(diagnosis.combinations)
    for why, combinations in _reasons(diagnosis.combinations).items():
        yield from _sentence(click.style("✗", fg="red"), f"{', '.join(combinations)}: {why}")
    for component in diagnosis.components:
        if component.note and component.installed is not None:
            yield from _sentence(click.style("→", fg="yellow"), component.note)
    for text in diagnosis.advice:
        yield from _sentence(click.style("!", fg="yellow"), text)


def _installed(diagnosis: Diagnosis) -> str:
    there = [f"{one.name} {one.installed}" for one in diagnosis.components if one.installed is not None]
    lacking = [f"{one.name} {one.offered}" for one in diagnosis.components if one.installed is None]
    if not there:
        return "nothing" + (f"; provision would install {', '.join(lacking)}" if lacking else "")
    return ", ".join(there) + (f"; provision would add {', '.join(lacking)}" if lacking else "")


def _table(combinations: tuple[Combination, ...]) -> Iterator[str]:
    ocis = list(dict.fromkeys(one.oci for one in combinations))
    can = {(one.cri, one.oci): one.why is None for one in combinations}
    width = max(_CELL, *(len(oci) + 1 for oci in ocis), 0)
    columns = max(1, (WIDTH - 1 - _LABEL) // (width + 1))
    for start in range(0, len(ocis), columns):
        group = ocis[start : start + columns]
        yield f"  {'':<{_LABEL - 1}}" + "".join(f" {oci:<{width}}" for oci in group).rstrip()
        for cri in dict.fromkeys(one.cri for one in combinations):
            cells = (_cell(can[cri, oci], width) for oci in group)
            yield f"  {cri:<{_LABEL - 1}}" + "".join(cells).rstrip()


def _cell(can: bool, width: int) -> str:
    text = click.style("✓ yes", fg="green") if can else click.style("✗ no", fg="red")
    return f" {text}{' ' * (width - len(click.unstyle(text)))}"


def _reasons(combinations: tuple[Combination, ...]) -> dict[str, list[str]]:
    """Each reason once, with what it stands against: a whole row by its runtime's name, everything as such."""
    reasons: dict[str, list[str]] = {}
    for one in combinations:
        if one.why is not None:
            reasons.setdefault(one.why, []).append(one.name)
    return {why: _shortened(names, combinations) for why, names in reasons.items()}


def _shortened(names: list[str], combinations: tuple[Combination, ...]) -> list[str]:
    if len(names) == len(combinations):
        return ["everything"]
    rows = {one.cri: [other.name for other in combinations if other.cri == one.cri] for one in combinations}
    for cri, row in rows.items():
        if set(row) <= set(names):
            names = [cri, *(name for name in names if name not in row)]
    return names


def _entry(name: str, text: str) -> Iterator[str]:
    indent = " " * (_LABEL + 2)
    yield from textwrap.wrap(
        text,
        WIDTH - 1,
        initial_indent=f"  {name:<{_LABEL}}",
        subsequent_indent=indent,
        break_on_hyphens=False,
    )


def _sentence(mark: str, text: str) -> Iterator[str]:
    first, *others = textwrap.wrap(text, WIDTH - 5, break_on_hyphens=False)
    yield f"  {mark} {first}"
    yield from (f"    {line}" for line in others)
