# SPDX-License-Identifier: Apache-2.0
"""KVM is believed only when a guest has run, and one that hangs hangs nobody else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from remote_agent.host.kvm import kvm


@pytest.fixture
def device(tmp_path: Path) -> str:
    """Exists and can be opened, as in virtual machines that pass none on."""
    path = tmp_path / "kvm"
    path.touch()
    return str(path)


def test_without_a_device(tmp_path: Path) -> None:
    assert kvm(str(tmp_path / "no")) == {
        "exists": False,
        "openable": False,
        "runs": False,
        "why": f"there is no {tmp_path}/no",
    }


def test_a_guest_that_ends_is_the_proof(device: str) -> None:
    assert kvm(device, "x86_64", lambda _: "") == {"exists": True, "openable": True, "runs": True, "why": ""}


def test_what_is_no_kvm_does_not_run_a_guest(device: str) -> None:
    found = kvm(device, "x86_64")
    assert (found["runs"], found["why"]) == (False, "a guest does not run (Inappropriate ioctl for device)")


def test_the_guest_s_own_reason_is_told(device: str) -> None:
    assert kvm(device, "x86_64", lambda _: "it is slow")["why"] == "it is slow"


def test_a_guest_that_hangs_is_left(device: str) -> None:
    began = time.monotonic()

    def hangs(_: str) -> str:
        time.sleep(30)
        return ""

    found = kvm(device, "x86_64", hangs, deadline_s=0.1)
    assert (found["runs"], found["why"]) == (False, "a guest did not end within 0.1 s")
    assert time.monotonic() - began < 5


def test_on_other_machines_it_cannot_be_told(device: str) -> None:
    found = kvm(device, "aarch64", lambda _: "")
    assert found["runs"] is None
    assert "aarch64" in found["why"]


def test_a_guest_is_asked_once_as_long_as_the_device_is_the_same(device: str, tmp_path: Path) -> None:
    memory, asked = tmp_path / "memory", []

    def guest(_: str) -> str:
        (tmp_path / str(time.monotonic_ns())).touch()  # it is another process that runs this
        return "it is slow"

    def ask() -> str:
        why = kvm(device, "x86_64", guest, memory=str(memory))["why"]
        asked.append(len(list(tmp_path.glob("[0-9]*"))))
        return str(why)

    assert [ask(), ask()] == ["it is slow"] * 2 and asked == [1, 1]
    assert memory.stat().st_mode & 0o777 == 0o600 and list(tmp_path.glob("memory.*")) == []
    Path(device).chmod(0o600)  # as a new device: its ctime is another one
    assert (ask(), asked) == ("it is slow", [1, 1, 2])
    memory.chmod(0o666)  # somebody else may have written it
    assert (ask(), asked) == ("it is slow", [1, 1, 2, 3])
    memory.write_text("torn")
    assert (ask(), asked) == ("it is slow", [1, 1, 2, 3, 4])


def test_an_answer_that_cannot_be_kept_is_an_answer(device: str, tmp_path: Path) -> None:
    assert kvm(device, "x86_64", lambda _: "", memory=str(tmp_path / "no/memory"))["runs"] is True
