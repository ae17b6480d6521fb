# SPDX-License-Identifier: Apache-2.0
"""labctl as people get it: a wheel and an sdist, built offline, and the wheel installed outside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.install.installed import Distribution, Installed, build, install


@pytest.fixture(scope="session")
def distribution(tmp_path_factory: pytest.TempPathFactory) -> Distribution:
    """The wheel and the sdist of this repository."""
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="session")
def installed(distribution: Distribution, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own."""
    return install(distribution.wheel, tmp_path_factory.mktemp("installed"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "project"
    folder.mkdir()
    return folder
