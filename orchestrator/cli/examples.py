# SPDX-License-Identifier: Apache-2.0
"""The examples below a verb's help, in one form for all verbs."""

from __future__ import annotations


def examples(*commands: str) -> str:
    """An epilog for click that shows ``commands`` one a line, as they are typed, and wraps none of them."""
    return "\n".join(("\b", "Examples:", *(f"  {command}" for command in commands)))
