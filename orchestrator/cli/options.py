# SPDX-License-Identifier: Apache-2.0
"""Options that several verbs share, so that they are called and mean the same everywhere."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from orchestrator.shipped import find_inventory

DEFAULT_INVENTORY = Path("inventories/lab.yaml")
_PATH = click.Path(path_type=Path)


def chosen_inventory(
    argument: Path | None, option: Path | None, environ: Mapping[str, str] = os.environ
) -> Path:
    """INVENTORY or --inventory, else $LABCTL_INVENTORY, else inventories/lab.yaml, as `find_inventory` finds it.

    Raises click.UsageError: two are named.
    """
    if argument is not None and option is not None and argument != option:
        raise click.UsageError("INVENTORY and --inventory name two files; name one.")
    named = environ.get("LABCTL_INVENTORY")
    return find_inventory(argument or option or (Path(named) if named else DEFAULT_INVENTORY))


def inventory_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command ``inventory: Path``, from its argument, --inventory, the environment or the default."""

    @functools.wraps(command)
    def with_inventory(*args: Any, inventory: Path | None, inventory_file: Path | None, **kwargs: Any) -> Any:
        return command(*args, inventory=chosen_inventory(inventory, inventory_file), **kwargs)

    decorate = click.option("-i", "--inventory", "inventory_file", type=_PATH, help="As INVENTORY.")
    return click.argument("inventory", required=False, type=_PATH)(decorate(with_inventory))


limit_option = click.option(
    "-l", "--limit", metavar="PATTERN", help="Only these hosts: names, groups, globs, a:&b:!c."
)
forks_option = click.option(
    "-f",
    "--forks",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    help="At most so many hosts at a time.",
)
_BECOME_OPTIONS = (
    click.option("-K", "--ask-become-pass", is_flag=True, help="Ask for sudo's password, once."),
    click.option(
        "--become-password-file",
        "--become-pass-file",
        type=_PATH,
        metavar="FILE",
        help="Sudo's password is its first line; - is standard input. Or set $LABCTL_BECOME_PASSWORD.",
    ),
)


def become_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Takes the password for sudo before the command begins. It is for hosts whose inventory names none."""

    @functools.wraps(command)
    def with_password(
        *args: Any, ask_become_pass: bool, become_password_file: Path | None, **kwargs: Any
    ) -> Any:
        from orchestrator.load.become import OF_THIS_CALL

        if ask_become_pass and become_password_file is not None:
            raise click.UsageError(
                "--ask-become-pass and --become-password-file exclude each other: name one."
            )
        if ask_become_pass:
            OF_THIS_CALL.ask()
        if become_password_file is not None:
            OF_THIS_CALL.take_from_file(become_password_file)
        return command(*args, **kwargs)

    decorated: Callable[..., Any] = with_password
    for option in reversed(_BECOME_OPTIONS):
        decorated = option(decorated)
    return decorated


json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")
