# SPDX-License-Identifier: Apache-2.0
"""Other people's tools, as they are: built once a machine from a lock beside the tests, and kept in labctl's cache."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.build.toolchain import Caches, ensure
from orchestrator.files import aside, cache_folder
from orchestrator.load.component import load_toolchain
from orchestrator.model.errors import LabctlError

HERE = Path(__file__).parent
ANSIBLE = HERE.parents[1] / ".venv-peers/bin/python"
COMPONENTS = HERE.parents[1] / "playbooks/components"
SECONDS = 600
"""Fetching the modules and building: some ten seconds on two cores, where the network is as it should be."""


@pytest.fixture(scope="session")
def benchstat() -> Path:
    """golang.org/x/perf/cmd/benchstat, at the version of benchstat/go.mod. Fails, and does not skip, where tests must run."""
    lock = HERE / "benchstat"
    pinned = hashlib.sha256(b"".join((lock / name).read_bytes() for name in ("go.mod", "go.sum"))).hexdigest()
    program = cache_folder() / "peers" / f"benchstat-{pinned[:16]}"
    if not program.exists():
        try:
            _build(lock, program)
        except (OSError, subprocess.SubprocessError, LabctlError) as error:
            _demand(f"benchstat cannot be built: {error}")
    return program


@pytest.fixture(scope="session")
def ansible_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Ansible may keep what it likes. Skips where it is not installed; fails there, where tests must not be skipped."""
    if not ANSIBLE.is_file():
        _demand("there is no ansible-core to compare with: run `make .venv-peers/ansible`.")
    return tmp_path_factory.mktemp("ansible")


def _build(lock: Path, program: Path) -> None:
    """With the Go that labctl builds runtimes with, and the module proxy that this machine has configured."""
    caches = Caches.of_user()
    root = ensure(load_toolchain(COMPONENTS), caches, lambda _: None)
    go = str(root / "bin/go")
    own = {
        "GOROOT": str(root),
        "GOMODCACHE": str(caches.modules),
        "GOCACHE": str(caches.build),
        "CGO_ENABLED": "0",
    }
    environment = {**os.environ, **own, "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    with aside(program, 0o755) as beside:
        command = [go, "build", "-mod=readonly", "-o", str(beside), "golang.org/x/perf/cmd/benchstat"]
        done = subprocess.run(
            command, cwd=lock, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        if done.returncode:
            raise OSError(done.stderr[-2000:])


def _demand(problem: str) -> None:
    if os.environ.get("CI") == "true" or os.environ.get("LABCTL_LAB_TESTS") == "1":
        pytest.fail(problem, pytrace=False)
    pytest.skip(problem)
