# SPDX-License-Identifier: Apache-2.0
"""`labctl-agent`: the agent, and what a shell or another engine on the host asks of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from remote_agent.agent.wake import SOCKET, wake

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

RUNS = Path("/var/lib/labctl/runs")
USAGE, UNREACHABLE, INTERRUPTED = 2, 3, 130

EXAMPLES = """\
examples:
  labctl-agent serve                               # the daemon (systemd starts it)
  labctl-agent start spec.json --grant-all         # run without a controller
  labctl-agent wait && labctl-agent fetch > journal.jsonl
  labctl-agent status --json
  ssh HOST labctl-agent relay                      # the agent's gRPC over standard input and output

spec.json:
  {"run_id": "try-1", "host": "m1", "seed": 7,
   "combinations": [{"cri": "containerd", "handler": "runc", "socket": "/run/containerd/containerd.sock"}],
   "benchmarks": [{"name": "operations.container.lifecycle", "warmup": 1, "blocks": 10, "params": {}}]}

exit codes: 0 fine, 1 a trial or the command failed, 2 usage, 3 no agent answers, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Parse, do, say in one sentence what went wrong; the exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _relay(SOCKET) if words == ["relay"] else _dispatch(words)
    except KeyboardInterrupt:
        return INTERRUPTED


def _dispatch(words: Sequence[str]) -> int:
    options = _parser().parse_args(words)
    if options.verb == "relay":
        return _relay(options.socket)
    return _serve(options) if options.verb == "serve" else _command(options)


def _relay(socket: Path) -> int:
    """Without argparse and gRPC: it is started for each connection, and should be there at once."""
    from remote_agent.agent.relay import relay

    try:
        try:
            relay(str(socket))
        except (FileNotFoundError, ConnectionRefusedError):
            wake(socket)
            relay(str(socket))
    except OSError as error:
        return _say(
            f"{socket}: {error.strerror}. Is the agent running? systemctl status labctl-agent", UNREACHABLE
        )
    return 0


def _serve(options: Namespace) -> int:
    _without_tls()
    from remote_agent.agent.serve import AlreadyServing, serve

    try:
        return serve(options.socket, options.runs, options.idle)
    except (AlreadyServing, OSError) as error:
        return _say(str(error), 1)


def _without_tls() -> None:
    """asyncio and hashlib do without OpenSSL where Python was built without it; an agent, which never speaks TLS, saves 6 MB so."""
    for name in ("ssl", "_hashlib"):
        sys.modules[name] = None  # type: ignore[assignment]  # an import of it fails now


def _command(options: Namespace) -> int:
    from remote_agent.agent import commands

    verbs = {
        "preflight": commands.preflight,
        "start": commands.start,
        "status": commands.status,
        "wait": commands.wait,
        "cancel": commands.cancel,
    }
    try:
        if options.verb == "fetch":
            return commands.fetch(options, sys.stdout.buffer)
        return verbs[options.verb](options, sys.stdout)
    except commands.CommandError as error:
        return _say(str(error), error.exit_code)


def _say(text: str, exit_code: int) -> int:
    sys.stderr.write(f"labctl-agent: {text}\n")
    return exit_code


def _parser() -> ArgumentParser:
    from argparse import ArgumentParser, RawDescriptionHelpFormatter

    parser = ArgumentParser(
        "labctl-agent",
        description="Executes benchmarks on this host and keeps their journal.",
        epilog=EXAMPLES,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("--socket", type=Path, default=SOCKET, help="the agent's Unix socket (%(default)s)")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    serve = verbs.add_parser("serve", help="be the agent")
    serve.add_argument("--runs", type=Path, default=RUNS, help="where runs are kept (%(default)s)")
    serve.add_argument(
        "--idle", type=float, metavar="SECONDS", help="end when nobody has asked for anything for so long"
    )
    preflight = verbs.add_parser(
        "preflight", help="say what stands against a run here (exit 1), and start nothing"
    )
    preflight.add_argument("spec", type=Path, metavar="SPEC.json")
    start = verbs.add_parser("start", help="make a run known, and with --grant-all execute it")
    start.add_argument("spec", type=Path, metavar="SPEC.json")
    start.add_argument("--grant-all", action="store_true", help="execute all blocks without a controller")
    start.add_argument(
        "--blocks", type=int, metavar="N", help="counted blocks of each benchmark, if SPEC.json does not say"
    )
    for verb, text in (
        ("status", "how a run stands"),
        ("wait", "wait for a run's end"),
        ("fetch", "write a run's journal to standard output"),
        ("cancel", "end a run and clean up"),
    ):
        verbs.add_parser(verb, help=text).add_argument(
            "run", nargs="?", default="", metavar="RUN", help="the newest run if none is named"
        )
    choices = verbs.choices
    choices["status"].add_argument("--json", action="store_true", help="for programs")
    choices["wait"].add_argument(
        "--timeout", type=float, metavar="SECONDS", help="give up after so long (exit 1)"
    )
    choices["fetch"].add_argument(
        "--offset", type=int, default=0, metavar="BYTES", help="where a line begins"
    )
    verbs.add_parser("relay", help="join standard input and output to the agent's socket")
    return parser


if __name__ == "__main__":
    sys.exit(main())
