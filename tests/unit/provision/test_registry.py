# SPDX-License-Identifier: Apache-2.0
"""The registry on a host's loopback, as its own process: what the build made of images is served, byte for byte, and nothing else."""

from __future__ import annotations

import hashlib
import http.client
import json
import socket
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.build.layer import Entry, pack
from orchestrator.build.registry import Served, tree
from remote_agent.agent.preflight import preflight
from remote_agent.agent.spec import BenchmarkSpec
from remote_agent.benchmarks import registry as benchmarks
from remote_agent.contract.benchmark import Benchmark, Metric

PROGRAM = Path(__file__).parents[3] / "playbooks/roles/registry/files/registry.py"
LAYERS = [pack([Entry("one", 0o644, b"1" * 100_000)]), pack([Entry("two", 0o644, b"2")])]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    root = tmp_path_factory.mktemp("registry")
    (root.parent / "secret").write_text("no")
    for name, data in tree([Served("labctl/small", "1", "amd64", LAYERS, ("/bin/sh",))]).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    ready = root.parent / "notify"
    with socket.socket() as free, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        free.bind(("127.0.0.1", 0))
        number = int(free.getsockname()[1])
        free.close()
        systemd.bind(str(ready))
        systemd.settimeout(30)
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(number), str(root)], env={"NOTIFY_SOCKET": str(ready)}
        )
        try:
            assert systemd.recv(100) == b"READY=1"
            yield number
        finally:
            process.terminate()
            process.wait(10)


def ask(port: int, path: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


def sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_an_image_is_pulled_whole(port: int) -> None:
    assert ask(port, "/v2/")[0] == 200
    status, headers, data = ask(port, "/v2/labctl/small/manifests/1")
    manifest: dict[str, Any] = json.loads(data)
    assert (status, headers["Content-Type"]) == (200, manifest["mediaType"])
    assert headers["Docker-Content-Digest"] == sha256(data)
    assert ask(port, f"/v2/labctl/small/manifests/{sha256(data)}")[2] == data
    layers = []
    for entry in [manifest["config"], *manifest["layers"]]:
        status, headers, blob = ask(port, f"/v2/labctl/small/blobs/{entry['digest']}")
        assert (status, len(blob), sha256(blob)) == (200, entry["size"], entry["digest"])
        layers.append(blob)
    config = json.loads(layers.pop(0))
    assert config["config"] == {"Cmd": ["/bin/sh"]}
    assert [zlib.decompress(layer, 31) for layer in layers] == LAYERS
    assert config["rootfs"]["diff_ids"] == [sha256(layer) for layer in LAYERS]


def test_head_says_the_size_and_one_connection_serves_many(port: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sizes = []
    for method in ("HEAD", "GET", "HEAD"):
        connection.request(method, "/v2/labctl/small/manifests/1")
        reply = connection.getresponse()
        sizes.append((reply.status, int(reply.headers["Content-Length"]), len(reply.read())))
    connection.close()
    size = sizes[1][2]
    assert sizes == [(200, size, 0), (200, size, size), (200, size, 0)] and size > 100


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/labctl/small/manifests/2", "MANIFEST_UNKNOWN"),
        ("/v2/labctl/other/manifests/1", "MANIFEST_UNKNOWN"),
        (f"/v2/labctl/small/blobs/sha256:{'0' * 64}", "BLOB_UNKNOWN"),
        ("/v2/labctl/small/blobs/..", "UNSUPPORTED"),
        ("/v2/../../blobs/secret", "UNSUPPORTED"),
        ("/v2/labctl/small/blobs/..%2f..%2fsecret", "UNSUPPORTED"),
        ("/etc/passwd", "UNSUPPORTED"),
    ],
)
def test_everything_else_is_not_here(port: int, path: str, code: str) -> None:
    status, _, data = ask(port, path)
    assert (status, json.loads(data)["errors"][0]["code"]) == (404, code)


def test_it_listens_on_loopback_alone(port: int) -> None:
    wanted = f":{port:04X}"
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()]
    assert [words[1] for words in lines if words[1].endswith(wanted) and words[3] == "0A"] == [
        f"0100007F{wanted}"
    ]
    assert all(wanted not in line for line in Path("/proc/net/tcp6").read_text().splitlines())


def test_a_port_that_is_taken_is_one_sentence(port: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(port), str(tmp_path)],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        f"The registry cannot have port {port} of loopback: Address already in use. Set registry_port in the inventory.\n"
    )


def test_preflight_looks_for_what_a_benchmark_pulls(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    pulling = Benchmark(
        "operations.image.pull",
        "",
        "Pull",
        (Metric("Pull", "ms", ""),),
        lambda bench: None,
        params={"pull": ""},
    )
    monkeypatch.setattr(benchmarks, "catalogue", lambda: (pulling,))

    def found(ref: str) -> list[tuple[str, bool, str]]:
        asked = [BenchmarkSpec(pulling.name, params={"pull": ref})]
        return [(one.name, one.ok, one.message) for one in preflight([], asked)]

    here = f"127.0.0.1:{port}"
    small, large = f"{here}/labctl/small:1", f"{here}/labctl/large:1"
    assert found(small) == [("registry", True, f"The registry at {here} has {small}.")]
    assert found(large) == [("registry", False, f"The registry at {here} lacks {large}.")]
    ((name, ok, message),) = found("127.0.0.1:1/labctl/small:1")
    assert (name, ok) == ("registry", False) and "does not answer: " in message
    assert found("registry.example.org/labctl/small:1") == [], "a run needs no network"
