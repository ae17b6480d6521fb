# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.group`: a group, there (with its number) or gone."""

from __future__ import annotations

from collections.abc import Mapping

from remote_agent.runner.accounts import Accounts, change, outputs
from remote_agent.runner.args import choice, flag, number, required
from remote_agent.runner.completed import Completed
from remote_agent.runner.context import Context, ModuleResult

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATES = ("present", "absent")


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    name, accounts = required(args, "name"), Accounts(context.root)
    state = choice(args, "state", STATES, "present") or "present"
    found = accounts.group_named(name)
    result: dict[str, Any] = {"name": name, "state": state}
    if context.check and (found is None) == (state == "present"):
        return ModuleResult(True)
    if state == "absent":
        done = [] if found is None else [_remove(args, context, name)]
        return ModuleResult(found is not None, {**result, **outputs(*done)})
    gid = None if args.get("gid") is None else number(args, "gid", 0)
    if found is None:
        done = [_add(args, context, name, gid)]
    elif gid is not None and found.gr_gid != gid:
        done = [] if context.check else [_renumber(args, context, name, gid)]
    else:
        return ModuleResult(False, {**result, **_described(args, accounts, name)})
    return ModuleResult(True, {**result, **outputs(*done), **_described(args, accounts, name)})


def _described(args: Mapping[str, Any], accounts: Accounts, name: str) -> dict[str, Any]:
    found = accounts.group_named(name)
    return {} if found is None else {"system": flag(args, "system"), "gid": found.gr_gid}


def _add(args: Mapping[str, Any], context: Context, name: str, gid: int | None) -> Completed:
    system = ["-r"] if flag(args, "system") else []
    return change(context, ["groupadd", *_number(args, gid), *system, "--", name], name)


def _renumber(args: Mapping[str, Any], context: Context, name: str, gid: int) -> Completed:
    return change(context, ["groupmod", *_number(args, gid), "--", name], name)


def _remove(args: Mapping[str, Any], context: Context, name: str) -> Completed:
    return change(context, ["groupdel", *(["-f"] if flag(args, "force") else []), "--", name], name)


def _number(args: Mapping[str, Any], gid: int | None) -> list[str]:
    if gid is None:
        return []
    return ["-g", str(gid), *(["-o"] if flag(args, "non_unique") else [])]
