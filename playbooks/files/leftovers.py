# SPDX-License-Identifier: Apache-2.0
"""Takes off this host what labctl's runs left behind (clean), or what its provisioning made (purge).

    leftovers.py clean [--check] [--host NAME] [--days N] [--keep SHA256]...
    leftovers.py purge [--check] [--host NAME]

Prints JSON: `removed`, a line each, `kept` likewise with the reason, `problems`, and `refusal`, a sentence: then nothing was removed.
With --check it only says what it would remove. Done twice, the second time removes nothing. Standard library only; the runtimes are
asked through the agent's own package, where an agent is deployed. What is labctl's is decided by `ownership.py` beside this file.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import itertools

import ownership
from ownership import (
    INSTANCES,
    MANIFEST,
    PREFIX,
    UNITS,
    Host,
    Instance,
    ManifestError,
    entries,
    text,
)

OTHER_UNITS = ("labctl-agent.service", "labctl-registry.service")
MARKED = (
    *(path for paths in ownership.MARKED.values() for path in paths),
    "/etc/crictl.yaml",
    "/etc/crictl-containerd.yaml",
    "/etc/crictl-crio.yaml",
    "/etc/systemd/network/10-labctl-cni.link",
)
"""Where an older labctl, without a manifest, wrote files that others may write too."""
OWN_FOLDERS = (
    "/etc/cni/labctl.d",
    "/var/lib/cni/networks/labctl",
    "/etc/labctl",
    "/run/labctl",
    "/run/labctl-kvm",
    "/opt/labctl",
)
"""Nobody else's, as their names say. So is the manifest's folder, which goes last."""
SHIMS = ("containerd-shim", "conmon", "runsc-sandbox", "runsc-gofer", "runsc")
RUN_LABEL = "labctl.run"
POD_NAMESPACE = "labctl"
"""Of the pods of labctl's runs (remote_agent/cri/pods.py)."""
OCI_ROOTS = ("/run/runc", "/run/crun", "/run/runsc")
"""Where OCI runtimes keep a folder a container, unless they are told another place."""
SHIM_SOCKETS = "/run/containerd/s"
"""Shared by all daemons of containerd's kind on a host."""
BRIDGE = "cni-labctl"
LEASES = "var/lib/cni/networks/labctl"
GRACE_S = 5.0
COMMAND_S = 300.0
SHOWN_PODS = 5


@dataclass
class Cleaner:
    """``root`` is / but in tests. ``check``: say, and do not."""

    root: Path = Path("/")
    check: bool = False
    removed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    refusal: str = ""

    def __post_init__(self) -> None:
        self.host = Host(self.root)
        try:
            self.manifest = self.host.manifest()
        except ManifestError as error:
            self.manifest, self.refusal = None, str(error)

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

    def instances(self) -> list[Instance]:
        """The CRI runtimes that are labctl's."""
        return [each for each in INSTANCES.values() if self.host.is_labctl_instance(each, self.manifest)]

    def is_alone(self) -> bool:
        """Whether no CRI runtime of somebody else's is on this host."""
        return all(
            self.host.is_labctl_instance(each, self.manifest) or not self.at(each.socket).exists()
            for each in INSTANCES.values()
        )


# --- what runs leave ---------------------------------------------------------------------------------------------------------


def clean(cleaner: Cleaner, host: str, days: float, keep: frozenset[str]) -> None:
    """Pods first: with them goes most of the rest, by their runtimes' own hands."""
    if remove_pods(cleaner):
        remove_remains(cleaner)
    remove_cgroups(cleaner, host)
    remove_old_runs(cleaner, days)
    remove_old_artifacts(cleaner)
    programs = [Path(__file__), Path(ownership.__file__)]  # they came as blobs too
    keep = keep and keep | {hashlib.sha256(path.read_bytes()).hexdigest() for path in programs}
    for folder in ("var/lib/labctl/images", "var/cache/labctl/blobs"):
        for path in entries(cleaner.at(folder)):
            if keep and path.name.removesuffix(".tar") not in keep:
                cleaner.take(f"file {path}", path.unlink)


