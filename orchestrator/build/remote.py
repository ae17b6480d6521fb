# SPDX-License-Identifier: Apache-2.0
"""A builder that is reached over SSH: a disposable lab host, or a host of the group `builders`."""

from __future__ import annotations

import shlex
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.build.builder import GoPlaces, Say
from orchestrator.build.local import (
    failure,
    heard,
    install_script,
    supervised,
    versions_of,
    versions_question,
)
from orchestrator.files import sha256_of
from orchestrator.model.errors import BuildError
from orchestrator.ssh import Connection, Stream

FOLDER = "/var/lib/labctl/build"
"""Of a builder's own files: work folders, and on a host of `builders` the toolchain, the modules and the build cache."""
CHUNK = 1 << 20
STALL_SECONDS = 1800.0
"""A linker may be silent for minutes."""


@dataclass(frozen=True, slots=True)
class SshBuilder:
    """Protocol: orchestrator.build.builder.Builder. ``shared``: where the controller's Go caches are mounted; None: nowhere."""

    connection: Connection
    name: str
    architecture: str
    release: str
    work: str
    shared: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        connection: Connection,
        name: str,
        shared: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> SshBuilder:
        """Look at the host, and make a work folder on it; those of builds that died are removed."""
        said = connection.run(
            f"set -eu; mkdir -p {FOLDER}; find {FOLDER} -maxdepth 1 -name 'work-*' -mmin +600 -exec rm -rf {{}} +;"
            f" mktemp -d {FOLDER}/work-XXXXXXXX; uname -m; . /etc/os-release; echo ${{VERSION_CODENAME:-$ID}}"
        )
        lines = said.stdout.split()
        if said.exit_status != 0 or len(lines) != 3:
            raise BuildError(
                f"{name} cannot be used as a builder: {said.stderr.strip() or said.stdout.strip()}"
            )
        return cls(connection, name, lines[1], lines[2], lines[0], shared, environment or {})

    def end(self) -> None:
        """Remove the work folder."""
        self.connection.run(f"rm -rf {shlex.quote(self.work)}", timeout=120.0)

    def install(self, packages: Sequence[str], say: Say) -> dict[str, str]:
        if not packages:
            return {}
        found = versions_of(self.ask(versions_question(packages)))
        missing = [name for name in packages if name not in found]
        if missing:
            say(f"installing {', '.join(missing)}")
            self.run(install_script(missing), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}, say, 900.0)
            found = versions_of(self.ask(versions_question(packages)))
        return found

    def go(self, toolchain: Path, archive: Path, modules: Path, cache: Path, say: Say) -> GoPlaces:
        if self.shared is not None:
            self.ask(f"mkdir -p {shlex.quote(f'{self.shared}/{cache.name}')}")
            base = self.shared
            return GoPlaces(f"{base}/toolchains/{toolchain.name}", f"{base}/modules", f"{base}/{cache.name}")
        root = self._toolchain(archive, toolchain.name, say)
        proxy = self._modules(modules / "cache/download", say)
        return GoPlaces(root, f"{FOLDER}/modules", f"{FOLDER}/{cache.name}", f"file://{proxy}")

    def run(self, script: str, environment: Mapping[str, str], say: Say, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        command = shlex.join(supervised(script, {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", **environment}))
        with self.connection.stream(command, idle_timeout=min(seconds, STALL_SECONDS)) as stream:
            reason = heard(_lines(stream, deadline, self.name), say)
            code = stream.wait(max(1.0, deadline - time.monotonic()))
            reason = "\n".join(filter(None, (reason, stream.stderr_tail(3))))
        if code != 0:
            raise failure(self.name, script, code, reason)

    def ask(self, script: str, seconds: float = 60.0) -> str:
        done = self.connection.run(script, timeout=seconds)
        if done.exit_status != 0:
            raise failure(self.name, script, done.exit_status, done.stderr.strip())
        return done.stdout

    def put(self, local: Path, remote: str) -> None:
        """Under another name until it is whole and checked."""
        new, sha256 = shlex.quote(f"{remote}.new"), sha256_of(local)
        command = (
            f"set -eu; mkdir -p {shlex.quote(remote.rsplit('/', 1)[0])}; cat > {new};"
            f" echo '{sha256}  '{new} | sha256sum --check --quiet -; mv {new} {shlex.quote(remote)}"
        )
        with self.connection.stream(command, idle_timeout=120.0) as stream, local.open("rb") as source:
            while chunk := source.read(CHUNK):
                stream.stdin.write(chunk)
            stream.stdin.close()
            stream.read_all(time.monotonic() + 120.0)
            code = stream.wait(120.0)
            if code != 0:
                raise BuildError(f"{local.name} did not arrive whole on {self.name}: {stream.stderr_tail(3)}")

    def get(self, remote: str, local: Path) -> None:
        local.mkdir(parents=True, exist_ok=True)
        manifest = self.ask(f"cd {shlex.quote(remote)} && find . -type f -exec sha256sum {{}} +", 300.0)
        with self.connection.stream(f"tar -C {shlex.quote(remote)} -cf - .", idle_timeout=120.0) as stream:
            with tarfile.open(fileobj=stream.stdout, mode="r|") as packed:
                packed.extractall(local, filter="data")
            stream.wait(60.0)
        for line in manifest.splitlines():
            sha256, _, name = line.partition("  ")
            if sha256_of(local / name) != sha256:
                raise BuildError(f"{name} did not arrive whole from {self.name}.", "Do it again.")

    # --- a host that does not share the controller's files

    def _toolchain(self, archive: Path, name: str, say: Say) -> str:
        root = f"{FOLDER}/toolchains/{name}"
        if self.ask(f"test -x {root}/bin/go && echo there || true").strip():
            return root
        say(f"sending the Go toolchain to {self.name}")
        self.put(archive, f"{root}.zip")
        self.run(f"python3 -I -c {shlex.quote(_UNZIP)} {root}.zip {root}", {}, say, 300.0)
        return root

    def _modules(self, download: Path, say: Say) -> str:
        """The module cache's files as a proxy of files: those that the host lacks, by name and size (go.sum has the hashes)."""
        folder = f"{FOLDER}/proxy"
        there = set(
            self.ask(f"mkdir -p {folder}; cd {folder}; find . -type f -printf '%P %s\\n'").splitlines()
        )
        lacking = [
            path
            for path in sorted(download.rglob("*"))
            if path.is_file()
            and path.suffix in (".zip", ".mod", ".info")
            and f"{path.relative_to(download)} {path.stat().st_size}" not in there
        ]
        if lacking:
            size = sum(path.stat().st_size for path in lacking)
            say(f"sending {len(lacking)} files of modules to {self.name}, {size >> 20} MiB")
            self._send(lacking, download, folder)
        return folder

    def _send(self, paths: Sequence[Path], base: Path, folder: str) -> None:
        """As one tar; what arrives torn fails there, or at go.sum."""
        with self.connection.stream(f"tar -C {shlex.quote(folder)} -xf -", idle_timeout=600.0) as stream:
            with tarfile.open(fileobj=stream.stdin, mode="w|") as packed:  # type: ignore[call-overload]
                for path in paths:
                    packed.add(path, arcname=str(path.relative_to(base)))
            stream.stdin.close()
            if stream.wait(120.0) != 0:
                raise BuildError(f"The modules did not arrive whole on {self.name}: {stream.stderr_tail(3)}")


_UNZIP = """\
import os, shutil, sys, zipfile
zipped, root = sys.argv[1:]
new = root + ".new"
shutil.rmtree(new, ignore_errors=True)
with zipfile.ZipFile(zipped) as packed:
    for info in packed.infolist():
        parts = info.filename.split("/")[2:]
        if not parts or not parts[-1] or ".." in parts:
            continue
        parts[-1] = "go.mod" if parts[-1] == "_go.mod" else parts[-1]
        path = os.path.join(new, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with packed.open(info) as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target)
        if parts[0] == "bin" or parts[:2] == ["pkg", "tool"]:
            os.chmod(path, 0o755)
os.rename(new, root)
os.unlink(zipped)
"""


def _lines(stream: Stream, deadline: float, name: str) -> Iterator[str]:
    while line := stream.stdout.readline():
        if time.monotonic() > deadline:
            raise BuildError(f"The build on {name} was not done in time.")
        yield line.decode("utf-8", "replace")
