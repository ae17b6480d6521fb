# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.command`: a command without a shell, as ``argv``, ``cmd`` or free form (``_raw_params``)."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping

from remote_agent.contract.steps import UNFORESEEN
from remote_agent.runner.args import expanded, flag, path_of, text
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult, last_line
from remote_agent.runner.foresight import Predicted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


_ABOUT_PACKAGES = re.compile(r"\b(?:apt|dpkg|sources\.list)")


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    argv = _argv(args)
    expands = flag(args, "expand_argument_vars", True)
    return carry_out(args, context, [expanded(word) for word in argv] if expands else argv, argv)


def carry_out(
    args: Mapping[str, Any], context: Context, argv: list[str], cmd: str | list[str]
) -> ModuleResult:
    """Run ``argv`` unless ``creates`` or ``removes`` says that it is done. ``cmd`` stands for it in the result."""
    chdir = path_of(args, "chdir")
    if chdir is not None and not os.path.isdir(chdir) and not context.will_exist(chdir):
        raise ModuleFailure(f"chdir: {chdir} is no folder on this host.", _result(cmd))
    if done := _already_done(args, context, chdir):
        return ModuleResult(
            False, {**_result(cmd), "rc": 0, "stdout": done[0], "stdout_lines": [done[0]]}, done[1]
        )
    if context.check:
        _predict(args, context, chdir)
        conditional = args.get("creates") is not None or args.get("removes") is not None
        return ModuleResult(conditional, {**_result(cmd), "rc": 0}, UNFORESEEN, skipped=not conditional)
    result = _execute(args, context, argv, chdir, cmd)
    if result["rc"] != 0:
        said = last_line(result["stderr"] or result["stdout"])
        raise ModuleFailure(f"The command ended with {result['rc']}: {said}", {"changed": True, **result})
    return ModuleResult(True, {**result, "msg": ""})


def _execute(
    args: Mapping[str, Any], context: Context, argv: list[str], chdir: str | None, cmd: Any
) -> dict[str, Any]:
    start = context.now()
    done = context.run_command(argv, stdin=_stdin(args), chdir=chdir)
    end = context.now()
    stdout, stderr = done.stdout, done.stderr
    if flag(args, "strip_empty_ends", True):
        stdout, stderr = stdout.rstrip("\r\n"), stderr.rstrip("\r\n")
    return {
        "cmd": cmd,
        "rc": done.rc,
        "stdout": stdout,
        "stderr": stderr,
        "stdout_lines": stdout.splitlines(),
        "stderr_lines": stderr.splitlines(),
        "start": _moment(start),
        "end": _moment(end),
        "delta": _duration(end - start),
    }


def _moment(seconds: float) -> str:
    """Local time, as Ansible writes it. (datetime, which does the same, takes longer to import than most commands to run.)"""
    whole, micro = divmod(round(seconds * 1e6), 1_000_000)
    return f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(whole))}.{micro:06}"


def _duration(seconds: float) -> str:
    whole, micro = divmod(round(seconds * 1e6), 1_000_000)
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}.{micro:06}"


def _argv(args: Mapping[str, Any]) -> list[str]:
    if args.get("argv"):
        argv = [str(word) for word in args["argv"]]
    else:
        import shlex

        line = command_line(args)
        try:
            argv = shlex.split(line)
        except ValueError as error:
            raise ModuleFailure(f"The command cannot be split into words ({error}): {line}") from error
    if not argv:
        raise ModuleFailure("There is no command: give 'cmd', 'argv' or a free form.")
    return argv


def command_line(args: Mapping[str, Any]) -> str:
    """The command as one text."""
    return text(args, "_raw_params", "cmd") or ""


def _stdin(args: Mapping[str, Any]) -> bytes | None:
    given = text(args, "stdin")
    if given is None:
        return None
    newline = "\n" if flag(args, "stdin_add_newline", True) else ""
    return (given + newline).encode()


def _already_done(args: Mapping[str, Any], context: Context, chdir: str | None) -> tuple[str, str] | None:
    """Ansible's stdout and msg for a command that need not run; relative patterns are taken from ``chdir``."""
    verb = "Would" if context.check else "Did"
    creates, removes = path_of(args, "creates"), path_of(args, "removes")
    if creates and _matches(os.path.join(chdir or "", creates), context):
        return f"skipped, since {creates} exists", f"{verb} not run command since '{creates}' exists"
    if removes and not _matches(os.path.join(chdir or "", removes), context):
        return (
            f"skipped, since {removes} does not exist",
            f"{verb} not run command since '{removes}' does not exist",
        )
    return None


def _predict(args: Mapping[str, Any], context: Context, chdir: str | None) -> None:
    """What the command says it makes and removes, and whether apt may know other packages after it."""
    if context.foresight is not None and _ABOUT_PACKAGES.search(f"{args.get('cmd')} {args.get('argv')}"):
        context.foresight.sources_changed = True
    for name, kind in (("creates", "file"), ("removes", "absent")):
        path = path_of(args, name)
        if path and not _is_pattern(path):
            context.predicts(os.path.join(chdir or "", path), Predicted(kind))


def _is_pattern(path: str) -> bool:
    return any(letter in path for letter in "*?[")


def _matches(pattern: str, context: Context) -> bool:
    if not _is_pattern(pattern):
        predicted = context.predicted(pattern)
        return os.path.lexists(pattern) if predicted is None else predicted.kind != "absent"
    import glob

    return bool(glob.glob(pattern))


def _result(cmd: Any) -> dict[str, Any]:
    empty: dict[str, Any] = {"stdout": "", "stderr": "", "stdout_lines": [], "stderr_lines": []}
    return {"cmd": cmd, "rc": None, "start": None, "end": None, "delta": None, **empty}
