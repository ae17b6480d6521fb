# SPDX-License-Identifier: Apache-2.0
"""`labctl build`: components from their locked sources to artifacts."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.examples import examples
from orchestrator.cli.options import become_options, json_option
from orchestrator.model.artifact import RELEASES
from orchestrator.model.errors import UsageError
from orchestrator.shipped import component_folders, find_inventory

if TYPE_CHECKING:
    from orchestrator.model.artifact import Target
    from orchestrator.pipeline.build import Asked, Built

STATE = Path(".labctl")
_PATH = click.Path(path_type=Path)


@click.command(
    epilog=examples(
        "labctl build",
        "labctl build runc containerd",
        "labctl build --verify runc runsc          # the same bits again?",
        "labctl build --source debian              # Debian's packages: the fast path",
        "labctl build --release bookworm --release trixie    # for Debian 12 and 13",
        "labctl build --pin runc@1.5.1             # lock another version",
        "labctl build --pin images@latest          # what the images are made of",
    )
)
@click.argument("components", nargs=-1)
@click.option(
    "--source", type=click.Choice(["debian"]), help="Debian's packages of the components that have some."
)
@click.option(
    "--verify", "verifying", is_flag=True, help="Build again with an empty cache, and compare the bits."
)
@click.option("--pin", metavar="NAME@VERSION", help="Lock another version of a component; build nothing.")
@click.option(
    "--pack",
    "project",
    type=_PATH,
    metavar="FOLDER",
    help="Copy what was built into a project for Ansible's own engine (docs/fleets.md).",
)
@click.option("--local", is_flag=True, help="Build on this machine, not on a disposable lab host.")
@click.option("-i", "--inventory", type=_PATH, help="Build on a host of its group `builders`, if it has one.")
@click.option("--components", "folders", type=_PATH, multiple=True, help="A further folder of components.")
@click.option(
    "--release",
    "releases",
    type=click.Choice(list(RELEASES)),
    multiple=True,
    help="Build for hosts of this Debian release (several times: for each). Default: as the last time, else trixie.",
)
@become_options
@json_option
def build(
    components: Sequence[str],
    source: str | None,
    verifying: bool,
    pin: str | None,
    project: Path | None,
    as_json: bool,
    **where: Any,
) -> int:
    """Build COMPONENTS (default: all that are not optional), as far as the store does not have them.

    Each is a folder in ./components, or comes with labctl; where both have it, the project's own is built. A build is done on
    a disposable lab host; what it leaves is in .labctl/artifacts.yaml for the playbooks.
    Exit code 1 where a build failed, or --verify found other bits.
    """
    from orchestrator.cli.build_view import build_view
    from orchestrator.pipeline.build import build as carry_out

    asked = asked_for(components, source, **where)
    began = time.monotonic()
    if pin is not None:
        return _pin(asked, pin)
    if verifying:
        return _verify(asked, as_json)
    with build_view(err=as_json) as view:
        built = carry_out(asked, view)
    if project is not None:
        _pack(asked, project)
    if as_json:
        click.echo(json.dumps([_entry(one) for one in built], indent=2))
    else:
        made = sum(one.seconds is not None for one in built)
        click.echo(
            f"{len(built)} components, {made} built, in {time.monotonic() - began:.1f} s: {asked.state / 'artifacts.yaml'}"
        )
    return 0


def asked_for(
    names: Sequence[str] = (), source: str | None = None, local: bool = False, inventory: Path | None = None,
    folders: Sequence[Path] = (), releases: Sequence[str] = (), targets: Sequence[Target] = (),
) -> Asked:  # fmt: skip
    """From options to what the pipeline is asked for. Raises UsageError: a folder is not there."""
    from orchestrator.model.artifact import Target
    from orchestrator.model.component import Source
    from orchestrator.pipeline.build import Asked
    from orchestrator.pipeline.builders import has_builders

    for folder in folders:
        if not folder.is_dir():
            raise UsageError(f"There is no folder {folder}.", "It holds a folder a component.")
    inventory = find_inventory(inventory) if inventory else None
    group = not local and has_builders(inventory)
    return Asked(
        names=tuple(names),
        folders=(*folders, *component_folders()),
        source=Source(source) if source else None,
        targets=tuple(targets) or tuple(Target(platform.machine(), release) for release in releases),
        choice="local" if local else "group" if group else "lab",
        inventory=inventory,
        state=STATE,
    )


def _pack(asked: Asked, project: Path) -> None:
    from orchestrator.build.packing import pack
    from orchestrator.model.artifact import ARTIFACTS

    copied = pack(asked.state / ARTIFACTS, project)
    click.echo(f"Packed into {project / '.labctl'}: {copied / 1e6:.1f} MB new.", err=True)


def _verify(asked: Asked, as_json: bool) -> int:
    from orchestrator.cli.build_view import build_view
    from orchestrator.pipeline.build import verify

    with build_view(err=as_json) as view:
        differing = verify(asked, view)
    if as_json:
        click.echo(
            json.dumps(
                {name: {"identical": not files, "differing": files} for name, files in differing.items()},
                indent=2,
            )
        )
    else:
        for name, files in differing.items():
            said = f"other bits in {', '.join(files)}" if files else "the same bits again"
            click.echo(
                f"{click.style(f'{name:<12}', bold=True)} {click.style(said, fg='red' if files else 'green')}"
            )
    return 1 if any(differing.values()) else 0


def _pin(asked: Asked, text: str) -> int:
    from orchestrator.cli.build_view import build_view
    from orchestrator.pipeline.build import pin

    name, sign, version = text.partition("@")
    if not (name and sign and version):
        raise UsageError(
            f"--pin {text}: this is not NAME@VERSION.", "For example: --pin runc@1.5.1, --pin runc@latest."
        )
    with build_view(err=True) as view:
        lock = pin(asked, name, version, view)
    if lock.copied:
        click.echo(f"{name} comes with labctl. Its copy in {lock.folder} goes before it from now on.")
    what = "" if name == "images" else f" {name}"
    click.echo(f"{name} is locked at {lock.version} in {lock.folder}. Build it: labctl build{what}")
    return 0


def _entry(one: Built) -> dict[str, object]:
    artifact = one.artifact
    return {
        "component": artifact.component, "version": artifact.version, "source": artifact.source, "key": artifact.key,
        "sha256": artifact.sha256, "path": artifact.path, "files": dict(artifact.files), "bytes": one.size,
        "seconds": one.seconds, "cached": one.seconds is None,
    }  # fmt: skip
