# SPDX-License-Identifier: Apache-2.0
"""How long the runner waits for a blob."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator
from io import BufferedReader, FileIO
from pathlib import Path

import pytest

from remote_agent.contract.steps import BlobRef
from remote_agent.contract.wire import write_frame
from remote_agent.runner.blobs import BlobError, BlobStore
from remote_agent.runner.inbox import Inbox

CONTENT = b"0123456789"
REF = BlobRef(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))
PATIENCE = 0.4


@pytest.fixture
def pipe() -> Iterator[tuple[BufferedReader, FileIO]]:
    reader, writer = os.pipe()
    with open(reader, "rb") as incoming, open(writer, "wb", buffering=0) as outgoing:
        yield incoming, outgoing
        outgoing.close()  # or the reading thread holds on to the other end for ever


def test_a_silent_controller_is_given_up(tmp_path: Path, pipe: tuple[BufferedReader, FileIO]) -> None:
    inbox = Inbox(pipe[0], BlobStore(tmp_path), lambda reason: None, 1, PATIENCE)
    inbox.start()
    with pytest.raises(BlobError, match=r"nothing for 0\.4 s"):
        inbox.wait_for_blob(REF)


def test_a_slow_blob_may_take_longer_than_the_patience(
    tmp_path: Path, pipe: tuple[BufferedReader, FileIO]
) -> None:
    store = BlobStore(tmp_path)
    inbox = Inbox(pipe[0], store, lambda reason: None, 1, PATIENCE)

    def send() -> None:
        write_frame(pipe[1], {"type": "step", "step": {}})
        write_frame(pipe[1], {"type": "blob", "sha256": REF.sha256, "size": REF.size})
        for byte in CONTENT:
            time.sleep(PATIENCE / 4)
            pipe[1].write(bytes([byte]))
        pipe[1].close()

    threading.Thread(target=send).start()
    inbox.start()
    inbox.wait_for_blob(REF)
    assert store.find(REF) == (tmp_path / REF.sha256, False)
    assert inbox.next()["type"] == "step", "what came before the blob is kept"
