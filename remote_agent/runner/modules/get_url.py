# SPDX-License-Identifier: Apache-2.0
"""`ansible.builtin.get_url`: a file from an http, https or file address; not asked for again where its checksum is right.

As Ansible: without a checksum a server is asked for what is newer than the file; in check mode it is only asked for the head, so that what
is newer counts as a change. Three things are done otherwise: mode and owner are set also where the server has nothing newer, ~/.netrc is
not read, and what could not be verified is never put in place, nor anything half-written.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from remote_agent.contract.digests import digest_of
from remote_agent.contract.lean import dataclass, replace
from remote_agent.runner.args import flag, number, path_of, required, text
from remote_agent.runner.attributes import Attributes, describe
from remote_agent.runner.context import Context, ModuleFailure, ModuleResult
from remote_agent.runner.fetch import (
    AGENT,
    NOT_MODIFIED,
    PRIVATE,
    SCHEMES,
    Answer,
    Wish,
    fetched,
    masked,
    save,
)
from remote_agent.runner.files import aside, back_up, put_in_place, sweep
from remote_agent.runner.foresight import Predicted

_ALGORITHMS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
_MOST_SUMS = 16 * 2**20
"""Bytes of a checksum file."""
_BSD = re.compile(r"\w+ ?\((?P<name>.+)\) ?= (?P<sum>\w+)")
_GNU = re.compile(r"(?P<sum>\w+)\s+\*?(?:\./)?(?P<name>.+)")


@dataclass(frozen=True, slots=True)
class _Checksum:
    algorithm: str
    digest: str

    def fits(self, path: Path) -> bool:
        return digest_of(path, self.algorithm) == self.digest


def run(args: Mapping[str, Any], context: Context) -> ModuleResult:
    wish, given = _wish(args), path_of(args, "dest") or required(args, "dest")
    attributes, force, dest = Attributes.from_args(args), flag(args, "force"), Path(given)
    result: dict[str, Any] = {"url": masked(wish.url), "dest": given, "elapsed": 0}
    result |= {"checksum_src": None, "checksum_dest": None}
    checksum = _checksum(args, wish, context)
    if dest.is_dir():
        return _download(args, context, wish, dest, checksum, result)
    folder = dest if given.endswith("/") else dest.parent
    if not folder.is_dir() and not context.will_exist(folder):
        raise ModuleFailure(f"The destination's folder {folder} does not exist.", result)
    if (predicted := context.predicted(dest)) is not None and predicted.kind == "file" and not force:
        return ModuleResult(not predicted.satisfies(attributes), result, "file already exists")
    if dest.exists() and not force:
        if checksum is not None and checksum.fits(dest):
            changed = attributes.apply(dest, context.check)
            msg = f"file already exists{' but file attributes changed' if changed else ''}"
            return ModuleResult(changed, {**result, **describe(dest)}, msg)
        # what has the wrong checksum is wanted, however old it is
        wish = replace(wish, fresh=checksum is not None, since=dest.stat().st_mtime)
    return _download(args, context, wish, dest, checksum, result)


def _wish(args: Mapping[str, Any]) -> Wish:
    return Wish(
        required(args, "url"),
        timeout=number(args, "timeout", 10),
        headers=args.get("headers") or {},
        username=text(args, "url_username", "username"),
        password=text(args, "url_password", "password"),
        force_basic=flag(args, "force_basic_auth"),
        validate_certs=flag(args, "validate_certs", True),
        use_proxy=flag(args, "use_proxy", True),
        agent=text(args, "http_agent") or AGENT,
        fresh=flag(args, "force"),
    )


def _download(
    args: Mapping[str, Any],
    context: Context,
    wish: Wish,
    dest: Path,
    checksum: _Checksum | None,
    result: dict[str, Any],
) -> ModuleResult:
    start = context.now()
    asked = replace(wish, method="HEAD" if context.check else "GET")
    try:
        with fetched(asked, context.environment) as answer:
            if dest.is_dir():
                dest = dest / _file_name(answer)
            result["dest"] = str(dest)
            done = _take(args, context, answer, dest, checksum, result)
    except ModuleFailure as failure:
        failure.result = {**result, "elapsed": int(context.now() - start), **failure.result}
        raise
    done |= {"elapsed": int(context.now() - start), "status_code": answer.status, **describe(dest)}
    return ModuleResult(bool(done.pop("changed")), done, answer.msg)


def _take(
    args: Mapping[str, Any],
    context: Context,
    answer: Answer,
    dest: Path,
    checksum: _Checksum | None,
    result: dict[str, Any],
) -> dict[str, Any]:
    """What the answer makes of ``dest``: the result, with ``changed``."""
    attributes = Attributes.from_args(args)
    if answer.status == NOT_MODIFIED or answer.stream is None:
        return {**result, "changed": attributes.apply(dest, context.check)}
    before = digest_of(dest, "sha1") if dest.exists() else None
    result["checksum_dest"] = before
    if context.check and answer.status is not None:
        context.predicts(dest, Predicted("file", attributes))
        return {**result, "changed": True}
    if context.check:
        context.predicts(dest, Predicted("file", attributes))
        found = digest_of(unquote(urlsplit(answer.url).path), "sha1")
        return {**result, "checksum_src": found, "changed": found != before}
    sweep(dest)
    with aside(dest) as temporary:
        save(answer, temporary, context, flag(args, "decompress", True))
        if checksum is not None and not checksum.fits(temporary):
            found = digest_of(temporary, checksum.algorithm)
            problem = f"The checksum of {result['url']} is {found}, and {checksum.digest} was expected"
            raise ModuleFailure(f"{problem}; {dest} is left as it was.", result)
        result |= {"src": str(temporary), "checksum_src": digest_of(temporary, "sha1")}
        if result["checksum_src"] == before:
            changed = attributes.apply(dest)
        else:
            if before is not None and flag(args, "backup"):
                result["backup_file"] = str(back_up(dest, context.now()))
            put_in_place(temporary, dest, attributes)
            changed = True
    return {**result, "changed": changed, "md5sum": digest_of(dest, "md5")}


def _file_name(answer: Answer) -> str:
    """As the server calls it, else as the address ends, after redirections."""
    message = Message()
    message["content-disposition"] = answer.headers.get("content-disposition", "")
    said = message.get_param("filename", header="content-disposition")
    name = os.path.basename(said) if isinstance(said, str) else ""
    return name if name not in ("", ".", "..") else _last_part(answer.url)


def _last_part(url: str) -> str:
    return os.path.basename(urlsplit(url).path) or "index.html"


def _checksum(args: Mapping[str, Any], wish: Wish, context: Context) -> _Checksum | None:
    """What is expected; a checksum file is fetched and looked through. Raises ModuleFailure."""
    given = text(args, "checksum")
    if not given:
        return None
    algorithm, colon, digest = given.partition(":")
    if not colon or algorithm not in _ALGORITHMS:
        raise ModuleFailure(f"'checksum' must be as in 'sha256:HEX', with one of {', '.join(_ALGORITHMS)}.")
    if urlsplit(digest).scheme in SCHEMES:
        digest = _named(digest, wish, context)
    digest = re.sub(r"\W+", "", digest).lower()
    if not re.fullmatch(r"[0-9a-f]+", digest):
        raise ModuleFailure(f"'checksum' is no hexadecimal number: {digest!r}.")
    return _Checksum(algorithm, digest)


def _named(url: str, wish: Wish, context: Context) -> str:
    """The sum of our file in a checksum file of GNU's or BSD's kind, or that is one sum alone."""
    with fetched(_elsewhere(wish, url), context.environment) as answer:
        assert answer.stream is not None
        lines = answer.stream.read(_MOST_SUMS).decode(errors="replace").splitlines()
    if len(lines) == 1 and len(lines[0].split()) == 1:
        return lines[0]
    wanted = _last_part(wish.url)
    for line in lines:
        found = _BSD.fullmatch(line) or _GNU.fullmatch(line)
        if found is not None and found["name"] == wanted:
            return found["sum"]
    raise ModuleFailure(f"{masked(url)} has no checksum of {wanted}.")


def _elsewhere(wish: Wish, url: str) -> Wish:
    """The same wish for another address: what is secret stays with the host that it is for."""
    other = replace(wish, url=url, since=None)
    if urlsplit(url)[:2] == urlsplit(wish.url)[:2]:
        return other
    headers = {name: value for name, value in wish.headers.items() if name.lower() not in PRIVATE}
    return replace(other, headers=headers, username=None, password=None)
