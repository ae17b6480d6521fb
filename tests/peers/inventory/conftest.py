# SPDX-License-Identifier: Apache-2.0
"""Ansible's answers to everything that the tests of this folder ask, got in one go when the first of them wants one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.peers.inventory.sides import PYTHON


@pytest.fixture(scope="session")
def ansible_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Ansible may keep what it likes. Skips where it is not installed; fails there, where tests must not be skipped."""
    if not PYTHON.is_file():
        problem = "there is no ansible-core to compare with: run `make .venv-peers/ansible`."
        if os.environ.get("CI") == "true" or os.environ.get("LABCTL_LAB_TESTS") == "1":
            pytest.fail(problem, pytrace=False)
        pytest.skip(problem)
    return tmp_path_factory.mktemp("ansible")
