# SPDX-License-Identifier: Apache-2.0
"""Events reach whoever follows: all of them, in order, across a killed writer, and it ends when it should."""

from __future__ import annotations

from pathlib import Path

from orchestrator.runs.events import EventLog, follow, read_events


def test_a_follower_sees_old_and_new_events_and_ends_behind_the_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.write("phase", host="a", phase="executing", message="")
    script = [lambda: log.write("note", host="a"), lambda: None, lambda: log.write("end", exit_code=0)]
    seen: list[str | None] = []
    for event in follow(path, alive=lambda: True, sleep=lambda seconds: script.pop(0)()):
        seen.append(None if event is None else str(event["type"]))
    assert seen == ["phase", None, "note", None, None, "end"]


def test_a_follower_of_a_dead_conductor_reads_to_the_end_and_stops(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).write("phase", host="a")
    assert [event and event["type"] for event in follow(path, alive=lambda: False)] == ["phase"]
    assert list(follow(tmp_path / "none", alive=lambda: False)) == []


def test_a_torn_line_is_left_out_and_swallows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    EventLog(path).write("phase", host="a")
    with path.open("ab") as file:
        file.write(b'{"type": "tri')
    assert [event["type"] for event in read_events(path)[0]] == ["phase"]
    EventLog(path).write("end", exit_code=1)
    events, offset = read_events(path)
    assert [event["type"] for event in events] == ["phase", "end"]
    assert offset == path.stat().st_size


def test_an_end_from_before_a_resume_does_not_stop_a_follower(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path)
    log.write("end", exit_code=1)
    log.write("conductor", pid=1, resumed=True)
    log.write("end", exit_code=0)
    assert [event and event["type"] for event in follow(path, alive=lambda: True)] == [
        "end",
        "conductor",
        "end",
    ]
