# SPDX-License-Identifier: Apache-2.0
"""labctl run --prepare: a run for another engine, and what to do with it."""

from __future__ import annotations

import functools
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.shipped import short_path

if TYPE_CHECKING:
    from orchestrator.model.run import RunSpec
    from orchestrator.results.store import RunFolder, RunStore

_OPTIONS = (
    click.option(
        "--prepare",
        "prepared",
        is_flag=True,
        help="Make the run's folder with all that another engine needs to execute it (playbooks/run.yaml); reach no host.",
    ),
    click.option(
        "--arch",
        "architectures",
        type=click.Choice(["x86_64", "aarch64"]),
        multiple=True,
        help="With --prepare: what the hosts are (several times); as this machine if none is given.",
    ),
)


def prepare_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command ``prepare``: the architectures of the hosts for which the run is to be prepared; None: it is not."""

    @functools.wraps(command)
    def with_prepare(*args: Any, prepared: bool, architectures: Sequence[str], **kwargs: Any) -> Any:
        if architectures and not prepared:
            raise click.UsageError(
                "--arch goes with --prepare: a run of labctl's own looks at its hosts itself."
            )
        if prepared and (kwargs["detach"] or kwargs["resume"] is not None):
            beside = "--detach" if kwargs["detach"] else "--resume"
            raise click.UsageError(f"--prepare starts nothing: leave {beside} out.")
        prepare = tuple(architectures) or (os.uname().machine,) if prepared else None
        return command(*args, prepare=prepare, **kwargs)

    decorated: Callable[..., Any] = with_prepare
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def prepare_run(spec: RunSpec, store: RunStore, architectures: Sequence[str], as_json: bool) -> None:
    """Do it, and say what comes next."""
    from orchestrator.pipeline.fleet import prepare_run as carry_out

    folder = carry_out(spec, store, architectures)
    if as_json:
        click.echo(json.dumps({"id": folder.id, "path": str(folder.path.absolute())}))
    else:
        click.echo("\n".join(handed_over(spec, folder)))


def handed_over(spec: RunSpec, folder: RunFolder) -> list[str]:
    """What to do with a run that is prepared, and what to know of it."""
    from orchestrator.runs.fleet import neighbours

    runs = folder.path.parent
    elsewhere = "" if runs == Path("runs") else f" -e runs={runs.absolute()}"
    inventory = short_path(Path(spec.inventory))
    copy = [] if Path("playbooks/run.yaml").is_file() else ["  labctl init --playbooks"]
    return [
        f"Prepared {folder.id}, for {len(spec.hosts)} host{'s' * (len(spec.hosts) != 1)}: no host was reached.",
        *copy,
        f"  ansible-playbook -i {inventory} playbooks/run.yaml -e run={folder.id}{elsewhere}",
        f"  labctl report {folder.id}",
        *(
            f"{', '.join(hosts)} share a machine ({machine}): they execute one after another, each all of its blocks."
            for machine, hosts in neighbours(spec).items()
        ),
    ]
