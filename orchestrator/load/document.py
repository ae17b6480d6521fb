# SPDX-License-Identifier: Apache-2.0
"""YAML with places: a document keeps, for each value, the line and column it came from.

PyYAML's nodes carry both; the values are built from the nodes by its own safe constructor, so that YAML's
types mean what they mean everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

from orchestrator.model.errors import ConfigError

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

MOST_VALUES = 200_000
"""A document with more, each alias counted as what it stands for, is refused rather than walked."""

_VAULT = "Vaults are not supported; take the value from the environment: \"{{ lookup('env', 'NAME') }}\"."
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in a file; both count from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """``value`` is plain data; ``places`` has the place of each value by its path of keys and indices."""

    path: Path
    value: Any
    places: Mapping[KeyPath, Place] = field(repr=False)
    key_places: Mapping[KeyPath, Place] = field(repr=False)

    def place(self, where: KeyPath = ()) -> Place:
        """Of the value at ``where``, or of the nearest thing around it."""
        while where and where not in self.places:
            where = where[:-1]
        return self.places.get(where, Place(1, 1))

    def error(
        self, where: KeyPath, message: str, hint: str | None = None, *, at_key: bool = False
    ) -> ConfigError:
        """A ConfigError that points to the value at ``where`` (or to its key), not yet raised."""
        place = self.key_places.get(where) if at_key else None
        place = place or self.place(where)
        return ConfigError(
            message,
            file=self.path,
            line=place.line,
            column=place.column,
            key=dotted(where) or None,
            hint=hint,
        )


def dotted(where: KeyPath) -> str:
    """``("plays", 0, "hosts")`` as ``plays[0].hosts``."""
    text = ""
    for part in where:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def load_document(path: Path) -> Document:
    """Read one YAML document. Raises ConfigError: unreadable, not YAML, a duplicate key, more than one document."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigError(f"cannot be read: {reason}.", file=path) from error
    return parse_document(text, path)


def parse_document(text: str, path: Path) -> Document:
    """As `load_document`, from text; ``path`` is what errors name."""
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        places: dict[KeyPath, Place] = {}
        keys: dict[KeyPath, Place] = {}
        if node is None:
            return Document(path, None, places, keys)
        _walk(loader, path, node, (), places, keys)
        return Document(path, loader.construct_document(node), places, keys)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        problem = error.problem or error.context or "not YAML"
        hint = _VAULT if "!vault" in problem else None
        raise ConfigError(
            f"not valid YAML: {problem}.", file=path, line=line, column=column, hint=hint
        ) from error
    except RecursionError as error:
        raise ConfigError("nests too deep, or an alias refers to itself.", file=path) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"not valid YAML: {str(error).splitlines()[0]}.", file=path) from error
    finally:
        loader.dispose()


def _walk(
    loader: Any,
    path: Path,
    node: yaml.Node,
    where: KeyPath,
    places: dict[KeyPath, Place],
    keys: dict[KeyPath, Place],
) -> None:
    places[where] = _place(node)
    if len(places) > MOST_VALUES:
        raise ConfigError(f"has more than {MOST_VALUES} values; aliases multiply them.", file=path)
    if isinstance(node, yaml.SequenceNode):
        for index, child in enumerate(node.value):
            _walk(loader, path, child, (*where, index), places, keys)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, child in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = _key(path, key_node)
            if key in seen:
                place = _place(key_node)
                raise ConfigError(
                    "the key is there twice.",
                    file=path,
                    line=place.line,
                    column=place.column,
                    key=dotted((*where, key)),
                )
            seen.add(key)
            keys[(*where, key)] = _place(key_node)
            _walk(loader, path, child, (*where, key), places, keys)


def _key(path: Path, node: yaml.Node) -> str:
    if isinstance(node, yaml.ScalarNode):
        return str(node.value)
    place = _place(node)
    raise ConfigError("a key must be a plain word.", file=path, line=place.line, column=place.column)


def _place(node: yaml.Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def validate(document: Document, type_: type[T], where: KeyPath = ()) -> T:
    """The value at ``where`` as a ``type_`` (a dataclass or a pydantic model), strictly: unknown keys are refused.

    Raises ConfigError for the first thing that does not fit, at its place.
    """
    import pydantic

    value = document.value
    for part in where:
        value = value[part]
    try:
        return pydantic.TypeAdapter(type_).validate_python(value)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False)[0]
        unknown = first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}
        message = "is not a key that is known here." if unknown else f"{first['msg']}."
        raise document.error((*where, *first["loc"]), message, at_key=unknown) from error
