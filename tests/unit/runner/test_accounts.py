# SPDX-License-Identifier: Apache-2.0
"""The modules `user` and `group`, over made-up /etc/passwd and its like: what is run, and with Debian's own commands what comes of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.commands import run_command
from remote_agent.runner.completed import Completed
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.modules import group, user

HASH = f"$6$salt${'x' * 86}"
OTHER = f"$6$salt${'y' * 86}"
FILES = {
    "passwd": "root:x:0:0:root:/root:/bin/bash\nu1:x:1600:1600:One:/home/u1:/bin/sh\n",
    "group": "root:x:0:\nu1:x:1600:\ng1:x:1700:u1\ng2:x:1701:\nnew:x:1702:\n",
    "shadow": f"root:*:20000:0:99999:7:::\nu1:{HASH}:20000:0:99999:7:::\n",
    "gshadow": "root:*::\nu1:!::\ng1:!::u1\ng2:!::\nnew:!::\n",
    "login.defs": "UID_MIN 1000\nGID_MIN 1000\nUSERGROUPS_ENAB yes\nHOME_MODE 0750\nENCRYPT_METHOD SHA512\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "root"
    (root / "etc/skel").mkdir(parents=True)
    (root / "etc/skel/.profile").write_text("x\n")
    (root / "home/u1").mkdir(parents=True)
    for name, content in FILES.items():
        (root / "etc" / name).write_text(content)
    return root


@pytest.fixture
def made_up(root: Path, blobs: Any, commands: Any) -> Context:
    """Commands do nothing, but useradd, which adds a line."""

    def add() -> None:
        path = root / "etc/passwd"
        path.write_text(path.read_text() + "new:x:1601:1702::/home/new:/bin/sh\n")
        (root / "home/new").mkdir(exist_ok=True)

    for name in ("usermod", "userdel", "groupadd", "groupmod", "groupdel", "chpasswd"):
        commands.answer(name)
    commands.answer("useradd", effect=add)
    return Context(blobs=blobs, root=root, execute=commands)


def new(**args: Any) -> dict[str, Any]:
    return {"name": "new", **args}


def old(**args: Any) -> dict[str, Any]:
    return {"name": "u1", **args}


# `commands` leaves out words that begin with -o (apt's options), so a shared number's -o has its own test.
USER_CASES = [
    (new(), ["useradd -N -m -- new"]),
    (new(uid=1601, non_unique=True), ["useradd -u 1601 -N -m -- new"]),
    (new(group="g1", groups=["g2", "1700"]), ["useradd -g g1 -G g2,1700 -m -- new"]),
    (
        new(comment="A B", home="/srv/n", shell="/bin/bash", create_home=False),
        ["useradd -N -c A B -d /srv/n -s /bin/bash -M -- new"],
    ),
    (new(system=True, skeleton="/none"), ["useradd -N -m -k /none -r -- new"]),
    (new(password=HASH), ["useradd -N -m -- new", "chpasswd --encrypted"]),
    (new(password_lock=True), ["useradd -N -m -- new"]),
    (old(), []),
    (old(uid="1600", group="u1", comment="One", shell="/bin/sh", home="/home/u1", password=HASH), []),
    (old(uid=1601), ["usermod -u 1601 -- u1"]),
    (old(group="g2"), ["usermod -g 1701 -- u1"]),
    (old(groups="g1"), []),
    (old(groups="1700"), []),
    (old(groups=["g2"]), ["usermod -G g2 -- u1"]),
    (old(groups=["g2"], append=True), ["usermod -a -G g2 -- u1"]),
    (old(groups=["g1"], append=True), []),
    (old(groups=[]), ["usermod -G  -- u1"]),
    (old(groups="", append=True), []),
    (old(comment="Two", shell="/bin/bash"), ["usermod -c Two -s /bin/bash -- u1"]),
    (old(comment=""), ["usermod -c  -- u1"]),
    (old(home="/home/u2", create_home=False), ["usermod -d /home/u2 -- u1"]),
    (old(home="/home/u1/x", create_home=False, move_home=True), ["usermod -d /home/u1/x -m -- u1"]),
    (old(password=OTHER), ["chpasswd --encrypted"]),
    (old(password=OTHER, update_password="on_create"), []),
    (old(password=OTHER, comment="Two"), ["usermod -c Two -- u1", "chpasswd --encrypted"]),
    (old(password_lock=True), ["usermod -L -- u1"]),
    (old(password_lock=False), []),
    (old(password=f"!{HASH}"), []),
    (old(state="absent"), ["userdel -- u1"]),
    (old(state="absent", remove=True, force=True), ["userdel -f -r -- u1"]),
    (new(state="absent"), []),
]


@pytest.mark.parametrize(("args", "expected"), USER_CASES)
def test_user(made_up: Context, commands: Any, args: dict[str, Any], expected: list[str]) -> None:
    predicted = user.run(args, replace(made_up, check=True))
    assert commands.calls == []
    done = user.run(args, made_up)
    assert commands.calls == expected
    assert predicted.changed == done.changed == bool(expected)


GROUP_CASES = [
    ({"name": "g9"}, ["groupadd -- g9"]),
    ({"name": "g9", "gid": "1709", "system": True}, ["groupadd -g 1709 -r -- g9"]),
    ({"name": "g9", "gid": 1700, "non_unique": True}, ["groupadd -g 1700 -- g9"]),
    ({"name": "g1"}, []),
    ({"name": "g1", "gid": 1700}, []),
    ({"name": "g1", "gid": 1709}, ["groupmod -g 1709 -- g1"]),
    ({"name": "1700"}, ["groupadd -- 1700"]),
    ({"name": "g1", "state": "absent"}, ["groupdel -- g1"]),
    ({"name": "g1", "state": "absent", "force": True}, ["groupdel -f -- g1"]),
    ({"name": "g9", "state": "absent"}, []),
]


@pytest.mark.parametrize(("args", "expected"), GROUP_CASES)
def test_group(made_up: Context, commands: Any, args: dict[str, Any], expected: list[str]) -> None:
    predicted = group.run(args, replace(made_up, check=True))
    assert commands.calls == []
    done = group.run(args, made_up)
    assert commands.calls == expected
    assert predicted.changed == done.changed == bool(expected)


def test_results_are_ansible_s(made_up: Context) -> None:
    described = {"uid": 1600, "group": 1600, "comment": "One", "home": "/home/u1", "shell": "/bin/sh"}
    assert user.run(old(groups="g1"), made_up).result == {
        **{"name": "u1", "state": "present", "append": False, "move_home": False, "groups": "g1"},
        **described,
    }
    done = user.run(new(password=HASH), made_up)
    assert done.result["password"] == "NOT_LOGGING_PASSWORD" and done.result["create_home"] is True
    assert group.run({"name": "g1"}, made_up).result == {
        "name": "g1", "state": "present", "system": False, "gid": 1700,
    }  # fmt: skip


def test_a_password_is_on_no_command_line_and_in_no_word(made_up: Context, commands: Any, root: Path) -> None:
    inputs: list[bytes | None] = []

    def execute(argv: list[str], *, stdin: bytes | None, **rest: Any) -> Completed:
        inputs.append(stdin)
        done: Completed = commands(argv, stdin=stdin, **rest)
        return done

    said: list[str] = []
    context = replace(made_up, execute=execute, progress=said.append, diff=True)
    done = user.run(old(password=OTHER, password_lock=True), context)
    assert inputs == [f"u1:!{OTHER}\n".encode()]
    done = user.run(old(password="plain"), context)
    assert "hash" in said[0] and done.result["warnings"] == said
    commands.answer("chpasswd", stderr=f"chpasswd: line 1: {OTHER}: no such thing\n", rc=1)
    with pytest.raises(ModuleFailure, match="chpasswd failed") as raised:
        user.run(old(password=OTHER), context)
    texts = [*commands.calls, *said, str(done), raised.value.msg, str(raised.value.result)]
    assert not [text for text in texts if OTHER in text or "plain" in text]
    with pytest.raises(ModuleFailure, match="colon or a newline") as raised:
        user.run(old(password="a:b"), context)
    assert "a:b" not in raised.value.msg


def test_a_home_that_is_missing_is_made_as_useradd_would(made_up: Context, root: Path) -> None:
    home = root / "home/u1"
    home.rmdir()
    passwd = root / "etc/passwd"
    passwd.write_text(passwd.read_text().replace("1600:1600", f"{os.geteuid()}:{os.getegid()}"))
    assert user.run(old(), replace(made_up, check=True)).changed and not home.exists()
    assert not user.run(old(create_home=False), made_up).changed
    assert user.run(old(), made_up).changed
    assert (home / ".profile").read_text() == "x\n" and home.stat().st_mode & 0o777 == 0o750
    assert not user.run(old(), made_up).changed


@pytest.mark.parametrize("args", [old(group="no"), old(groups=["no"]), new(groups=["g1", "no"])])
def test_a_group_that_is_not_there(made_up: Context, args: dict[str, Any]) -> None:
    with pytest.raises(ModuleFailure, match="There is no group no on this host"):
        user.run(args, made_up)


def test_the_commands_own_words(made_up: Context, commands: Any) -> None:
    commands.answer("groupadd", stderr="groupadd: GID '1700' already exists\n", rc=4)
    with pytest.raises(ModuleFailure, match=r"^groupadd failed: GID '1700' already exists\.$") as raised:
        group.run({"name": "g9", "gid": 1700}, made_up)
    assert raised.value.result["rc"] == 4 and raised.value.result["name"] == "g9"


@pytest.fixture
def debian(root: Path, blobs: Any) -> Context:
    """Debian's own commands, on the made-up files alone."""
    if os.geteuid() != 0 or shutil.which("useradd") is None:
        pytest.skip("needs root, and Debian's useradd: its --prefix asks for both")

    def execute(
        argv: list[str], *, stdin: bytes | None, environment: Mapping[str, str], **rest: Any
    ) -> Completed:
        if argv[0] != "chpasswd":
            prefixed = [argv[0], "--prefix", str(root), *argv[1:]]
            return run_command(prefixed, stdin=stdin, environment=environment, **rest)
        name, _, hashed = (stdin or b"").decode().rstrip("\n").partition(":")
        shadow = root / "etc/shadow"
        lines = [line.split(":") for line in shadow.read_text().splitlines()]
        changed = [[name, hashed, *line[2:]] if line[0] == name else line for line in lines]
        shadow.write_text("".join(f"{':'.join(line)}\n" for line in changed))
        return Completed(argv, 0, "", "")

    os.chown(root / "home/u1", 1600, 1600)
    return Context(blobs=blobs, root=root, execute=execute, timeout=20)


