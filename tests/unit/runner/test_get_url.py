# SPDX-License-Identifier: Apache-2.0
"""The module `get_url`, against a server of this machine's own."""

from __future__ import annotations

import base64
import gzip
import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.lean import replace
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.fetch import masked
from remote_agent.runner.modules.get_url import run

BODY = b"hello\n"
SHA256 = hashlib.sha256(BODY).hexdigest()
SECRET = "s3cret"
MODIFIED = 1_500_000_000


@dataclass
class Site:
    """What the server was asked: method, path, headers with small letters."""

    url: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    pages: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)

    def methods(self) -> list[str]:
        return [method for method, _, _ in self.asked]


class Handler(BaseHTTPRequestHandler):
    site: Site

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.site.asked.append((self.command, self.path, headers))
        page = self.site.pages.get(self.path.partition("?")[0])
        pair = base64.b64encode(f"u:{SECRET}".encode()).decode()
        more = self.site.headers.get(self.path, {})
        if "WWW-Authenticate" in more and headers.get("authorization") != f"Basic {pair}":
            self._send(401, b"", more)
        elif "Location" in more:
            self._send(302, b"", more)
        elif page is None:
            self._send(404, b"no", {})
        elif "if-modified-since" in headers:
            self._send(304, b"", {})
        else:
            self._send(200, page, more)

    def _send(self, code: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site(pages={"/f.txt": BODY})
    handler = type("Here", (Handler,), {"site": site})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    site.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield site
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def test_a_file_comes_once(site: Site, out: Path, context: Context) -> None:
    args = {"url": f"{site.url}/f.txt", "dest": str(out / "f"), "mode": "0600"}
    assert run(args, replace(context, check=True)).changed and not list(out.iterdir())
    done = run(args, context)
    assert done.changed and (out / "f").read_bytes() == BODY and done.msg == "OK (6 bytes)"
    assert done.result["mode"] == "0600" and done.result["status_code"] == 200 and done.result["elapsed"] == 0
    sums = {name: done.result[name] for name in ("checksum_src", "checksum_dest", "md5sum")}
    md5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    assert sums == {"checksum_src": hashlib.sha1(BODY).hexdigest(), "checksum_dest": None, "md5sum": md5}
    again = run(args, context)
    assert not again.changed and again.result["status_code"] == 304
    assert not run(args, replace(context, check=True)).changed
    assert site.methods() == ["HEAD", "GET", "GET", "HEAD"] and [path.name for path in out.iterdir()] == ["f"]


def test_a_mode_is_set_though_nothing_is_newer(site: Site, out: Path, context: Context) -> None:
    """Ansible leaves the mode as it is then."""
    args = {"url": f"{site.url}/f.txt", "dest": str(out / "f")}
    run(args, context)
    assert run({**args, "mode": "0640"}, replace(context, check=True)).changed
    assert run({**args, "mode": "0640"}, context).changed
    assert (out / "f").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    "sums",
    [
        f"{'0' * 64}  g.txt\n{SHA256} *f.txt\n",
        f"SHA256 (f.txt) = {SHA256}\n",
        f"{SHA256}\n",
        f"{SHA256}  ./f.txt\n",
    ],
)
def test_a_checksum_is_looked_up(site: Site, out: Path, context: Context, sums: str) -> None:
    site.pages["/SUMS"] = sums.encode()
    args = {"url": f"{site.url}/f.txt", "dest": str(out / "f"), "checksum": f"sha256:{site.url}/SUMS"}
    assert run(args, context).changed
    assert not run(args, context).changed
    assert [path for _, path, _ in site.asked] == ["/SUMS", "/f.txt", "/SUMS"]


def test_what_has_its_checksum_is_not_asked_for(site: Site, out: Path, context: Context) -> None:
    (out / "f").write_bytes(BODY)
    (out / "f").chmod(0o644)
    args = {"url": f"{site.url}/f.txt", "dest": str(out / "f"), "checksum": f"sha256:{SHA256.upper()}"}
    assert run(args, context).msg == "file already exists"
    assert run({**args, "mode": "0600"}, context).msg == "file already exists but file attributes changed"
    assert site.asked == []
    (out / "f").write_bytes(b"tampered")
    assert run(args, context).changed and (out / "f").read_bytes() == BODY
    assert "if-modified-since" not in site.asked[0][2] and site.asked[0][2]["cache-control"] == "no-cache"
    assert not run({**args, "force": True}, context).changed and len(site.asked) == 2


