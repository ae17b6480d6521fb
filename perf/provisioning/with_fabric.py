# SPDX-License-Identifier: Apache-2.0
"""As one would write it with fabric: a connection a host, a command or an upload a task. `python with_fabric.py TARGETS.json`"""

from __future__ import annotations

import io
import json
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fabric import Config, Connection

from provisioning.state import FILES, FOLDERS, LINKS, STAMP, TEMPLATES, unit


def one(target: dict[str, Any], key: str) -> int:
    """What it changed. fabric has no idempotence of its own: each task asks first."""
    with Connection(
        "127.0.0.1",
        "root",
        target["port"],
        Config(),
        connect_kwargs={"key_filename": key, "look_for_keys": False},
    ) as connection:
        base, changed = target["base"], 0

        def ask(command: str) -> str:
            return str(connection.run(command, hide=True, warn=True, in_stream=False).stdout)

        for folder in FOLDERS:
            changed += "made" in ask(f"[ -d {base}/{folder} ] || {{ mkdir -p {base}/{folder}; echo made; }}")
        units = {path: unit(target["name"], number) for path, number in TEMPLATES.items()}
        for path, text in {**FILES, **units}.items():
            if ask(f"cat {base}/{path} 2>/dev/null") != text:
                connection.put(io.BytesIO(text.encode()), f"{base}/{path}.new")
                ask(f"mv {base}/{path}.new {base}/{path}")
                changed += 1
        for path, to in LINKS.items():
            there = f'[ "$(readlink {base}/{path})" = {shlex.quote(to)} ]'
            changed += "made" in ask(f"{there} || {{ ln -s {shlex.quote(to)} {base}/{path}; echo made; }}")
        changed += "made" in ask(f"[ -e {base}/{STAMP} ] || {{ touch {base}/{STAMP}; echo made; }}")
        return changed


def main() -> None:
    with open(sys.argv[1]) as file:
        told = json.load(file)
    with ThreadPoolExecutor(64) as pool:
        print(f"changed={sum(pool.map(lambda target: one(target, told['key']), told['targets']))}")


if __name__ == "__main__":
    main()
