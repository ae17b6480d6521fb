# SPDX-License-Identifier: Apache-2.0
"""Follow a run in a terminal: a live table where there is one, a line a block where there is not; Ctrl-C detaches."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

import click

from orchestrator.cli import sofar_view
from orchestrator.cli.words import duration
from orchestrator.model.errors import RunError
from orchestrator.model.run import RunState
from orchestrator.model.stopping import StopReason
from orchestrator.pipeline.run import cancel_run, ended
from orchestrator.report.stopping import ended as ended_why
from orchestrator.results.store import RunFolder
from orchestrator.runs.events import follow
from orchestrator.runs.process import owned
from orchestrator.runs.progress import HostView, Left, RunView

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

SECOND_CHANCE = 3.0
"""Seconds in which a second Ctrl-C cancels the run."""
_STYLES = {
    "executing": "green",
    "complete": "green",
    "failed": "red",
    "cancelled": "yellow",
    "reconnecting": "yellow",
}


class Display(Protocol):
    def show(self, view: RunView, event: Mapping[str, Any]) -> None: ...


def follow_run(folder: RunFolder, as_json: bool = False) -> int:
    """Show the run until it ends; gives its exit code. Raises RunError: its conductor is gone before its end."""
    try:
        view = _watch(folder, as_json)
    except KeyboardInterrupt:
        return _detach(folder)
    state = ended(folder)
    if state is None:
        raise RunError(
            f"The run {folder.id} has lost its conductor.",
            f"Nothing is lost: labctl attach {folder.id} takes it up again. Its log: {folder.log}.",
        )
    click.echo(json.dumps(summary(folder, state), indent=2) if as_json else _verdict(state, view))
    return state.exit_code or 0


def summary(folder: RunFolder, state: RunState) -> dict[str, Any]:
    """What --json prints of a run that has ended."""
    return {**asdict(state), "path": str(folder.path.absolute())}


def _watch(folder: RunFolder, silent: bool) -> RunView:
    view = RunView(folder.read_spec())
    with _display(view, silent) as display:
        for event in follow(folder.events, alive=lambda: owned(folder.lock)):
            if event is not None:
                view.apply(event)
                display.show(view, event)
    return view


def _detach(folder: RunFolder) -> int:
    click.echo(
        f"\nDetached; the run goes on. labctl attach {folder.id} comes back to it. "
        f"Ctrl-C again within {SECOND_CHANCE:.0f} s cancels it.",
        err=True,
    )
    try:
        time.sleep(SECOND_CHANCE)
    except KeyboardInterrupt:
        click.echo("\nCancelling: the trials under way are ended and cleaned up.", err=True)
        try:
            cancel_run(folder)
            _watch(folder, silent=False)
        except KeyboardInterrupt:
            click.echo(
                f"\nIt is being cancelled without you; labctl attach {folder.id} shows how far.", err=True
            )
    return 130


@contextmanager
def _display(view: RunView, silent: bool) -> Iterator[Display]:
    if silent:
        yield Silent()
    elif not sys.stdout.isatty():
        click.echo(headline(view))
        yield Plain()
    else:
        from rich.live import Live

        from orchestrator.cli.console import plain_console

        console = plain_console()
        console.print(headline(view))
        with Live(
            console=console,
            refresh_per_second=4,
            get_renderable=lambda: live_view(view, console.height),
            transient=False,
        ) as live:
            yield Above(live.console.print)


class Silent:
    def show(self, view: RunView, event: Mapping[str, Any]) -> None:
        """--json prints the end, and nothing before it."""


class Plain:
    """A line a block, and whatever somebody should know."""

    def show(self, view: RunView, event: Mapping[str, Any]) -> None:
        line = block_line(view, event) or phase_line(event) or stop_line(view, event) or notice(event)
        if line:
            click.echo(line)


class Above:
    """Notices above the live table, which shows the rest."""

    def __init__(self, say: Any) -> None:
        self._say = say

    def show(self, view: RunView, event: Mapping[str, Any]) -> None:
        line = stop_line(view, event) or notice(event)
        if line:
            self._say(line)


def headline(view: RunView) -> str:
    spec = view.spec
    blocks = sum(plan.warmup + plan.blocks for plan in spec.benchmarks)
    most = "up to " if any(plan.precision is not None for plan in spec.benchmarks) else ""
    return (
        f"Run {spec.id}: {most}{blocks} blocks of {len(spec.combinations)} combinations "
        f"({', '.join(item.name for item in spec.combinations)}) on {', '.join(view.hosts)}; seed {spec.seed}"
    )


def block_line(view: RunView, event: Mapping[str, Any]) -> str | None:
    if event["type"] != "block":
        return None
    host, number = view.hosts[event["host"]], event["block"] + 1
    total = _wanted(host, event["benchmark"])
    warmup = ", warm-up" if event["warmup"] else ""
    took = f", {event['seconds']:.2f} s" if event["seconds"] is not None else ""
    so_far = f"; {sofar_view.phrase(event['so_far'])}" if event.get("so_far") else ""
    return f"{event['host']}: {event['benchmark']} block {number}/{total}{warmup}{took}{so_far}"


def stop_line(view: RunView, event: Mapping[str, Any]) -> str | None:
    """Why a benchmark has enough; of a fixed count there is nothing to say."""
    if event["type"] != "stop" or event["reason"] == StopReason.FIXED:
        return None
    plan = next(plan for plan in view.spec.benchmarks if plan.name == event["benchmark"])
    words = ended_why(StopReason(event["reason"]), event["blocks"], event["reached"], plan)
    return f"{event['host']}: {event['benchmark']}: {words}."


def _wanted(host: HostView, benchmark: str) -> str:
    """``16+`` where a stopping rule may ask for more."""
    return f"{host.wanted.get(benchmark, 0)}{'+' if benchmark in host.open else ''}"


def phase_line(event: Mapping[str, Any]) -> str | None:
    """Of the phases only those that say something new: the turns go back and forth a hundred times."""
    if event["type"] == "conductor" and event["resumed"]:
        return "The run is taken up where it was left."
    if event["type"] != "phase" or event["phase"] in ("waiting", "executing"):
        return None
    message = event["message"].removeprefix(f"{event['host']}: ")
    return f"{event['host']}: {event['phase']}" + (f": {message}" if message else "")


def notice(event: Mapping[str, Any]) -> str | None:
    """Failed trials, leaks, warnings: seen in every display. What is not supported is so in every block: the first says it."""
    if event["type"] == "note" and event["level"] == "warning":
        where = f"{event['host']}: " if event["host"] else ""
        return f"{where}{event['message']}" + (f" {event['hint']}" if event.get("hint") else "")
    if event["type"] != "trial":
        return None
    what = f"{event['host']}: {event['combination']} {event['benchmark']} block {event['block'] + 1}"
    if event["status"] == "unsupported" and event["block"] > 0:
        return None
    if event["status"] != "ok":
        return f"{what} {event['status']}: {event['reason']}"
    if event["leaks"]:
        leaks = ", ".join(f"{leak['kind']} {leak['what']}" for leak in event["leaks"])
        return f"{what} left behind: {leaks}"
    return None


def table(view: RunView) -> Table:
    """The live display: a row a host, and the time."""
    from rich.table import Table

    title = f"{duration(view.elapsed(datetime.now(UTC)))} elapsed  {remaining(view.left())}"
    shown = Table(box=None, header_style="bold", pad_edge=False, caption=title, caption_justify="left")
    for name in ("host", "phase", "benchmark", "block"):
        # Where the terminal is narrow, the benchmark's long name goes onto a second line, and no number is cut.
        shown.add_column(name, no_wrap=name != "benchmark", overflow="fold")
    for name in ("trials", "failed", "leaks"):
        shown.add_column(name, justify="right", no_wrap=True)
    for host in view.hosts.values():
        shown.add_row(*_row(view, host))
    return shown


def live_view(view: RunView, height: int) -> RenderableType:
    """The table of the hosts, and below it the estimates so far, as many as a screen of ``height`` lines holds."""
    from rich.console import Group

    lines = 4 + 2 * len(view.hosts)  # headline, head, a caption, a line to spare; a long name takes two
    estimates = sofar_view.table(view, height - lines)
    return table(view) if estimates is None else Group(table(view), estimates)


def remaining(left: Left) -> str:
    """``at least`` where something in it is not known yet."""
    if not left.seconds:
        return "time left: not known yet" if left.at_least else ""
    return f"{'at least' if left.at_least else 'about'} {duration(left.seconds)} left"


def _row(view: RunView, host: HostView) -> tuple[RenderableType, ...]:
    from rich.text import Text

    style = _STYLES.get(host.phase, "dim")
    done = host.blocks.get(host.benchmark, 0)
    block = f"{done}/{_wanted(host, host.benchmark)}" if host.benchmark else ""
    return (
        host.name,
        Text(host.phase, style=style),
        host.benchmark,
        block,
        f"{host.trials}/{view.trials_wanted(host)}{'+' if host.open else ''}",
        Text(str(host.failed), style="red" if host.failed else ""),
        Text(str(host.leaked), style="red" if host.leaked else ""),
    )


def _verdict(state: RunState, view: RunView) -> str:
    lines = [host.error for host in state.hosts if host.error]
    trials, failed, leaks = (
        sum(getattr(host, key) for host in state.hosts) for key in ("trials_done", "trials_failed", "leaks")
    )
    took = duration(view.elapsed(datetime.fromisoformat(state.updated)))
    lines.append(f"{state.status.capitalize()}: {trials} trials, {failed} failed, {leaks} leaks, in {took}.")
    if view.message:
        lines.append(view.message)
    elif trials:
        lines.append(f"What it says: labctl report {state.id}")
    return "\n".join(lines)
