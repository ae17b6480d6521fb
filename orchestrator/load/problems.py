# SPDX-License-Identifier: Apache-2.0
"""Everything that is wrong with a file in one error: readers go on after a refusal, and raise at their end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from orchestrator.model.errors import ConfigError, ConfigErrors

T = TypeVar("T")
D = TypeVar("D")

NO_TEXTS: tuple[str, ...] = ()
NO_VARIABLES: dict[str, Any] = {}
"""Defaults of what could not be read."""


class Problems:
    """Refusals in the order in which they were found; the same one counts once."""

    def __init__(self) -> None:
        self._errors: dict[str, ConfigError] = {}

    def __len__(self) -> int:
        return len(self._errors)

    @contextmanager
    def collect(self) -> Iterator[None]:
        """Keep a ConfigError that the block raises."""
        try:
            yield
        except ConfigErrors as several:
            for error in several.errors:
                self.add(error)
        except ConfigError as error:
            self.add(error)

    def add(self, error: ConfigError) -> None:
        self._errors.setdefault(str(error), error)

    def attempt(self, read: Callable[[], T], default: D) -> T | D:
        """What ``read`` returns; ``default`` where it raises a ConfigError, which is kept."""
        with self.collect():
            return read()
        return default

    def raise_any(self) -> None:
        """Raises the ConfigError that was kept, or ConfigErrors for several."""
        errors = tuple(self._errors.values())
        if len(errors) == 1:
            raise errors[0]
        if errors:
            raise ConfigErrors(errors)
