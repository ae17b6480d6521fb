# SPDX-License-Identifier: Apache-2.0
"""A task's environment variables, set for as long as its module works."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager


@contextmanager
def task_environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set ``variables`` in this process, so that paths, urllib and OpenSSL see them; afterwards the old values are back."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
