# SPDX-License-Identifier: Apache-2.0
"""What is committed below remote_agent/gen is what protos/ generates today."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def _files(root: Path) -> dict[str, bytes]:
    folder = root / "remote_agent" / "gen"
    paths = [path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_the_committed_messages_are_current(tmp_path: Path) -> None:
    subprocess.run(
        [ROOT / "protos" / "generate.sh", tmp_path],
        env={**os.environ, "PYTHON": sys.executable},
        check=True,
        timeout=60,
    )
    generated = _files(tmp_path)
    assert "runtime/v1/cri_pb2.py" in generated
    assert "labctl/agent/v1/agent_pb2_grpc.pyi" in generated
    assert _files(ROOT) == generated, "run `make protos` and commit remote_agent/gen"
