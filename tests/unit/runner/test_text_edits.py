# SPDX-License-Identifier: Apache-2.0
"""The modules `lineinfile` and `replace`: what Ansible's own did with the same files, and the few things that are done otherwise.

`cases/text_edits.json` was recorded from ansible-core 2.19's modules: changed, msg and found as they returned them, `after` where
the file had another content then, `check` where check mode said something else (it never wrote).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace as but
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.modules import lineinfile, replace

RECORDED = json.loads((Path(__file__).parent / "cases/text_edits.json").read_text())
CONTENTS: dict[str, str | None] = RECORDED["contents"]
RUN = {"lineinfile": lineinfile.run, "replace": replace.run}
CASES = [
    pytest.param(module, case, id=f"{module}-{number}-{case['content']}")
    for module in RUN
    for number, case in enumerate(RECORDED[module])
]


def bytes_of(content: str | None) -> bytes | None:
    return None if content is None else content.encode(errors="surrogateescape")


def write(folder: Path, content: str | None) -> Path:
    path = folder / "f"
    if content is not None:
        path.write_bytes(content.encode(errors="surrogateescape"))
        path.chmod(0o644)
    return path


def read(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None


@pytest.mark.parametrize(("module", "case"), CASES)
def test_as_ansible(tmp_path: Path, context: Context, module: str, case: dict[str, Any]) -> None:
    before = CONTENTS[case["content"]]
    path = write(tmp_path, before)
    args = {**case["args"], "path": str(path)}
    if case.get("failed"):
        with pytest.raises(ModuleFailure):
            RUN[module](args, context)
        assert read(path) == bytes_of(before)
        return
    predicted = RUN[module](args, but(context, check=True, diff=True))
    assert read(path) == bytes_of(before), "check mode writes nothing"
    done = RUN[module](args, but(context, diff=True))
    after = bytes_of(case.get("after", before))
    assert read(path) == after
    assert (done.changed, done.msg, done.result.get("found")) == (
        case["changed"],
        case["msg"],
        case.get("found"),
    )
    assert [predicted.changed, predicted.msg] == case.get("check", [case["changed"], case["msg"]])
    by_mode = before is not None and "mode" in case
    assert bool(predicted.diff) == bool(done.diff) == (after != bytes_of(before) or by_mode)
    if path.exists():
        assert f"{path.stat().st_mode & 0o777:o}" == case.get("mode", "644")
    names = {entry.name.partition(".")[0] for entry in tmp_path.iterdir()} - {"blobs"}
    assert names <= {"f"}, "nothing is left beside it"


def line(tmp_path: Path, context: Context, content: str, **args: Any) -> tuple[str, ModuleResult]:
    path = write(tmp_path, content)
    done = lineinfile.run({"path": str(path), **args}, context)
    return path.read_text(), done


def test_the_last_line_is_ended_before_another_comes_behind_it(tmp_path: Path, context: Context) -> None:
    """Ansible makes 'anew' of it, and 'anewnew' the next time."""
    args = {"line": "new", "insertafter": "^a"}
    assert line(tmp_path, context, "x\na", **args)[0] == "x\na\nnew\n"
    assert not line(tmp_path, context, "x\na\nnew\n", **args)[1].changed


def test_what_the_encoding_cannot_hold_is_not_written(tmp_path: Path, context: Context) -> None:
    """Ansible writes a question mark."""
    path = write(tmp_path, "a\n")
    args = {"path": str(path), "regexp": "a", "replace": "€", "encoding": "ascii"}
    with pytest.raises(ModuleFailure, match="cannot be written as ascii"):
        replace.run(args, context)
    assert path.read_text() == "a\n"
    with pytest.raises(ModuleFailure, match="none that Python knows: 'nosuch'"):
        replace.run({**args, "encoding": "nosuch"}, context)


def test_a_link_is_followed_and_stays(tmp_path: Path, context: Context) -> None:
    (tmp_path / "real").write_text("a\n")
    (tmp_path / "l").symlink_to("real")
    assert lineinfile.run({"path": str(tmp_path / "l"), "line": "b"}, context).changed
    assert (tmp_path / "l").is_symlink() and (tmp_path / "real").read_text() == "a\nb\n"
    assert replace.run({"path": str(tmp_path / "l"), "regexp": "a", "replace": "c"}, context).changed
    assert (tmp_path / "l").is_symlink() and (tmp_path / "real").read_text() == "c\nb\n"


def test_a_file_keeps_its_mode_and_a_new_one_has_it_from_the_start(tmp_path: Path, context: Context) -> None:
    path = write(tmp_path, "a\n")
    path.chmod(0o640)
    lineinfile.run({"path": str(path), "line": "b"}, context)
    assert path.stat().st_mode & 0o777 == 0o640
    args = {"path": str(tmp_path / "new/secret"), "line": "x", "create": True, "mode": "0600"}
    done = lineinfile.run(args, context)
    assert done.msg == "line added and ownership, perms or SE linux context changed"
    assert (tmp_path / "new/secret").stat().st_mode & 0o777 == 0o600
    assert not lineinfile.run(args, context).changed


def test_a_diff_has_the_attributes_too(tmp_path: Path, context: Context) -> None:
    path = write(tmp_path, "a\n")
    args = {"path": str(path), "line": "a", "mode": "0600", "owner": str(path.stat().st_uid)}
    done = lineinfile.run(args, but(context, diff=True))
    assert done.diff == f"--- {path}\n+++ {path}\n-mode: 0644\n+mode: 0600\n"


def test_a_backup_is_named(tmp_path: Path, context: Context) -> None:
    _, done = line(tmp_path, context, "a\n", line="b", backup=True)
    assert Path(done.result["backup"]).read_text() == "a\n"
    path = write(tmp_path, "a\n")
    args = {"path": str(path), "regexp": "a", "replace": "b", "backup": True}
    assert Path(replace.run(args, context).result["backup_file"]).read_text() == "a\n"


def test_what_does_not_validate_stays_out(tmp_path: Path, context: Context) -> None:
    path = write(tmp_path, "a\n")
    with pytest.raises(ModuleFailure, match="failed to validate") as raised:
        lineinfile.run({"path": str(path), "line": "b", "validate": "grep -q c %s"}, context)
    assert raised.value.result["exit_status"] == 1 and path.read_text() == "a\n"


@pytest.mark.parametrize(
    ("module", "args", "says"),
    [
        ("lineinfile", {"line": "x", "regexp": "("}, "'regexp' is no regular expression: missing"),
        ("lineinfile", {"line": "\\2", "regexp": "a", "backrefs": True}, "'line' does not fit the regexp"),
        ("lineinfile", {"line": "x", "backrefs": True}, "'backrefs' needs the parameter 'regexp'"),
        ("lineinfile", {}, "'line' is needed"),
        ("lineinfile", {"state": "absent"}, "one of 'line', 'regexp' and 'search_string'"),
        ("replace", {"regexp": "a", "replace": "\\2"}, "'replace' does not fit the regexp"),
        ("replace", {"regexp": "("}, "'regexp' is no regular expression"),
        ("replace", {"regexp": "a", "after": "("}, "'after/before' is no regular expression"),
        ("replace", {"regexp": "a", "encoding": "utf-16"}, "is no utf-16 text"),
    ],
)
def test_one_clear_sentence(
    tmp_path: Path, context: Context, module: str, args: dict[str, Any], says: str
) -> None:
    path = write(tmp_path, "a")
    with pytest.raises(ModuleFailure, match=says.replace("(", "\\(")):
        RUN[module]({"path": str(path), **args}, context)


def test_a_folder_and_a_missing_file_have_ansible_s_codes(tmp_path: Path, context: Context) -> None:
    for path, code, says in ((tmp_path, 256, "is a folder"), (tmp_path / "no", 257, "There is no file")):
        for run in (lineinfile.run, replace.run):
            with pytest.raises(ModuleFailure, match=says) as raised:
                run({"path": str(path), "line": "x", "regexp": "x"}, context)
            assert raised.value.result["rc"] == code


def test_an_empty_regexp_is_warned_of(tmp_path: Path, context: Context) -> None:
    said: list[str] = []
    _, done = line(tmp_path, but(context, progress=said.append), "a\nb\n", line="x", regexp="")
    assert (tmp_path / "f").read_text() == "a\nx\n" and "every line" in said[0]
    assert done.result["warnings"] == said