def remove_pods(cleaner: Cleaner) -> bool:
    """Ours in every runtime that answers. Whether no pod of anybody's is left, so that what still lies about is nobody's."""
    paths = {name: cleaner.at(instance.socket) for name, instance in INSTANCES.items()}
    sockets = {name: path for name, path in paths.items() if path.is_socket()}
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
                if (
                    INSTANCES[name] in cleaner.instances()
                ):  # of another, that it does not speak the CRI is no problem
                    cleaner.problems.append(f"{name}: {error}")
                left += 1
                continue
        cleaner.removed += found
        cleaner.problems += [f"{name}: {problem}" for problem in problems]
    return left == 0 and not shims(cleaner)


def remove_remains(cleaner: Cleaner) -> None:
    """Namespaces, links, leases and mounts of pods that are no more. A namespace does not say whose it was: it goes where no CRI
    runtime but labctl's is on the host."""
    for point in mounts(cleaner):
        if Path(point).name != "null-netns" and re.search(r"/(rootfs|shm|merged|userdata/shm)$", point):
            cleaner.take(f"mount {point}", lambda point=point: run("umount", "-l", point))
    for kind in (
        ("netns", "ipcns", "utsns", "pidns", "userns") if cleaner.instances() and cleaner.is_alone() else ()
    ):
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


# --- shims and their pods ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shim:
    """A process that stands beside a container. ``pod`` names it; ``is_labctl``: it is one of labctl's runs."""

    pid: int
    program: str
    bundle: str
    pod: str
    is_labctl: bool

    def is_of(self, instance: Instance) -> bool:
        return self.bundle.startswith(tuple(f"{folder}/" for folder in instance.state))


def shims(cleaner: Cleaner) -> list[Shim]:
    """All of this host, of whatever runtime."""
    result = []
    for pid, line in processes(cleaner, "cmdline"):
        words = line.split("\0")
        program = Path(words[0]).name
        if program.startswith(SHIMS):
            bundle = bundle_of(cleaner, pid, words)
            pod, is_labctl = pod_of(cleaner, pid, bundle)
            result.append(
                Shim(
                    pid,
                    program,
                    bundle,
                    pod or container_of(words) or f"process {pid} ({program})",
                    is_labctl,
                )
            )
    return result


def bundle_of(cleaner: Cleaner, pid: int, words: list[str]) -> str:
    """The folder of the container's OCI configuration: an argument of conmon and runsc, and where containerd's shims are started."""
    for word, following in zip(words, [*words[1:], ""], strict=True):
        if word in ("-b", "-bundle", "--bundle"):
            return following
        if word.startswith("--bundle="):
            return word.partition("=")[2]
    try:
        return str((cleaner.at("proc") / str(pid) / "cwd").readlink())
    except OSError:
        return ""


def pod_of(cleaner: Cleaner, pid: int, bundle: str) -> tuple[str, bool]:
    """Namespace and name of the pod, "" where it is in none, and whether it is one of labctl's runs."""
    try:
        annotations = json.loads(text(cleaner.at(f"{bundle}/config.json")))["annotations"] if bundle else {}
    except (ValueError, LookupError, TypeError):
        annotations = {}
    # CRI-O: k8s_NAME_NAMESPACE_UID_ATTEMPT, of each container of the pod
    _, name, namespace, *_ = (*annotations.get("io.kubernetes.cri-o.SandboxName", "").split("_"), "", "", "")[
        :4
    ]
    name = annotations.get("io.kubernetes.cri.sandbox-name", name)
    namespace = annotations.get("io.kubernetes.cri.sandbox-namespace", namespace)
    in_group = re.search(r"[:/]labctl(/|\.slice/)", text(cleaner.at(f"proc/{pid}/cgroup")))
    is_labctl = (
        namespace == POD_NAMESPACE
        or RUN_LABEL in annotations.get("io.kubernetes.cri-o.Labels", "")
        or bool(in_group)
    )
    return "/".join(filter(None, (namespace, name))), is_labctl


def container_of(words: list[str]) -> str:
    """Of a container without a pod: containerd's namespace and its id."""
    values = dict(itertools.pairwise(words))
    container = values.get("-id") or values.get("-c") or ""
    return "/".join(filter(None, (values.get("-namespace"), container))) if container else ""


def foreign_pods(cleaner: Cleaner) -> list[str]:
    """Pods and containers that run in labctl's CRI runtimes and that no run of labctl made."""
    instances = cleaner.instances()
    return sorted(
        {
            shim.pod
            for shim in shims(cleaner)
            if not shim.is_labctl and any(shim.is_of(instance) for instance in instances)
        }
    )


