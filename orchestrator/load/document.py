# SPDX-License-Identifier: Apache-2.0
"""YAML with places: a document keeps, for each value, the line and column it came from.

PyYAML's nodes carry both; the values are built from the nodes by its own safe constructor, so that YAML's
types mean what they mean everywhere else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import yaml

from orchestrator.model.errors import ConfigError

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

MOST_VALUES = 200_000
"""A document with more, each alias counted as what it stands for, is refused rather than walked."""

MOST_LEVELS = 400
"""Deeper nesting is refused before it is built: libyaml's recursion would end the process from some 15,000 levels on."""

_BAD_VALUES = (ValueError, ArithmeticError, LookupError, AttributeError, TypeError)
"""What PyYAML's constructors raise for a value that is not of its tag (a 13th month, ``!!bool 7``)."""

_VAULT_HEADER = "$ANSIBLE_VAULT"
"""The first word of a file that ansible-vault has encrypted as a whole."""

_NO_VAULTS = "Vaults are not supported; take the value from the environment: \"{{ lookup('env', 'NAME') }}\"."

_TAGS = {
    "!vault": _NO_VAULTS,
    "!unsafe": 'Write braces that are meant as they stand as "{% raw %}{{ ... }}{% endraw %}".',
}
"""What to write instead of Ansible's own tags."""
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
    """Read one YAML document. Raises ConfigError: unreadable, a vault, not YAML, a duplicate key, two documents."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}.", file=path) from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError("cannot be read: not UTF-8 text.", file=path, line=line) from error
    return parse_document(text, path)


def parse_document(text: str, path: Path) -> Document:
    """As `load_document`, from text; ``path`` is what errors name."""
    if text.startswith(_VAULT_HEADER):
        raise ConfigError("is encrypted by ansible-vault.", file=path, line=1, hint=_NO_VAULTS)
    loader = _Loader(text)
    try:
        _refuse_depth(text, path)
        node = loader.get_single_node()
        places: dict[KeyPath, Place] = {}
        keys: dict[KeyPath, Place] = {}
        if node is None:
            return Document(path, None, places, keys)
        _walk(loader, path, node, (), places, keys)
        return Document(path, _constructed(loader, path, node), places, keys)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (None, None)
        message, hint = _what_is_wrong(error)
        raise ConfigError(message, file=path, line=line, column=column, hint=hint) from error
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        problem = f"{error.reason}: character {error.character!r}"
        raise ConfigError(f"not valid YAML: {problem}.", file=path, line=line) from error
    finally:
        loader.dispose()


def _refuse_depth(text: str, path: Path) -> None:
    """Nothing nests deeper than a file has brackets, and its longest line columns: most files need no second look."""
    if text.count("[") + text.count("{") + max(map(len, text.splitlines()), default=0) <= MOST_LEVELS:
        return
    depth = 0
    for event in yaml.parse(text, _Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_LEVELS:
            raise _too_deep(path, event.start_mark)


def _too_deep(path: Path, mark: Any) -> ConfigError:
    message = f"nests deeper than {MOST_LEVELS} levels, or an alias refers to itself."
    return ConfigError(message, file=path, line=mark.line + 1, column=mark.column + 1)


def _constructed(loader: Any, path: Path, node: yaml.Node) -> Any:
    """The document's value. Raises ConfigError at the value that cannot be what its tag says."""
    try:
        return loader.construct_document(node)
    except _BAD_VALUES as error:
        culprit = _culprit(node) or node
        place = _place(culprit)
        message = f"not valid YAML: this is no {culprit.tag.rpartition(':')[2]}."
        raise ConfigError(message, file=path, line=place.line, column=place.column) from error


def _culprit(node: yaml.Node) -> yaml.Node | None:
    """The first value below ``node`` that cannot be constructed by itself."""
    if isinstance(node, yaml.ScalarNode):
        try:
            yaml.constructor.SafeConstructor().construct_object(node)
        except _BAD_VALUES:
            return node
        return None
    children = chain.from_iterable(node.value) if isinstance(node, yaml.MappingNode) else node.value
    return next((found for child in children if (found := _culprit(child))), None)


def _what_is_wrong(error: yaml.MarkedYAMLError) -> tuple[str, str | None]:
    """The sentence, and what to write instead where that is known."""
    if "single document" in (error.context or ""):
        return "holds more than one document.", "Take the line --- out, or make two files."
    problem = error.problem or error.context or "not YAML"
    if "constructor for the tag" not in problem:
        return f"not valid YAML: {problem}.", None
    for tag, hint in _TAGS.items():
        if f"'{tag}'" in problem:
            return f"not valid YAML: {problem}.", hint
    # Most often a password that begins with an exclamation mark: it is not repeated.
    return "not valid YAML: a value begins with ! and is no tag that is known here.", "Put it in quotes."


def _walk(
    loader: Any,
    path: Path,
    node: yaml.Node,
    where: KeyPath,
    places: dict[KeyPath, Place],
    keys: dict[KeyPath, Place],
) -> None:
    place = places[where] = _place(node)
    if len(where) > MOST_LEVELS:
        raise _too_deep(path, node.start_mark)
    if len(places) > MOST_VALUES:
        message = f"has more than {MOST_VALUES} values; aliases multiply them."
        raise ConfigError(message, file=path, line=place.line, column=place.column)
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
