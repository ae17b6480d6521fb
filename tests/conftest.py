# SPDX-License-Identifier: Apache-2.0
"""What all tests need of the process that they run in."""

from __future__ import annotations

import signal

from hypothesis import settings

# A shell that starts the tests in the background has them ignore SIGINT, and so would every program that they start:
# what Ctrl-C does could not be tested there.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says what else this machine does: a deadline would fail tests of which nothing is wrong.
settings.register_profile("labctl", deadline=None)
settings.load_profile("labctl")
