# SPDX-License-Identifier: Apache-2.0
"""fetch by the real runner: where files go, what travels, and that a file is brought whole or not at all."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.model.errors import ConfigError
from orchestrator.provision.fetched import Incoming
from orchestrator.provision.files import BlobSource
from remote_agent.contract.steps import Outcome, Status
from tests.unit.provision.conftest import Play
from tests.unit.provision.test_engine import PatientChannel, drive

BIG = bytes(range(256)) * 4096
"""Several parts on the wire, and every byte there is."""


def fetching(source: Path, dest: str, more: str = "") -> str:
    return f"""
- hosts: all
  gather_facts: false
  tasks:
    - fetch: {{src: "{source}", dest: "{dest}"{more}}}
      register: brought
    - debug: {{msg: "{{{{ brought.dest | default('') }}}} {{{{ brought.checksum | default('') }}}}"}}
"""


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(".*.new")]


def test_a_file_goes_to_dest_host_source(play: Play, folder: Path) -> None:
    source = folder / "source.bin"
    source.write_bytes(BIG)
    done = play(fetching(source, "brought"))
    dest = folder / "brought/h1" / str(source).lstrip("/")
    assert done.results[0] == ("fetch", "changed")
    assert dest.read_bytes() == BIG
    assert done.messages == [f"{dest} {hashlib.sha1(BIG).hexdigest()}"]
    again = play(fetching(source, "brought"))
    assert again.results[0] == ("fetch", "ok")
    assert again.messages == done.messages


@pytest.mark.parametrize(
    ("dest", "there"), [("out/", "out/source.txt"), ("out/deep/er/name", "out/deep/er/name")]
)
def test_flat_names_the_file_or_its_folder(play: Play, folder: Path, dest: str, there: str) -> None:
    (folder / "source.txt").write_text("new\n")
    done = play(fetching(folder / "source.txt", dest, ", flat: true"))
    assert done.report.exit_code == 0
    assert (folder / there).read_text() == "new\n"
    assert leftovers(folder) == []


def test_a_file_that_has_changed_replaces_the_one_that_was_brought(play: Play, folder: Path) -> None:
    (folder / "source").write_bytes(BIG)
    (folder / "out/dest").write_text("old")
    assert play(fetching(folder / "source", "out/dest", ", flat: true")).results[0] == ("fetch", "changed")
    assert (folder / "out/dest").read_bytes() == BIG


def test_an_empty_file_is_a_file(play: Play, folder: Path) -> None:
    (folder / "source").touch()
    (folder / "out/dest").write_text("old")
    assert play(fetching(folder / "source", "out/dest", ", flat: true")).results[0] == ("fetch", "changed")
    assert (folder / "out/dest").read_bytes() == b""


def test_what_has_no_size_is_read_to_its_end(play: Play, folder: Path) -> None:
    play(fetching(Path("/proc/version"), "out/version", ", flat: true"))
    assert (folder / "out/version").read_text() == Path("/proc/version").read_text()


def test_check_mode_says_what_would_be_brought(play: Play, folder: Path) -> None:
    (folder / "source").write_text("new")
    text = fetching(folder / "source", "made/dest", ", flat: true")
    assert play(text, check=True).results[0] == ("fetch", "changed")
    assert not (folder / "made").exists()
    play(text)
    assert play(text, check=True).results[0] == ("fetch", "ok")


@pytest.mark.parametrize("missing", ["nothing", "out"])
def test_a_missing_file_fails_or_is_passed_over(play: Play, folder: Path, missing: str) -> None:
    failed = play(fetching(folder / missing, "brought"))
    assert failed.report.exit_code == 1
    assert str(folder / missing) in str(failed.report.error)
    passed = play(fetching(folder / missing, "brought", ", fail_on_missing: false"))
    assert passed.results[0] == ("fetch", "ok")
    assert not (folder / "brought").exists()


def test_nothing_is_done_behind_a_fetch_that_cannot_be_kept(play: Play, folder: Path) -> None:
    (folder / "source").write_text("new")
    (folder / "file").write_text("in the way")
    text = f"""
