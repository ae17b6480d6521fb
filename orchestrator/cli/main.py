# SPDX-License-Identifier: Apache-2.0
"""The command `labctl`: its verbs, loaded only when they are typed, and the one place where errors become exit codes."""

from __future__ import annotations

import gc
import importlib
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import click

from orchestrator.cli.streams import guard_streams
from orchestrator.load.become import OF_THIS_CALL
from orchestrator.model.errors import ConfigErrors, Interrupted, LabctlError


@dataclass(frozen=True, slots=True)
class Verb:
    """Where a verb lives, and its line in `labctl --help` (so that help imports no verb)."""

    name: str
    module: str
    summary: str
    hidden: bool = False


VERBS = (
    Verb("demo", "demo", "This machine alone: local lab, provision, run, report."),
    Verb("init", "init", "Write the folder of a project: an inventory, a suite, .gitignore."),
    Verb("lab", "lab", "Make, inspect and remove the local Debian hosts that an inventory describes."),
    Verb("inventory", "inventory", "Say which hosts an inventory has, and where each is reached."),
    Verb("ping", "ping", "Say which hosts answer, and how fast."),
    Verb("facts", "facts", "Show what labctl learns of a host before it decides anything."),
    Verb("doctor", "doctor", "Say what each host can run, what not, and why."),
    Verb("build", "build", "Make artifacts of components, from their locked sources."),
    Verb("plan", "plan", "Say what provision would do on each host."),
    Verb("provision", "provision", "Bring hosts to the state that the playbooks describe."),
    Verb("list", "list", "List suites, benchmarks and metrics."),
    Verb("run", "run", "Execute a suite on hosts and follow it."),
    Verb("runs", "runs", "List runs, newest first."),
    Verb("attach", "attach", "Follow a run again, and take it up if its conductor is gone."),
    Verb("cancel", "cancel", "End a run, and clean up on its hosts."),
    Verb("fetch", "fetch", "Pull the journals of a run from its hosts."),
    Verb("report", "report", "Say what a run showed: terminal and self-contained HTML."),
    Verb("compare", "compare", "Say what changed between two runs, or two of a run's combinations."),
    Verb("query", "query", "Ask all runs in SQL."),
    Verb("schema", "schema", "Print what the files for other programs look like, as JSON Schema."),
    Verb("import", "importing", "Take in a run of another controller's, or another tool's results."),
    Verb("clean", "clean", "Take what runs left behind, or with --purge everything, off hosts."),
    Verb("conduct", "run", "Own a run (started by `labctl run` and `labctl attach`).", hidden=True),
)

GARBAGE_AFTER = 50_000
"""New objects, instead of Python's 700, until it looks for cycles among them. What a verb imports stays, and to search it again and
again took a twelfth of a short call."""

EPILOG = """\b
Examples:
  labctl demo                                  # everything, on this machine
  labctl init                                  # an inventory and a suite, to be changed
  labctl lab up && labctl provision            # two local hosts with runtimes
  labctl run --suite operations --runs 30
  labctl report

\b
An inventory is a path, or the name of one in ./inventories, else of one that comes with labctl (lab, vm).
Where none is named: --inventory, else $LABCTL_INVENTORY, else inventories/lab.yaml.
Exit codes: 0 fine, 1 a host or trial failed, 2 usage or configuration, 3 unreachable,
4 a gate failed, 130 interrupted.
"""


class LazyGroup(click.Group):
    """Knows its verbs by name and summary; imports the module of the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb.name for verb in VERBS if not verb.hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = next((verb for verb in VERBS if verb.name == cmd_name), None)
        if verb is None:
            return None
        module = importlib.import_module(f"orchestrator.cli.{verb.module}")
        command = getattr(module, f"{verb.name}_command", None) or getattr(module, verb.name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(verb.name, verb.summary) for verb in VERBS if not verb.hidden])


@click.group(cls=LazyGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="labctl")
def cli() -> None:
    """From bare Debian machines to a benchmarked verdict on container runtimes, over SSH."""
    OF_THIS_CALL.take_from_environment()


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one verb and give the process's exit code. Errors of our tree become one sentence on stderr."""
    try:
        result = cli.main(args=arguments, prog_name="labctl", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _complain(Interrupted("Interrupted."))
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except LabctlError as error:
        return _complain(error)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    return result if isinstance(result, int) else 0


def _complain(error: LabctlError) -> int:
    if isinstance(error, ConfigErrors):
        for single in error.errors:
            _complain(single)
        click.echo(f"        {len(error.errors)} things are wrong; nothing was done.", err=True)
        return error.exit_code
    click.echo(f"{click.style('labctl:', fg='red')} {error.message}", err=True)
    if error.hint:
        click.echo(f"        {error.hint}", err=True)
    return error.exit_code


def main() -> None:
    gc.set_threshold(GARBAGE_AFTER)
    if not sys.warnoptions:
        warnings.simplefilter(
            "ignore"
        )  # Warnings are for this program's developers (python -W default shows them).
    guard_streams()
    sys.exit(run())


if __name__ == "__main__":
    main()
