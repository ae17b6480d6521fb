# SPDX-License-Identifier: Apache-2.0
"""How the runner gets onto a host: one command, and its modules written into its standard input.

The host needs nothing but python3: the modules lie in memory, so a full or noexec /tmp does not matter, and nothing stays
behind. (zipimport could do it from a file in memory, more slowly.) `COMMAND` is one line for sh, and the shell becomes the
runner. Where the host's python3 is missing or too old, the command writes one sentence to standard error and ends with MISSING
or TOO_OLD.
"""

from __future__ import annotations

import marshal
import re
import shlex
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
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

# Runs on whatever python3 there is, so it must parse on old ones. stdin is read through one buffer from start to end: what
# the buffer has read ahead belongs to the runner, which is why it is handed over.
_PROGRAM = f"""\
import sys
if sys.version_info < {MINIMUM!r}:
    sys.stderr.write("labctl: python3 on this host is %d.%d, and labctl needs {MINIMUM[0]}.{MINIMUM[1]} or newer" % sys.version_info[:2]
        + " (Debian 12 and 13 have it).\\n")
    sys.exit({TOO_OLD})
import marshal, zlib
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER
magic, sizes = (stream.readline().split() + [b"", b""])[:2]
sizes = [int(size) for size in sizes.split(b",") if size]
program = stream.read(sum(sizes))
if not sum(sizes) or len(program) < sum(sizes):
    sys.exit({TORN!r})
compiled = magic.decode() == MAGIC_NUMBER.hex() and sizes[0]
names, _, rest = zlib.decompress(program[:sizes[0]] if compiled else program[sizes[0]:]).partition(b"\\n")
class Runner:
    modules = {{}}
    def find_spec(self, name, path=None, target=None):
        path = name.replace(".", "/")
        package = path + "/__init__" in self.modules
        if package or path in self.modules:
            return ModuleSpec(name, self, origin=path + "/__init__" if package else path, is_package=package)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        path = module.__spec__.origin
        text = self.modules[path]
        exec(marshal.loads(text) if compiled else compile(text, path + ".py", "exec", dont_inherit=True), module.__dict__)
start = 0
for entry in names.split():
    name, _, size = entry.decode().partition(":")
    Runner.modules[name] = rest[start:start + int(size)]
    start += int(size)
sys.meta_path.insert(0, Runner())
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


@dataclass(frozen=True)
class Program:
    """A module's path -> its source, and what a python with this ``magic`` number makes of it: nothing, or something of each."""

    sources: Mapping[str, bytes]
    codes: Mapping[str, bytes]
    magic: str = MAGIC_NUMBER.hex()


def program(modules: Collection[str] | None = None) -> Program:
    """The runner, from the installed package. To compile it takes a host half as long as to be the runner, so it travels compiled
    by this python too; a host whose python is another release takes the sources.

    ``modules`` are those that will be asked for, SETUP among them where facts will; what none of them needs stays at home.
    None: anything may be.
    """
    top = files("remote_agent")
    places = dict(found for part in PARTS for found in _sources(top.joinpath(part), f"remote_agent/{part}"))
    sources = {name: place.read_bytes() for name, place in places.items()}
    if modules is not None:
        sources = {name: sources[name] for name in sorted(_needed(sources, modules))}
    codes = {name: _code(name, place) for name in sources if isinstance(place := places[name], Path)}
    return Program(sources, codes if codes.keys() == sources.keys() else {})


def _needed(sources: Mapping[str, bytes], modules: Collection[str]) -> set[str]:
    """What is imported from where the runner enters and from these modules, however indirectly, and the packages around it."""
    found: set[str] = set()
    ahead = {_ENTRY, *(f"{_MODULES}/{module}" for module in modules)}
    if SETUP in modules:
        ahead.add(_FACTS)
    while ahead:
        path = ahead.pop()
        for name in (path, f"{path}/__init__"):
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
        yield name.removesuffix(".py"), entry


def _code(name: str, source: Path) -> bytes:
    """From __pycache__, if it is there."""
    module = name.replace("/", ".")
    return marshal.dumps(SourceFileLoader(module, str(source)).get_code(module))


def payload(of: Program) -> bytes:
    """What to write first into the command's input: a line with the program that starts the runner, a line with the magic number
    and two lengths, then so many bytes: the compiled modules, the sources.

    Same contents, same bytes.
    """
    codes, sources = (_packed(modules) for modules in (of.codes, of.sources))
    return b"%a\n%s %d,%d\n" % (_PROGRAM, of.magic.encode(), len(codes), len(sources)) + codes + sources


def _packed(modules: Mapping[str, bytes]) -> bytes:
    """Compressed as one: a line of names and sizes, then all contents."""
    names = sorted(modules)
    head = " ".join(f"{name}:{len(modules[name])}" for name in names)
    return (
        zlib.compress(b"\n".join((head.encode(), b"".join(modules[name] for name in names))))
        if names
        else b""
    )
