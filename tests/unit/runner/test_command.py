# SPDX-License-Identifier: Apache-2.0
"""The modules `command` and `shell`, and how commands are run."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.modules import shell
from remote_agent.runner.modules.command import run

KEYS = {"cmd", "rc", "stdout", "stderr", "stdout_lines", "stderr_lines", "start", "end", "delta"}


def test_argv_and_free_form_say_the_same(context: Context) -> None:
    done = run({"argv": ["echo", "a b"]}, context)
    assert done.changed and set(done.result) == KEYS | {"msg"}
    assert done.result["stdout_lines"] == ["a b"] and done.result["rc"] == 0
    assert run({"_raw_params": "echo 'a b'"}, context).result["cmd"] == ["echo", "a b"]


def test_there_is_no_shell_in_command(context: Context) -> None:
    assert run({"cmd": "echo $(id) > x; ls | y"}, context).result["stdout"] == "$(id) > x; ls | y"


def test_a_failure_says_the_last_line_and_keeps_the_rest(context: Context) -> None:
    with pytest.raises(ModuleFailure) as raised:
        run({"argv": ["sh", "-c", "echo out; echo one >&2; echo two >&2; exit 4"]}, context)
    assert raised.value.msg == "The command ended with 4: two"
    assert raised.value.result["rc"] == 4 and raised.value.result["stdout"] == "out"
    assert raised.value.result["stderr_lines"] == ["one", "two"]


def test_a_program_that_is_not_there(context: Context) -> None:
    with pytest.raises(ModuleFailure, match="no-such-program does not exist"):
        run({"argv": ["no-such-program"]}, context)


def test_creates_and_removes(tmp_path: Path, context: Context) -> None:
    args = {"argv": ["touch", str(tmp_path / "made")], "creates": "mad*", "chdir": str(tmp_path)}
    assert run(args, replace(context, check=True)).changed and not (tmp_path / "made").exists()
    assert run(args, context).changed
    again = run(args, context)
    assert (
        not again.changed
        and again.result["stdout"] == "skipped, since mad* exists"
        and again.result["rc"] == 0
    )
    assert not run({"argv": ["false"], "removes": str(tmp_path / "not")}, context).changed


def test_check_skips_what_it_cannot_know(tmp_path: Path, context: Context) -> None:
    done = run({"argv": ["touch", str(tmp_path / "x")]}, replace(context, check=True))
    assert done.skipped and not done.changed and not (tmp_path / "x").exists()


def test_chdir_stdin_and_environment(tmp_path: Path, context: Context) -> None:
    assert run({"argv": ["pwd"], "chdir": str(tmp_path)}, context).result["stdout"] == str(tmp_path)
    assert run({"argv": ["cat"], "stdin": "x"}, context).result["stdout"] == "x"
    assert (
        shell.run({"cmd": "echo $C"}, replace(context, environment={"C": "green"})).result["stdout"]
        == "green"
    )


def test_much_in_and_out_does_not_block(context: Context) -> None:
    text = "0123456789\n" * 100_000
    assert (
        run({"argv": ["cat"], "stdin": text, "strip_empty_ends": False}, context).result["stdout"]
        == text + "\n"
    )


def test_shell_has_pipes_and_shows_its_line(context: Context) -> None:
    done = shell.run({"_raw_params": "printf 'b\\na\\n' | sort"}, context)
    assert done.result["stdout_lines"] == ["a", "b"] and done.result["cmd"] == "printf 'b\\na\\n' | sort"


def test_a_command_that_takes_too_long_is_ended_with_its_children(tmp_path: Path, context: Context) -> None:
    started = time.monotonic()
    with pytest.raises(ModuleFailure, match=r"stopped after its 0\.3 s"):
        shell.run({"cmd": f"(sleep 2; touch {tmp_path}/late) & wait"}, replace(context, timeout=0.3))
    assert time.monotonic() - started < 2
    time.sleep(max(0.0, 2.2 - (time.monotonic() - started)))
    assert not (tmp_path / "late").exists()


def test_a_daemon_that_keeps_the_output_open_is_not_waited_for(context: Context) -> None:
    started = time.monotonic()
    assert shell.run({"cmd": "sleep 3 & echo up"}, context).result["stdout"] == "up"
    assert time.monotonic() - started < 2
