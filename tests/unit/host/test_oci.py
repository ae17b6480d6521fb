# SPDX-License-Identifier: Apache-2.0
"""Which program made a container is read off the host; what the program says is passed on."""

from __future__ import annotations

from pathlib import Path

import pytest

from remote_agent.host.oci import RUNC_ROOT, TASKS, Oci, of_container, timed_command
from remote_agent.host.read import Absent

ID = "c" * 64
POD = "p" * 64


def process(root: Path, pid: int, *argv: str, exe: str = "") -> None:
    folder = root / "proc" / str(pid)
    folder.mkdir(parents=True)
    (folder / "cmdline").write_bytes("\0".join((*argv, "")).encode())
    if exe:
        (folder / "exe").symlink_to(exe)


def test_containerds_bundle_names_the_program(tmp_path: Path) -> None:
    bundle = tmp_path / TASKS / ID
    bundle.mkdir(parents=True)
    (bundle / "runtime").write_text("/usr/bin/crun")
    assert of_container(ID, tmp_path) == Oci("/usr/bin/crun", RUNC_ROOT, ID)


def test_crios_conmon_names_program_and_state_folder(tmp_path: Path) -> None:
    root = "--root=/run/crio/runtimes/runc"
    process(tmp_path, 7, "/usr/bin/conmon", "-c", POD, "-r", "/other", "--runtime-arg", root)
    process(tmp_path, 8, "/usr/bin/conmon", "-b", "/x", "-c", ID, "-r", "/opt/adapter", "--runtime-arg", root)
    assert of_container(ID, tmp_path) == Oci("/opt/adapter", "/run/crio/runtimes/runc", ID)


@pytest.mark.parametrize("namespace", ["k8s.io", "default"])
def test_gvisors_sandbox_process_is_the_program(tmp_path: Path, namespace: str) -> None:
    folder = tmp_path / "run/containerd/runsc" / namespace
    folder.mkdir(parents=True)
    (folder / f"{ID}_sandbox:{POD}.state").touch()
    (tmp_path / TASKS / ID).mkdir(parents=True)  # containerd's bundle, without a program's name
    process(tmp_path, 4, "runsc-sandbox", "boot", "another", exe="/opt/other/runsc")
    process(tmp_path, 5, "runsc-sandbox", "--root=/x", "boot", POD, exe="/opt/runsc")
    assert of_container(ID, tmp_path) == Oci("/opt/runsc", f"/run/containerd/runsc/{namespace}", ID)


def test_a_container_of_nobodys_has_no_program(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    with pytest.raises(Absent, match="no OCI runtime's program is known for the container cccccccccccc"):
        of_container(ID, tmp_path)


def program(folder: Path, body: str) -> str:
    path = folder / "oci"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def test_a_call_is_the_program_with_its_state_folder(tmp_path: Path) -> None:
    written = tmp_path / "argv"
    oci = Oci(
        program(tmp_path, f'echo "$@" >> {written}; sleep 0.05; echo \'{{"status": "paused"}}\''),
        "/state",
        ID,
    )
    assert 50e6 <= oci.pause() < 5e9
    assert oci.resume() >= 50e6
    assert oci.paused()
    assert written.read_text().splitlines() == [
        f"--root=/state {verb} {ID}" for verb in ("pause", "resume", "state")
    ]


def test_what_the_program_refuses_is_absent_in_its_own_words(tmp_path: Path) -> None:
    oci = Oci(program(tmp_path, "echo 'cannot pause: no freezer' >&2; exit 3"), "/state", ID)
    with pytest.raises(Absent, match=r"pause c+ failed \(3\): cannot pause: no freezer"):
        oci.pause()
    with pytest.raises(Absent, match="No such file"):
        Oci(str(tmp_path / "none"), "/state", ID).pause()


def test_a_program_that_does_not_end_is_killed(tmp_path: Path) -> None:
    with pytest.raises(Absent, match=r"was not done within 0\.1 s"):
        timed_command(("sleep", "60"), deadline_s=0.1)
