# SPDX-License-Identifier: Apache-2.0
"""operations.image: an image comes from a registry on the host's own loopback, is listed, and goes again."""

from __future__ import annotations

import re

from remote_agent.benchmarks.bench import Bench, BenchError
from remote_agent.benchmarks.repeat import CALLS, repeated, repeated_metrics
from remote_agent.contract.benchmark import Benchmark, Metric

PULLED = "127.0.0.1:5051/labctl/layers:1"
"""Four layers of 5 MiB that cannot be compressed."""

OURS = re.compile(r"127\.0\.0\.1:[0-9]+/labctl/[^ ]+")
"""Names of images that these benchmarks pull, and that clean-up removes. No other image is ever removed."""


def pull(bench: Bench) -> None:
    """PullImage of an image that is not there."""
    name = _name(bench)
    _remove(bench, name)
    took = bench.images.pull(name)
    bench.observe()
    _remove(bench, name)
    bench.took("PullImage", took)


def remove(bench: Bench) -> None:
    """RemoveImage of an image that was just pulled."""
    name = _name(bench)
    if not bench.images.has(name):
        bench.images.pull(name)
    bench.observe()
    bench.took("RemoveImage", _remove(bench, name))


def list_(bench: Bench) -> None:
    """ListImages, again and again."""
    bench.observe()
    repeated(bench, "ListImages", bench.images.list)


def _name(bench: Bench) -> str:
    name: str = bench.params["pull"]
    if not OURS.fullmatch(name):
        raise BenchError(
            f"{name!r} is not pulled: only an image 127.0.0.1:PORT/labctl/NAME is, as it is removed again."
        )
    return name


def _remove(bench: Bench, name: str) -> int:
    """Its ns; 0 where it is not there. Raises BenchError where somebody else's name would go with it (containerd)."""
    others = [other for other in bench.images.names(name) if not OURS.fullmatch(other)]
    if others:
        raise BenchError(f"{name} is not removed: the same image is also named {', '.join(others)}.")
    if not bench.images.has(name):
        return 0
    took = bench.images.remove(name)
    if bench.images.has(name):
        raise BenchError(f"RemoveImage was answered, and {name} is still there.")
    return took


PULL = Benchmark(
    name="operations.image.pull",
    summary="Pulls an image of four layers of 5 MiB from a registry on the host's own loopback, when it is not there.",
    primary="PullImage",
    metrics=(
        Metric(
            "PullImage", "s", "From the call to the reply: all layers are fetched, verified and unpacked."
        ),
    ),
    function=pull,
    source="CRI PullImage",
    params={"pull": PULLED},
)

LIST = Benchmark(
    name="operations.image.list",
    summary="Lists all images that the runtime has (ListImages), ten times.",
    primary="ListImages",
    metrics=repeated_metrics("ListImages", "From the call to the reply."),
    function=list_,
    source="CRI ListImages",
    params=CALLS,
)

REMOVE = Benchmark(
    name="operations.image.remove",
    summary="Removes an image of four layers of 5 MiB that was pulled just before.",
    primary="RemoveImage",
    metrics=(Metric("RemoveImage", "s", "From the call to the reply: it is not listed any more."),),
    function=remove,
    source="CRI RemoveImage",
    params={"pull": PULLED},
)
