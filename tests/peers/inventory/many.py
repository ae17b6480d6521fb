# SPDX-License-Identifier: Apache-2.0
"""Runs Ansible's own commands many times within one start of Python (of .venv-peers): each in a fork, so that nothing is shared.

Reads a JSON list of command lines (the first word is ansible or ansible-inventory), writes a JSON list of
[exit code, standard output, standard error]. ansible-core takes 0.7 s to be imported and 0.05 s to answer.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    json.dump([answer(words) for words in json.load(sys.stdin)], sys.stdout)


def answer(words: list[str]) -> tuple[int, str, str]:
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        child = os.fork()
        if child == 0:
            run(words, out, err)
        _, status = os.waitpid(child, 0)
        return os.waitstatus_to_exitcode(status), out.read_text("utf-8"), err.read_text("utf-8")


def run(words: list[str], out: Path, err: Path) -> None:
    """Does not return."""
    for number, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), number)
    sys.argv = words
    try:
        program(words[0])(words)
    except SystemExit as stop:
        status = stop.code if isinstance(stop.code, int) else 1
    else:
        status = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def program(name: str) -> Callable[[list[str]], None]:
    """ansible-core is of another virtual environment than what reads this file otherwise."""
    module = {"ansible": "ansible.cli.adhoc", "ansible-inventory": "ansible.cli.inventory"}[name]
    found: Callable[[list[str]], None] = importlib.import_module(module).main
    return found


if __name__ == "__main__":
    for command in ("ansible", "ansible-inventory"):
        program(command)  # imported once, and not in every fork
    main()
