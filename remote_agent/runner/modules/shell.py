# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.shell`: a command line for a shell (/bin/sh unless ``executable`` names another)."""

from __future__ import annotations

from collections.abc import Mapping

from remote_agent.runner.args import text
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.modules.command import carry_out, command_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    line = command_line(args)
    if not line.strip():
        raise ModuleFailure("There is no command: give 'cmd' or a free form.")
    return carry_out(args, context, [text(args, "executable") or "/bin/sh", "-c", line], cmd=line)
