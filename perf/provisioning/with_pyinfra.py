# SPDX-License-Identifier: Apache-2.0
"""The same as a pyinfra deploy: `pyinfra INVENTORY.py with_pyinfra.py`."""

from __future__ import annotations

import io
import sys
from pathlib import Path

from pyinfra import host
from pyinfra.operations import files, server

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from provisioning.state import FILES, FOLDERS, LINKS, STAMP, TEMPLATES, unit

base = host.data.base
for folder in FOLDERS:
    files.directory(path=f"{base}/{folder}", mode="755")
for path, text in FILES.items():
    files.put(src=io.StringIO(text), dest=f"{base}/{path}", mode="644")
for path, number in TEMPLATES.items():
    files.put(src=io.StringIO(unit(host.data.label, number)), dest=f"{base}/{path}", mode="644")
for path, target in LINKS.items():
    files.link(path=f"{base}/{path}", target=target)
server.shell(commands=[f"[ -e {base}/{STAMP} ] || touch {base}/{STAMP}"])
