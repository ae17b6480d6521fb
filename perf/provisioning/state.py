# SPDX-License-Identifier: Apache-2.0
"""What every tool is to bring about in a folder: 5 folders, 10 files, 5 templates, 4 links, one command. Standard library only."""

from __future__ import annotations

FOLDERS = ("etc", "bin", "lib", "log", "units")
FILES = {f"etc/file{number}": f"# file {number}\n" + "value = 1\n" * 40 for number in range(10)}
TEMPLATES = {f"units/unit{number}.service": number for number in range(5)}
LINKS = {f"bin/tool{number}": f"../lib/tool{number}" for number in range(4)}
STAMP = "log/done"
TASKS = len(FOLDERS) + len(FILES) + len(TEMPLATES) + len(LINKS) + 1


def unit(host: str, number: int) -> str:
    """What the template makes of a host's name and a number."""
    return f"[Unit]\nDescription=unit {number} of {host}\n[Service]\nExecStart=/bin/true {number}\n"


TEMPLATE = "[Unit]\nDescription=unit {{ number }} of {{ inventory_hostname }}\n[Service]\nExecStart=/bin/true {{ number }}\n"
