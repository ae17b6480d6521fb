# SPDX-License-Identifier: Apache-2.0
"""Takes off this host what labctl's runs left behind (clean), or what its provisioning made and no package owns (purge).

    leftovers.py clean [--check] [--host NAME] [--days N] [--keep SHA256]...
    leftovers.py purge [--check] [--host NAME]

Prints JSON: `removed`, a line each, and `problems`. With --check it only says what it would remove. Done twice, the second time
removes nothing. Standard library only; the runtimes are asked through the agent's own package, where an agent is deployed.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

SOCKETS = {"containerd": "run/containerd/containerd.sock", "crio": "run/crio/crio.sock"}
STATE_FOLDERS = (
    "/run/containerd",
    "/var/lib/containerd",
    "/run/crio",
    "/var/lib/crio",
)
SHIMS = ("containerd-shim", "conmon", "runsc-sandbox", "runsc-gofer", "runsc")
PREFIX = "/opt/labctl"
BRIDGE = "cni-labctl"
LEASES = "var/lib/cni/networks/labctl"
GRACE_S = 5.0
COMMAND_S = 300.0
MARK = "Written by labctl"


@dataclass
class Cleaner:
    """``root`` is / but in tests. ``check``: say, and do not."""

    root: Path = Path("/")
    check: bool = False
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def take(self, what: str, how: Callable[[], object]) -> None:
        """Do it unless only a prediction is asked for; what the system refuses is a problem, and does not keep the rest."""
        try:
            if not self.check:
                how()
        except (OSError, subprocess.SubprocessError) as error:
            self.problems.append(f"{what}: {error}")
        else:
            self.removed.append(what)

    def at(self, path: str) -> Path:
        return self.root / path.lstrip("/")


# --- what runs leave ---------------------------------------------------------------------------------------------------------


def clean(cleaner: Cleaner, host: str, days: float, keep: frozenset[str]) -> None:
    """Pods first: with them goes most of the rest, by their runtimes' own hands."""
    if remove_pods(cleaner):
        remove_remains(cleaner)
    remove_cgroups(cleaner, host)
    remove_old_runs(cleaner, days)
    remove_old_artifacts(cleaner)
    keep = keep and keep | {
        hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    }  # this program came as a blob too
    for folder in ("var/lib/labctl/images", "var/cache/labctl/blobs"):
        for path in entries(cleaner.at(folder)):
            if keep and path.name.removesuffix(".tar") not in keep:
                cleaner.take(f"file {path}", path.unlink)


def remove_pods(cleaner: Cleaner) -> bool:
    """Ours in every runtime that answers. Whether no pod of anybody's is left, so that what still lies about is nobody's."""
    sockets = {name: cleaner.at(path) for name, path in SOCKETS.items() if cleaner.at(path).is_socket()}
    package = cleaner.at(f"{PREFIX}/agent/current")
    if not sockets or not package.is_dir():
        return not shims(cleaner)
    sys.path[:0] = [str(package), str(package / "wheels")]
    # The deployed agent's.
    from remote_agent.cri.client import Cri, CriError
    from remote_agent.cri.leftovers import ours, remove_ours

    left = 0
    for name, socket in sockets.items():
        with Cri(str(socket)) as cri:
            try:
                found = [f"{leak.kind} {leak.what} of {name}" for leak in ours(cri)]
                problems = [] if cleaner.check or not found else remove_ours(cri)
                left += len(list(cri.pods()))
            except CriError as error:
                cleaner.problems.append(f"{name}: {error}")
                left += 1
                continue
        cleaner.removed += found
        cleaner.problems += [f"{name}: {problem}" for problem in problems]
    return left == 0 and not shims(cleaner)


def remove_remains(cleaner: Cleaner) -> None:
    """Namespaces, links, leases and mounts of pods that are no more."""
    for point in mounts(cleaner):
        if Path(point).name != "null-netns" and re.search(r"/(rootfs|shm|merged|userdata/shm)$", point):
            cleaner.take(f"mount {point}", lambda point=point: run("umount", "-l", point))
    for kind in ("netns", "ipcns", "utsns", "pidns", "userns"):
        for path in entries(cleaner.at(f"run/{kind}")):
            if path.name.startswith("cni-") or re.fullmatch(r"[0-9a-f-]{36}", path.name):
                cleaner.take(f"{kind} {path.name}", lambda path=path: remove_namespace(path))
    for link in entries(cleaner.at("sys/class/net")):
        if (link / "master").is_symlink() and (link / "master").readlink().name == BRIDGE:
            cleaner.take(f"link {link.name}", lambda link=link: run("ip", "link", "delete", link.name))
    for path in entries(cleaner.at(LEASES)):
        if path.name[0].isdigit() or ":" in path.name:
            cleaner.take(f"lease {path.name}", path.unlink)


