# SPDX-License-Identifier: Apache-2.0
"""The one place that makes rich's consoles for verbs: what stands in square brackets in a text is text, and no markup."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def plain_console(stderr: bool = False) -> Console:
    """Colours come from `rich.text.Text` and `style=` alone, so that no host's `[red]` or `[link=...]` is obeyed."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)
