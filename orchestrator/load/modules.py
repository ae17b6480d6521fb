# SPDX-License-Identifier: Apache-2.0
"""The modules that playbooks may use, and their parameters: what a loader refuses, and what it calls things.

Names and meanings are Ansible's (ansible.builtin); what is not in the table is not supported by labctl's runner.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

_TRUE_OR_FALSE = frozenset(("yes", "on", "1", "true", "t", "y", "no", "off", "0", "false", "f", "n"))
_OCTAL = re.compile(r"[0-7]{3,4}|0o[0-7]{3,4}")
_SYMBOLIC = re.compile(r"[ugoa]*[-+=][rwxXst]*(?:[ugoa]*[-+=,]+[rwxXstugo]*)*|[ugoa]*=[ugo]")


@dataclass(frozen=True, slots=True)
class Param:
    """``kind``: str, bool, int, list (of texts), mode, any. ``choices`` bind texts."""

    kind: str = "str"
    required: bool = False
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value that holds no template, in a sentence; None where it is right."""
        if value is None:
            return "has no value." if self.required else None
        problem = _KINDS[self.kind](value)
        if problem is None and self.choices and str(value) not in self.choices:
            return f"must be one of {', '.join(self.choices)}, not {value!r}."
        return problem


@dataclass(frozen=True, slots=True)
class ModuleSpec:
    """``exclusive``: at most one of each group. ``one_of``: exactly one, or with ``at_least_one`` at least one.

    ``free_form`` names the parameter that a bare text is. ``local`` modules are carried out on the controller.
    ``any_names``: parameters are names that the playbook chooses (set_fact).
    """

    name: str
    params: Mapping[str, Param] = field(default_factory=dict)
    exclusive: tuple[tuple[str, ...], ...] = ()
    one_of: tuple[tuple[str, ...], ...] = ()
    free_form: str | None = None
    local: bool = False
    any_names: bool = False

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
    if isinstance(value, bool) or (
        isinstance(value, str | int) and str(value).strip().lower() in _TRUE_OR_FALSE
    ):
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
    if not isinstance(value, str):
        return f"must be in quotes, as '0644': YAML reads a bare {value!r} as another number."
    if (
        value == "preserve"
        or _OCTAL.fullmatch(value)
        or all(_SYMBOLIC.fullmatch(part.strip()) for part in value.split(","))
    ):
        return None
    return f"is neither octal ('0644') nor symbolic ('u=rwX,go=rX'): {value!r}."


def _any(value: Any) -> str | None:
    return None


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", bool: "a truth value", type(None): "nothing"}
    return names.get(type(value), f"a {type(value).__name__}")


_KINDS = {"str": _text, "bool": _bool, "int": _int, "list": _list, "mode": _mode, "any": _any}

_ATTRIBUTES = {"mode": Param("mode"), "owner": Param(), "group": Param()}
_WRITES = {
    **_ATTRIBUTES,
    "dest": Param(required=True),
    "force": Param("bool"),
    "backup": Param("bool"),
    "follow": Param("bool"),
    "validate": Param(),
}
_COMMAND = {
    "cmd": Param(),
    "chdir": Param(),
    "creates": Param(),
    "removes": Param(),
    "stdin": Param(),
    "stdin_add_newline": Param("bool"),
    "strip_empty_ends": Param("bool"),
}
_UNIT_STATES = ("started", "stopped", "restarted", "reloaded")
_SYSTEMD = {
    "name": Param(aliases=("service", "unit")),
    "state": Param(choices=_UNIT_STATES),
    "enabled": Param("bool"),
    "masked": Param("bool"),
    "daemon_reload": Param("bool", aliases=("daemon-reload",)),
    "no_block": Param("bool"),
}

_SPECS = (
    ModuleSpec(
        "apt",
        {
            "name": Param("list", aliases=("package", "pkg")),
            "deb": Param(),
            "state": Param(choices=("present", "latest", "absent")),
            "update_cache": Param("bool", aliases=("update-cache",)),
            "cache_valid_time": Param("int"),
            "install_recommends": Param("bool", aliases=("install-recommends",)),
            "default_release": Param(aliases=("default-release",)),
            "allow_downgrade": Param(
                "bool", aliases=("allow-downgrade", "allow_downgrades", "allow-downgrades")
            ),
            "purge": Param("bool"),
            "autoremove": Param("bool"),
            "lock_timeout": Param("int"),
        },
        exclusive=(("deb", "name"),),
    ),
    ModuleSpec(
        "assert",
        {
            "that": Param("any", required=True),
            "fail_msg": Param(aliases=("msg",)),
            "success_msg": Param(),
            "quiet": Param("bool"),
        },
        local=True,
    ),
    ModuleSpec(
        "command",
        {**_COMMAND, "argv": Param("list"), "expand_argument_vars": Param("bool")},
        one_of=(("cmd", "argv"),),
        free_form="cmd",
    ),
    ModuleSpec(
        "copy",
        {
            **_WRITES,
            "src": Param(),
            "content": Param("any"),
            "remote_src": Param("bool"),
            "directory_mode": Param("mode"),
        },
        one_of=(("src", "content"),),
    ),
    ModuleSpec(
        "debug",
        {"msg": Param("any"), "var": Param("any"), "verbosity": Param("int")},
        exclusive=(("msg", "var"),),
        local=True,
    ),
    ModuleSpec("fail", {"msg": Param()}, local=True),
    ModuleSpec(
        "file",
        {
            **_ATTRIBUTES,
            "path": Param(required=True, aliases=("dest", "name")),
            "state": Param(choices=("absent", "directory", "file", "hard", "link", "touch")),
            "src": Param(),
            "force": Param("bool"),
            "follow": Param("bool"),
            "recurse": Param("bool"),
        },
    ),
    ModuleSpec(
        "meta",
        {"action": Param(required=True, choices=("flush_handlers", "noop"))},
        free_form="action",
        local=True,
    ),
    ModuleSpec("set_fact", {"cacheable": Param("bool")}, local=True, any_names=True),
    ModuleSpec("shell", {**_COMMAND, "executable": Param()}, one_of=(("cmd",),), free_form="cmd"),
    ModuleSpec(
        "stat",
        {
            "path": Param(required=True, aliases=("dest", "name")),
            "follow": Param("bool"),
            "get_checksum": Param("bool"),
            "checksum_algorithm": Param(
                choices=("md5", "sha1", "sha224", "sha256", "sha384", "sha512"),
                aliases=("checksum", "checksum_algo"),
            ),
        },
    ),
    ModuleSpec("systemd_service", _SYSTEMD),
    ModuleSpec("systemd", _SYSTEMD),
    ModuleSpec("template", {**_WRITES, "src": Param(required=True), "lstrip_blocks": Param("bool")}),
    ModuleSpec(
        "unarchive",
        {
            **_ATTRIBUTES,
            "src": Param(required=True),
            "dest": Param(required=True),
            "remote_src": Param("bool"),
            "creates": Param(),
            "extra_opts": Param("list"),
            "list_files": Param("bool"),
        },
    ),
)

MODULES: Mapping[str, ModuleSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})
PREFIXES = ("ansible.builtin.", "ansible.legacy.")


def short_name(name: str) -> str:
    """``ansible.builtin.copy`` as ``copy``; other names as they are."""
    for prefix in PREFIXES:
        if name.startswith(prefix):
            return name.removeprefix(prefix)
    return name
