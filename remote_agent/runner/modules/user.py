# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.user`: an account, as wanted or gone, by Debian's useradd, usermod and userdel.

The password is a hash, as for Ansible. It goes into chpasswd's input: on a command line every user of the host could read it.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from remote_agent.contract.lean import dataclass
from remote_agent.runner.accounts import Accounts, change, outputs
from remote_agent.runner.args import choice, flag, number, optional_flag, path_of, required, text, texts
from remote_agent.runner.completed import Completed
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult, first_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATES = ("present", "absent")
_DISABLED = ("*", "!", "*************")
_LENGTHS = {"1": 22, "5": 43, "6": 86, "y": 43}
"""How long the hash is behind crypt's $1$ (MD5), $5$ (SHA-256), $6$ (SHA-512) and $y$ (yescrypt)."""
_UNHASHED = "The password does not look like a hash, and nobody could log in with it: make one with mkpasswd."


@dataclass(frozen=True, slots=True)
class _Wanted:
    """None where the account's own value stays. ``lock``: locked, unlocked, or as it is."""

    name: str
    uid: int | None
    group: str | None
    groups: list[str] | None
    append: bool
    comment: str | None
    home: str | None
    shell: str | None
    password: str | None
    lock: bool | None
    create_home: bool
    move_home: bool
    non_unique: bool

    @classmethod
    def from_args(cls, args: Mapping[str, Any]) -> _Wanted:
        return cls(
            name=required(args, "name", "user"),
            uid=None if args.get("uid") is None else number(args, "uid", 0),
            group=text(args, "group"),
            groups=None if args.get("groups") is None else texts(args, "groups"),
            append=flag(args, "append"),
            comment=text(args, "comment"),
            home=path_of(args, "home"),
            shell=path_of(args, "shell"),
            password=text(args, "password"),
            lock=optional_flag(args, "password_lock"),
            create_home=flag(args, "createhome", flag(args, "create_home", True)),
            move_home=flag(args, "move_home"),
            non_unique=flag(args, "non_unique"),
        )


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    wanted, accounts = _Wanted.from_args(args), Accounts(context.root)
    state = choice(args, "state", STATES, "present") or "present"
    result: dict[str, Any] = {"name": wanted.name, "state": state}
    there = accounts.user(wanted.name) is not None
    _check_password(wanted)
    if context.check and there != (state == "present"):
        return ModuleResult(True)
    if state == "absent":
        return _remove(args, context, wanted.name, result) if there else ModuleResult(False, result)
    runs = _modify(args, context, accounts, wanted) if there else _create(args, context, accounts, wanted)
    keys = ("append", "move_home") if there else ("system", "create_home")
    result |= {key: getattr(wanted, key, flag(args, key)) for key in keys}
    if wanted.password is not None:
        result["password"] = "NOT_LOGGING_PASSWORD"
        if _looks_unhashed(wanted.password):
            context.progress(_UNHASHED)
            result["warnings"] = [_UNHASHED]
    changed = runs is not None
    described = _described(accounts, wanted)
    changed |= _missing_home(args, context, accounts, wanted)
    return ModuleResult(changed, {**result, **outputs(*(runs or [])), **described})


def _described(accounts: Accounts, wanted: _Wanted) -> dict[str, Any]:
    found = accounts.user(wanted.name)
    if found is None:
        raise ModuleFailure(f"useradd ended well, but there is no user {wanted.name}.", {"name": wanted.name})
    described = {
        "uid": found.pw_uid,
        "group": found.pw_gid,
        "comment": found.pw_gecos,
        "home": found.pw_dir,
        "shell": found.pw_shell,
    }
    return described if wanted.groups is None else {**described, "groups": ",".join(wanted.groups)}


def _remove(args: Mapping[str, Any], context: Context, name: str, result: dict[str, Any]) -> ModuleResult:
    force, remove = flag(args, "force"), flag(args, "remove")
    options = [*(["-f"] if force else []), *(["-r"] if remove else [])]
    done = change(context, ["userdel", *options, "--", name], name)
    return ModuleResult(True, {**result, "force": force, "remove": remove, **outputs(done)})


def _create(
    args: Mapping[str, Any], context: Context, accounts: Accounts, wanted: _Wanted
) -> list[Completed]:
    words = ["useradd", *_uid(wanted, None)]
    if wanted.group is not None:
        words += ["-g", _group(accounts, wanted.group)]
    elif accounts.group_named(wanted.name):
        words.append("-N")  # else useradd wants to make the group that is there
    if wanted.groups:
        words += ["-G", ",".join(_group(accounts, group) for group in wanted.groups)]
    for option, value in (("-c", wanted.comment), ("-d", wanted.home), ("-s", wanted.shell)):
        words += [] if value is None else [option, value]
    words.append("-m" if wanted.create_home else "-M")
    if wanted.create_home and (skeleton := text(args, "skeleton")):
        words += ["-k", skeleton]
    words += ["-r"] if flag(args, "system") else []
    if wanted.create_home and wanted.home is not None:
        _below(context.root, os.path.dirname(wanted.home)).mkdir(parents=True, exist_ok=True)
    done = [change(context, [*words, "--", wanted.name], wanted.name)]
    if wanted.password is not None:
        done.append(_set_password(context, wanted, wanted.password))
    return done


