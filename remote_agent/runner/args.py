# SPDX-License-Identifier: Apache-2.0
"""Arguments as a module wants them. Names were checked on the controller; a value that came out of a template may be text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from remote_agent.contract.truth import truth_of
from remote_agent.runner.context import ModuleFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def first(args: Mapping[str, Any], *names: str) -> Any:
    """The first of these names (a parameter and its aliases) that has a value, or None."""
    return next((args[name] for name in names if args.get(name) is not None), None)


def required(args: Mapping[str, Any], *names: str) -> str:
    """The text under the first of these names that has one. Raises ModuleFailure."""
    value = first(args, *names)
    if value is None or value == "":
        raise ModuleFailure(f"The parameter {names[0]!r} is missing.")
    return str(value)


def text(args: Mapping[str, Any], *names: str) -> str | None:
    value = first(args, *names)
    return None if value is None else str(value)


def path_of(args: Mapping[str, Any], *names: str) -> str | None:
    """A path, with ``~`` and environment variables put in as Ansible does."""
    value = text(args, *names)
    return None if value is None else expanded(value)


def required_path(args: Mapping[str, Any], *names: str) -> str:
    """As `required`, for a path. Raises ModuleFailure."""
    return expanded(required(args, *names))


def expanded(value: str) -> str:
    """``value`` with ``~``, ``~user``, ``$NAME`` and ``${NAME}`` replaced, for the user of this process."""
    return os.path.expanduser(os.path.expandvars(value))


def pattern(args: Mapping[str, Any], name: str, flags: int = 0) -> re.Pattern[bytes] | None:
    """A regular expression over bytes. Raises ModuleFailure for what is none."""
    value = text(args, name)
    try:
        return None if value is None else re.compile(value.encode(errors="surrogateescape"), flags)
    except re.error as error:
        raise ModuleFailure(f"{name!r} is no regular expression: {error}.") from error


def flag(args: Mapping[str, Any], name: str, default: bool = False) -> bool:
    """Ansible's booleans. Raises ModuleFailure for anything else."""
    found = optional_flag(args, name)
    return default if found is None else found


def optional_flag(args: Mapping[str, Any], name: str) -> bool | None:
    value = args.get(name)
    if value is None:
        return None
    found = truth_of(value)
    if found is None:
        raise ModuleFailure(f"{name!r} is neither yes nor no: {value!r}.")
    return found


def number(args: Mapping[str, Any], name: str, default: int) -> int:
    value = args.get(name)
    try:
        return default if value is None else int(value)
    except (TypeError, ValueError) as error:
        raise ModuleFailure(f"{name!r} is not a whole number: {value!r}.") from error


def choice(args: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str | None) -> str | None:
    value = args.get(name)
    if value is None:
        return default
    if value not in allowed:
        raise ModuleFailure(f"{name!r} is one of {', '.join(allowed)}, not {value!r}.")
    return str(value)


def texts(args: Mapping[str, Any], *names: str) -> list[str]:
    """A list of texts; one text with commas is a list too, as in Ansible."""
    value = first(args, *names)
    if value is None:
        return []
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, (list, tuple)):
        entries = [entries]
    return [str(entry).strip() for entry in entries if str(entry).strip()]
