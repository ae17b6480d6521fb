# SPDX-License-Identifier: Apache-2.0
"""What of this host is labctl's: the check before provisioning, and the manifest of what provisioning makes.

    ownership.py claim [--check] [--instance NAME]... [--path PATH]... [--package NAME]... [--deb FILE]... [--image REF]...
                       [--network NAME]...

    ownership.py examine

`claim` names what provisioning is about to make: CRI runtimes (containerd, crio), files and links outside labctl's own folders,
packages, images, container networks. It prints JSON: `refusal`, a sentence (empty: provisioning may go on), and `changed`, whether
the manifest has grown. The manifest is written before the things that it lists, so an interrupted provisioning can go on. With
--check nothing is written. `examine` asks the same for each CRI runtime, writes nothing and prints NAME -> refusal.
Standard library only; `leftovers.py` removes by the same rules.
"""

from __future__ import annotations

import argparse
import base64
import gzip
import hashlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

SCHEMA = 1
MARK = "Written by labctl"
MARK_BYTES = 4096
"""The mark stands in the first lines of a file."""
PREFIX = "/opt/labctl"
MANIFEST = "/var/lib/labctl/manifest.json"
UNITS = "/etc/systemd/system"
PACKAGE_UNITS = ("/usr/lib/systemd/system", "/lib/systemd/system")
WANTS = f"{UNITS}/multi-user.target.wants"
ACTIVE = ("active", "activating", "reloading", "deactivating")
SYSTEMCTL_S = 30.0
CONNECT_S = 2.0
HINT = (
    "Provision a machine that is there for measuring; or, if nothing needs them any more, "
    "uninstall that runtime and move those files away first."
)


@dataclass(frozen=True)
class Instance:
    """A CRI runtime. ``state`` are the folders that it fills, ``stores`` what is not empty where it has an image or a container."""

    unit: str
    socket: str
    program: str
    state: tuple[str, ...]
    stores: tuple[str, ...]


INSTANCES = {
    "containerd": Instance(
        "containerd.service",
        "/run/containerd/containerd.sock",
        "containerd",
        ("/run/containerd", "/run/nri", "/var/lib/containerd"),
        (
            "/var/lib/containerd/io.containerd.content.v1.content/blobs/sha256",
            "/var/lib/containerd/io.containerd.snapshotter.v1.*/snapshots",
        ),
    ),
    "crio": Instance(
        "crio.service",
        "/run/crio/crio.sock",
        "crio",
        ("/run/crio", "/var/lib/crio"),
        ("/var/lib/crio/storage/*-images", "/var/lib/crio/storage/*-containers"),
    ),
}
SHARED_FOLDERS = (
    "/run/netns",
    "/run/ipcns",
    "/run/utsns",
    "/run/pidns",
    "/run/userns",
    "/run/runsc",
    "/run/runc",
    "/run/crun",
    "/var/log/crio/pods",
    "/var/log/crio",
    "/etc/cni/net.d",
    "/etc/cni",
    "/var/lib/cni/networks",
    "/var/lib/cni/results",
    "/var/lib/cni/cache",
    "/var/lib/cni",
    "/var/lib/containers",
    "/opt/containerd/bin",
    "/opt/containerd/lib",
    "/opt/containerd",
    "/etc/containerd",
    "/etc/crio/crio.conf.d",
    "/etc/crio/registries.conf.d",
    "/etc/crio/auth",
    "/etc/crio/policies",
    "/etc/crio",
)
"""Folders that several programs use. Those that labctl's runtimes have made go again where nothing else is in them, in this order."""


MARKED = {
    "containerd": ("/etc/containerd/config.toml", f"{UNITS}/containerd.service"),
    "crio": ("/etc/crio/crio.conf.d/10-labctl.conf", "/etc/crio/registries.conf", f"{UNITS}/crio.service"),
}
"""The files of each CRI runtime that labctl writes outside its own folders, and that say so."""


class ManifestError(Exception):
    """The manifest cannot be used: a sentence."""


