# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.systemd`: the older name of systemd_service."""

from remote_agent.runner.modules.systemd_service import run

__all__ = ["run"]
