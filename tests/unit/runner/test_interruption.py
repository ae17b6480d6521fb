# SPDX-License-Identifier: Apache-2.0
"""A signal that comes while a process is being started loses neither the signal nor the process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

INTERRUPTED = """
import os, signal, subprocess, sys
from remote_agent.runner.commands import run_command
from remote_agent.runner.interruption import Interrupted, listen

class Started(subprocess.Popen):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        started.append(self)
        os.kill(os.getpid(), signal.SIGTERM)  # before anybody else knows of it
        for _ in range(1000):
            pass  # where Python looks for signals

started = []
subprocess.Popen = Started
listen()
try:
    run_command(["sleep", "60"], stdin=None, chdir=None, environment={}, timeout=30)
except Interrupted:
    print(len(started), started[0].poll() is not None)
"""


def test_a_process_that_a_signal_met_at_its_start_is_ended() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1 True\n", "")
