# SPDX-License-Identifier: Apache-2.0
"""Debian's packages of one release, whatever the release of this machine: fetched with an apt of their own, never installed.

apt verifies the lists by their signature and each package by the lists; the lock then says whether it is the expected one.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.build.recipe import DEBIAN_NAMES, deb_name
from orchestrator.files import sha256_of
from orchestrator.model.component import DebianPackage
from orchestrator.model.errors import BuildError
from orchestrator.model.image_lock import ImageLock

SECONDS = 300.0
OTHER_BYTES = "The same version with other bytes is not Debian's: look at the mirror."
PIN = "labctl build --pin images@latest"

Run = Callable[[Sequence[str], Path], str]
"""Runs a command in a folder and gives what it printed. Raises BuildError."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A package that is there: ``path`` is the .deb. ``locked``: it is the one that the lock names."""

    name: str
    version: str
    sha256: str
    path: Path
    locked: bool


def run_tool(command: Sequence[str], folder: Path) -> str:
    """As `Run`, for real; the error carries the last lines of what the tool said."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise BuildError(f"{command[0]} did not end within {SECONDS:.0f} s while making images.") from error
    if done.returncode != 0:
        said = " ".join(done.stderr.strip().splitlines()[-3:]) or "it said nothing"
        raise BuildError(f"{' '.join(command[:2])} failed with exit code {done.returncode}: {said}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Apt:
    """apt with sources, lists and cache below ``folder`` alone; proxies and the like are the machine's own."""

    folder: Path
    run: Run
    architecture: str = ""
    """Debian's name of it (``amd64``); "": this machine's."""

    def update(self, sources: Sequence[str]) -> None:
        """``sources`` are lines of sources.list(5). Raises BuildError."""
        for name in ("state/lists/partial", "cache/archives/partial"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "sources.list").write_text("".join(f"{line}\n" for line in sources))
        (self.folder / "status").touch()
        self.run(["apt-get", *self._options(), "--error-on=any", "update"], self.folder)

    def versions(self, name: str) -> tuple[str, ...]:
        """Return every version that the lists have of the package ``name``, sorted as text. Raises BuildError."""
        lines = self.run(["apt-cache", *self._options(), "madison", name], self.folder)
        return tuple(sorted(set(re.findall(r"\|\s*(\S+)\s*\|", lines))))

    def offered(self, names: Sequence[str]) -> dict[str, DebianPackage]:
        """What the lists have of ``names``, by name, with the sha256 of this architecture (key ``here``). Raises BuildError."""
        said = self.run(["apt-cache", *self._options(), "show", "--no-all-versions", *names], self.folder)
        return {package.name: package for package in _stanzas(said)}

    def download(self, packages: Sequence[DebianPackage], into: Path) -> None:
        """The .deb files. Raises BuildError."""
        words = [f"{package.name}={package.version}" for package in packages]
        self.run(["apt-get", *self._options(), "download", *words], into)

    def _options(self) -> list[str]:
        settings = {
            "Dir::State": f"{self.folder}/state",
            "Dir::State::status": f"{self.folder}/status",
            "Dir::Cache": f"{self.folder}/cache",
            "Dir::Etc::sourcelist": f"{self.folder}/sources.list",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferencesparts": "-",
            "Dir::Etc::preferences": "-",
            "APT::Sandbox::User": "root",
            "Acquire::Languages": "none",
            "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
            "APT::Get::List-Cleanup": "0",
        }
        if self.architecture:
            settings["APT::Architecture"] = self.architecture
        return [word for name, value in settings.items() for word in ("-o", f"{name}={value}")]


def download_locked(
    packages: Sequence[DebianPackage], apt: Apt, component: str, out: Path
) -> tuple[str, ...]:
    """Download the packages of one release into ``out``, each held to its sha256, and named as Debian's pool names it.

    ``apt`` has fetched the lists of that release. Return the commands that provenance records. Raises BuildError: the lock has no
    sha256 for the architecture, the mirror has another version, or the bytes are not the locked ones.
    """
    for package in packages:
        if apt.architecture not in package.sha256:
            raise BuildError(
                f"{package.name} {package.version} has no sha256 for {apt.architecture} in its component.yaml.",
                f"Lock it on a machine of that architecture: labctl build --pin {component}@latest",
            )
    _demand_offered(packages, apt, component)
    out.mkdir(parents=True, exist_ok=True)
    apt.download(packages, out)
    for package in packages:
        path = _deb_of(package.name, out)
        actual, expected = sha256_of(path), package.sha256[apt.architecture]
        if actual != expected:
            raise BuildError(
                f"{package.name} {package.version} has sha256 {actual}, and its component.yaml says {expected}.",
                OTHER_BYTES,
            )
        path.rename(out / deb_name(package, apt.architecture))
    return tuple(f"apt-get download {package.name}={package.version}" for package in packages)


