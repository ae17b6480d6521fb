# SPDX-License-Identifier: Apache-2.0
"""``~`` and ``$NAME`` in paths and commands, as ansible-core replaces them on the host."""

from __future__ import annotations

import pwd
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.contract.steps import Status, Step
from remote_agent.runner.context import Context
from remote_agent.runner.session import execute


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".profile").write_text("profile\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def done(context: Context, module: str, **args: Any) -> Mapping[str, Any]:
    outcome = execute(Step(1, module, module, args), context)
    assert outcome.status is not Status.FAILED, outcome.msg
    return {**outcome.result, "status": outcome.status.value}


def test_creates_and_removes(home: Path, context: Context) -> None:
    result = done(context, "command", cmd="touch ~/made", creates="~/.prof*")
    assert (result["status"], result["stdout"]) == ("ok", f"skipped, since {home}/.prof* exists")
    assert done(context, "command", cmd="touch ~/made", removes="$HOME/nosuch")["status"] == "ok"
    assert not (home / "made").exists()


def test_chdir_and_the_words_of_a_command(home: Path, context: Context) -> None:
    assert done(context, "command", cmd="pwd", chdir="~")["stdout"] == str(home)
    assert done(context, "command", argv=["cat", "~/.profile"])["stdout"] == "profile"
    root = pwd.getpwuid(0).pw_dir
    assert done(context, "command", cmd="echo ~root/x a~ $HOME")["stdout"] == f"{root}/x a~ {home}"
    unchanged = done(context, "command", cmd="echo ~ $HOME", expand_argument_vars=False)
    assert unchanged["stdout"] == "~ $HOME"


def test_files_copies_and_links(home: Path, context: Context) -> None:
    done(context, "copy", remote_src=True, src="~/.profile", dest="$HOME/copied")
    done(context, "file", src="~/.profile", dest="~/link", state="link")
    done(context, "file", src="$HOME/.profile", dest="~/hard", state="hard")
    done(context, "template", content="x", dest="~", _original_basename="t")
    assert (home / "copied").read_text() == "profile\n" and (home / "t").read_text() == "x"
    assert (home / "link").readlink() == home / ".profile" and (home / "hard").samefile(home / ".profile")
    assert done(context, "stat", path="$HOME/link")["stat"]["exists"]


def test_an_unknown_user_and_an_unset_variable_stay_as_they_are(home: Path, context: Context) -> None:
    result = done(context, "command", cmd="echo ~no-such-user-1/x $NO_SUCH_VARIABLE_1")
    assert result["stdout"] == "~no-such-user-1/x $NO_SUCH_VARIABLE_1"


def test_a_path_that_is_not_there_fails_with_its_full_name(home: Path, context: Context) -> None:
    outcome = execute(Step(1, "c", "command", {"cmd": "pwd", "chdir": "~/nosuch"}), context)
    assert outcome.status is Status.FAILED and f"{home}/nosuch" in outcome.msg


def test_the_task_s_environment_counts(home: Path, context: Context) -> None:
    with_variable = replace(context, environment={"PLACE": str(home)})
    assert done(with_variable, "stat", path="$PLACE/.profile")["stat"]["exists"]
    assert done(with_variable, "command", cmd="echo $PLACE")["stdout"] == str(home)
    assert not done(context, "stat", path="$PLACE/.profile")["stat"]["exists"]
