# SPDX-License-Identifier: Apache-2.0
"""The real runner over pipes: order, blobs, failures, and ends of every kind."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.steps import Step
from remote_agent.runner import session
from remote_agent.runner.context import Context, ModuleResult
from remote_agent.runner.session import execute

DEADLINE = 10.0


def test_facts_then_steps_in_order_then_bye(controller: Any, tmp_path: Path) -> None:
    controller.hello()
    controller.send("facts")
    facts = controller.receive()["facts"]
    assert facts["kernel"] == os.uname().release
    controller.step(1, "file", {"path": str(tmp_path / "a"), "state": "directory"})
    controller.step(2, "file", {"path": str(tmp_path / "a"), "state": "directory"})
    outcomes = [controller.outcome(), controller.outcome()]
    assert [(outcome["step"], outcome["status"]) for outcome in outcomes] == [(1, "changed"), (2, "ok")]
    assert outcomes[0]["seconds"] > 0
    assert controller.end() == 0


def test_facts_may_be_asked_for_again_later(controller: Any) -> None:
    controller.hello()
    controller.step(1, "command", {"argv": ["true"]})
    controller.outcome()
    controller.send("facts")
    assert controller.receive()["facts"]["hostname"]


def test_a_missing_blob_is_asked_for_and_later_steps_wait(controller: Any, tmp_path: Path) -> None:
    content = os.urandom(100_000)
    ref = _ref(content)
    controller.hello()
    controller.step(1, "copy", {"src": ref, "dest": str(tmp_path / "big")})
    controller.step(2, "command", {"argv": ["true"]})
    assert controller.receive() == {"type": "need", "sha256": ref["$blob"]}
    controller.step(3, "stat", {"path": str(tmp_path / "big")})
    controller.blob(content)
    assert [controller.outcome()["step"] for _ in range(3)] == [1, 2, 3]
    assert (tmp_path / "big").read_bytes() == content
    assert [path.name for path in controller.cache.iterdir()] == [ref["$blob"]]
    assert controller.cache.stat().st_mode & 0o777 == 0o700


def test_a_cached_blob_does_not_travel_again(controller: Any, tmp_path: Path) -> None:
    ref = _ref(b"kept")
    controller.cache.mkdir()
    (controller.cache / ref["$blob"]).write_bytes(b"kept")
    controller.hello()
    controller.step(1, "copy", {"src": ref, "dest": str(tmp_path / "a")})
    assert controller.outcome()["status"] == "changed"


def test_a_damaged_cached_blob_is_thrown_away_and_asked_for(controller: Any, tmp_path: Path) -> None:
    ref = _ref(b"kept")
    controller.cache.mkdir()
    (controller.cache / ref["$blob"]).write_bytes(b"rott")
    controller.hello()
    controller.step(1, "copy", {"src": ref, "dest": str(tmp_path / "a")})
    progress = controller.receive()
    assert progress["type"] == "progress" and "damaged" in progress["message"]
    assert controller.receive()["type"] == "need"
    controller.blob(b"kept")
    assert controller.outcome()["status"] == "changed"
    assert (tmp_path / "a").read_bytes() == b"kept"


def test_other_bytes_than_named_fail_the_step_and_are_not_kept(controller: Any, tmp_path: Path) -> None:
    ref = _ref(b"good")
    controller.hello()
    controller.step(1, "copy", {"src": ref, "dest": str(tmp_path / "a")}, stop_on_failure=False)
    controller.receive()
    controller.blob(b"evil", sha256=ref["$blob"])
    outcome = controller.outcome()
    assert outcome["status"] == "failed" and "other bytes" in outcome["msg"]
    assert list(controller.cache.iterdir()) == []
    assert not (tmp_path / "a").exists()
    controller.step(2, "command", {"argv": ["true"]})
    assert controller.outcome()["status"] == "changed"


def test_a_blob_that_cannot_be_had_fails_its_step_with_the_reason(controller: Any, tmp_path: Path) -> None:
    ref = _ref(b"gone")
    controller.hello()
    controller.step(1, "copy", {"src": ref, "dest": str(tmp_path / "a")})
    controller.receive()
    controller.send("no_blob", sha256=ref["$blob"], reason="the file is gone")
    assert controller.outcome()["msg"] == "the file is gone"


def test_a_cache_that_cannot_be_written_fails_the_step_and_keeps_the_stream_whole(
    controller: Any, tmp_path: Path
) -> None:
    controller.cache.write_text("a file where the folder should be")
    ref = _ref(b"x" * 70_000)
    controller.hello()
    controller.step(1, "copy", {"src": ref, "dest": str(tmp_path / "a")}, stop_on_failure=False)
    assert controller.receive()["type"] == "need"
    controller.blob(b"x" * 70_000)
    outcome = controller.outcome()
    assert outcome["status"] == "failed" and str(controller.cache) in outcome["msg"]
    controller.step(2, "command", {"argv": ["true"]})
    assert controller.outcome()["step"] == 2


def test_after_a_failure_later_steps_are_dropped_without_a_word(controller: Any, tmp_path: Path) -> None:
    controller.hello()
    controller.step(1, "command", {"argv": ["false"]})
    controller.step(2, "file", {"path": str(tmp_path / "never"), "state": "touch"})
    assert controller.outcome()["status"] == "failed"
    assert controller.end() == 0
    assert not (tmp_path / "never").exists()


def test_a_failure_that_the_controller_judges_stops_nothing(controller: Any) -> None:
    controller.hello()
    controller.step(1, "command", {"argv": ["false"]}, stop_on_failure=False)
    controller.step(2, "command", {"argv": ["true"]})
    assert [controller.outcome()["status"] for _ in range(2)] == ["failed", "changed"]


def test_an_unknown_module_is_a_failed_step(controller: Any) -> None:
    controller.hello()
    controller.step(1, "../main", {})
    assert controller.outcome()["msg"] == "The runner has no module '../main'."


def test_no_log_keeps_values_out_of_messages_and_in_the_result(controller: Any) -> None:
    controller.hello()
    controller.step(1, "command", {"argv": ["sh", "-c", "echo secret >&2; exit 1"]}, no_log=True, diff=True)
    outcome = controller.outcome()
    assert "secret" not in outcome["msg"] and outcome["diff"] is None
    assert outcome["result"]["stderr"] == "secret"


def test_the_blob_of_a_no_log_step_does_not_stay(controller: Any, tmp_path: Path) -> None:
    ref = _ref(b"a secret")
    controller.hello()
    for number, no_log in enumerate((True, False)):
        controller.step(number, "copy", {"src": ref, "dest": str(tmp_path / str(number))}, no_log=no_log)
        assert controller.receive()["type"] == "need"
        controller.blob(b"a secret")
        assert controller.outcome()["status"] == "changed"
        assert [path.name for path in controller.cache.iterdir()] == ([] if no_log else [ref["$blob"]])


def test_what_a_dead_runner_was_receiving_goes_and_what_a_living_one_is_stays(controller: Any) -> None:
    controller.cache.mkdir()
    gone = subprocess.Popen(["true"])
    gone.wait()
    for owner in (gone.pid, os.getpid()):
        (controller.cache / f".incoming-{owner}-half").write_bytes(b"a sec")
    controller.hello()
    controller.step(1, "command", {"argv": ["true"]})
    controller.outcome()
    assert controller.end() == 0
    assert [path.name for path in controller.cache.iterdir()] == [f".incoming-{os.getpid()}-half"]


def test_a_defect_in_a_no_log_step_does_not_quote_it() -> None:
    def crash(args: Mapping[str, Any], context: Context) -> ModuleResult:
        raise subprocess.TimeoutExpired(["sh", "-c", args["cmd"]], 3.0)

    def said(no_log: bool) -> str:
        step = Step(1, "a task", "crash", {"cmd": "echo hunter2"}, no_log=no_log)
        with pytest.raises((RuntimeError, subprocess.TimeoutExpired)) as caught:
            execute(step, Context(blobs=None))  # type: ignore[arg-type]
        return "".join(traceback.format_exception(caught.value))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "find_module", lambda name: crash)
        assert "hunter2" in said(no_log=False)
        assert "hunter2" not in said(no_log=True) and "crash: TimeoutExpired" in said(no_log=True)


def test_a_step_s_environment_reaches_its_command(controller: Any) -> None:
    controller.hello()
    controller.step(1, "shell", {"cmd": "echo $COLOUR"}, environment={"COLOUR": "green"})
    assert controller.outcome()["result"]["stdout"] == "green"


@pytest.mark.parametrize("step", [False, True])
def test_a_connection_that_takes_everything_with_it_leaves_no_runner_behind(
    controller: Any, step: bool
) -> None:
    """sshd closes all pipes at once: that nobody reads the complaint must not keep the runner from ending."""
    controller.hello()
    controller.send("facts")
    assert controller.receive() is not None
    if step:
        controller.step(1, "command", {"_raw_params": "sleep 60"})
        time.sleep(0.5)
    assert controller.process.stderr is not None
    controller.process.stderr.close()
    controller.output.close()
    controller.input.close()
    assert controller.process.wait(DEADLINE / 2) != 0


def test_a_closed_input_before_end_ends_the_command_that_runs(controller: Any, tmp_path: Path) -> None:
    pidfile = _start_sleep(controller, tmp_path)
    controller.input.close()
    _assert_interrupted(controller, pidfile)


def test_a_step_that_waits_says_so_at_once_and_ends_with_its_controller(controller: Any) -> None:
    controller.hello()
    controller.step(1, "wait_for", {"path": "/nosuch", "timeout": 600})
    said = controller.receive()
    assert said["type"] == "progress" and said["message"] == "Waiting up to 600 s for file /nosuch."
    controller.input.close()
    assert controller.process.wait(DEADLINE) == 1


def test_a_download_that_is_cut_off_leaves_nothing(controller: Any, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        controller.hello()
        args = {"url": f"http://127.0.0.1:{server.getsockname()[1]}/f", "dest": str(tmp_path / "f")}
        controller.step(1, "get_url", args, environment={"no_proxy": "127.0.0.1"})
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            while not list(tmp_path.glob(".f.labctl-*")):
                assert controller.process.poll() is None
            controller.input.close()
            assert controller.process.wait(DEADLINE) == 1
    assert not list(tmp_path.glob("*f*"))


def test_a_signal_ends_the_command_that_runs(controller: Any, tmp_path: Path) -> None:
    pidfile = _start_sleep(controller, tmp_path)
    controller.process.send_signal(signal.SIGTERM)
    _assert_interrupted(controller, pidfile)


def test_a_listener_that_goes_away_after_end_ends_the_command_too(controller: Any, tmp_path: Path) -> None:
    pidfile = _start_sleep(controller, tmp_path)
    controller.send("end")
    controller.output.close()
    _assert_interrupted(controller, pidfile)


def test_an_input_that_ends_in_a_blob_leaves_nothing(controller: Any, tmp_path: Path) -> None:
    ref = _torn_blob(controller, tmp_path)
    controller.input.close()
    assert controller.process.wait(DEADLINE) == 1
    assert list(controller.cache.iterdir()) == [], ref
    assert not (tmp_path / "a").exists()


def test_a_signal_in_a_blob_leaves_nothing(controller: Any, tmp_path: Path) -> None:
    _torn_blob(controller, tmp_path)
    _until(lambda: any(controller.cache.glob(".incoming-*")))
    controller.process.send_signal(signal.SIGHUP)
    assert controller.process.wait(DEADLINE) == 1
    assert list(controller.cache.iterdir()) == []


def test_a_torn_frame_ends_the_runner_with_a_reason(controller: Any) -> None:
    controller.hello()
    controller.send("facts")
    controller.receive()
    controller.input.write(b'{"type": "st')
    controller.input.close()
    assert controller.process.wait(DEADLINE) == 1
    assert b"in the middle of a frame" in controller.process.stderr.read()


def _ref(content: bytes) -> dict[str, Any]:
    return {"$blob": hashlib.sha256(content).hexdigest(), "size": len(content)}


def _torn_blob(controller: Any, tmp_path: Path) -> dict[str, Any]:
    ref = _ref(b"y" * 200_000)
    controller.hello()
    controller.step(1, "copy", {"src": ref, "dest": str(tmp_path / "a")})
    assert controller.receive()["type"] == "need"
    controller.send("blob", sha256=ref["$blob"], size=ref["size"])
    controller.input.write(b"y" * 100_000)
    controller.input.flush()
    return ref


def _start_sleep(controller: Any, tmp_path: Path) -> Path:
    """A command with a child of its own; both write where they are."""
    pidfile = tmp_path / "pids"
    controller.hello()
    line = f"sleep 60 & echo $! >{pidfile}.new; echo $$ >>{pidfile}.new; mv {pidfile}.new {pidfile}; wait"
    controller.step(1, "shell", {"cmd": line})
    _until(pidfile.exists)
    return pidfile


def _assert_interrupted(controller: Any, pidfile: Path) -> None:
    assert controller.process.wait(DEADLINE) == 1
    pids = pidfile.read_text().split()
    assert len(pids) == 2
    _until(lambda: not any(_alive(pid) for pid in pids))


def _alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _until(condition: Any) -> None:
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