def remove_namespace(path: Path) -> None:
    if path.is_mount():
        run("umount", "-l", str(path))
    path.unlink(missing_ok=True)


def remove_cgroups(cleaner: Cleaner, host: str) -> None:
    """Below this host's own parents alone, deepest first: hosts of one machine may see one tree. What holds processes stays."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", host)
    mount = cleaner.at("sys/fs/cgroup")
    for hierarchy in (mount, *(path for path in entries(mount) if path.is_dir() and not path.is_symlink())):
        for parent in (f"labctl/{name}", f"labctl.slice/labctl-{name}.slice"):
            for folder in (*below(hierarchy / parent), hierarchy / parent):
                if folder.is_dir() and not busy(folder):
                    cleaner.take(f"control group {folder.relative_to(mount)}", folder.rmdir)


def busy(cgroup: Path) -> bool:
    """Whether it or one below it has processes."""
    return any(text(folder / "cgroup.procs").strip() for folder in (cgroup, *below(cgroup)))


def remove_old_runs(cleaner: Cleaner, days: float) -> None:
    for path in entries(cleaner.at("var/lib/labctl/runs")):
        newest = max((file.stat().st_mtime for file in (path, *entries(path)) if file.exists()), default=0.0)
        if newest < time.time() - days * 86400:
            cleaner.take(f"run {path.name}", lambda path=path: shutil.rmtree(path))


def remove_old_artifacts(cleaner: Cleaner) -> None:
    """Whatever a link `current` does not name, of components and of the agent; not what the agent's service still runs."""
    for component in entries(cleaner.at(PREFIX)):
        current = component / "current"
        if not current.is_symlink():
            continue
        keep = {current.readlink().name, "current", running_agent(cleaner)}
        for path in entries(component):
            if path.name not in keep and path.is_dir() and not path.is_symlink():
                cleaner.take(f"{component.name} {path.name}", lambda path=path: shutil.rmtree(path))


def running_agent(cleaner: Cleaner) -> str:
    for _, environ in processes(cleaner, "environ"):
        if found := re.search(rf"(?:^|\0)PYTHONPATH={PREFIX}/agent/([^:/]+):", environ):
            return found[1]
    return ""


# --- what provisioning made --------------------------------------------------------------------------------------------------


def purge(cleaner: Cleaner, host: str) -> None:
    """After the services have been stopped: their shims, mounts and network, links to our programs, and our packages."""
    stop_processes(cleaner)
    for point in mounts(cleaner):
        cleaner.take(f"mount {point}", lambda point=point: run("umount", "-l", point))
    remove_remains(cleaner)
    if (cleaner.at("sys/class/net") / BRIDGE).exists():
        cleaner.take(f"link {BRIDGE}", lambda: run("ip", "link", "delete", BRIDGE))
    remove_cgroups(cleaner, host)
    for path in entries(cleaner.at("usr/local/bin")):
        if ours_on_the_path(path):
            cleaner.take(f"file {path}", path.unlink)
    remove_blob_cache(cleaner)
    remove_packages(cleaner)


def remove_blob_cache(cleaner: Cleaner) -> None:
    """Where the image library remembers which blobs it has seen. CRI-O fills it at a pull, and no setting of it moves it: it is ours
    where CRI-O is and nothing else keeps images there."""
    folder = cleaner.at("var/lib/containers")
    files = entries(folder / "cache")
    alone = [path.name for path in entries(folder)] == ["cache"]
    ours = MARK in text(cleaner.at("etc/systemd/system/crio.service"))
    if ours and alone and all(path.name.startswith("blob-info-cache-") for path in files):
        cleaner.take(f"folder {folder}", lambda: shutil.rmtree(folder))


def stop_processes(cleaner: Cleaner) -> None:
    """Shims outlive their runtime. Those below PREFIX are ours, and what they started dies with them."""
    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 1.0)):
        found = shims(cleaner)
        for pid, name in found:
            cleaner.take(f"process {name}", lambda pid=pid, number=number: os.kill(pid, number))
        until = time.monotonic() + wait_s
        while found and not cleaner.check and shims(cleaner) and time.monotonic() < until:
            time.sleep(0.1)