@dataclass(frozen=True)
class Manifest:
    """What labctl has made on a host. ``created`` are folders that were not there before labctl, ``existing`` those that were.

    ``packages`` are those that labctl installs and that were not there before; ``packages_before`` what was installed then.
    ``originals`` says what to restore: a package's own configuration file, or the link that starts its service.
    """

    paths: frozenset[str] = frozenset()
    created: frozenset[str] = frozenset()
    existing: frozenset[str] = frozenset()
    units: frozenset[str] = frozenset()
    packages: frozenset[str] = frozenset()
    packages_before: frozenset[str] = frozenset()
    images: frozenset[str] = frozenset()
    networks: frozenset[str] = frozenset()
    originals: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        values = {key: value for key, value in vars(self).items() if key != "originals"}
        return {
            "about": "What labctl has made on this host. `labctl clean --purge` removes it.",
            "schema": SCHEMA,
            **{key: sorted(value) for key, value in values.items()},
            "originals": dict(sorted(self.originals.items())),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Manifest:
        """Raises ManifestError."""
        if document.get("schema") != SCHEMA:
            raise ManifestError(
                f"{MANIFEST} has schema {document.get('schema')}, and this labctl reads {SCHEMA}: use the labctl that wrote it."
            )
        names = {key for key in cls.__dataclass_fields__ if key != "originals"}
        sets = {key: frozenset(document.get(key, ())) for key in names}
        return cls(**sets, originals=dict(document.get("originals", {})))


@dataclass(frozen=True)
class Package:
    """Of dpkg's status file. ``needs`` has a tuple of alternatives a dependency; ``conffiles`` path -> MD5."""

    name: str
    version: str
    installed: bool
    needs: tuple[tuple[str, ...], ...] = ()
    provides: tuple[str, ...] = ()
    conffiles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Claims:
    """What provisioning is about to make. ``debs`` are file names of packages, `NAME_VERSION_ARCHITECTURE.deb`."""

    instances: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    packages: tuple[str, ...] = ()
    debs: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


def unit_states(units: Iterable[str]) -> dict[str, str]:
    """Unit -> its ActiveState; empty where systemd does not answer."""
    line = ["systemctl", "show", "--property=Id,ActiveState", *units]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=SYSTEMCTL_S, check=False)
    except (OSError, subprocess.SubprocessError):
        return {}
    states = {}
    for block in done.stdout.split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        if "Id" in values:
            states[values["Id"]] = values.get("ActiveState", "")
    return states


def accepts(path: Path) -> bool:
    """Whether a process listens on this socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True


@dataclass
class Host:
    """``root`` is / but in tests, and so are ``states`` and ``listens`` the real ones."""

    root: Path = Path("/")
    states: Callable[[Iterable[str]], Mapping[str, str]] = unit_states
    listens: Callable[[Path], bool] = accepts
    _packages: dict[str, Package] | None = None

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def manifest(self) -> Manifest | None:
        """None where there is none. Raises ManifestError."""
        try:
            document = json.loads(self.at(MANIFEST).read_text())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ManifestError(
                f"{MANIFEST} cannot be read ({error}): restore it from a backup, or delete it if labctl made nothing here."
            ) from error
        return Manifest.from_json(document if isinstance(document, dict) else {})

    def packages(self) -> dict[str, Package]:
        """All that dpkg knows, by name. Read once."""
        if self._packages is None:
            parsed = map(parse_package, text(self.at("/var/lib/dpkg/status")).split("\n\n"))
            self._packages = {package.name: package for package in parsed if package is not None}
        return self._packages

    def installed(self) -> frozenset[str]:
        return frozenset(name for name, package in self.packages().items() if package.installed)

    def is_marked(self, path: str) -> bool:
        """A link to what lies below PREFIX, or a file that says that labctl wrote it."""
        place = self.at(path)
        if place.is_symlink():
            return str(place.readlink()).startswith(f"{PREFIX}/")
        head = text(place, MARK_BYTES) if place.is_file() else ""
        return MARK in head or (path.startswith("/usr/local/bin/") and "--config /etc/crictl-" in head)

    def is_labctl_instance(self, instance: Instance, manifest: Manifest | None) -> bool:
        """Whether the service of this CRI runtime is labctl's: its unit says so, or comes with a package that labctl installed."""
        unit = f"{UNITS}/{instance.unit}"
        if os.path.lexists(self.at(unit)):
            return self.is_marked(unit)
        return any(self.has_file(name, instance.unit) for name in (manifest or Manifest()).packages)

    def has_file(self, package: str, unit: str) -> bool:
        """Whether the package brings this unit."""
        lists = self.at("/var/lib/dpkg/info").glob(f"{package}*.list")
        file_lists = [path for path in lists if path.name.removesuffix(".list").partition(":")[0] == package]
        lines = {line for path in file_lists for line in text(path).splitlines()}
        return any(f"{folder}/{unit}" in lines for folder in PACKAGE_UNITS)

    def conffile_of(self, path: str) -> str | None:
        """The package whose unmodified configuration file lies there; None: none's.

        A diverted file lies elsewhere, except that of the package which diverts.
        """
        place = self.at(path)
        if place.is_symlink() or not place.is_file():
            return None
        digest = hashlib.md5(place.read_bytes(), usedforsecurity=False).hexdigest()
        diverter = self._diverter(path)
        for package in self.packages().values():
            if package.conffiles.get(path) == digest and diverter in (None, package.name):
                return package.name
        return None

    def _diverter(self, path: str) -> str | None:
        lines = text(self.at("/var/lib/dpkg/diversions")).splitlines()
        for place, _, package in zip(lines[::3], lines[1::3], lines[2::3], strict=False):
            if place == path:
                return package
        return None


