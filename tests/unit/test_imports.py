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
