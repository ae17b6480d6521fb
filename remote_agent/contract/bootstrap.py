# SPDX-License-Identifier: Apache-2.0
"""How the runner gets onto a host: one command, and a zip written into its standard input.

The host needs nothing but python3 and /proc: the zip lies in memory (memfd), so a full or noexec /tmp does not matter, and
nothing stays behind. `COMMAND` is one line for sh, and the shell becomes the runner. Where the host's python3 is missing or
too old, the command writes one sentence to standard error and ends with MISSING or TOO_OLD.
"""

from __future__ import annotations

import io
import marshal
import re
import shlex
import zipfile
from collections.abc import Collection, Iterator, Mapping
from importlib.machinery import SourceFileLoader
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import MAGIC_NUMBER
from pathlib import Path, PurePosixPath

MISSING = 127
TOO_OLD = 69
MINIMUM = (3, 11)
TORN = "labctl: the connection ended before the runner had arrived."

PARTS = ("__init__.py", "contract/__init__.py", "contract/digests.py", "contract/lean.py", "contract/steps.py", "contract/truth.py",
         "contract/wire.py", "host/__init__.py", "host/facts.py", "host/capabilities.py", "host/installed.py", "host/kvm.py",
         "host/kernel.py", "runner")  # fmt: skip
"""What travels, below remote_agent: files, and folders with everything in them."""

SETUP = "setup"
"""Ansible's name of what gathers facts."""
_FACTS = "remote_agent/host/facts"
_ENTRY = "remote_agent/runner/main"
_MODULES = "remote_agent/runner/modules"
_IMPORT = re.compile(r"^\s*from (remote_agent[\w.]*) import (\([^)]*\)|[^\n]*)", re.MULTILINE)

UNCHECKED_HASH = (1).to_bytes(4, "little") + bytes(8)
"""Of PEP 552: what follows the magic number, flags and a hash of the source that nobody compares."""

# Runs on whatever python3 there is, so it must parse on old ones. stdin is read through one buffer from start to end: what
# the buffer has read ahead belongs to the runner, which is why it is handed over.
_PROGRAM = f"""\
import os, sys
if sys.version_info < {MINIMUM!r}:
    sys.stderr.write("labctl: python3 on this host is %d.%d, and labctl needs {MINIMUM[0]}.{MINIMUM[1]} or newer" % sys.version_info[:2]
        + " (Debian 12 and 13 have it).\\n")
    sys.exit({TOO_OLD})
size = int(stream.readline() or 0)
program = stream.read(size)
if not size or len(program) < size:
    sys.exit({TORN!r})
fd = os.memfd_create("labctl-runner")
with open(fd, "wb", closefd=False) as copy:
    copy.write(program)
sys.path.insert(0, "/proc/self/fd/%d" % fd)
from remote_agent.runner.main import main
main(stream, sys.stdout.buffer)
"""

# One line, since csh knows no quoted newline. What it executes comes as the first line.
_FIRST = f'import sys; stream = sys.stdin.buffer; exec(eval(stream.readline() or "sys.exit({TORN!r})"))'

COMMAND = (
    "command -v python3 >/dev/null || {"
    " echo 'labctl: python3 is missing on this host: install it (apt-get install python3) and try again.' >&2;"
    f" exit {MISSING}; }}; "
    f"exec python3 -I -S -X utf8 -c {shlex.quote(_FIRST)}"
)
"""What to execute on the host. -I and -S: the user's and the site's packages and variables have no say."""


def program(modules: Collection[str] | None = None) -> Mapping[str, bytes]:
    """The runner's files, name in the zip -> content, from the installed package: sources, and beside them what this python made
    of each. To compile them takes a host half as long as to be the runner; one whose python is another release does it all the same.

    ``modules`` are those that will be asked for, SETUP among them where facts will; what none of them needs stays at home.
    None: anything may be.
    """
    top = files("remote_agent")
    places = {
        name: place for part in PARTS for name, place in _sources(top.joinpath(part), f"remote_agent/{part}")
    }
    sources = {name: place.read_bytes() for name, place in places.items()}
    if modules is not None:
        sources = {name: sources[name] for name in _needed(sources, modules)}
    compiled = {
        f"{name}c": _bytecode(name, place) for name in sources if isinstance(place := places[name], Path)
    }
    return {**sources, **compiled}


def _needed(sources: Mapping[str, bytes], modules: Collection[str]) -> set[str]:
    """What is imported from where the runner enters and from these modules, however indirectly, and the packages around it."""
    found: set[str] = set()
    ahead = {_ENTRY, *(f"{_MODULES}/{module}" for module in modules)}
    if SETUP in modules:
        ahead.add(_FACTS)
    while ahead:
        path = ahead.pop()
        for name in (f"{path}.py", f"{path}/__init__.py"):
            if name in sources and name not in found:
                found.add(name)
                ahead |= {str(parent) for parent in PurePosixPath(path).parents}
                for package, imported in _IMPORT.findall(sources[name].decode()):
                    if package == _FACTS.replace("/", "."):
                        continue  # the entry imports it when it is asked
                    inner = package.replace(".", "/")
                    ahead |= {inner, *(f"{inner}/{word}" for word in re.findall(r"\w+", imported))}
    return found


def _sources(entry: Traversable, name: str) -> Iterator[tuple[str, Traversable]]:
    if entry.is_dir():
        for child in sorted(entry.iterdir(), key=lambda child: child.name):
            yield from _sources(child, f"{name}/{child.name}")
    elif name.endswith(".py"):
        yield name, entry


def _bytecode(name: str, source: Path) -> bytes:
    """As in __pycache__, where it comes from if it is there, but for an importer that asks for no source's time."""
    module = name.removesuffix(".py").replace("/", ".")
    return (
        MAGIC_NUMBER + UNCHECKED_HASH + marshal.dumps(SourceFileLoader(module, str(source)).get_code(module))
    )


def payload(contents: Mapping[str, bytes]) -> bytes:
    """What to write first into the command's input: the program that starts it and the zip's length, a line each, then the zip.

    Same contents, same bytes.
    """
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(contents):
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, contents[name])
    packed = buffer.getvalue()
    return b"%a\n%d\n" % (_PROGRAM, len(packed)) + packed
