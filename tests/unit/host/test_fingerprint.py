# SPDX-License-Identifier: Apache-2.0
"""A fingerprint tells what the host tells, and of the rest why not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from remote_agent.host.fingerprint import fingerprint, with_missing
from remote_agent.host.read import Absent, gather

FILES = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: Fast CPU\nmicrocode\t: 0x1\nprocessor\t: 1\nmodel name\t: Fast CPU\n",
    "proc/meminfo": "MemTotal:  1000 kB\nMemAvailable: 500 kB\nSwapTotal: 0 kB\n",
    "proc/cgroups": "#subsys_name hierarchy\nmemory 4 25 1\nnet_cls 0 53 1\n",
    "proc/self/mountinfo": "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /var/lib/containerd rw,noatime - xfs /dev/sdb rw\n",
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor": "performance\n",
    "sys/devices/system/cpu/cpu1/cpufreq/scaling_governor": "powersave\n",
    "sys/devices/system/cpu/intel_pstate/no_turbo": "1\n",
    "sys/devices/system/cpu/vulnerabilities/meltdown": "Not affected\n",
    "sys/kernel/mm/transparent_hugepage/enabled": "always [madvise] never\n",
    "sys/fs/cgroup/memory/tasks": "",
    "sys/fs/cgroup/unified/cgroup.procs": "",
    "sys/block/sda/queue/rotational": "0\n",
    "sys/block/sda/queue/scheduler": "none [mq-deadline]\n",
    "var/lib/containerd/keep": "",
    "etc/os-release": 'PRETTY_NAME="Debian 13"\n',
    "etc/containerd/config.toml": "version = 2\n",
}


def _facts(root: Path) -> dict[str, Any]:
    for name, content in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return fingerprint(root)


def test_what_the_files_say(tmp_path: Path) -> None:
    facts = _facts(tmp_path)
    assert facts["cpu"]["model"] == "Fast CPU"
    assert facts["cpu"]["count"] == 2
    assert facts["cpu"]["governor"] == "performance, powersave"
    assert facts["cpu"]["turbo"] is False
    assert facts["cpu"]["vulnerabilities"] == {"meltdown": "Not affected"}
    assert facts["memory"]["swap_total_kb"] == 0
    assert facts["memory"]["huge_pages"] == "madvise"
    assert facts["cgroup"] == {"version": "1, hybrid", "controllers": ["memory"]}
    assert facts["storage"]["disks"] == {"sda": {"rotational": False, "scheduler": "mq-deadline"}}
    assert (facts["storage"]["containerd"]["type"], facts["storage"]["containerd"]["options"]) == (
        "xfs",
        "rw,noatime",
    )
    assert facts["system"]["name"] == "Debian 13"
    assert list(facts["system"]["configs"]) == ["/etc/containerd/config.toml"]
    assert len(facts["system"]["configs"]["/etc/containerd/config.toml"]) == 64


def test_every_none_has_its_reason_and_every_reason_its_none(tmp_path: Path) -> None:
    facts = _facts(tmp_path)
    nones = {
        name for name, value in _flat({k: v for k, v in facts.items() if k != "missing"}) if value is None
    }
    top = {name for name in nones if name.count(".") < 2}
    assert top == set(facts["missing"])
    assert "cpu.driver" in top
    assert all(facts["missing"].values())


def test_it_is_json_on_this_machine() -> None:
    facts = fingerprint()
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    assert facts["kernel"]["release"]


def test_gather_names_what_is_missing_in_full() -> None:
    def absent() -> int:
        raise Absent("nobody knows")

    missing: dict[str, str] = {}
    assert gather({"a": lambda: 1, "b": absent}, missing, "x.") == {"a": 1, "b": None}
    assert missing == {"x.b": "nobody knows"}
    assert with_missing({"missing": {"c": "no"}}, missing) == {"missing": {"c": "no", "x.b": "nobody knows"}}


def _flat(facts: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in facts.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def test_an_identity_is_told_without_what_it_is_made_of(tmp_path: Path) -> None:
    uuid, own = "4c4c4544-0051-3010-8053-b4c04f564433", "0123456789abcdef0123456789abcdef"
    (tmp_path / "sys/class/dmi/id").mkdir(parents=True)
    (tmp_path / "sys/class/dmi/id/product_uuid").write_text(f"{uuid.upper()}\n")
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/machine-id").write_text(f"{own}\n")
    facts = _facts(tmp_path)
    told = facts["identity"]
    assert all(len(value) == 32 for value in told.values())
    assert told["installation"] != told["hardware"]
    assert own not in json.dumps(facts) and uuid not in json.dumps(facts).lower()
    (tmp_path / "etc/machine-id").write_text("f" * 32)
    assert _facts(tmp_path)["identity"]["installation"] != told["installation"]
    assert _facts(tmp_path)["identity"]["hardware"] == told["hardware"]


def test_hardware_that_its_maker_left_unset_is_no_identity(tmp_path: Path) -> None:
    path = tmp_path / "sys/class/dmi/id/product_uuid"
    path.parent.mkdir(parents=True)
    for unset in (
        "00000000-0000-0000-0000-000000000000",
        "03000200-0400-0500-0006-000700080009",
        "Not Settable",
        "",
    ):
        path.write_text(f"{unset}\n")
        facts = _facts(tmp_path)
        assert facts["identity"]["hardware"] is None
        assert "identity.hardware" in facts["missing"]
