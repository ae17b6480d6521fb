# SPDX-License-Identifier: Apache-2.0
"""group_vars and host_vars: which files Ansible reads for a name, and what each variable and its place is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchestrator.load.document import Document, KeyPath, load_document
from orchestrator.load.paths import exists
from orchestrator.model.inventory import Origin

EXTENSIONS = ("", ".yml", ".yaml", ".json")


@dataclass(frozen=True, slots=True)
class Variable:
    value: Any
    origin: Origin


Layer = Mapping[str, Variable]
"""Variables of one source. Layers are joined with ``|``: the later one wins, whole values, as Ansible's default does."""


def layer_of(document: Document, where: KeyPath = ()) -> dict[str, Variable]:
    """The mapping at ``where`` as a layer; empty where there is nothing. Raises ConfigError: not a mapping of names."""
    value = document.value
    for part in where:
        value = value[part]
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise document.error(where, "must be a mapping of variables.", "Write each one as NAME: VALUE.")
    layer: dict[str, Variable] = {}
    for name, content in value.items():
        _check_name(document, where, name)
        place = document.key_places.get((*where, name)) or document.place((*where, name))
        layer[name] = Variable(content, Origin(document.path, place.line, place.column))
    return layer


def _check_name(document: Document, where: KeyPath, name: Any) -> None:
    if isinstance(name, str) and name.isidentifier():
        return
    raise document.error(
        (*where, str(name)),
        "is not a variable's name.",
        "Names have letters, digits and underscores, and do not begin with a digit.",
        at_key=True,
    )


def read_folder(folder: Path, name: str) -> dict[str, Variable]:
    """What ``folder`` (a group_vars or host_vars) says of the group or host ``name``; empty where there is nothing."""
    layer: dict[str, Variable] = {}
    for file in vars_files(folder, name):
        layer |= layer_of(load_document(file))
    return layer


def vars_files(folder: Path, name: str) -> Iterator[Path]:
    """The first that exists of NAME, NAME.yml, NAME.yaml, NAME.json; a folder stands for the files in it, sorted."""
    if name.startswith("/"):
        return
    for extension in EXTENSIONS:
        found = folder / f"{name}{extension}"
        if exists(found):
            yield from _files_in(found) if found.is_dir() else (found,)
            return


def _files_in(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir(), key=lambda path: path.name):
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir() and not entry.suffix:
            yield from _files_in(entry)
        elif entry.is_file() and entry.suffix in EXTENSIONS:
            yield entry
