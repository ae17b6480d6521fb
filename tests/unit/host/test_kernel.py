# SPDX-License-Identifier: Apache-2.0
"""What a host has for runtimes, from made-up files."""

from __future__ import annotations

import gzip
import socket
from pathlib import Path

import pytest

from remote_agent.host import kernel


def write(root: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return str(root)


def test_modules_that_can_be_had(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/modules": "veth 4096 0 - Live 0x0\n",
            "lib/modules/6.1/modules.builtin": "kernel/fs/overlayfs/overlay.ko\n",
            "lib/modules/6.1/modules.dep": "kernel/net/bridge/bridge.ko.xz: kernel/net/llc/llc.ko.xz\n",
        },
    )
    assert kernel.modules(root, "6.1") == {"overlay": "builtin", "bridge": "loadable", "veth": "loaded"}


def test_modules_that_are_missing_and_those_nobody_tells_of(tmp_path: Path) -> None:
    assert set(kernel.modules(str(tmp_path), "6.1").values()) == {None}
    write(tmp_path, {"lib/modules/6.1/modules.dep": "kernel/x.ko:\n"})
    assert set(kernel.modules(str(tmp_path), "6.1").values()) == {"missing"}


def test_a_kernel_without_modules_tells_its_configuration(tmp_path: Path) -> None:
    root = write(tmp_path, {"proc/filesystems": "nodev\toverlay\n"})
    (tmp_path / "proc/config.gz").write_bytes(
        gzip.compress(b"#\nCONFIG_BRIDGE=y\n# CONFIG_VETH is not set\n")
    )
    assert kernel.modules(root, "6.1") == {"overlay": "builtin", "bridge": "builtin", "veth": "missing"}


@pytest.mark.parametrize(("text", "expected"), [("0\n", False), ("15000\n", True), ("", None)])
def test_user_namespaces(tmp_path: Path, text: str, expected: bool | None) -> None:
    assert kernel.user_namespaces(write(tmp_path, {"proc/sys/user/max_user_namespaces": text})) is expected


def test_a_socket_answers_only_while_somebody_listens(tmp_path: Path) -> None:
    path = tmp_path / "run/containerd/containerd.sock"
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert kernel.services(str(tmp_path)) == {"containerd": "answers", "crio": "absent"}
    assert kernel.services(str(tmp_path)) == {"containerd": "silent", "crio": "absent"}


def test_noise(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {
            "proc/loadavg": "1.50 0.2 0.1 1/2 3\n",
            "proc/12/comm": "dockerd\n",
            "proc/13/comm": "sshd\n",
            "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "powersave\n",
            "etc/systemd/system/timers.target.wants/apt-daily.timer": "",
        },
    )
    assert kernel.noise(root) == {
        "governor": "powersave",
        "load": 1.5,
        "timers": ["apt-daily.timer"],
        "others": ["dockerd"],
    }


def test_a_host_that_tells_nothing(tmp_path: Path) -> None:
    root = str(tmp_path)
    assert kernel.room(root) == {"/var/lib": None, "/opt": None, "memory": None}
    assert kernel.noise(root) == {"governor": None, "load": None, "timers": [], "others": []}
    assert kernel.seccomp(root) is None
