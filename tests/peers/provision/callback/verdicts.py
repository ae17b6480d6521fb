# SPDX-License-Identifier: Apache-2.0
"""A callback plugin of ansible-core: one JSON line a task and host, and one an item of a loop. Runs in .venv-peers."""

from __future__ import annotations

import json
import sys
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
    name: verdicts
    type: stdout
    short_description: a JSON line a task
    description: [What became of each task, for a program to read.]
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Ansible calls a method an event."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "verdicts"

    def v2_runner_on_ok(self, result: Any) -> None:
        self._say("result", result, "changed" if result.is_changed() else "ok")

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._say("result", result, "failed", bool(ignore_errors))

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._say("result", result, "skipped")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._say("result", result, "unreachable")

    def v2_runner_item_on_ok(self, result: Any) -> None:
        self._say("item", result, "changed" if result.is_changed() else "ok")

    def v2_runner_item_on_failed(self, result: Any) -> None:
        self._say("item", result, "failed", bool(result.task.ignore_errors))

    def v2_runner_item_on_skipped(self, result: Any) -> None:
        self._say("item", result, "skipped")

    @staticmethod
    def _say(kind: str, result: Any, status: str, ignored: bool = False) -> None:
        if result.task.action in (
            "setup",
            "ansible.builtin.setup",
            "gather_facts",
            "ansible.builtin.gather_facts",
        ):
            return  # of which labctl makes no task
        found = result.result
        event = {
            "kind": kind,
            "host": result.host.get_name(),
            "task": result.task.get_name().strip(),
            "place": result.task.get_path(),
            "status": status,
            "ignored": ignored,
            "label": str(found.get("_ansible_item_label", "")) if kind == "item" else "",
            "msg": str(found.get("msg", "")),
            "stderr": str(found.get("stderr", "") or found.get("module_stderr", ""))[-500:],
        }
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