def locked_package(name: str, version: str, release: str, apt: Apt) -> DebianPackage:
    """Return the package as a lock names it, its sha256 under ``here``; ``version`` may be ``latest``. Raises BuildError."""
    offered = apt.offered([name if version == "latest" else f"{name}={version}"])
    if name not in offered:
        raise BuildError(f"Debian {release} has no {name} {version}.")
    return offered[name]


def _demand_offered(packages: Sequence[DebianPackage], apt: Apt, component: str) -> None:
    """Raise BuildError where the mirror has moved on, with the versions that it has now."""
    gone = []
    for package in packages:
        versions = apt.versions(package.name)
        if package.version not in versions:
            gone.append(
                f"{package.name} {package.version} is not in Debian {package.release} any more"
                f" (there is {', '.join(versions) or 'none'})"
            )
    if gone:
        raise BuildError(
            f"Debian's mirror: {'; '.join(gone)}.", f"Lock another: labctl build --pin {component}@latest"
        )


def fetch(
    lock: ImageLock,
    machine: str,
    sources: Sequence[str],
    work: Path,
    run: Run,
    say: Callable[[str], None],
) -> tuple[Fetched, ...]:
    """All packages of the lock in ``work``. ``machine`` as `uname -m` says it.

    Raises BuildError: the mirror has another version of a package that is held, lacks one, or a file is not what the lock says.
    """
    architecture = DEBIAN_NAMES.get(machine, machine)
    apt = Apt(work / "apt", run)
    apt.update(sources)
    offered = apt.offered([package.name for package in lock.packages])
    chosen = [_chosen(package, lock, offered, say) for package in lock.packages]
    apt.download(chosen, work)
    return tuple(
        _checked(package, one, lock.held, architecture, work)
        for package, one in zip(lock.packages, chosen, strict=True)
    )


def newest(lock: ImageLock, sources: Sequence[str], work: Path, run: Run) -> dict[str, DebianPackage]:
    """What a new lock would name: each package as the mirror has it now. Raises BuildError."""
    apt = Apt(work / "apt", run)
    apt.update(sources)
    offered = apt.offered([package.name for package in lock.packages])
    missing = [package.name for package in lock.packages if package.name not in offered]
    if missing:
        raise BuildError(f"Debian's mirror has no {', '.join(missing)} in {lock.release}.")
    return offered


def _chosen(
    package: DebianPackage,
    lock: ImageLock,
    offered: dict[str, DebianPackage],
    say: Callable[[str], None],
) -> DebianPackage:
    found = offered.get(package.name)
    if found is None:
        raise BuildError(
            f"Debian's mirror has no {package.name} in {lock.release}, which the container images are made of."
        )
    if found.version == package.version:
        return found
    if package.name in lock.held:
        raise BuildError(
            f"{package.name} {package.version} is locked for the container images, and Debian's mirror has {found.version}:"
            " numbers of the two must not be compared.",
            f"Lock what is there now: {PIN}",
        )
    say(
        f"{package.name} {package.version} is not on the mirror any more: {found.version} is taken, and recorded ({PIN})"
    )
    return found


def _checked(
    package: DebianPackage, found: DebianPackage, held: frozenset[str], architecture: str, work: Path
) -> Fetched:
    path = _deb_of(package.name, work)
    sha256 = sha256_of(path)
    expected = package.sha256.get(architecture) if found.version == package.version else None
    if expected is None and package.name in held:
        raise BuildError(
            f"{package.name} {package.version} has no sha256 for {architecture} in the lock of the images.",
            f"Lock it on a machine of this architecture: {PIN}",
        )
    if sha256 != (expected or found.sha256["here"]):
        raise BuildError(
            f"{path.name} has sha256 {sha256}, and not {expected or found.sha256['here']} as it should.",
            OTHER_BYTES,
        )
    return Fetched(package.name, found.version, sha256, path, expected is not None)


def _deb_of(package: str, folder: Path) -> Path:
    """Return the .deb that apt-get has left in ``folder``. Raises BuildError: there is none."""
    path = next(iter(sorted(folder.glob(f"{package}_*.deb"))), None)
    if path is None:
        raise BuildError(f"apt-get download left no {package}_*.deb.")
    return path


def _stanzas(said: str) -> Iterator[DebianPackage]:
    for stanza in said.split("\n\n"):
        fields = dict(re.findall(r"^(Package|Version|SHA256): (\S+)$", stanza, re.MULTILINE))
        if set(fields) == {"Package", "Version", "SHA256"}:
            yield DebianPackage(fields["Package"], fields["Version"], "", {"here": fields["SHA256"]})