- hosts: all
  gather_facts: false
  tasks:
    - fetch: {{src: "{folder}/source", dest: file/below, flat: true}}
    - file: {{path: "{folder}/source", state: absent}}
"""
    done = play(text)
    assert done.report.exit_code == 1
    assert "cannot be written here" in str(done.report.error)
    assert (folder / "source").exists()


def test_nothing_is_sent_behind_a_fetch_before_it_is_settled(folder: Path) -> None:
    sent: list[int] = []

    class Watched(PatientChannel):
        def outcome(self, blobs: BlobSource, progress: Any, take: Any = None) -> Outcome:
            sent.append(len(self.sent))
            return super().outcome(blobs, progress)

    text = (
        "- hosts: all\n  tasks:\n    - command: one\n    - fetch: {src: /a, dest: out/}\n    - command: two\n"
    )
    drive(folder, text, Watched())
    assert sent == [2, 2, 3]


def test_a_folder_is_not_replaced(play: Play, folder: Path) -> None:
    (folder / "source").write_text("new")
    done = play(fetching(folder / "source", "out", ", flat: true"))
    assert done.report.exit_code == 1
    assert "end it with a slash" in str(done.report.error)


def test_a_source_cannot_leave_its_hosts_folder(play: Play, folder: Path) -> None:
    (folder / "source").write_text("new")
    done = play(fetching(Path("/../../../..", str(folder).lstrip("/"), "source"), "out"))
    assert done.report.exit_code == 1
    assert "'..'" in str(done.report.error)


@pytest.mark.parametrize(
    ("written", "line", "why"),
    [
        ("{src: /a}", 4, "needs the parameter 'dest'"),
        ("{dest: a}", 4, "needs the parameter 'src'"),
        ("{src: /a, dest: b, flat: maybe}", 4, "must be true or false"),
        ("{src: /a, dest: b, mode: '0644'}", 4, "no parameter 'mode'"),
    ],
)
def test_wrong_parameters_are_refused_at_their_place(
    tmp_path: Path, written: str, line: int, why: str
) -> None:
    site = tmp_path / "site.yaml"
    site.write_text(f"- hosts: all\n  tasks:\n\n    - fetch: {written}\n")
    with pytest.raises(ConfigError, match=why) as raised:
        load_playbook(site, Language())
    assert (raised.value.file, raised.value.line) == (site, line)


CHANGED = Outcome(0, Status.CHANGED, result={"checksum": hashlib.sha1(b"whole").hexdigest()})


def incoming(dest: Path, **more: object) -> Incoming:
    return Incoming({"dest": str(dest), **more})


def test_what_came_wrong_does_not_replace_what_is_there(tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    dest.write_text("old")
    with incoming(dest) as file:
        file.take(b"who")
        settled = file.settle(CHANGED, check=False)
    assert settled.status is Status.FAILED
    assert "checksum mismatch" in settled.msg
    assert [path.name for path in tmp_path.iterdir()] == ["dest"]
    assert dest.read_text() == "old"


def test_unless_nobody_wants_it_checked(tmp_path: Path) -> None:
    with incoming(tmp_path / "dest", validate_checksum="no") as file:
        file.take(b"who")
        assert file.settle(CHANGED, check=False) is CHANGED
    assert (tmp_path / "dest").read_bytes() == b"who"


def test_a_lost_connection_leaves_nothing_half(tmp_path: Path) -> None:
    dest = tmp_path / "dest"
    dest.write_text("old")
    with pytest.raises(ConnectionError), incoming(dest) as file:
        file.take(b"who")
        assert len(list(tmp_path.iterdir())) == 2, "what comes is written aside"
        raise ConnectionError
    assert [path.name for path in tmp_path.iterdir()] == ["dest"]
    assert dest.read_text() == "old"
