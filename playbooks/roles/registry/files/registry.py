# SPDX-License-Identifier: Apache-2.0
"""A read-only registry of container images on loopback: files under the paths of its API.

    registry.py PORT FOLDER

FOLDER holds v2/NAME/manifests/REFERENCE and v2/NAME/blobs/DIGEST (https://github.com/opencontainers/distribution-spec, "Pull").
It keeps nothing in memory, and while nobody asks it waits in the kernel. Standard library only.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PATH = re.compile(
    r"/v2/([a-z0-9][a-z0-9._-]*(?:/[a-z0-9][a-z0-9._-]*)*)/(manifests|blobs)/([A-Za-z0-9_][A-Za-z0-9_.:-]*)"
)
CODES = {"manifests": "MANIFEST_UNKNOWN", "blobs": "BLOB_UNKNOWN"}
SILENCE_S = 60.0
"""A connection on which nobody asks for so long is closed."""


class Registry(ThreadingHTTPServer):
    """Serves what is below ``root``, which may be another folder from one request to the next."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, root: Path) -> None:
        self.root = root
        super().__init__(("127.0.0.1", port), Answer)


class Answer(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"
    server_version = "labctl-registry"
    disable_nagle_algorithm = True
    timeout = SILENCE_S

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        path = self.path.partition("?")[0]
        if path in ("/v2", "/v2/"):
            self._send(HTTPStatus.OK, "application/json", b"{}", body)
            return
        asked = PATH.fullmatch(path)
        if asked is None:
            self._refuse("UNSUPPORTED", body)
            return
        name, kind, reference = asked.groups()
        file = self.server.root / "v2" / name / kind / reference
        try:
            if kind == "manifests":
                self._manifest(file.read_bytes(), body)
            else:
                self._blob(file, reference, body)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            self._refuse(CODES[kind], body)

    def _manifest(self, data: bytes, body: bool) -> None:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        self._send(HTTPStatus.OK, json.loads(data)["mediaType"], data, body, digest)

    def _blob(self, file: Path, digest: str, body: bool) -> None:
        with file.open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            self._head(HTTPStatus.OK, "application/octet-stream", size, digest)
            if body:
                self.connection.sendfile(stream)

    def _refuse(self, code: str, body: bool) -> None:
        said = {"errors": [{"code": code, "message": f"not here: {self.path}"}]}
        self._send(HTTPStatus.NOT_FOUND, "application/json", json.dumps(said).encode(), body)

    def _send(self, status: HTTPStatus, kind: str, data: bytes, body: bool, digest: str = "") -> None:
        self._head(status, kind, len(data), digest)
        if body:
            self.wfile.write(data)

    def _head(self, status: HTTPStatus, kind: str, size: int, digest: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(size))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the journal's writes would be noise in what is timed."""


def tell_systemd(said: str) -> None:
    """sd_notify(3), where systemd asks for it."""
    address = os.environ.get("NOTIFY_SOCKET")
    if address:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.sendto(said.encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def main(port: str, root: str) -> None:
    try:
        registry = Registry(int(port), Path(root))
    except OSError as error:
        sys.exit(
            f"The registry cannot have port {port} of loopback: {error.strerror}. Set registry_port in the inventory."
        )
    with registry:
        tell_systemd("READY=1")
        registry.serve_forever(poll_interval=None)  # type: ignore[arg-type]  # no poll: it would wake up twice a second


if __name__ == "__main__":
    main(*sys.argv[1:])
