# SPDX-License-Identifier: Apache-2.0
"""`labctl facts`: what labctl learns of a host before it decides anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options, forks_option, inventory_option, json_option, limit_option
from orchestrator.model.errors import LabctlError
from orchestrator.model.text import printable_line


@click.command(epilog=examples("labctl facts", "labctl facts machines.yaml --limit web1 --json"))
@inventory_option
@limit_option
@become_options
@forks_option
@json_option
def facts(inventory: Path, limit: str | None, forks: int, as_json: bool) -> int:
    """Show what labctl learns of each host of INVENTORY before it decides anything: the telling facts, or with --json all of them."""
    from orchestrator.pipeline import reach
    from orchestrator.provision.apply import gather_facts

    selection = reach.select(inventory, limit)
    results = selection.on_each(lambda _, connection: gather_facts(connection), forks)
    if as_json:
        found = {host: {"facts": values} for host, values in results.succeeded.items()}
        lost = {host: {"error": error.message, "hint": error.hint} for host, error in results.failed.items()}
        click.echo(json.dumps({**found, **lost}, indent=2))
    else:
        _print(results.succeeded, results.failed)
    return max((error.exit_code for error in results.failed.values()), default=0)


def _print(found: Mapping[str, Mapping[str, Any]], lost: Mapping[str, LabctlError]) -> None:
    for host, values in found.items():
        click.echo(click.style(host, bold=True))
        for name, value in _telling(values).items():
            click.echo(f"  {name:<13} {printable_line(value)}")
    for host, error in lost.items():
        click.echo(f"{click.style(host, fg='red')}  {str(error).removeprefix(f'{host}: ')}", err=True)


def _telling(facts: Mapping[str, Any]) -> dict[str, str]:
    own = facts.get("labctl", {})
    cgroup = own.get("cgroup", {})
    processor = facts.get("processor") or []
    libc = own.get("libc") or {}
    return {
        "system": f"{facts.get('distribution')} {facts.get('distribution_version')} ({facts.get('distribution_release')})",
        "kernel": f"{facts.get('kernel')} {facts.get('architecture')}",
        "processor": f"{processor[2] if len(processor) > 2 else 'not told'}, {facts.get('processor_vcpus')} CPUs",
        "memory": f"{facts.get('memtotal_mb')} MB",
        "virtual": f"{own.get('container') or facts.get('virtualization_type') or 'no'} ({facts.get('virtualization_role')})",
        "cgroup": f"{cgroup.get('version')}, {'writable' if cgroup.get('writable') else 'read-only'}",
        "python": f"{facts.get('python_version')}, {libc.get('name')} {libc.get('version')}",
        "address": str((facts.get("default_ipv4") or {}).get("address")),
        "resources": "CAP_SYS_RESOURCE works"
        if own.get("cap_sys_resource")
        else "no CAP_SYS_RESOURCE: adapters are installed here",
    }