def test_what_has_the_wrong_checksum_is_not_put_in_place(site: Site, out: Path, context: Context) -> None:
    (out / "f").write_bytes(b"old")
    wrong = f"sha256:{'0' * 64}"
    args = {"url": f"{site.url}/f.txt", "dest": str(out / "f"), "checksum": wrong}
    with pytest.raises(ModuleFailure, match=f"is {SHA256}, and 0+ was expected; .* left as it was"):
        run(args, context)
    assert (out / "f").read_bytes() == b"old" and [path.name for path in out.iterdir()] == ["f"]


def test_the_same_bytes_are_no_change(site: Site, out: Path, context: Context) -> None:
    (out / "f").write_bytes(BODY)
    inode = (out / "f").stat().st_ino
    args = {"url": f"{site.url}/f.txt", "dest": str(out / "f"), "force": True}
    assert not run(args, context).changed and (out / "f").stat().st_ino == inode
    (out / "f").write_bytes(b"old")
    done = run({**args, "backup": True}, context)
    assert done.changed and Path(done.result["backup_file"]).read_bytes() == b"old"


def test_a_folder_takes_the_server_s_name_for_it(site: Site, out: Path, context: Context) -> None:
    site.headers["/moved"] = {"Location": "/f.txt?x=1"}
    assert run({"url": f"{site.url}/moved", "dest": str(out)}, context).result["dest"] == str(out / "f.txt")
    site.pages["/x"] = site.pages["/y"] = b"x"
    site.headers["/x"] = {"Content-Disposition": 'attachment; filename="../../n.txt"'}
    site.headers["/y"] = {"Content-Disposition": 'attachment; filename=".."'}
    run({"url": f"{site.url}/x", "dest": str(out)}, context)
    run({"url": f"{site.url}/y", "dest": str(out)}, context)
    assert sorted(path.name for path in out.iterdir()) == ["f.txt", "n.txt", "y"]


def test_a_file_address(out: Path, context: Context, tmp_path: Path) -> None:
    (tmp_path / "a b").write_bytes(BODY)
    args = {"url": f"file://{tmp_path}/a%20b", "dest": str(out / "f")}
    assert run(args, replace(context, check=True)).changed and not list(out.iterdir())
    assert run(args, context).changed and (out / "f").read_bytes() == BODY
    assert not run(args, context).changed and not run(args, replace(context, check=True)).changed
    with pytest.raises(ModuleFailure, match=r"could not be fetched: .*No such file"):
        run({**args, "url": "file:///nosuch"}, context)


def test_what_was_packed_for_the_way_is_unpacked(site: Site, out: Path, context: Context) -> None:
    site.pages["/z"] = gzip.compress(BODY)
    site.headers["/z"] = {"Content-Encoding": "gzip"}
    run({"url": f"{site.url}/z", "dest": str(out / "f")}, context)
    run({"url": f"{site.url}/z", "dest": str(out / "z"), "decompress": False}, context)
    assert (out / "f").read_bytes() == BODY and gzip.decompress((out / "z").read_bytes()) == BODY


@pytest.mark.parametrize("how", ["asked", "forced", "in the address"])
def test_a_password_opens_and_is_never_said(site: Site, out: Path, context: Context, how: str) -> None:
    site.headers["/f.txt"] = {"WWW-Authenticate": 'Basic realm="x"'}
    args: dict[str, Any] = {"url": f"{site.url}/f.txt", "dest": str(out / "f")}
    with pytest.raises(ModuleFailure, match="HTTP Error 401") as raised:
        run({**args, "url_username": "u", "url_password": "wrong"}, context)
    assert raised.value.result["status_code"] == 401
    if how == "in the address":
        args["url"] = args["url"].replace("//", f"//u:{SECRET}@")
    else:
        args |= {"url_username": "u", "url_password": SECRET, "force_basic_auth": how == "forced"}
    done = run(args, context)
    assert done.changed and SECRET not in str(done)
    with pytest.raises(ModuleFailure) as raised:
        run({**args, "url": args["url"].replace("f.txt", "nosuch"), "force": True}, context)
    assert SECRET not in raised.value.msg and SECRET not in str(raised.value.result)


