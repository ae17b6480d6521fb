# SPDX-License-Identifier: Apache-2.0
"""What `labctl provision` makes of its words, and how its events look."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.playbook_options import parse_extra_vars
from orchestrator.cli.provision_view import Terminal
from orchestrator.model.errors import UsageError
from orchestrator.provision.events import Event, Kind
from remote_agent.contract.steps import Status


def test_extra_variables(tmp_path: Path) -> None:
    file = tmp_path / "more.yaml"
    file.write_text("c: [1]\n")
    texts = ["a=1 b='two words'", '{"n": 3}', f"@{file}", "a=2"]
    assert parse_extra_vars(texts) == {"a": "2", "b": "two words", "n": 3, "c": [1]}


@pytest.mark.parametrize("text", ["a", "a-b=1", "{", "a='"])
def test_extra_variables_that_are_none(text: str) -> None:
    with pytest.raises(UsageError):
        parse_extra_vars([text])


def test_the_rest_of_a_value_without_quotes_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        parse_extra_vars(["password=my secret"])
    assert "secret" not in caught.value.message
    assert "the word after password=..." in caught.value.message


def lines(capsys: Any, *events: Event, **options: bool) -> list[str]:
    terminal = Terminal(**options)
    for event in events:
        terminal.emit(event)
    return str(capsys.readouterr().out).splitlines()


def event(status: Status, kind: Kind = Kind.RESULT, **values: Any) -> Event:
    return Event(
        kind,
        "h1",
        task="role : task",
        module=values.pop("module", "copy"),
        place="f.yaml:3",
        status=status,
        **values,
    )


def test_what_changed_and_what_failed_is_shown(capsys: Any) -> None:
    shown = lines(
        capsys,
        event(Status.OK),
        event(Status.SKIPPED),
        event(Status.CHANGED, diff="-a\n+b\n"),
        event(Status.FAILED, msg="no.", detail="why"),
    )
    assert shown == [
        "h1  changed  role : task",
        "    -a",
        "    +b",
        "h1  failed  role : task: no.",
        "    at f.yaml:3",
        "    why",
    ]


def test_a_loops_items_speak_for_it(capsys: Any) -> None:
    item = event(Status.CHANGED, Kind.ITEM, label="one")
    assert lines(capsys, item, event(Status.CHANGED, items=1), check=True) == [
        "h1  would change  role : task [one]"
    ]


def test_an_archive_says_what_it_mended(capsys: Any) -> None:
    mended = event(Status.CHANGED, module="unarchive", msg="bin/runc was not as in the archive: mended")
    fine = event(Status.OK, module="unarchive", msg="")
    assert lines(capsys, mended, fine) == [
        "h1  changed  role : task: bin/runc was not as in the archive: mended"
    ]


def test_verbose_shows_all_and_debug_is_always_shown(capsys: Any) -> None:
    assert lines(capsys, event(Status.OK), verbose=True) == ["h1  ok  role : task"]
    assert lines(capsys, event(Status.OK, module="debug", msg="said")) == ["h1  ok  role : task: said"]
