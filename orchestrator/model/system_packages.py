# SPDX-License-Identifier: Apache-2.0
"""What labctl needs of this machine's Debian, by task: a command, or the path of a file, and the package that has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

Needs = Mapping[str, str]
"""A command or an absolute path -> the package that brings it."""

NOTHING: Needs = MappingProxyType({})
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"

CONTAINER_HOSTS: Needs = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "nft": "nftables",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "setpriv": "util-linux",
    "ssh-keygen": "openssh-client",
    KEYRING: "debian-archive-keyring",
}

VIRTUAL_MACHINES: Needs = {
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "setpriv": "util-linux",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    KEYRING: "debian-archive-keyring",
}
"""Beside QEMU, whose package depends on the architecture."""

VIRTUAL_MACHINES_OF_USERS: Needs = {"unshare": "util-linux", "newuidmap": "uidmap"}
"""What users that are not root need beside those."""

CONTAINER_IMAGES: Needs = {"skopeo": "skopeo", "umoci": "umoci", "apt-get": "apt", "dpkg-deb": "dpkg"}


def install_hint(packages: Iterable[str]) -> str:
    """Return the one command that installs ``packages``, as a hint; each package once."""
    return f"Run: sudo apt-get install --no-install-recommends {' '.join(dict.fromkeys(packages))}"