@pytest.mark.parametrize(
    ("run", "args"),
    [
        (group.run, {"name": "g9", "gid": 1709}),
        (group.run, {"name": "g1", "gid": 1709}),
        (group.run, {"name": "g9", "gid": 1700, "non_unique": True}),
        (user.run, {"name": "u9", "uid": 1600, "non_unique": True}),
        (group.run, {"name": "g2", "state": "absent"}),
        (user.run, {"name": "u9", "uid": 1609, "comment": "N", "shell": "/bin/bash", "groups": ["g1", "g2"]}),
        (user.run, {"name": "u9", "system": True, "create_home": False, "password": HASH}),
        (user.run, {"name": "u9", "home": "/srv/deep/u9", "group": "g1"}),
        (user.run, old(groups=["g2"], append=True, shell="/bin/bash", password=OTHER)),
        (user.run, old(groups=[], comment="")),
        (user.run, old(password_lock=True)),
        (user.run, old(home="/home/u2", move_home=True)),
        (user.run, old(state="absent", remove=True)),
    ],
)
def test_really_done_and_then_done(debian: Context, root: Path, run: Any, args: dict[str, Any]) -> None:
    before = {path.name: path.read_text() for path in (root / "etc").iterdir() if path.is_file()}
    assert run(args, replace(debian, check=True)).changed
    assert before == {path.name: path.read_text() for path in (root / "etc").iterdir() if path.is_file()}
    assert run(args, debian).changed
    assert not run(args, debian).changed