def test_a_header_that_is_none_is_not_said(site: Site, out: Path, context: Context) -> None:
    args = {"url": f"{site.url}/f.txt", "dest": str(out / "f"), "headers": {"Authorization": f"{SECRET}\nX"}}
    with pytest.raises(ModuleFailure, match="a header is not as it should be") as raised:
        run(args, context)
    assert SECRET not in raised.value.msg


def test_what_is_secret_is_not_sent_on(site: Site, out: Path, context: Context) -> None:
    site.headers["/moved"] = {"Location": site.url.replace("127.0.0.1", "localhost") + "/f.txt"}
    args = {"url": f"{site.url}/moved", "dest": str(out / "f"), "url_username": "u", "url_password": SECRET}
    run({**args, "force_basic_auth": True, "headers": {"Cookie": "c=1", "X-A": "b"}}, context)
    first, second = (headers for _, _, headers in site.asked)
    assert {"authorization", "cookie", "x-a"} <= first.keys()
    assert not {"authorization", "cookie"} & second.keys() and second["x-a"] == "b"


def test_the_task_s_environment_names_the_proxy(site: Site, out: Path, context: Context) -> None:
    site.pages["http://elsewhere.invalid/f"] = BODY
    args = {"url": "http://elsewhere.invalid/f", "dest": str(out / "f")}
    by_proxy = replace(context, environment={"http_proxy": site.url})
    assert run(args, by_proxy).changed and site.asked[0][1] == "http://elsewhere.invalid/f"
    assert "http_proxy" not in os.environ
    for refused in ({**args, "use_proxy": False}, args):
        skipped = replace(by_proxy, environment={"http_proxy": site.url, "no_proxy": "elsewhere.invalid"})
        with pytest.raises(ModuleFailure, match="could not be fetched"):
            run({**refused, "force": True, "timeout": 1}, skipped)


def test_a_body_that_breaks_off(site: Site, out: Path, context: Context) -> None:
    site.headers["/f.txt"] = {"Content-Length": "100", "Connection": "close"}
    with pytest.raises(ModuleFailure, match="broke off after 6"):
        run({"url": f"{site.url}/f.txt", "dest": str(out / "f")}, context)
    assert not list(out.iterdir())


def test_a_download_has_a_deadline_and_says_how_far_it_is(site: Site, out: Path, context: Context) -> None:
    site.pages["/big"] = b"x" * 2**20
    said: list[str] = []
    seconds = iter(range(0, 10_000, 11))
    slow = replace(context, now=lambda: float(next(seconds)), progress=said.append, timeout=1800)
    run({"url": f"{site.url}/big", "dest": str(out / "f")}, slow)
    assert said[0] == "0 MiB of 1 have come."
    with pytest.raises(ModuleFailure, match="it took too long"):
        run({"url": f"{site.url}/big", "dest": str(out / "g")}, replace(slow, timeout=5))


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ({"dest": "/nosuch/f"}, "folder /nosuch does not exist"),
        ({"dest": "/nosuch/"}, "folder /nosuch does not exist"),
        ({"url": "ftp://127.0.0.1/f"}, "begins with none of http, https, file"),
        ({"url": "http://127.0.0.1:1/f"}, r"could not be fetched: .*Connection refused"),
        ({"checksum": "sha256:xyz"}, "no hexadecimal number"),
        ({"checksum": "nope"}, "must be as in 'sha256:HEX'"),
    ],
)
def test_one_clear_sentence(site: Site, out: Path, context: Context, args: dict[str, Any], says: str) -> None:
    with pytest.raises(ModuleFailure, match=says):
        run({"url": f"{site.url}/f.txt", "dest": str(out / "f"), **args}, context)


def test_a_checksum_file_that_knows_another_file(site: Site, out: Path, context: Context) -> None:
    site.pages["/SUMS"] = f"{SHA256}  x/f.txt\n{SHA256}  g\n".encode()
    with pytest.raises(ModuleFailure, match=r"SUMS has no checksum of f\.txt"):
        run(
            {"url": f"{site.url}/f.txt", "dest": str(out / "f"), "checksum": f"sha256:{site.url}/SUMS"},
            context,
        )


def test_addresses_are_masked() -> None:
    assert masked("https://u:p@host:1/a?b") == "https://****:****@host:1/a?b"
    assert (
        masked("https://u@host/a") == "https://****@host/a"
        and masked("https://host/a@b") == "https://host/a@b"
    )
