# SPDX-License-Identifier: Apache-2.0
"""The OCI handlers that an inventory adds to those of components.

Every `labctl provision` imports this: it does without what reads components.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.model.component import HANDLER_KINDS, HANDLER_NAME, Handler, unknown_kind
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Host

VARIABLE = "labctl_extra_handlers"
_KEYS = ("program", "kind")
_EXAMPLE = f"For example: {VARIABLE}: {{mine: {{program: /opt/mine/runc, kind: runc}}}}."


@dataclass(frozen=True, slots=True)
class HostHandler:
    """A handler of a host. ``component`` is None where the inventory declares it."""

    name: str
    kind: str
    component: str | None = None


def extra_handlers(host: Host) -> dict[str, Handler]:
    """What the inventory's labctl_extra_handlers adds for ``host``. Raises ConfigError with the place.

    A value that is a template is taken as it is: the role oci_runtimes checks what it becomes.
    """
    value = host.vars.get(VARIABLE) or {}
    if _template(value):
        return {}
    if not isinstance(value, Mapping):
        raise _error(host, (), "must be a mapping of handlers' names.")
    return {str(name): _handler(host, str(name), entry) for name, entry in value.items()}


def _handler(host: Host, name: str, entry: Any) -> Handler:
    if not re.fullmatch(HANDLER_NAME, name):
        raise _error(host, (name,), "a handler's name has small letters, digits, dots and dashes.")
    if not isinstance(entry, Mapping):
        raise _error(host, (name,), "must be a mapping with `program` and `kind`.")
    for key in entry:
        if key not in _KEYS:
            raise _error(
                host, (name, str(key)), f"is not a key of a handler; there are {' and '.join(_KEYS)}."
            )
    program, kind = entry.get("program"), entry.get("kind", HANDLER_KINDS[0])
    if not (_template(program) or (isinstance(program, str) and program.startswith("/"))):
        raise _error(host, (name, "program"), "must be the absolute path of a program on the host.")
    if kind not in HANDLER_KINDS and not _template(kind):
        raise _error(host, (name, "kind"), unknown_kind(str(kind)))
    return Handler(name, str(program), str(kind))


def _template(value: object) -> bool:
    return isinstance(value, str) and "{{" in value


def _error(host: Host, keys: tuple[str, ...], message: str) -> ConfigError:
    origin = host.origins.get(VARIABLE)
    return ConfigError(
        message,
        file=origin.file if origin else host.file,
        line=origin.line if origin else None,
        column=origin.column if origin else None,
        key=".".join((host.name, VARIABLE, *keys)),
        hint=_EXAMPLE,
    )
