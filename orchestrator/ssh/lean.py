# SPDX-License-Identifier: Apache-2.0
"""Imports fabric and paramiko as a program needs them: without the standard library's tools for tests.

invoke, which both of them import, imports unittest.mock for one class that is for tests of its users, and with it comes asyncio:
a fifth of what these imports take. Whoever reaches the first host imports this module before any of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

_MOCK = "unittest.mock"


@contextmanager
def without_mock() -> Iterator[None]:
    """Around the import of fabric: a stand-in for unittest.mock, which is gone after it, unless the real one is there already."""
    if _MOCK in sys.modules:
        yield
        return
    stand_in = ModuleType(_MOCK)
    stand_in.Mock = object  # type: ignore[attr-defined]  # all that invoke takes of it
    sys.modules[_MOCK] = stand_in
    try:
        yield
    finally:
        del sys.modules[_MOCK]


with without_mock():
    import fabric  # noqa: F401
