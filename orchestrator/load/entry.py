# SPDX-License-Identifier: Apache-2.0
"""Reading one mapping of a document key by key: what is unknown, missing or of another type is refused at its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.load.document import Document, KeyPath
from orchestrator.load.language import Language, TemplateFailed, is_template
from orchestrator.load.outside import misspelt
from orchestrator.load.problems import Problems
from orchestrator.model.errors import ConfigError
from orchestrator.model.inventory import Origin
from orchestrator.model.playbook import Written


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A hint: the known name that differs by one letter, else all of them if they are few."""
    names = list(dict.fromkeys(known))
    if close := misspelt(name, names):
        return f"Did you mean '{close}'?"
    return f"There are: {', '.join(sorted(names))}." if 0 < len(names) <= 30 else None


@dataclass(frozen=True, slots=True)
class Entry:
    """The mapping at ``where``."""

    document: Document
    where: KeyPath
    language: Language

    @property
    def value(self) -> Any:
        value = self.document.value
        for part in self.where:
            value = value[part]
        return value

    @property
    def origin(self) -> Origin:
        return self.origin_of()

    def origin_of(self, *keys: str | int) -> Origin:
        """Where a key is written (or a value, where it has no key)."""
        where = (*self.where, *keys)
        place = self.document.key_places.get(where) or self.document.place(where)
        return Origin(self.document.path, place.line, place.column)

    def error(self, message: str, hint: str | None = None, *keys: str | int) -> ConfigError:
        return self.document.error((*self.where, *keys), message, hint, at_key=True)

    def at(self, *keys: str | int) -> Entry:
        return Entry(self.document, (*self.where, *keys), self.language)

    def keys(self, what: str) -> Mapping[str, Any]:
        """The mapping itself. Raises ConfigError where it is none."""
        value = self.value
        if not isinstance(value, dict):
            raise self.error(f"{what} must be a mapping of keys.")
        for key in value:
            if not isinstance(key, str):
                raise self.error("a key must be a text.", None, str(key))
        return value

    def refuse_unknown(self, known: Collection[str], what: str, refused: Mapping[str, str]) -> None:
        """Raises ConfigError for every key that is not known; ``refused`` has what to write instead of some."""
        problems = Problems()
        for key in self.value:
            if key in refused:
                problems.add(self.outside(key, refused[key]))
            elif key not in known:
                problems.add(self.error(f"'{key}' is no key of {what}.", did_you_mean(key, known), key))
        problems.raise_any()

    def outside(self, key: str, hint: str) -> ConfigError:
        """The error for a key that is Ansible's and not labctl's."""
        return self.error(f"'{key}' is outside labctl's subset of Ansible.", hint, key)

    def text(self, key: str) -> str | None:
        value = self.value.get(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
        raise self.error("must be a text.", None, key)

    def flag(self, key: str, default: bool = False) -> bool:
        found = self.optional_flag(key)
        return default if found is None else found

    def optional_flag(self, key: str) -> bool | None:
        value = self.value.get(key)
        if value is None or isinstance(value, bool):
            return value
        raise self.error(f"must be true or false, not {value!r}.", None, key)

    def texts(self, key: str, commas: bool = False) -> tuple[str, ...]:
        """A list of texts; one text stands for a list of one, or with ``commas`` of its parts."""
        value = self.value.get(key)
        if value is None:
            return ()
        entries = value if isinstance(value, list) else [value]
        texts: list[str] = []
        for entry in entries:
            if not isinstance(entry, str):
                raise self.error("must be a text or a list of texts.", None, key)
            texts += [part.strip() for part in entry.split(",")] if commas else [entry]
        return tuple(text for text in texts if text)

    def variables(self, key: str) -> dict[str, Any]:
        """A mapping of names to values, whose templates are checked."""
        value = self.value.get(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self.error("must be a mapping of NAME: VALUE.", None, key)
        problems = Problems()
        for name, content in value.items():
            with problems.collect():
                if not isinstance(name, str) or not name.isidentifier():
                    hint = "Names have letters, digits and underscores."
                    raise self.error("is not a variable's name.", hint, key, str(name))
                self.check_templates(content, key, name)
        problems.raise_any()
        return dict(value)

    def conditions(self, key: str) -> tuple[Written, ...] | None:
        """Of ``when`` and its like: an expression, a truth value, or a list of them; None where the key is missing."""
        if key not in self.value:
            return None
        value = self.value[key]
        if isinstance(value, list):
            return tuple(self._condition(entry, key, index) for index, entry in enumerate(value))
        return (self._condition(value, key),)

    def _condition(self, value: Any, *keys: str | int) -> Written:
        if isinstance(value, bool):
            return Written(value, self.origin_of(*keys))
        if not isinstance(value, str) or not value.strip():
            raise self.error("must be an expression, true or false, or a list of them.", None, *keys)
        if value.lstrip().startswith(("{{", "{%")):
            raise self.error("is an expression already.", "Leave the braces out.", *keys)
        try:
            self.language.expression(value)
        except TemplateFailed as error:
            raise self.error(f"this is not an expression: {error}", None, *keys) from error
        return Written(value, self.origin_of(*keys))

    def check_templates(self, value: Any, *keys: str | int) -> None:
        """Compile every template in ``value``. Raises ConfigError at the place of the first that is wrong."""
        if is_template(value):
            try:
                self.language.template(value)
            except TemplateFailed as error:
                raise self.error(f"this template is not right: {error}", None, *keys) from error
        elif isinstance(value, dict):
            for key, content in value.items():
                self.check_templates(content, *keys, key)
        elif isinstance(value, list):
            for index, content in enumerate(value):
                self.check_templates(content, *keys, index)
