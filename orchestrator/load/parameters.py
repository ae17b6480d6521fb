# SPDX-License-Identifier: Apache-2.0
"""What may be said of a module's parameters: kinds of values, choices, what goes together, and what is refused with its reason."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from remote_agent.contract.truth import truth_of

HIGHEST_MODE = 0o7777
_OCTAL = re.compile(r"0?[0-7]{3,4}|0o[0-7]{3,4}")
_CHECKSUM = re.compile(r"(?:md5|sha1|sha224|sha256|sha384|sha512):(?:[0-9a-fA-F\W]+|(?:https?|file)://\S+)")
_URL = re.compile(r"https?://[^/\s]+\S*|file:///\S+")
_SYMBOLIC = re.compile(r"[ugoa]*[-+=][rwxXst]*(?:[ugoa]*[-+=,]+[rwxXstugo]*)*|[ugoa]*=[ugo]")


@dataclass(frozen=True, slots=True)
class Param:
    """``kind``: str, bool, int, list (of texts), map (of texts), mode (text, or the number that YAML reads), regex, url, checksum,
    content (of a file), any.

    ``choices`` bind texts, and the entries of a list.
    """

    kind: str = "str"
    required: bool = False
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value that holds no template, in a sentence; None where it is right."""
        if value is None:
            return "has no value." if self.required else None
        problem = _KINDS[self.kind](value)
        if problem is None and self.choices:
            wrong = [entry for entry in self._chosen(value) if entry not in self.choices]
            return f"must be one of {', '.join(self.choices)}, not {wrong[0]!r}." if wrong else None
        return problem

    def _chosen(self, value: Any) -> list[str]:
        if self.kind != "list":
            return [str(value)]
        entries = (
            value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
        )
        return [str(entry).strip() for entry in entries]


class Unknown:
    """Stands for a value that holds a template, where rules look at arguments: given, and equal to nothing."""


UNKNOWN = Unknown()
Rule = Callable[[Mapping[str, Any]], tuple[str, str] | None]
"""What is wrong with arguments together, as a sentence and what to write instead; None where nothing is."""


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """``exclusive``: at most one of each group. ``one_of``: exactly one, or with ``at_least_one`` at least one.

    ``free_form`` names the parameter that a bare text is. ``local`` modules are carried out on the controller.
    ``any_names``: parameters are names that the playbook chooses (set_fact). ``refused``: parameters that Ansible has and labctl has
    not, each with what to write instead. ``rules`` look at arguments together.
    """

    name: str
    params: Mapping[str, Param] = field(default_factory=dict)
    exclusive: tuple[tuple[str, ...], ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    free_form: str | None = None
    local: bool = False
    any_names: bool = False
    refused: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()

    def canonical(self, name: str) -> str | None:
        """The parameter's own name, for its name or an alias; None where there is no such parameter."""
        if name in self.params or self.any_names:
            return name
        return next((own for own, param in self.params.items() if name in param.aliases), None)

    def names(self) -> tuple[str, ...]:
        """Everything that may be written."""
        return tuple(name for own, param in self.params.items() for name in (own, *param.aliases))


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return f"must be a text, and {str(value).lower()} is a truth value: put it in quotes."
    return None if isinstance(value, str | int | float) else f"must be a text, not {_kind(value)}."


def _bool(value: Any) -> str | None:
    if truth_of(value) is not None:
        return None
    return f"must be true or false, not {value!r}."


def _int(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"[-+]?\d+", value.strip()):
        return None
    return f"must be a whole number, not {value!r}."


def _list(value: Any) -> str | None:
    entries = value if isinstance(value, list) else [value]
    wrong = next((entry for entry in entries if isinstance(entry, dict | list | bool) or entry is None), None)
    return None if wrong is None else f"must be a list of texts, and has {_kind(wrong)} in it."


def _mode(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return None if 0 <= value <= HIGHEST_MODE else f"is no mode: the number {value} is more than 07777."
    if not isinstance(value, str):
        return f"must be as in 0644, '0644' or 'u=rwX,go=rX', not {value!r}."
    if (
        value == "preserve"
        or _OCTAL.fullmatch(value)
        or all(_SYMBOLIC.fullmatch(part.strip()) for part in value.split(","))
    ):
        return None
    return f"is neither octal ('0644') nor symbolic ('u=rwX,go=rX'): {value!r}."


def _map(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"must be a mapping of NAME: VALUE, not {_kind(value)}."
    wrong = next((name for name, entry in value.items() if not isinstance(entry, str | int | float)), None)
    return (
        None if wrong is None else f"must be a mapping to texts, and has {_kind(value[wrong])} at {wrong!r}."
    )


def _regex(value: Any) -> str | None:
    if problem := _text(value):
        return problem
    try:
        re.compile(str(value))
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}."
    return None


def _url(value: Any) -> str | None:
    if problem := _text(value):
        return problem
    return None if _URL.fullmatch(str(value)) else "must begin with https://, http:// or file:///."


def _checksum(value: Any) -> str | None:
    if problem := _text(value):
        return problem
    if value == "" or _CHECKSUM.fullmatch(str(value)):
        return None
    return f"must be as in 'sha256:HEX' or 'sha256:https://HOST/SHA256SUMS', not {value!r}."


def _any(value: Any) -> str | None:
    return None


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", bool: "a truth value", type(None): "nothing"}
    return names.get(type(value), f"a {type(value).__name__}")


_KINDS: Mapping[str, Callable[[Any], str | None]] = {
    "str": _text,
    "bool": _bool,
    "int": _int,
    "list": _list,
    "map": _map,
    "mode": _mode,
    "regex": _regex,
    "url": _url,
    "checksum": _checksum,
    "any": _any,
    "content": _any,
}
