# SPDX-License-Identifier: Apache-2.0
"""What modules take for true and false, as Ansible's do: the same on the controller, which checks, and on the host, which acts."""

from __future__ import annotations

_WORDS = {
    **dict.fromkeys(("yes", "on", "1", "true", "t", "y"), True),
    **dict.fromkeys(("no", "off", "0", "false", "f", "n"), False),
}


def truth_of(value: object) -> bool | None:
    """True or false, as a truth value or as one of their words; None for anything else."""
    return value if isinstance(value, bool) else _WORDS.get(str(value).strip().lower())
