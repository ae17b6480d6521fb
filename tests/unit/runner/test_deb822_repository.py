# SPDX-License-Identifier: Apache-2.0
"""The module `deb822_repository`: the bytes are those that ansible-core 2.19 wrote for the same parameters."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.modules.deb822_repository import run

BASE = {
    "name": "My_Repo x",
    "uris": "https://a/debian",
    "suites": "stable",
    "components": ["main", "contrib"],
}
ARMOR = (
    "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmDMEYCQjIxYJ\n  abc\n=IE0r\n-----END PGP PUBLIC KEY BLOCK-----\n"
)
CASES = json.loads((Path(__file__).parent / "cases/deb822_repository.json").read_text())


@pytest.fixture
def apt(tmp_path: Path, blobs: Any) -> Context:
    (tmp_path / "etc/apt/sources.list.d").mkdir(parents=True)
    return Context(blobs=blobs, root=tmp_path)


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a folder with keys."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "key.asc").write_text(ARMOR)
    (folder / "key").write_bytes(b"\x99\x01\x00")
    (folder / "empty").touch()
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *args: None})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def files(root: Path) -> dict[str, bytes]:
    apt = root / "etc/apt"
    return {str(path.relative_to(apt)): path.read_bytes() for path in apt.rglob("*") if path.is_file()}


@pytest.mark.parametrize("case", CASES, ids=[str(case["args"])[:40] for case in CASES])
def test_bytes(apt: Context, case: dict[str, Any]) -> None:
    args = {name: value for name, value in {**BASE, **case["args"]}.items() if value is not None}
    expected = case["repo"]
    assert run(args, replace(apt, check=True)).changed and files(apt.root) == {}
    done = run(args, replace(apt, diff=True))
    assert done.changed and done.result["repo"] == expected and done.result["mode"] == "0644"
    assert Path(done.result["dest"]).read_bytes() == expected.encode() and done.diff is not None
    assert not run(args, apt).changed


@pytest.mark.parametrize(
    ("name", "slug"),
    [("My_Repo x", "my-repo-x"), ("a!b", "ab"), ("A  B__c", "a-b-c"), ("docker-ce", "docker-ce")],
)
def test_the_file_s_name(apt: Context, name: str, slug: str) -> None:
    run({**BASE, "name": name}, apt)
    assert list(files(apt.root)) == [f"sources.list.d/{slug}.sources"]


def test_a_name_without_a_letter(apt: Context) -> None:
    with pytest.raises(ModuleFailure, match="no letter or digit"):
        run({**BASE, "name": "!"}, apt)


@pytest.mark.parametrize(("key", "kind"), [("key.asc", "asc"), ("key", "gpg")])
def test_a_key_is_fetched(apt: Context, keys: str, key: str, kind: str) -> None:
    args = {**BASE, "signed_by": f"{keys}/{key}"}
    assert run(args, replace(apt, check=True)).changed and files(apt.root) == {}
    done = run(args, apt)
    path = apt.root / f"etc/apt/keyrings/my-repo-x.{kind}"
    assert done.result["key_filename"] == str(path) and f"Signed-By: {path}\n" in done.result["repo"]
    assert path.stat().st_mode & 0o777 == 0o644 and path.parent.stat().st_mode & 0o777 == 0o755
    assert not run(args, apt).changed
    path.write_bytes(b"tampered")
    assert run(args, apt).changed and path.read_bytes() != b"tampered"
    path.chmod(0o600)
    assert run(args, apt).changed and path.stat().st_mode & 0o777 == 0o644


def test_a_key_on_the_host_is_named(apt: Context, tmp_path: Path) -> None:
    (tmp_path / "own.gpg").touch()
    done = run({**BASE, "signed_by": str(tmp_path / "own.gpg")}, apt)
    assert done.result["key_filename"] == str(tmp_path / "own.gpg")
    assert f"Signed-By: {tmp_path}/own.gpg\n" in done.result["repo"]


def test_a_key_that_cannot_be_had(apt: Context, keys: str) -> None:
    for name, says in (("nosuch", "could not be fetched: HTTP Error 404"), ("empty", "is empty")):
        with pytest.raises(ModuleFailure, match=says):
            run({**BASE, "signed_by": f"{keys}/{name}"}, apt)
    assert files(apt.root) == {}


def test_absent_takes_the_key_too(apt: Context, keys: str) -> None:
    run({**BASE, "signed_by": f"{keys}/key.asc"}, apt)
    gone = {"name": BASE["name"], "state": "absent"}
    assert run(gone, replace(apt, check=True)).changed and len(files(apt.root)) == 2
    done = run(gone, apt)
    assert done.changed and done.result["repo"] is None and files(apt.root) == {}
    assert done.result["key_filename"] == str(apt.root / "etc/apt/keyrings/my-repo-x.gpg")
    assert not run(gone, apt).changed


def test_a_mode_of_its_own(apt: Context) -> None:
    run(BASE, apt)
    assert run({**BASE, "mode": "0600"}, replace(apt, check=True)).changed
    assert run({**BASE, "mode": "0600"}, apt).result["mode"] == "0600"
    assert not run({**BASE, "mode": "0600"}, apt).changed