def _modify(
    args: Mapping[str, Any], context: Context, accounts: Accounts, wanted: _Wanted
) -> list[Completed] | None:
    """What was run; an empty list where check mode runs nothing, None where all is well."""
    found = accounts.user(wanted.name)
    assert found is not None
    words = _uid(wanted, found.pw_uid)
    if wanted.group is not None:
        group = accounts.group(_group(accounts, wanted.group))
        words += ["-g", str(group.gr_gid)] if group and group.gr_gid != found.pw_gid else []
    words += _membership(accounts, wanted)
    words += ["-c", wanted.comment] if wanted.comment not in (None, found.pw_gecos) else []
    if wanted.home not in (None, found.pw_dir):
        words += ["-d", wanted.home, *(["-m"] if wanted.move_home else [])]
    words += ["-s", wanted.shell] if wanted.shell not in (None, found.pw_shell) else []
    now = accounts.password(wanted.name)
    new = wanted.password if text(args, "update_password") != "on_create" else None
    if new is not None and new.lstrip("!") == now.lstrip("!"):
        new = None
    if new is None and wanted.lock is not None and wanted.lock != now.startswith("!"):
        words.append("-L" if wanted.lock else "-U")
    if not words and new is None:
        return None
    if context.check:
        return []
    done = [change(context, ["usermod", *words, "--", wanted.name], wanted.name)] if words else []
    return done if new is None else [*done, _set_password(context, wanted, new)]


def _uid(wanted: _Wanted, found: int | None) -> list[str]:
    if wanted.uid is None or wanted.uid == found:
        return []
    return ["-u", str(wanted.uid), *(["-o"] if wanted.non_unique else [])]


def _group(accounts: Accounts, name: str) -> str:
    if accounts.group(name) is None:
        raise ModuleFailure(f"There is no group {name} on this host.")
    return name


def _membership(accounts: Accounts, wanted: _Wanted) -> list[str]:
    """usermod's words for the supplementary groups; none where they are as wanted."""
    if wanted.groups is None:
        return []
    found = set(accounts.groups_of(wanted.name))
    groups = [accounts.group(_group(accounts, name)) for name in wanted.groups]
    names = list(dict.fromkeys(group.gr_name for group in groups if group is not None))
    if wanted.append:
        return ["-a", "-G", ",".join(names)] if set(names) - found else []
    return ["-G", ",".join(names)] if set(names) != found else []


def _check_password(wanted: _Wanted) -> None:
    if wanted.password is not None and (re.search(r"[:\n]", wanted.password)):
        raise ModuleFailure("The password has a colon or a newline in it, and a hash has none.")


def _looks_unhashed(password: str) -> bool:
    if password in _DISABLED:
        return False
    fields = password.split("$")
    if any(letter in password for letter in "*!") or len(fields) < 3:
        return True
    wrong = re.search(r"[^a-zA-Z0-9./=]", fields[-1]) is not None
    return wrong or len(fields[-1]) != _LENGTHS.get(fields[1], len(fields[-1]))


def _set_password(context: Context, wanted: _Wanted, password: str) -> Completed:
    line = f"{wanted.name}:{'!' if wanted.lock else ''}{password}\n"
    done = context.run_command(["chpasswd", "--encrypted"], stdin=line.encode())
    if done.rc != 0:
        said = first_line(done.stderr).replace(password, "...")
        raise ModuleFailure(f"chpasswd failed: {said}", {"name": wanted.name, "rc": done.rc})
    return done


def _missing_home(args: Mapping[str, Any], context: Context, accounts: Accounts, wanted: _Wanted) -> bool:
    """Make the home that an account should have, as useradd would; True where it was missing."""
    found = accounts.user(wanted.name)
    if found is None or not wanted.create_home:
        return False
    home = _below(context.root, wanted.home or found.pw_dir)
    if home.exists():
        return False
    if not context.check:
        home.parent.mkdir(parents=True, exist_ok=True)
        skeleton = Path(text(args, "skeleton") or context.root / "etc/skel")
        if skeleton.is_dir():
            shutil.copytree(skeleton, home, symlinks=True)
        else:
            home.mkdir()
        home.chmod(_home_mode(context.root))
        for folder, folders, names in os.walk(home):
            for path in (folder, *(os.path.join(folder, name) for name in folders + names)):
                os.chown(path, found.pw_uid, found.pw_gid, follow_symlinks=False)
    return True


def _home_mode(root: Path) -> int:
    """What /etc/login.defs says: HOME_MODE, else the umask."""
    try:
        said = (root / "etc/login.defs").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return 0o755
    settings = dict(re.findall(r"^(HOME_MODE|UMASK)\s+([0-7]+)\s*$", said, re.MULTILINE))
    if "HOME_MODE" in settings:
        return int(settings["HOME_MODE"], 8)
    return 0o777 & ~int(settings.get("UMASK", "022"), 8)


def _below(root: Path, path: str) -> Path:
    return root / path.lstrip("/")