def shims(cleaner: Cleaner) -> list[tuple[int, str]]:
    found = []
    for pid, line in processes(cleaner, "cmdline"):
        words = line.split("\0")
        name = Path(words[0]).name
        if name.startswith(SHIMS):
            found.append((pid, name))
    return found


def ours_on_the_path(path: Path) -> bool:
    """A link to what lies below PREFIX, or a script that labctl wrote."""
    if path.is_symlink():
        return str(path.readlink()).startswith(f"{PREFIX}/")
    if not path.is_file() or path.stat().st_size > 4096:
        return False
    said = text(path)
    return MARK in said or "--config /etc/crictl-" in said


def remove_packages(cleaner: Cleaner) -> None:
    """Those that apt's own history says were installed by us, and of what came along with them what nobody needs now."""
    named, along = installed_by_us(cleaner)
    here = {name for name in (*named, *along) if is_installed(cleaner, name)}
    if first := sorted(here.intersection(named)):
        cleaner.take(f"package {', '.join(first)}", lambda: apt("purge", *first))
    unneeded = simulated("autoremove") if here.intersection(along) else set()
    if second := sorted(here.intersection(along) & unneeded):
        cleaner.take(f"package {', '.join(second)}", lambda: apt("purge", *second))


def installed_by_us(cleaner: Cleaner) -> tuple[set[str], set[str]]:
    """Names: those asked for by a path below PREFIX, and those that came along. Of what is only newer than before, none."""
    named: set[str] = set()
    along: set[str] = set()
    for stanza in history(cleaner):
        if f" {PREFIX}/" not in stanza.get("Commandline", ""):
            continue
        for item in re.findall(r"([^\s,(]+) \(([^)]*)\)", stanza.get("Install", "")):
            (along if "automatic" in item[1] else named).add(item[0].partition(":")[0])
    return named, along


def history(cleaner: Cleaner) -> Iterator[dict[str, str]]:
    for path in entries(cleaner.at("var/log/apt")):
        if path.name.startswith("history.log"):
            data = path.read_bytes()
            said = gzip.decompress(data) if path.suffix == ".gz" else data
            for stanza in said.decode("utf-8", "replace").split("\n\n"):
                lines = (line.partition(": ") for line in stanza.splitlines())
                yield {key: value for key, _, value in lines}


def is_installed(cleaner: Cleaner, name: str) -> bool:
    stanzas = text(cleaner.at("var/lib/dpkg/status")).split("\n\n")
    mine = [stanza for stanza in stanzas if stanza.startswith(f"Package: {name}\n")]
    return any(
        "\nStatus: install ok installed" in stanza or "\nStatus: deinstall ok config-files" in stanza
        for stanza in mine
    )


def simulated(*words: str) -> set[str]:
    """Names that `apt-get --simulate` would remove."""
    done = run("apt-get", "--simulate", *words)
    return {line.split()[1] for line in done.splitlines() if line.startswith(("Remv ", "Purg "))}


def apt(*words: str) -> None:
    run("apt-get", "-q", "-y", "-oDPkg::Lock::Timeout=120", *words)


# --- reading and doing -------------------------------------------------------------------------------------------------------


def run(*words: str) -> str:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
        env=environment,
    )
    if done.returncode != 0:
        raise OSError(f"{' '.join(words[:3])} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout


def mounts(cleaner: Cleaner) -> list[str]:
    """Mount points below the runtimes' folders, the last mounted first."""
    points = [line.split(" ", 5)[4] for line in text(cleaner.at("proc/self/mountinfo")).splitlines()]
    return [
        point
        for point in reversed(points)
        if point.startswith(tuple(f"{folder}/" for folder in STATE_FOLDERS))
    ]


def processes(cleaner: Cleaner, file: str) -> Iterator[tuple[int, str]]:
    for path in entries(cleaner.at("proc")):
        if path.name.isdigit():
            yield int(path.name), text(path / file)


def below(folder: Path) -> Iterator[Path]:
    """Folders below it, deepest first."""
    for child in entries(folder):
        if child.is_dir() and not child.is_symlink():
            yield from below(child)
            yield child


def entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def text(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("verb", choices=("clean", "purge"))
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--host", default=os.uname().nodename)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--keep", action="append", default=[])
    options = parser.parse_args(argv)
    cleaner = Cleaner(check=options.check)
    if options.verb == "purge":
        purge(cleaner, options.host)
    else:
        clean(cleaner, options.host, options.days, frozenset(options.keep))
    sys.stdout.write(json.dumps({"removed": cleaner.removed, "problems": cleaner.problems}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
