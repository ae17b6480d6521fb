# SPDX-License-Identifier: Apache-2.0
"""SSH: `connect` to a host, `stream`, `run` and `relay` over the connection, `fan_out` over many hosts.

The only package that knows fabric and paramiko, which it imports when the first host is reached and not before.
"""

from orchestrator.ssh.connection import Completed, Connection, connect
from orchestrator.ssh.fanout import Results, fan_out
from orchestrator.ssh.stream import Stream

__all__ = ["Completed", "Connection", "Results", "Stream", "connect", "fan_out"]