# --- what provisioning made --------------------------------------------------------------------------------------------------


def purge(cleaner: Cleaner, host: str) -> None:
    """The manifest and the marks are the last to go: a purge that is cut off goes on the next time."""
    if pods := foreign_pods(cleaner):
        cleaner.refusal = refusal_of(pods)
    if cleaner.refusal:
        return
    instances = cleaner.instances()
    remove_images(cleaner, instances)
    stop_services(cleaner, instances)
    stop_processes(cleaner, instances)
    for point in mounts(cleaner):
        cleaner.take(f"mount {point}", lambda point=point: run("umount", "-l", point))
    if not shims(cleaner) or cleaner.check:
        remove_remains(cleaner)
    if (cleaner.at("sys/class/net") / BRIDGE).exists():
        cleaner.take(f"link {BRIDGE}", lambda: run("ip", "link", "delete", BRIDGE))
    remove_cgroups(cleaner, host)
    remove_blob_cache(cleaner)
    remove_packages(cleaner)
    remove_containers(cleaner, instances)
    remove_state(cleaner, instances)
    remove_files(cleaner, instances)


def refusal_of(pods: list[str]) -> str:
    shown = pods if len(pods) <= SHOWN_PODS else [*pods[:SHOWN_PODS], f"{len(pods) - SHOWN_PODS} more"]
    are = (
        "a pod or container that no run of labctl made runs"
        if len(pods) == 1
        else "pods or containers that no run of labctl made run"
    )
    return (
        f"In labctl's runtimes {are}: {', '.join(shown)}. "
        "Stop and remove what is not needed (crictl-containerd or crictl-crio stopp ID, rmp ID), and purge again."
    )


def was_created(cleaner: Cleaner, folder: str) -> bool:
    """Whether labctl's runtimes have made this folder. Without a manifest: what stands beside a marked unit is taken for theirs."""
    return cleaner.manifest is None or folder in cleaner.manifest.created


def remove_images(cleaner: Cleaner, instances: Iterable[Instance]) -> None:
    """From a store that was there before labctl, and stays."""
    images = cleaner.manifest.images if cleaner.manifest else frozenset()
    for name, (find, removal) in IMAGE_COMMANDS.items():
        instance = INSTANCES[name]
        if (
            instance not in instances
            or was_created(cleaner, instance.state[-1])
            or not cleaner.at(instance.socket).exists()
        ):
            continue
        for image in sorted(find(images)):
            cleaner.take(f"image {image} of {name}", lambda line=(*removal, image): run(*line))


def find_in_containerd(images: frozenset[str]) -> set[str]:
    """labctl's names of images, and the CRI's own (`sha256:ID`) of those images that nobody else has named."""
    lines = run("ctr", "--namespace", "k8s.io", "images", "list").splitlines()[1:]
    digests = {words[0]: words[2] for line in lines if len(words := line.split()) > 2}
    foreign_digests = {
        digest for name, digest in digests.items() if name not in images and not name.startswith("sha256:")
    }
    labctl_digests = {digest for name, digest in digests.items() if name in images} - foreign_digests
    return {
        name
        for name, digest in digests.items()
        if name in images or (digest in labctl_digests and name.startswith("sha256:"))
    }


def find_in_crio(images: frozenset[str]) -> set[str]:
    listed = json.loads(run("crictl", "--config", "/etc/crictl-crio.yaml", "images", "--output", "json"))
    return {tag for image in listed.get("images", []) for tag in image.get("repoTags", []) if tag in images}


IMAGE_COMMANDS: Mapping[str, tuple[Callable[[frozenset[str]], set[str]], tuple[str, ...]]] = {
    "containerd": (find_in_containerd, ("ctr", "--namespace", "k8s.io", "images", "remove", "--sync")),
    "crio": (find_in_crio, ("crictl", "--config", "/etc/crictl-crio.yaml", "rmi")),
}
"""What finds labctl's images in a CRI runtime, and what removes one."""


def stop_services(cleaner: Cleaner, instances: Iterable[Instance]) -> None:
    """Each says that labctl wrote it, or comes with a package that goes."""
    marked = [unit for unit in OTHER_UNITS if cleaner.host.is_marked(f"{UNITS}/{unit}")]
    for unit in (*marked, *(instance.unit for instance in instances)):
        cleaner.take(f"service {unit}", lambda unit=unit: run("systemctl", "disable", "--now", unit))


