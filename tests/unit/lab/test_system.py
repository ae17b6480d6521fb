# SPDX-License-Identifier: Apache-2.0
"""Processes are told apart from later ones of the same number; commands fail in a sentence; waits end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrator.lab.files import locked, mounts_below, remove_empty, remove_tree
from orchestrator.lab.system import Clock, Done, LocalExecutor, Processes, System, search_path
from orchestrator.model.errors import Interrupted, LabError

SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_process_is_known_by_number_start_and_boot() -> None:
    processes = Processes()
    with subprocess.Popen(SLEEP) as child:
        identity = processes.identify(child.pid)
        assert identity is not None and processes.alive(identity)
        assert child.pid in processes.children(os.getpid())
        assert not processes.is_init(child.pid)
        other = replace(identity, started=identity.started - 1)
        assert not processes.alive(other)
        assert not processes.alive(replace(identity, boot="another"))
        assert not processes.signal(other, signal.SIGKILL), "a reused number is left alone"
        assert child.poll() is None
        assert processes.signal(identity, signal.SIGKILL)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not processes.alive(identity), "a zombie is dead"
    assert processes.identify(child.pid) is None
    assert not processes.signal(identity, signal.SIGKILL)


def test_names_with_brackets_do_not_confuse_proc(tmp_path: Path) -> None:
    (tmp_path / "5").mkdir()
    (tmp_path / "5/stat").write_text("5 (a) S 9 ) b) R 3 " + " ".join("0" * 17) + " 4242 0\n")
    (tmp_path / "5/status").write_text("Name:\ta\nNSpid:\t5\t1\n")
    (tmp_path / "sys/kernel/random").mkdir(parents=True)
    (tmp_path / "sys/kernel/random/boot_id").write_text("b\n")
    processes = Processes(tmp_path)
    identity = processes.identify(5)
    assert identity is not None and identity.started == 4242
    assert processes.children(3) == [5]
    assert processes.is_init(5)


def test_a_failing_command_says_its_last_lines_and_a_slow_one_is_ended() -> None:
    executor = LocalExecutor()
    with pytest.raises(LabError, match=r"(?s)ended with 3: .*the reason"):
        executor.run(["sh", "-c", "echo noise; echo the reason >&2; exit 3"])
    assert executor.run(["sh", "-c", "exit 3"], check=False).code == 3
    with pytest.raises(LabError, match="was not done after"):
        executor.run(["sleep", "30"], timeout=0.2)
    assert executor.run(["cat"], stdin="ä").stdout == "ä"


def test_output_goes_to_the_log_and_the_error_quotes_it(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="said this"):
        LocalExecutor().run(["sh", "-c", "echo said this; exit 1"], log=tmp_path / "log")


def test_waits_end_at_the_deadline_and_at_an_interrupt() -> None:
    clock = Clock()
    assert clock.wait_until(lambda: True, 0)
    assert not clock.wait_until(lambda: False, 0.05, 0.01)
    threading.Timer(0.05, clock.stop).start()
    began = time.monotonic()
    with pytest.raises(Interrupted):
        clock.wait_until(lambda: False, 30)
    assert time.monotonic() - began < 5


def test_a_lock_is_held_by_one_and_leaves_no_file(tmp_path: Path) -> None:
    path, told = tmp_path / "lock", list[str]()
    with (
        locked(path, "it", Clock(), 1, keep=False, waiting=lambda: told.append("nobody has it")),
        pytest.raises(LabError, match="busy with it"),
        locked(path, "it", Clock(), 0.1, waiting=lambda: told.append("waits")),
    ):
        pass
    assert told == ["waits"], "who waits is told so, once"
    assert not path.exists()
    with locked(path, "it", Clock(), 1):
        pass
    assert path.exists()


def test_mount_points_are_unescaped_and_innermost_first(tmp_path: Path) -> None:
    info = tmp_path / "mountinfo"
    lines = ["/", "/a", "/a/b\\040c", "/a/b\\040c/d", "/ab"]
    info.write_text("".join(f"1 2 0:1 / {point} rw - tmpfs tmpfs rw\n" for point in lines))
    assert mounts_below(Path("/a/b c"), info) == [Path("/a/b c/d"), Path("/a/b c")]
    assert mounts_below(Path("/a"), info)[-1] == Path("/a")


def test_only_empty_folders_are_removed_and_none_above(tmp_path: Path) -> None:
    deep = tmp_path / "top/one/two"
    deep.mkdir(parents=True)
    (tmp_path / "top/keep").touch()
    remove_empty(deep, tmp_path / "top")
    assert [entry.name for entry in (tmp_path / "top").iterdir()] == ["keep"]
    (tmp_path / "top/keep").unlink()
    remove_empty(tmp_path / "top", tmp_path / "top")
    assert tmp_path.exists() and not (tmp_path / "top").exists()


def test_tools_of_the_system_are_found_without_sbin_in_the_path() -> None:
    assert search_path({"PATH": "/bin"}).split(":") == ["/bin", "/usr/sbin", "/sbin"]
    done = LocalExecutor().run(["sh", "-c", "echo $PATH"], env={"PATH": "/bin:/usr/bin"})
    assert done.stdout == "/bin:/usr/bin\n", "what is asked for wins"


def test_a_folder_that_is_still_written_to_is_removed_all_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "busy"
    folder.mkdir()
    script = "i=0; while [ $i -lt 400 ]; do mkdir -p $1/$i/x 2>/dev/null; i=$((i+1)); done"
    with subprocess.Popen(["sh", "-c", script, "sh", str(folder)]) as writer:
        remove_tree(folder, System())
        writer.wait(30)
    remove_tree(folder, System())
    assert not folder.exists()


def test_a_folder_that_cannot_be_removed_is_an_error(tmp_path: Path) -> None:
    clock = Clock(monotonic=iter(range(0, 1000, 20)).__next__)

    class Failing(LocalExecutor):
        def run(self, argv: Sequence[str], **options: Any) -> Done:
            return super().run(["sh", "-c", "echo busy >&2; exit 1"], **options)

    with pytest.raises(LabError, match="busy"):
        remove_tree(tmp_path, System(executor=Failing(), clock=clock))
