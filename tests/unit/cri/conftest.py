# SPDX-License-Identifier: Apache-2.0
"""A fake CRI runtime: real gRPC over a Unix socket, in this process, with scripted failures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fixtures.fake_cri import FakeCri, serving


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeCri]:
    with serving(tmp_path / "cri.sock") as runtime:
        yield runtime
