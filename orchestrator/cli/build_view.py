# SPDX-License-Identifier: Apache-2.0
"""How a build looks: a line a component when it is there, and what is going on in one line that is rewritten."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from orchestrator.model.artifact import RELEASES
from orchestrator.model.text import printable_line

if TYPE_CHECKING:
    from rich.status import Status

    from orchestrator.model.artifact import MissingComponent, Target
    from orchestrator.pipeline.build import Built

QUIET_SECONDS = 10.0
"""In a pipe, what goes on is said this often."""


class BuildView:
    """Results on ``err`` or standard output; on a terminal a live line on standard error, else now and then a line."""

    def __init__(self, status: Status | None, err: bool = False, cached: bool = True) -> None:
        self._status, self._err, self._cached = status, err, cached
        self._last, self._who = time.monotonic(), ""

    def say(self, name: str, text: str) -> None:
        text = printable_line(text)
        if self._status is not None:
            from rich.text import Text

            self._status.update(Text(f"{name}: {text}"[:200]))
            return
        now = time.monotonic()
        if (
            name != self._who
            or now - self._last >= QUIET_SECONDS
            or "made again" in text
            or "identical" in text
            or "differ" in text
        ):
            self._last, self._who = now, name
            click.echo(f"{name}: {text}", err=True)

    def warn(self, name: str, text: str) -> None:
        click.echo(f"{click.style(name, bold=True)}: {text}", err=True)

    def built(self, built: Built) -> None:
        if built.seconds is None and not self._cached:
            return
        artifact = built.artifact
        how = "cached" if built.seconds is None else f"built in {built.seconds:.1f} s"
        name = click.style(f"{artifact.component:<12}", bold=True)
        click.echo(
            f"{name} {artifact.version[:34]:<34} {artifact.source:<9} {artifact.key}  {built.size / 2**20:6.1f} MiB  {how}"
            f"{' for ' if built.releases else ''}{', '.join(built.releases)}",
            err=self._err,
        )

    def missing(self, missing: MissingComponent, target: Target) -> None:
        """Say which hosts go without a component, and why."""
        label = click.style(f"{missing.component:<12}", bold=True)
        hosts = f"Debian {RELEASES[target.release]} ({target.architecture})"
        click.echo(f"{label} {click.style('not for', fg='yellow')} {hosts}: {missing.reason}", err=self._err)


@contextmanager
def build_view(err: bool = False, cached: bool = True) -> Iterator[BuildView]:
    """``err``: everything on standard error, where standard output is for something else. ``cached``: say what need not be built."""
    if not sys.stderr.isatty():
        yield BuildView(None, err, cached)
        return
    from orchestrator.cli.console import plain_console

    with plain_console(stderr=True).status("", spinner="dots") as status:
        yield BuildView(status, err, cached)
