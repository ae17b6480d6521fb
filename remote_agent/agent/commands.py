# SPDX-License-Identifier: Apache-2.0
"""What `labctl-agent` asks of a running agent: preflight, start, status, wait, fetch, cancel. Each gives the exit code."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import grpc

from remote_agent.agent.spec import RunSpec, SpecError
from remote_agent.agent.wake import listening, wake
from remote_agent.gen.labctl.agent.v1 import agent_pb2 as pb
from remote_agent.gen.labctl.agent.v1 import agent_pb2_grpc as pb_grpc

DEADLINE_S = 20.0
CANCEL_DEADLINE_S = 210.0
"""A CRI call under way ends within 120 s; then comes clean-up."""

FINE, FAILED = 0, 1


class CommandError(Exception):
    """One sentence, and the exit code."""

    def __init__(self, text: str, exit_code: int) -> None:
        super().__init__(text)
        self.exit_code = exit_code


def preflight(options: Namespace, out: IO[str]) -> int:
    """A line for each thing that stands against the run on this host; FAILED where there is one."""
    spec = _spec(options.spec, _load(options.spec)).to_message()
    request = pb.PreflightRequest(combinations=spec.combinations, benchmarks=spec.benchmarks)
    with _agent(options.socket) as stub:
        checks = stub.Preflight(request, timeout=3 * DEADLINE_S).checks
    found = [check for check in checks if not check.ok]
    for check in found:
        out.write(" ".join(filter(None, (_of(check.combination), check.message, check.hint))) + "\n")
    return FAILED if found else FINE


def _of(combination: str) -> str:
    return f"{combination}:" if combination else ""


def start(options: Namespace, out: IO[str]) -> int:
    value = _load(options.spec)
    spec = _spec(options.spec, value)
    grants = _all_blocks(options, value, spec) if options.grant_all else None
    with _agent(options.socket) as stub:
        status = stub.StartRun(pb.StartRunRequest(spec=spec.to_message()), timeout=DEADLINE_S)
        if grants is not None:
            request = pb.GrantRequest(run_id=spec.run_id, grants=grants, last=True)
            status = stub.Grant(request, timeout=DEADLINE_S)
    out.write(_sentence(status) + "\n")
    return FINE


def status(options: Namespace, out: IO[str]) -> int:
    with _agent(options.socket) as stub:
        reply = stub.Status(pb.StatusRequest(run_id=options.run), timeout=DEADLINE_S)
    out.write((json.dumps(_as_json(reply)) if options.json else _sentence(reply)) + "\n")
    return FINE


def wait(options: Namespace, out: IO[str]) -> int:
    """Follows the run to its end; FAILED where a trial failed or the run was cancelled."""
    failed, reply = 0, pb.StatusReply()
    with _agent(options.socket) as stub:
        run = options.run or stub.Status(pb.StatusRequest(), timeout=DEADLINE_S).run_id
        for event in stub.Attach(pb.AttachRequest(run_id=run), timeout=options.timeout):
            if event.WhichOneof("event") == "status":
                reply = event.status
                continue
            failed += sum(_failed(line) for line in event.journal.data.splitlines())
    trials = f" {failed} trial{'s' * (failed != 1)} failed." if failed else ""
    out.write(_sentence(reply) + trials + "\n")
    return FAILED if failed or reply.state != pb.STATE_COMPLETE else FINE


def fetch(options: Namespace, out: IO[bytes]) -> int:
    with _agent(options.socket) as stub:
        run = options.run or stub.Status(pb.StatusRequest(), timeout=DEADLINE_S).run_id
        for chunk in stub.Fetch(pb.FetchRequest(run_id=run, offset=options.offset), timeout=10 * DEADLINE_S):
            out.write(chunk.data)
    return FINE


def cancel(options: Namespace, out: IO[str]) -> int:
    with _agent(options.socket) as stub:
        run = options.run or stub.Status(pb.StatusRequest(), timeout=DEADLINE_S).run_id
        reply = stub.Cancel(pb.CancelRequest(run_id=run), timeout=CANCEL_DEADLINE_S)
    out.write(_sentence(reply) + "\n")
    return FINE


@contextmanager
def _agent(socket: Path) -> Iterator[pb_grpc.AgentStub]:
    if not listening(socket):
        wake(socket)
    options = (("grpc.default_authority", "localhost"), ("grpc.enable_http_proxy", 0))
    with grpc.insecure_channel(f"unix:{socket}", options=options) as channel:
        try:
            yield pb_grpc.AgentStub(channel)
        except grpc.RpcError as error:
            raise _command_error(socket, error) from error


def _command_error(socket: Path, error: grpc.RpcError) -> CommandError:
    if not isinstance(error, grpc.Call):
        return CommandError(str(error), FAILED)
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return CommandError(f"No agent answers at {socket}. Is it running? systemctl status labctl-agent", 3)
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return CommandError("It has not ended within the time that was given.", FAILED)
    usage = error.code() in (
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.OUT_OF_RANGE,
    )
    return CommandError(error.details() or error.code().name, 2 if usage else FAILED)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}.", 2) from error
    except ValueError as error:
        raise CommandError(f"{path}: not JSON: {error}.", 2) from error


def _spec(path: Path, value: Any) -> RunSpec:
    try:
        spec = RunSpec.from_json(value)
        spec.check()
    except SpecError as error:
        raise CommandError(f"{path}: {error}", 2) from error
    return spec


def _all_blocks(options: Namespace, value: Any, spec: RunSpec) -> list[pb.BlockGrant]:
    """--blocks, or the key ``blocks`` of each benchmark: counted ones, which come after the warm-up ones."""
    grants = []
    for item, written in zip(spec.benchmarks, value["benchmarks"], strict=True):
        blocks = options.blocks or written.get("blocks")
        if not isinstance(blocks, int) or blocks < 1:
            raise CommandError(f"{options.spec}: {item.name} says no number of blocks; add --blocks N.", 2)
        grants.append(pb.BlockGrant(benchmark=item.name, until=item.warmup + blocks))
    return grants


def _failed(line: bytes) -> bool:
    """As for a conductor: what a host cannot do (unsupported) is no failure."""
    record = json.loads(line)
    return bool(record["type"] == "trial" and record["status"] == "failed")


def _as_json(reply: pb.StatusReply) -> dict[str, Any]:
    return {
        "run_id": reply.run_id,
        "state": _state(reply),
        "granted": {grant.benchmark: grant.until for grant in reply.granted},
        "done": {grant.benchmark: grant.until for grant in reply.done},
        "trial": reply.trial,
        "journal_size": reply.journal_size,
        "problem": reply.problem,
    }


def _state(reply: pb.StatusReply) -> str:
    return pb.State.Name(reply.state).removeprefix("STATE_").lower()


def _sentence(reply: pb.StatusReply) -> str:
    done = {grant.benchmark: grant.until for grant in reply.done}
    blocks = ", ".join(
        f"{done.get(grant.benchmark, 0)} of {grant.until} blocks of {grant.benchmark}"
        for grant in reply.granted
    )
    now = f" Now {reply.trial}." if reply.trial else ""
    return f"{reply.run_id}: {_state(reply)}; {blocks}.{now}" + (f" {reply.problem}" if reply.problem else "")
