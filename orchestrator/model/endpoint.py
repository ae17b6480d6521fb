# SPDX-License-Identifier: Apache-2.0
"""How one host is reached over SSH, and who one becomes there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Endpoint:
    """``address`` and ``port`` as the inventory says; None leaves the choice to ~/.ssh/config, then to SSH's defaults.

    ``known_hosts``: the inventory's own file, else the user's. ``connect_timeout`` is in seconds.
    """

    host: str
    address: str
    port: int | None = None
    user: str | None = None
    key_file: Path | None = None
    known_hosts: Path | None = None
    password: str | None = field(default=None, repr=False)
    become: bool = False
    become_user: str = "root"
    become_password: str | None = field(default=None, repr=False)
    connect_timeout: float = 10.0