# --- the check ---------------------------------------------------------------------------------------------------------------


def claim(host: Host, claims: Claims, check: bool = False) -> dict[str, Any]:
    """The check, and where it is passed the manifest. See the module's docstring for what is returned."""
    try:
        before = host.manifest()
        items = list(obstacles(host, claims, before))
        if items:
            return {
                "refusal": f"labctl did not make {listing(items)}, and does not replace it. {HINT}",
                "changed": False,
            }
        after = extended(host, before or inherited(host), claims)
        if after != before and not check:
            write_manifest(host, after)
    except ManifestError as error:
        return {"refusal": str(error), "changed": False}
    except OSError as error:
        return {"refusal": f"{MANIFEST} cannot be written: {error.strerror or error}.", "changed": False}
    return {"refusal": "", "changed": after != before}


def examine(host: Host) -> dict[str, str]:
    """Each CRI runtime, and why provisioning would refuse to install labctl's; "" where it would not."""
    return {name: claim(host, Claims((name,), MARKED[name]), check=True)["refusal"] for name in INSTANCES}


def listing(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def obstacles(host: Host, claims: Claims, manifest: Manifest | None) -> Iterator[str]:
    """What provisioning would replace and labctl did not make."""
    states = host.states([INSTANCES[name].unit for name in claims.instances]) if claims.instances else {}
    for name in claims.instances:
        instance = INSTANCES[name]
        if not host.is_labctl_instance(instance, manifest):
            yield from foreign_runtimes(host, instance, states.get(instance.unit, ""), manifest)
    for path in claims.paths:
        if not is_free(host, path, manifest):
            yield f"{kind_of(host.at(path))} {path}"
    labctl_packages = (manifest or inherited(host)).packages
    for file in claims.debs:
        name, version = deb_name(file)
        package = host.packages().get(name)
        if (
            package
            and package.installed
            and name not in labctl_packages
            and package.version.rpartition(":")[2] != version
        ):
            yield f"the package {name} {package.version} (it would install {version})"


def foreign_runtimes(host: Host, instance: Instance, state: str, manifest: Manifest | None) -> Iterator[str]:
    """A CRI runtime of somebody else's that runs, or that has kept something."""
    if state in ACTIVE:
        yield f"the running service {instance.unit}"
    elif host.listens(host.at(instance.socket)):
        yield f"the running process of {instance.socket}"
    for pattern in () if manifest and set(instance.state) & manifest.created else instance.stores:
        if any(any(entries(folder)) for folder in host.root.glob(pattern.lstrip("/"))):
            yield f"the images and containers in {instance.state[-1]}"
            return


def is_free(host: Host, path: str, manifest: Manifest | None) -> bool:
    """Whether labctl may write this file: nothing is there, labctl's is, or what a package put there and nobody has modified."""
    if not os.path.lexists(host.at(path)) or host.is_marked(path) or host.conffile_of(path):
        return True
    # JSON has no comments, so that the manifest alone says whose it is; an older labctl's service says it too.
    if not path.endswith(".json"):
        return False
    return path in manifest.paths if manifest else host.is_marked(f"{UNITS}/crio.service")


def kind_of(place: Path) -> str:
    mode = place.lstat().st_mode
    if stat.S_ISLNK(mode):
        return "the link"
    return "the folder" if stat.S_ISDIR(mode) else "the file"


def deb_name(file: str) -> tuple[str, str]:
    """Name and version, without its epoch, of a package's file."""
    name, _, rest = Path(file).name.partition("_")
    return name, unquote(rest.rpartition("_")[0]).rpartition(":")[2]


# --- the manifest ------------------------------------------------------------------------------------------------------------


def inherited(host: Host) -> Manifest:
    """Of a host on which an older labctl, without a manifest, may have been: what is marked was made by it, with its state."""
    marked = [each for each in INSTANCES.values() if host.is_marked(f"{UNITS}/{each.unit}")]
    if not marked:
        return Manifest()
    named, _ = installed_by_labctl(host)
    created = {folder for instance in marked for folder in instance.state} | set(SHARED_FOLDERS)
    return Manifest(created=frozenset(created), packages=frozenset(named))


def extended(host: Host, manifest: Manifest, claims: Claims) -> Manifest:
    """The manifest with these claims. What it says of a folder or a package already, stays."""
    instances = [INSTANCES[name] for name in claims.instances]
    units = {instance.unit for instance in instances} | {
        Path(path).name for path in claims.paths if path.startswith(f"{UNITS}/")
    }
    listed = manifest.created | manifest.existing
    folders = {*SHARED_FOLDERS, *(folder for instance in instances for folder in instance.state)} - listed
    present = {folder for folder in folders if os.path.lexists(host.at(folder))}
    new = (
        {*claims.packages, *(deb_name(file)[0] for file in claims.debs)}
        - host.installed()
        - manifest.packages
    )
    fresh_paths = (
        *sorted(set(claims.paths) - manifest.paths),
        *(f"{WANTS}/{unit}" for unit in sorted(units - manifest.units)),
    )
    return Manifest(
        paths=manifest.paths | set(claims.paths),
        created=manifest.created | (folders - present),
        existing=manifest.existing | present,
        units=manifest.units | units,
        packages=manifest.packages | new,
        packages_before=others_packages(host, manifest) if new else manifest.packages_before,
        images=manifest.images | set(claims.images),
        networks=manifest.networks | set(claims.networks),
        originals={**dict(originals(host, fresh_paths, manifest)), **manifest.originals},
    )


def others_packages(host: Host, manifest: Manifest) -> frozenset[str]:
    """What is installed, without what labctl has installed before and what came along with it."""
    along = (
        closure(host.packages(), manifest.packages) - manifest.packages_before
        if manifest.packages
        else frozenset()
    )
    return host.installed() - manifest.packages - along


def originals(host: Host, paths: Iterable[str], manifest: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    """What `labctl clean --purge` puts back: what is there now, and is neither labctl's nor of a package that labctl installed."""
    for path in paths:
        place = host.at(path)
        if host.is_marked(path) or not os.path.lexists(place):
            continue
        if place.is_symlink():
            if path.startswith(f"{WANTS}/") and not _enabled_by_labctl(host, place.name, manifest):
                yield path, {"link": str(place.readlink())}
        elif (package := host.conffile_of(path)) and package not in manifest.packages:
            about = place.stat()
            content = base64.b64encode(place.read_bytes()).decode()
            owner = {"uid": about.st_uid, "gid": about.st_gid, "mtime_ns": about.st_mtime_ns}
            yield path, {"content": content, "mode": stat.S_IMODE(about.st_mode), **owner}


def _enabled_by_labctl(host: Host, unit: str, manifest: Manifest) -> bool:
    return host.is_marked(f"{UNITS}/{unit}") or any(host.has_file(name, unit) for name in manifest.packages)


def write_manifest(host: Host, manifest: Manifest) -> None:
    """Aside, synced and renamed, and the folder synced: what it lists is made only then."""
    place = host.at(MANIFEST)
    place.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    aside = place.with_name(".manifest.json.new")
    with aside.open("w") as stream:
        json.dump(manifest.to_json(), stream, indent=1)
        stream.write("\n")
        stream.flush()
        os.fsync(stream.fileno())
    aside.replace(place)
    folder = os.open(place.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


# --- packages ----------------------------------------------------------------------------------------------------------------


def parse_package(stanza: str) -> Package | None:
    """Of one stanza of dpkg's status file."""
    fields: dict[str, str] = {}
    key = ""
    for line in stanza.splitlines():
        if line.startswith(" "):
            fields[key] = f"{fields.get(key, '')}\n{line.strip()}"
        else:
            key, _, value = line.partition(": ")
            key = key.rstrip(":")
            fields[key] = value
    if "Package" not in fields:
        return None
    return Package(
        fields["Package"],
        fields.get("Version", ""),
        fields.get("Status", "").endswith(" installed"),
        tuple(
            group for key in ("Pre-Depends", "Depends", "Recommends") for group in groups(fields.get(key, ""))
        ),
        tuple(name for group in groups(fields.get("Provides", "")) for name in group),
        dict(
            words[:2] for line in fields.get("Conffiles", "").split("\n") if len(words := line.split()) >= 2
        ),
    )


def groups(relation: str) -> Iterator[tuple[str, ...]]:
    """`a (>= 1) | b, c:any` -> (a, b), (c)."""
    for group in relation.split(","):
        names = tuple(
            match[0]
            for each in group.split("|")
            if (match := re.match(r"[a-z0-9][a-z0-9+.-]*", each.strip()))
        )
        if names:
            yield names


def closure(packages: Mapping[str, Package], names: Iterable[str]) -> frozenset[str]:
    """These packages and all installed ones that they need."""
    providers = provided_by(packages)
    closed: set[str] = set()
    waiting = [name for name in names if name in packages and packages[name].installed]
    while waiting:
        name = waiting.pop()
        if name in closed:
            continue
        closed.add(name)
        waiting += [
            each for group in packages[name].needs for wish in group for each in providers.get(wish, ())
        ]
    return frozenset(closed)


def provided_by(packages: Mapping[str, Package]) -> dict[str, list[str]]:
    """A name, real or virtual -> the installed packages that are it."""
    providers: dict[str, list[str]] = {}
    for package in packages.values():
        for name in (package.name, *package.provides) if package.installed else ():
            providers.setdefault(name, []).append(package.name)
    return providers


def removable(
    packages: Mapping[str, Package], candidates: Iterable[str]
) -> tuple[frozenset[str], dict[str, str]]:
    """Those of the candidates that no package beside them needs; and the others, each with a package that needs it."""
    providers = provided_by(packages)
    going = {name for name in candidates if name in packages}
    kept: dict[str, str] = {}
    while True:
        needed = {
            name: package.name
            for package in packages.values()
            if package.installed and package.name not in going
            for group in package.needs
            for name in unsatisfied(group, providers, going)
        }
        if not needed:
            return frozenset(going), kept
        going -= needed.keys()
        kept |= needed


def unsatisfied(group: tuple[str, ...], providers: Mapping[str, list[str]], going: set[str]) -> set[str]:
    """Which of those that go satisfy this dependency, if nothing that stays does."""
    able = {name for wish in group for name in providers.get(wish, ())}
    return able & going if able and able <= going else set()


def installed_by_labctl(host: Host) -> tuple[set[str], set[str]]:
    """Of apt's own history, for hosts without a manifest: packages that were installed by a path below PREFIX, and those that
    came along with them. What was only upgraded is in neither."""
    named: set[str] = set()
    along: set[str] = set()
    for stanza in history(host):
        if f" {PREFIX}/" not in stanza.get("Commandline", ""):
            continue
        for item in re.findall(r"([^\s,(]+) \(([^)]*)\)", stanza.get("Install", "")):
            (along if "automatic" in item[1] else named).add(item[0].partition(":")[0])
    return named, along


def history(host: Host) -> Iterator[dict[str, str]]:
    for path in entries(host.at("/var/log/apt")):
        if path.name.startswith("history.log"):
            data = path.read_bytes()
            content = gzip.decompress(data) if path.suffix == ".gz" else data
            for stanza in content.decode("utf-8", "replace").split("\n\n"):
                yield dict(line.partition(": ")[::2] for line in stanza.splitlines())


# --- reading -----------------------------------------------------------------------------------------------------------------


def entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def text(path: Path, limit: int = -1) -> str:
    """ "" where it cannot be read."""
    try:
        with path.open(errors="replace") as stream:
            return stream.read(limit)
    except OSError:
        return ""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("claim", "examine"))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--instance", action="append", default=[], choices=tuple(INSTANCES))
    for name in ("path", "package", "deb", "image", "network"):
        parser.add_argument(f"--{name}", action="append", default=[])
    options = parser.parse_args(argv)
    claims = Claims(
        tuple(options.instance),
        tuple(options.path),
        tuple(options.package),
        tuple(options.deb),
        tuple(options.image),
        tuple(options.network),
    )
    answer = examine(Host()) if options.verb == "examine" else claim(Host(), claims, options.check)
    sys.stdout.write(json.dumps(answer) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
