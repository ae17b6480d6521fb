# SPDX-License-Identifier: Apache-2.0
"""The runner of a user who is not root: files of the controller, which it keeps only while it runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from remote_agent.contract.bootstrap import COMMAND
from remote_agent.runner.blobs import TemporaryBlobStore
from tests.unit.runner.conftest import DEADLINE, Controller, blob_ref

NOBODY = 65534
CONTENT = b"from the controller\n"


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that everybody may write to: pytest's own are root's alone."""
    folder = Path(tempfile.mkdtemp(prefix="labctl-test-"))
    folder.chmod(0o777)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def ordinary(home: Path) -> Iterator[Controller]:
    """A runner without root's rights, whose HOME and TMPDIR are ``home``."""
    environment = {name: value for name, value in os.environ.items() if name != "LABCTL_BLOBS"}
    started = subprocess.Popen(
        ["/bin/sh", "-c", COMMAND],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=home,
        env={**environment, "HOME": str(home), "TMPDIR": str(home)},
        user=NOBODY if os.geteuid() == 0 else None,
        group=NOBODY if os.geteuid() == 0 else None,
        extra_groups=[] if os.geteuid() == 0 else None,
    )
    yield Controller(started, home)
    started.kill()
    started.wait(DEADLINE)
    for stream in (started.stdin, started.stdout, started.stderr):
        assert stream is not None
        with suppress(BrokenPipeError):
            stream.close()


def test_a_file_is_copied_and_its_blob_does_not_stay(ordinary: Controller, home: Path) -> None:
    ordinary.hello()
    ordinary.step(1, "copy", {"src": blob_ref(CONTENT).to_json(), "dest": "~/copied"})
    assert ordinary.receive() == {"type": "need", "sha256": blob_ref(CONTENT).sha256}
    ordinary.blob(CONTENT)
    assert ordinary.outcome()["status"] == "changed"
    assert ordinary.end() == 0
    assert (home / "copied").read_bytes() == CONTENT
    assert [path.name for path in home.iterdir()] == ["copied"]


def test_a_folder_that_nobody_may_write_to_fails_the_step_with_its_reason(
    ordinary: Controller, home: Path
) -> None:
    ordinary.hello()
    ordinary.step(1, "copy", {"src": blob_ref(CONTENT).to_json(), "dest": "/proc/no-such-file"})
    outcome = ordinary.outcome()
    assert outcome["status"] == "failed" and "/proc/no-such-file" in outcome["msg"]
    assert ordinary.end() == 0 and not any(home.iterdir())


def test_what_a_killed_runner_left_goes_and_what_a_living_one_has_stays(tmp_path: Path) -> None:
    dead, living = tmp_path / "labctl-blobs-999999999-aa", tmp_path / "labctl-blobs-1-bb"
    for folder in (dead, living):
        folder.mkdir()
        (folder / "blob").touch()
    TemporaryBlobStore(tmp_path).sweep()
    assert not dead.exists() and (living / "blob").exists()