def stop_processes(cleaner: Cleaner, instances: Iterable[Instance]) -> None:
    """Shims outlive their runtime. What they started dies with them. Only those of labctl's pods."""

    def labctl_shims() -> list[Shim]:
        return [
            shim for shim in shims(cleaner) if shim.is_labctl and any(shim.is_of(each) for each in instances)
        ]

    for number, wait_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, 1.0)):
        targets = labctl_shims()
        for shim in targets:
            cleaner.take(f"process {shim.program}", lambda pid=shim.pid, number=number: os.kill(pid, number))
        until = time.monotonic() + wait_s
        while targets and not cleaner.check and labctl_shims() and time.monotonic() < until:
            time.sleep(0.1)
        if cleaner.check:
            return


def remove_blob_cache(cleaner: Cleaner) -> None:
    """Where the image library remembers which blobs it has seen. CRI-O fills it at a pull, and no setting of it moves it: it is
    labctl's where CRI-O is and nothing else keeps images there."""
    folder = cleaner.at("var/lib/containers")
    files = entries(folder / "cache")
    alone = [path.name for path in entries(folder)] == ["cache"]
    is_labctl = INSTANCES["crio"] in cleaner.instances() and was_created(cleaner, "/var/lib/containers")
    if is_labctl and alone and all(path.name.startswith("blob-info-cache-") for path in files):
        cleaner.take(f"folder {folder}", lambda: shutil.rmtree(folder))


def remove_packages(cleaner: Cleaner) -> None:
    """Those that labctl installed, and of what came along with them what nobody needs now; none that something else needs."""
    packages = cleaner.host.packages()
    named, along = packages_of_labctl(cleaner)
    candidates = {name for name in (*named, *along) if name in packages}
    going, kept = ownership.removable(packages, candidates)
    cleaner.kept += [
        f"package {name}: {user} needs it" for name, user in sorted(kept.items()) if name in named
    ]
    if not going:
        return
    too_many = simulated("purge", *sorted(going)) - going
    if too_many:
        cleaner.problems.append(
            f"packages stay, because apt would remove {', '.join(sorted(too_many))} with them"
        )
        return
    cleaner.take(f"package {', '.join(sorted(going))}", lambda: apt("purge", *sorted(going)))


def packages_of_labctl(cleaner: Cleaner) -> tuple[set[str], set[str]]:
    """Names: those that were asked for, and those that came along and that apt would remove by itself."""
    packages, manifest = cleaner.host.packages(), cleaner.manifest
    if manifest is None:
        named, along = ownership.installed_by_labctl(cleaner.host)
    else:
        named = set(manifest.packages)
        along = set(ownership.closure(packages, named) - named - manifest.packages_before)
    return named, along & automatic(cleaner)


def automatic(cleaner: Cleaner) -> set[str]:
    """Packages that apt installed because others need them."""
    stanzas = text(cleaner.at("var/lib/apt/extended_states")).split("\n\n")
    fields = [dict(line.partition(": ")[::2] for line in stanza.splitlines()) for stanza in stanzas]
    return {each["Package"] for each in fields if each.get("Auto-Installed") == "1" and "Package" in each}


def simulated(*words: str) -> set[str]:
    """Names that `apt-get --simulate` would remove."""
    done = run("apt-get", "--simulate", *words)
    return {
        line.split()[1].partition(":")[0] for line in done.splitlines() if line.startswith(("Remv ", "Purg "))
    }


def apt(*words: str) -> None:
    run("apt-get", "-q", "-y", "-oDPkg::Lock::Timeout=120", *words)


def remove_containers(cleaner: Cleaner, instances: Iterable[Instance]) -> None:
    """What OCI runtimes remember of containers whose bundle lies in the folders of labctl's runtimes."""
    folders = tuple(
        f"{start}{folder}/"
        for start in ('"', "bundle=")
        for instance in instances
        for folder in instance.state
    )
    for path in (path for root in OCI_ROOTS for path in entries(cleaner.at(root))):
        files = entries(path) if path.is_dir() else [path]
        remembered = "".join(text(file) for file in files if file.is_file())
        if any(folder in remembered for folder in folders):
            remove(cleaner, path)
            remove(cleaner, path.with_suffix(".lock") if path.suffix == ".state" else path)


