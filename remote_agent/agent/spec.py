# SPDX-License-Identifier: Apache-2.0
"""What a run asks of this host, checked once when it arrives. The same as a message, as JSON (spec.json, `start SPEC.json`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from remote_agent.contract.benchmark import Benchmark
from remote_agent.gen.labctl.agent.v1 import agent_pb2 as pb

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""It names a folder and stands in labels."""


class SpecError(Exception):
    """The spec cannot be executed; the text is one sentence that names the key."""


@dataclass(frozen=True, slots=True)
class Combination:
    """A CRI runtime and one of its OCI handlers; ``socket`` is the path of the runtime's Unix socket."""

    cri: str
    handler: str
    socket: str

    @property
    def name(self) -> str:
        return f"{self.cri}/{self.handler}"


@dataclass(frozen=True, slots=True)
class BenchmarkSpec:
    """``params`` is what the suite sets; what it does not set has the benchmark's default."""

    name: str
    warmup: int = 0
    params: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_message(cls, item: pb.Benchmark) -> BenchmarkSpec:
        """Checked. Raises SpecError."""
        try:
            params = json.loads(item.params_json or "{}")
        except ValueError as error:
            raise SpecError(f"params_json of {item.name} is not JSON: {error}.") from error
        if not isinstance(params, dict):
            raise SpecError(f"params_json of {item.name} is no object.")
        found = cls(item.name, item.warmup, params)
        found.check()
        return found

    def check(self) -> None:
        """Raises SpecError for what this version of the agent cannot execute."""
        try:
            known = self.benchmark.params
        except KeyError:
            raise SpecError(f"There is no benchmark {self.name!r}; this agent has another version?") from None
        for name, value in self.params.items():
            if name not in known:
                raise SpecError(
                    f"{self.name} has no parameter {name!r}; it has {', '.join(sorted(known)) or 'none'}."
                )
            if not isinstance(value, type(known[name])) or isinstance(value, bool) != isinstance(
                known[name], bool
            ):
                raise SpecError(f"{self.name}: {name} must be of the kind of {known[name]!r}.")

    @property
    def benchmark(self) -> Benchmark:
        from remote_agent.benchmarks import registry  # all of them: an agent without a run does without

        return registry.find(self.name)

    @property
    def all_params(self) -> Mapping[str, Any]:
        return {**self.benchmark.params, **self.params}


@dataclass(frozen=True, slots=True)
class RunSpec:
    """Benchmarks in the order of execution."""

    run_id: str
    host: str
    seed: int
    combinations: tuple[Combination, ...]
    benchmarks: tuple[BenchmarkSpec, ...]

    def __post_init__(self) -> None:
        _check(self)

    def check(self) -> None:
        """Raises SpecError for what this version of the agent cannot execute. A run that has ended may be of another."""
        for item in self.benchmarks:
            item.check()

    def combination(self, name: str) -> Combination:
        """Raises KeyError."""
        return {item.name: item for item in self.combinations}[name]

    def benchmark(self, name: str) -> BenchmarkSpec:
        """Raises KeyError."""
        return {item.name: item for item in self.benchmarks}[name]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> RunSpec:
        """Raises SpecError."""
        try:
            return cls(
                run_id=str(value["run_id"]),
                host=str(value["host"]),
                seed=int(value["seed"]),
                combinations=tuple(
                    Combination(str(item["cri"]), str(item["handler"]), str(item["socket"]))
                    for item in value["combinations"]
                ),
                benchmarks=tuple(
                    BenchmarkSpec(str(item["name"]), int(item.get("warmup", 0)), dict(item.get("params", {})))
                    for item in value["benchmarks"]
                ),
            )
        except KeyError as error:
            raise SpecError(f"The spec lacks {error}.") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise SpecError(f"The spec is malformed: {error}.") from error

    @classmethod
    def from_message(cls, spec: pb.RunSpec) -> RunSpec:
        """Raises SpecError."""
        benchmarks = [BenchmarkSpec.from_message(item) for item in spec.benchmarks]
        combinations = tuple(Combination(item.cri, item.handler, item.socket) for item in spec.combinations)
        return cls(spec.run_id, spec.host, spec.seed, combinations, tuple(benchmarks))

    def to_message(self) -> pb.RunSpec:
        return pb.RunSpec(
            run_id=self.run_id,
            host=self.host,
            seed=self.seed,
            combinations=[pb.Combination(**asdict(item)) for item in self.combinations],
            benchmarks=[
                pb.Benchmark(name=item.name, warmup=item.warmup, params_json=json.dumps(dict(item.params)))
                for item in self.benchmarks
            ],
        )


def _check(spec: RunSpec) -> None:
    """Raises SpecError for what no agent could execute."""
    if not RUN_ID.fullmatch(spec.run_id):
        raise SpecError(f"run_id {spec.run_id!r} is not made of letters, digits, '.', '_' and '-'.")
    if not spec.combinations or not spec.benchmarks:
        raise SpecError("A run needs at least one combination and one benchmark.")
    for kind, names in (
        ("combination", [item.name for item in spec.combinations]),
        ("benchmark", [item.name for item in spec.benchmarks]),
    ):
        if len(set(names)) < len(names):
            raise SpecError(f"A {kind} stands twice in the spec: {', '.join(names)}.")
    for combination in spec.combinations:
        if not (combination.cri and combination.handler and combination.socket.startswith("/")):
            raise SpecError(
                f"The combination {combination.name!r} needs cri, handler and an absolute socket path."
            )
    for item in spec.benchmarks:
        if item.warmup < 0:
            raise SpecError(f"warmup of {item.name} is below 0.")
