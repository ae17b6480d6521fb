# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.template`: the controller has rendered it (``content``), so what is left is a copy.

A ``dest`` that is a folder takes the template's own name from ``_original_basename``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from remote_agent.runner.args import required_path
from remote_agent.runner.context import Context, ModuleResult
from remote_agent.runner.modules.copy import run as copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    dest, name = required_path(args, "dest"), args.get("_original_basename")
    if name and (dest.endswith("/") or os.path.isdir(dest)):
        dest = os.path.join(dest, str(name))
    return copy({**args, "dest": dest}, context)
