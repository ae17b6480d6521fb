# SPDX-License-Identifier: Apache-2.0
"""The design's one-way imports hold; and what starts the command stays light."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

HEAVY = (
    "fabric",
    "paramiko",
    "numpy",
    "scipy",
    "duckdb",
    "grpc",
    "pydantic",
    "jinja2",
    "rich",
    "vl_convert",
    "yaml",
)


def test_the_imports_go_one_way() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from orchestrator.cli.main import run\n"
        "assert run(['--help']) == 0\n"
        f"print('HEAVY', [name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stderr
    assert "provision" in done.stdout


BUILDING = ("pydantic", "numpy", "orchestrator.pipeline.build", "orchestrator.lab.lifecycle")


def test_a_playbook_without_artifacts_does_not_wait_for_what_builds() -> None:
    code = f"import sys, orchestrator.pipeline.provision; print([name for name in {BUILDING!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "[]\n"


def test_a_host_is_reached_without_tools_for_tests() -> None:
    """And whoever wants them afterwards has the real ones."""
    code = (
        "import sys, orchestrator.ssh.lean, orchestrator.ssh.dial\n"
        "print([name for name in ('asyncio', 'unittest.mock') if name in sys.modules])\n"
        "from unittest.mock import Mock\n"
        "print(Mock().anything() is not None, orchestrator.ssh.dial.fabric.Connection.__name__)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout == "[]\nTrue Connection\n"
