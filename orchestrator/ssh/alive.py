# SPDX-License-Identifier: Apache-2.0
"""A transport that notices a host which has died silently, behind something that goes on acknowledging for it.

TCP finds out by itself that a host is gone, where nothing stands between. A jump host, a NAT or QEMU's user-mode network
goes on taking bytes for a host that has long been frozen: there only an answer proves life (OpenSSH's ServerAliveInterval).
"""

from __future__ import annotations

from typing import Any

from paramiko import Message, Transport
from paramiko.common import cMSG_GLOBAL_REQUEST
from paramiko.ssh_exception import SSHException

MOST_UNANSWERED = 6
"""Questions in a row; with dial.KEEPALIVE_SECONDS between them, a minute and a half."""
_QUESTION = "keepalive@openssh.com"


class HostSilent(SSHException):
    """Nothing came back for too long."""


class AttentiveTransport(Transport):
    """Asks when nothing has been said for an interval; every server answers, if only that it does not know the question.

    Questions are counted, not seconds: a controller that was suspended, or is short of CPU, has asked few.
    """

    _interval = 0.0
    _unanswered = 0

    def set_keepalive(self, interval: float) -> None:
        """Ask after ``interval`` seconds without traffic; 0: never."""
        self._interval = interval
        self.packetizer.set_keepalive(interval, self._ask)

    def _ask(self) -> None:
        if self._unanswered >= MOST_UNANSWERED:
            # Raised in the transport's own thread: it ends, keeps the exception, and every channel ends with it.
            raise HostSilent(f"it has not answered for {self._unanswered * self._interval:g} s")
        self._unanswered += 1
        question = Message()
        question.add_byte(cMSG_GLOBAL_REQUEST)
        question.add_string(_QUESTION)
        question.add_boolean(True)  # wants an answer
        self._send_user_message(question)  # type: ignore[attr-defined]  # the stubs know what is public

    def _parse_request_success(self, message: Any) -> None:
        self._unanswered = 0
        super()._parse_request_success(message)  # type: ignore[misc]

    def _parse_request_failure(self, message: Any) -> None:
        self._unanswered = 0
        super()._parse_request_failure(message)  # type: ignore[misc]
