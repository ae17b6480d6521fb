# SPDX-License-Identifier: Apache-2.0
"""What provisioning wrote down that a host cannot have."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from remote_agent.host.missing import FILE, missing_handlers


def write(root: Path, text: str) -> None:
    path = root / FILE
    path.parent.mkdir(parents=True)
    path.write_text(text)


def test_handlers_by_name_with_the_reason(tmp_path: Path) -> None:
    components = {
        "crun": {"reason": "It is too old.", "handler": "crun"},
        "conmon": {"reason": "It is too old.", "handler": None},
    }
    write(tmp_path, json.dumps(components))
    assert missing_handlers(tmp_path) == {"crun": "It is too old."}


@pytest.mark.parametrize("text", ["", "{", "[]", "[1]", '{"crun": 1}', '{"crun": {"handler": "crun"}}'])
def test_a_file_that_says_nothing_says_nothing(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    assert missing_handlers(tmp_path) == {}
    assert missing_handlers(tmp_path / "elsewhere") == {}
