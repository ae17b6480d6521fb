# SPDX-License-Identifier: Apache-2.0
"""A host without python3 gets it, over bare SSH, where it has apt: everything else that is done on hosts needs it."""

from __future__ import annotations

from typing import Any, Protocol

from orchestrator.model.errors import HostError

SECONDS = 900.0
LOCK_SECONDS = 300
_NO_APT = 69
_APT = f"apt-get -q -y -oDPkg::Lock::Timeout={LOCK_SECONDS}"
INSTALL = (
    f"command -v apt-get >/dev/null || exit {_NO_APT}; export DEBIAN_FRONTEND=noninteractive; "
    f"{_APT} update && {_APT} --no-install-recommends install python3"
)


class Connection(Protocol):
    """What is needed of a connection to a host (orchestrator.ssh.Connection)."""

    @property
    def endpoint(self) -> Any: ...
    def run(self, command: str, timeout: float = ...) -> Any: ...


def install_python(connection: Connection) -> None:
    """Install Debian's python3. Raises HostError where there is no apt, or apt fails; UnreachableError."""
    host = str(connection.endpoint.host)
    done = connection.run(INSTALL, timeout=SECONDS)
    if done.exit_status == 0:
        return
    if done.exit_status == _NO_APT:
        raise HostError(
            host, "python3 is missing on this host, and so is apt-get.", "Install python3 by hand."
        )
    raise HostError(
        host,
        f"python3 is missing on this host, and apt-get could not install it: {_reason(done.stderr)}",
        "Install it by hand (apt-get install python3), or correct the host's apt sources.",
    )


def _reason(stderr: str) -> str:
    lines = stderr.strip().splitlines()
    errors = [line.removeprefix("E: ") for line in lines if line.startswith("E: ")]
    return (errors or lines or ["it says nothing."])[-1]
