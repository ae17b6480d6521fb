# SPDX-License-Identifier: Apache-2.0
"""What a host says while it is provisioned: exact as JSON, and text wherever people read it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from orchestrator.cli.plan import _print as print_plans
from orchestrator.cli.provision_view import JsonLines, Terminal
from orchestrator.pipeline.provision import Recap
from orchestrator.provision.events import Event, HostReport, Kind
from orchestrator.provision.foresight import Foresight
from orchestrator.provision.logs import HostLogs
from remote_agent.contract.steps import Status
from tests.pseudo_terminal import escaped_form, hostile, raw_sequences

TAGS = ("task", "label", "message", "detail", "diff")
EVENT = Event(
    Kind.ITEM,
    "h1",
    play="play",
    task=hostile("task"),
    module="debug",
    place="site.yaml:3",
    status=Status.CHANGED,
    label=hostile("label") + "\nh2  ok",
    msg=hostile("message") + "\nsecond line",
    detail=hostile("detail"),
    diff=f"+{hostile('diff')}\n",
)
REPORT = HostReport("h1", error=hostile("error"), hint=hostile("hint"), exit_code=1)


def assert_shown(text: str, *tags: str) -> None:
    assert raw_sequences(text.encode()) == []
    assert [tag for tag in tags if escaped_form(tag) not in text] == []


def test_the_log_of_a_host_has_text_alone(tmp_path: Path) -> None:
    with HostLogs(tmp_path, now=lambda: "now") as logs:
        logs.emit(EVENT)
    text = logs.path("h1").read_text()
    assert_shown(text, "label", "message", "detail", "diff")
    assert all(line.startswith("now ") for line in text.splitlines())


def test_the_terminal_has_text_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Terminal(verbose=True) as terminal:
        terminal.emit(EVENT)
        terminal.emit(
            Event(Kind.RESULT, "h1", task="t", module="m", status=Status.FAILED, msg=hostile("failed"))
        )
    Terminal.recap(Recap((REPORT,), 1.0), {"h1": tmp_path})
    captured = capsys.readouterr()
    assert_shown(captured.out, "task", "label", "detail", "diff", "failed")
    assert_shown(captured.err, "error", "hint")
    assert "\nh2  ok" not in captured.out, "a label makes no line of its own"


def test_a_plan_has_text_alone(capsys: pytest.CaptureFixture[str]) -> None:
    foresight = Foresight()
    foresight.emit(EVENT)
    print_plans(foresight.plans([REPORT]))
    assert_shown(capsys.readouterr().out, "task", "label", "diff", "error", "hint")


def test_json_is_exact_and_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonLines() as lines:
        lines.emit(EVENT)
    captured = capsys.readouterr().out
    assert raw_sequences(captured.encode()) == []
    assert captured.isascii()
    assert json.loads(captured)["msg"] == EVENT.msg
    assert json.loads(captured)["diff"] == EVENT.diff


def test_an_event_without_anything_unsafe_is_left_as_it_is() -> None:
    event = Event(Kind.TASK, "h1", task="Grüße", msg="5 µs")
    assert event.printable() is event
