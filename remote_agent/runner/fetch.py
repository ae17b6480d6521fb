# SPDX-License-Identifier: Apache-2.0
"""Getting what an http, https or file address holds, with the proxies and certificates that the environment names.

A password, and the headers Authorization and Cookie, go to the first address only and not where it redirects to; neither they nor what
an address itself carries of a user stand in a message.
"""

from __future__ import annotations

import base64
import gzip
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import formatdate
from http.client import HTTPException
from pathlib import Path
from typing import cast
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    BaseHandler,
    HTTPBasicAuthHandler,
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    HTTPSHandler,
    ProxyHandler,
    Request,
    build_opener,
)

from remote_agent.contract.lean import dataclass, field
from remote_agent.runner.context import Context, ModuleFailure
from remote_agent.runner.environment import task_environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO, Any

SCHEMES = ("http", "https", "file")
AGENT = "labctl"
NOT_MODIFIED = 304
_CHUNK = 256 * 1024
_TELL = 10.0
"""Seconds between two words on how far a long download is."""
PRIVATE = ("authorization", "cookie")


@dataclass(frozen=True, slots=True)
class Wish:
    """How to ask. ``timeout`` is what one answer of the server may take, in seconds."""

    url: str
    timeout: float = 10.0
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    username: str | None = None
    password: str | None = None
    force_basic: bool = False
    validate_certs: bool = True
    use_proxy: bool = True
    agent: str = AGENT
    since: float | None = None
    """Unix time: only what is newer is wanted."""
    fresh: bool = False
    """No cache on the way may answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``status`` is None for a file, ``stream`` is None where nothing is newer. ``headers`` have small letters."""

    status: int | None
    msg: str
    url: str
    headers: Mapping[str, str]
    stream: IO[bytes] | None

    @property
    def length(self) -> int | None:
        said = self.headers.get("content-length", "")
        return int(said) if said.isdigit() else None


def masked(url: str) -> str:
    """The address without the user and password in it."""
    parts = urlsplit(url)
    if parts.username is None and parts.password is None:
        return url
    hidden = "****:****" if parts.password is not None else "****"
    return urlunsplit(parts._replace(netloc=f"{hidden}@{parts.netloc.rpartition('@')[2]}"))


@contextmanager
def fetched(wish: Wish, environment: Mapping[str, str]) -> Iterator[Answer]:
    """Ask, and hold the answer open. Raises ModuleFailure with Ansible's status_code and response."""
    if urlsplit(wish.url).scheme not in SCHEMES:
        raise ModuleFailure(f"{masked(wish.url)} begins with none of {', '.join(SCHEMES)}.")
    with task_environment(environment):
        try:
            answer = _ask(wish)
        except HTTPError as error:
            with error:
                if error.code != NOT_MODIFIED:
                    said = {"status_code": error.code, "response": str(error)}
                    raise ModuleFailure(f"{masked(wish.url)} could not be fetched: {error}.", said) from error
                answer = Answer(error.code, str(error), wish.url, {}, None)
        except ValueError as error:  # whose text may be a header's value
            problem = "the address or a header is not as it should be"
            raise ModuleFailure(f"{masked(wish.url)} could not be fetched: {problem}.") from error
        except (OSError, HTTPException) as error:
            why = error.reason if isinstance(error, URLError) else error
            raise ModuleFailure(f"{masked(wish.url)} could not be fetched: {why}.") from error
    try:
        yield answer
    finally:
        if answer.stream is not None:
            answer.stream.close()


def _ask(wish: Wish) -> Answer:
    parts = urlsplit(wish.url)
    url = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    username = unquote(parts.username) if wish.username is None and parts.username else wish.username
    password = unquote(parts.password) if wish.password is None and parts.password else wish.password
    request = Request(url, method=wish.method)
    for name, value in _headers(wish).items():
        private = name.lower() in PRIVATE
        (request.add_unredirected_header if private else request.add_header)(name, str(value))
    handlers = _handlers(wish)
    if username is not None and wish.force_basic:
        pair = base64.b64encode(f"{username}:{password or ''}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {pair}")
    elif username is not None:
        passwords = HTTPPasswordMgrWithDefaultRealm()
        passwords.add_password(None, url, username, password or "")
        handlers += [HTTPBasicAuthHandler(passwords), HTTPDigestAuthHandler(passwords)]
    response = build_opener(*handlers).open(request, timeout=wish.timeout)
    headers = {name.lower(): value for name, value in response.headers.items()}
    msg = f"OK ({headers.get('content-length', 'unknown')} bytes)"
    return Answer(response.status, msg, response.url, headers, response)


def _headers(wish: Wish) -> dict[str, str]:
    headers = {"User-Agent": wish.agent}
    if wish.fresh:
        headers["Cache-Control"] = "no-cache"
    elif wish.since is not None:
        headers["If-Modified-Since"] = formatdate(wish.since, usegmt=True)
    return {**headers, **wish.headers}


def _handlers(wish: Wish) -> list[BaseHandler]:
    context = ssl.create_default_context()
    if not wish.validate_certs:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return [HTTPSHandler(context=context), ProxyHandler() if wish.use_proxy else ProxyHandler({})]


def copy_out(
    answer: Answer,
    source: IO[bytes],
    write: Callable[[bytes], object],
    now: Callable[[], float],
    deadline: float,
    progress: Callable[[str], None],
) -> int:
    """Hand over all of ``source`` in pieces, and say how many bytes they were; a long download says now and then how far it is.

    Raises ModuleFailure for a stream that breaks off, or that takes longer than ``deadline`` (Unix time).
    """
    size, told = 0, now()
    try:
        while chunk := source.read(_CHUNK):
            write(chunk)
            size += len(chunk)
            if now() > deadline:
                raise ModuleFailure(
                    f"{masked(answer.url)} was given up after {size} bytes: it took too long."
                )
            if now() - told >= _TELL:
                told = now()
                progress(f"{size // 2**20} MiB of {_mebibytes(answer.length)} have come.")
    except (OSError, EOFError, HTTPException) as error:
        raise ModuleFailure(f"{masked(answer.url)} broke off after {size} bytes: {error}.") from error
    return size


def save(answer: Answer, path: Path, context: Context, decompress: bool = True) -> None:
    """Write the whole body to ``path``, unpacked where the server packed it for the way. Raises ModuleFailure, OSError."""
    assert answer.stream is not None
    packed = answer.headers.get("content-encoding") == "gzip" and decompress
    source = cast("IO[bytes]", gzip.GzipFile(fileobj=answer.stream)) if packed else answer.stream
    with open(path, "wb") as stream:
        deadline = context.now() + context.timeout
        size = copy_out(answer, source, stream.write, context.now, deadline, context.progress)
    if not packed and answer.length is not None and size != answer.length:
        raise ModuleFailure(f"{masked(answer.url)} broke off after {size} of {answer.length} bytes.")


def _mebibytes(size: int | None) -> Any:
    return "an unknown number of" if size is None else size // 2**20
