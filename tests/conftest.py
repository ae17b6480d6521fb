# SPDX-License-Identifier: Apache-2.0
"""What all tests need of the process that they run in: nothing of whose machine it is, and how that one is set up.

Programs that a test starts inherit it. A test that is about a variable sets it.
"""

from __future__ import annotations

import os
import signal

from hypothesis import settings

# A shell that starts the tests in the background has them ignore SIGINT, and so would every program that they start:
# what Ctrl-C does could not be tested there.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Modes of files that are made without one.
os.umask(0o022)

OF_TESTS = ("LABCTL_LAB_TESTS", "LABCTL_GOLDEN", "LABCTL_FUZZ")
OF_TERMINALS = ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PAGER", "EDITOR", "VISUAL")
OF_SHELLS = ("BASH_ENV", "ENV", "CDPATH", "GREP_OPTIONS", "POSIXLY_CORRECT", "SHELLOPTS", "BASHOPTS")
for _name in list(os.environ):
    _ours = _name.startswith("LABCTL_") and _name not in OF_TESTS
    if _ours or _name in (*OF_TERMINALS, *OF_SHELLS) or _name.startswith(("GIT_", "ANSIBLE_", "LC_")):
        del os.environ[_name]
# English messages of other programs, and every character in names of files. Debian has this locale always.
os.environ.update(LANG="C.UTF-8", LC_ALL="C.UTF-8")
os.environ.pop("LANGUAGE", None)

# How long an example takes says what else this machine does: a deadline would fail tests of which nothing is wrong.
settings.register_profile("labctl", deadline=None)
settings.load_profile("labctl")