def remove_state(cleaner: Cleaner, instances: Iterable[Instance]) -> None:
    """The folders of labctl's runtimes, where they have made them; the sockets of others' shims stay."""
    foreign_shims = shims(cleaner)
    for folder in (folder for instance in instances for folder in instance.state):
        place = cleaner.at(folder)
        if not was_created(cleaner, folder):
            cleaner.kept += [f"folder {folder}: it was there before labctl"] if place.exists() else []
            continue
        if foreign_shims and SHIM_SOCKETS.startswith(f"{folder}/"):
            for path in entries(place):
                if path != cleaner.at(SHIM_SOCKETS):
                    remove(cleaner, path)
        else:
            remove(cleaner, place)


def remove(cleaner: Cleaner, path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        cleaner.take(f"folder {path}", lambda: shutil.rmtree(path))
    elif os.path.lexists(path):
        cleaner.take(f"file {path}", path.unlink)


def remove_files(cleaner: Cleaner, instances: Iterable[Instance]) -> None:
    """labctl's folders, the files and links that are marked or listed, then what they replaced is put back; the units late."""
    home = cleaner.at(MANIFEST).parent
    for place in (
        *map(cleaner.at, OWN_FOLDERS),
        *(each for each in entries(home) if each != cleaner.at(MANIFEST)),
    ):
        remove(cleaner, place)
    paths = list(labctl_paths(cleaner))
    for path in sorted(paths, key=lambda path: path.startswith(f"{UNITS}/")):
        remove(cleaner, cleaner.at(path))
    for path, original in (cleaner.manifest.originals if cleaner.manifest else {}).items():
        if not os.path.lexists(cleaner.at(path)) and cleaner.at(path).parent.is_dir():
            cleaner.take(
                f"replacement of {path}",
                lambda path=path, original=original: restore(cleaner.at(path), original),
            )
    for folder in ownership.SHARED_FOLDERS if instances or cleaner.manifest else ():
        if was_created(cleaner, folder):
            remove_if_empty(cleaner.at(folder), cleaner.check)
    remove(cleaner, cleaner.at(MANIFEST))
    remove_if_empty(home, cleaner.check)


def labctl_paths(cleaner: Cleaner) -> Iterator[str]:
    """Paths of files and links that are labctl's. One that is listed and not marked any more is somebody else's by now."""
    listed = cleaner.manifest.paths if cleaner.manifest else frozenset()
    on_the_path = (f"/usr/local/bin/{path.name}" for path in entries(cleaner.at("usr/local/bin")))
    units = (f"{UNITS}/{unit}" for unit in OTHER_UNITS)
    crio = cleaner.host.is_marked(f"{UNITS}/crio.service")
    for path in sorted(
        {*listed, *on_the_path, *units, *MARKED, *(["/etc/crio/policy.json"] if crio else [])}
    ):
        if cleaner.host.is_marked(path) or (path.endswith(".json") and os.path.lexists(cleaner.at(path))):
            yield path
        elif path in listed and os.path.lexists(cleaner.at(path)):
            cleaner.kept.append(f"file {path}: it does not say any more that labctl wrote it")


def restore(path: Path, original: Mapping[str, Any]) -> None:
    """A link, or a file aside with its owner, mode and time, renamed."""
    if "link" in original:
        path.symlink_to(original["link"])
        return
    aside = path.with_name(f".{path.name}.labctl")
    aside.write_bytes(base64.b64decode(original["content"]))
    os.chown(aside, original["uid"], original["gid"])
    aside.chmod(original["mode"])
    os.utime(aside, ns=(original["mtime_ns"], original["mtime_ns"]))
    aside.replace(path)


def remove_if_empty(folder: Path, check: bool) -> None:
    """It counts for nothing."""
    if not check and folder.is_dir() and not folder.is_symlink() and not entries(folder):
        folder.rmdir()


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
    """Mount points below the folders of labctl's runtimes, the last mounted first."""
    points = [line.split(" ", 5)[4] for line in text(cleaner.at("proc/self/mountinfo")).splitlines()]
    folders = tuple(f"{folder}/" for instance in cleaner.instances() for folder in instance.state)
    return [point for point in reversed(points) if point.startswith(folders)]


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
    elif not cleaner.refusal:
        clean(cleaner, options.host, options.days, frozenset(options.keep))
    report = {name: getattr(cleaner, name) for name in ("removed", "kept", "problems", "refusal")}
    sys.stdout.write(json.dumps(report) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
