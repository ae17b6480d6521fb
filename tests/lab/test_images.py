# SPDX-License-Identifier: Apache-2.0
"""The images are made by the real tools, twice, with the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.build.images import build_images

pytestmark = pytest.mark.lab


def test_two_builds_have_the_same_bits(tmp_path: Path) -> None:
    one, two = (build_images(tmp_path / name) for name in ("one", "two"))
    assert [(image.name, image.sha256, image.digest) for image in one] == [
        (image.name, image.sha256, image.digest) for image in two
    ]
    assert all(Path(image.path).stat().st_size > 500_000 for image in one)
