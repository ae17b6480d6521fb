# SPDX-License-Identifier: Apache-2.0
"""Ansible's two small languages for hosts: ranges in names (``web[01:10]``) and patterns for ``--limit``."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import translate
from ipaddress import ip_address
from itertools import product

from orchestrator.model.errors import UsageError
from orchestrator.model.inventory import Host, Inventory

_RANGE = re.compile(r"\[([^\[\]:]*):([^\[\]:]*)(?::([^\[\]:]*))?\]")
_BRACKETED_PORT = re.compile(r"^\[(.+)\]:([0-9]+)$")
_PORT = re.compile(r"^((?:[^:\[\]]|\[[^\]]*\])*):([0-9]+)$")
_SUBSCRIPT = re.compile(r"^(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]$")
_WORDS = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
MOST_HOSTS = 10_000
"""A range that makes more hosts than this is taken for a slip of the hand."""


def split_port(text: str) -> tuple[str, int | None]:
    """``web1:2222`` as ``("web1", 2222)``; IPv6 addresses need brackets (``[::1]:22``), as in Ansible."""
    found = _BRACKETED_PORT.match(text) or _PORT.match(text)
    return (found[1], int(found[2])) if found else (text, None)


def expand_hosts(text: str) -> tuple[str, ...]:
    """Names that a host key stands for: ``db[a:c]``, ``web[01:10]``, ``web[1:9:2]``, several ranges in one name.

    Raises ValueError with one sentence where a range cannot be one.
    """
    parts = _RANGE.split(text)  # text, begin, end, step, text, begin, end, step, ..., text
    choices: list[Sequence[str]] = [[parts[0]]]
    count = 1
    for at in range(1, len(parts), 4):
        values = _range(parts[at], parts[at + 1], parts[at + 2])
        count *= len(values)
        if count > MOST_HOSTS:
            raise ValueError(f"the range makes more than {MOST_HOSTS} hosts.")
        choices += [values, [parts[at + 3]]]
    return tuple("".join(parts) for parts in product(*choices))


def _range(begin: str, end: str, step: str | None) -> list[str]:
    if step is not None and (not step.isdecimal() or int(step) == 0):
        raise ValueError(f"the step '{step}' of a range is not a positive number.")
    width = int(step) if step else 1
    if not end:
        raise ValueError("a range needs an end: [begin:end].")
    letters = string.ascii_letters
    if len(begin) == len(end) == 1 and begin in letters and end in letters:
        first, last = letters.index(begin), letters.index(end)
        values = list(letters[first : last + 1 : width])
    elif (begin or "0").isdecimal() and end.isdecimal():
        values = _numbers(begin or "0", end, width)
    else:
        raise ValueError(f"[{begin}:{end}] is neither a range of numbers nor of single letters.")
    if not values:
        raise ValueError(f"the range [{begin}:{end}] begins after its end.")
    return values


def _numbers(begin: str, end: str, width: int) -> list[str]:
    padded = len(begin) > 1 and begin[0] == "0"
    if padded and len(begin) != len(end):
        raise ValueError(f"[{begin}:{end}] begins with a zero, so both ends need the same number of digits.")
    if (int(end) - int(begin)) // width >= MOST_HOSTS:
        raise ValueError(f"the range makes more than {MOST_HOSTS} hosts.")
    digits = len(begin) if padded else 0
    return [str(number).zfill(digits) for number in range(int(begin), int(end) + 1, width)]


def select_hosts(inventory: Inventory, limit: str | None, *, of_play: bool = False) -> tuple[Host, ...]:
    """The hosts that Ansible's pattern ``limit`` names, in the order of the inventory; all of them where it is None.

    Known: names of hosts and groups, globs, ``~regex``, ``group[0]`` and ``group[0:2]``; joined by commas or colons,
    ``&`` for "and in", ``!`` for "and not in". Raises UsageError: a part that names nothing, a pattern that leaves nothing.
    ``of_play``: what a play leaves out (``!builders``) need not be in every inventory, as with Ansible.
    """
    if not inventory.hosts:
        raise UsageError(f"{inventory.path}: the inventory has no hosts.", "Name one below all: hosts:.")
    if limit is None:
        return inventory.hosts
    parts = _split(limit)
    chosen = _united(inventory, [part for part in parts if part[0] not in "&!"] or ["all"])
    for part in (part for part in parts if part[0] == "&"):
        chosen &= _matches(inventory, part[1:])
    for part in (part for part in parts if part[0] == "!"):
        chosen -= _left_out(inventory, part[1:], of_play)
    if not chosen or not parts:
        raise UsageError(f"--limit '{limit}' leaves no host of {inventory.path}.", _what_there_is(inventory))
    return tuple(host for host in inventory.hosts if host.name in chosen)


def _split(limit: str) -> list[str]:
    """By commas; where there is none, by colons that are neither inside brackets nor of an IPv6 address."""
    parts = limit.split(",") if "," in limit or _is_address(limit) else _WORDS.findall(limit)
    return [part.strip() for part in parts if part.strip()]


def _is_address(text: str) -> bool:
    try:
        ip_address(text.strip())
    except ValueError:
        return False
    return True


def _united(inventory: Inventory, patterns: Sequence[str]) -> set[str]:
    return set().union(*(_matches(inventory, pattern) for pattern in patterns))


def _matches(inventory: Inventory, pattern: str) -> set[str]:
    """Names of the hosts that one part of a pattern, without its ``&`` or ``!``, stands for."""
    names = [host.name for host in inventory.hosts]
    if pattern in names:
        return {pattern}
    subscript = None if pattern.startswith("~") else _SUBSCRIPT.match(pattern)
    expression = subscript[1] if subscript else pattern
    found = _named(inventory, expression, names)
    if not found:
        close = get_close_matches(pattern, [*names, *inventory.groups], n=1)
        hint = f"Did you mean '{close[0]}'? " if close else ""
        raise UsageError(
            f"No host or group of {inventory.path} is named by '{pattern}'.", hint + _what_there_is(inventory)
        )
    return set(_subscripted(found, subscript)) if subscript else set(found)


def _left_out(inventory: Inventory, pattern: str, may_miss: bool) -> set[str]:
    try:
        return _matches(inventory, pattern)
    except UsageError:
        if may_miss:
            return set()
        raise


def _named(inventory: Inventory, pattern: str, names: Sequence[str]) -> list[str]:
    """Hosts of the groups that match; and the hosts that match, where no group does or the pattern is not a plain word."""
    try:
        matcher = re.compile(pattern[1:] if pattern.startswith("~") else translate(pattern))
    except re.error as error:
        raise UsageError(f"'{pattern}' is not a regular expression: {error}.", "Correct --limit.") from error
    groups = [name for name in inventory.groups if matcher.match(name)]
    found = [host for group in groups for host in inventory.members(group)]
    if not groups or pattern[0] == "~" or any(sign in pattern for sign in ".?*["):
        found += [name for name in names if matcher.match(name)]
    return list(dict.fromkeys(found))


def _subscripted(found: Sequence[str], subscript: re.Match[str]) -> Sequence[str]:
    _, index, first, last = subscript.groups()
    if index is None:
        return found[int(first) : int(last) + 1 if last else None]
    at = int(index)
    return [found[at]] if -len(found) <= at < len(found) else []


def _what_there_is(inventory: Inventory, most: int = 12) -> str:
    hosts = [host.name for host in inventory.hosts]
    groups = [name for name in inventory.groups if name not in {"all", "ungrouped"}]
    text = f"Hosts: {_some(hosts, most)}."
    return f"{text} Groups: {_some(groups, most)}." if groups else text


def _some(names: Sequence[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
