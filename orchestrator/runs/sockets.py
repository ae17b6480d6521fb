# SPDX-License-Identifier: Apache-2.0
"""Where CRI runtimes listen on a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.model.errors import UsageError

CRI_SOCKETS: Mapping[str, str] = {
    "containerd": "/run/containerd/containerd.sock",
    "crio": "/run/crio/crio.sock",
}
"""Their own defaults. The host variable ``labctl_cri_sockets`` (a mapping) goes before them."""


def socket_of(cri: str, host_vars: Mapping[str, Any]) -> str:
    """The path of the CRI's Unix socket on a host. Raises UsageError: nobody said where it listens."""
    own = host_vars.get("labctl_cri_sockets")
    path = own.get(cri) if isinstance(own, Mapping) else None
    path = path or CRI_SOCKETS.get(cri)
    if path is None:
        raise UsageError(
            f"It is not known where the CRI runtime {cri!r} listens.",
            f"Known are {', '.join(CRI_SOCKETS)}; name others in the inventory: labctl_cri_sockets: {{{cri}: /run/...}}.",
        )
    return str(path)
