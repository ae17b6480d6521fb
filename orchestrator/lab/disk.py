# SPDX-License-Identifier: Apache-2.0
"""The disk that virtual machines begin with: Debian with its kernel, made once without root, kept under the hash of what determines it.

mmdebstrap makes a tar, a script turns it into an ext4 file system; both run as root of a user namespace where the user is not
root. The kernel and its initrd lie beside the disk: machines are booted with them directly. Nothing in it is of one host.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.files import write_text
from orchestrator.lab import qemu
from orchestrator.lab.files import locked, remove_tree
from orchestrator.lab.guest import TIMERS, Entry, masks
from orchestrator.lab.rootfs import MAKE_SECONDS, Recipe, reason
from orchestrator.lab.sources import Mirror, apt_conf
from orchestrator.lab.system import System
from orchestrator.model.errors import LabError

DISK = 1
"""Counts up when what is done below changes the disk that comes out."""

PACKAGES = ("udev",)
"""Beside those of every lab host: a virtual machine has devices of its own."""

NETWORK = f"""\
[Match]
Name=en* eth*

[Network]
Address={qemu.ADDRESS}
Gateway={qemu.GATEWAY}
LinkLocalAddressing=no
IPv6AcceptRA=no
"""

HOST_KEYS = """\
[Unit]
Description=Make SSH host keys where there are none
Before=ssh.service
ConditionPathExists=!/etc/ssh/ssh_host_ed25519_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
"""

SCRIPT = """
set -e
cd "$1"
rm -rf tree
mkdir tree
tar --extract --file=root.tar --directory=tree --numeric-owner --xattrs --xattrs-include='*' --exclude='./dev/*'
rm -f tree/etc/ssh/ssh_host_*_key* tree/etc/apt/apt.conf.d/99mmdebstrap tree/etc/apt/sources.list
rm -f tree/etc/apt/sources.list.d/*
tar --extract --file=files.tar --directory=tree --numeric-owner
cp tree/boot/vmlinuz-* kernel
cp tree/boot/initrd.img-* initrd
chmod 644 kernel initrd
truncate --size=6G disk.raw
mke2fs -q -F -t ext4 -L labctl -d tree disk.raw
rm -rf tree root.tar files.tar
"""
"""Devices are left out: a user namespace may not make them, and the kernel brings them. The file system grows at the boot."""

ENTER_NAMESPACE = ("unshare", "--user", "--mount", "--map-root-user", "--map-auto", "--")
"""Root of a user namespace, with this user's files as root's own and a range of user ids below it (/etc/subuid)."""


def common_files(release: str) -> dict[str, Entry]:
    """What all virtual machines have in common. The archive is Debian's public one, until a host gets this machine's."""
    units = "etc/systemd/system"
    return {
        "etc/fstab": Entry("/dev/vda / ext4 discard,errors=remount-ro,x-systemd.growfs 0 1\n"),
        "etc/hostname": Entry("labhost\n"),
        "etc/hosts": Entry("127.0.0.1 localhost\n127.0.1.1 labhost\n::1 localhost ip6-localhost\n"),
        "etc/machine-id": Entry(""),
        "etc/resolv.conf": Entry(f"nameserver {qemu.NAMESERVER}\n"),
        "etc/systemd/network/labctl.network": Entry(NETWORK),
        f"{units}/multi-user.target.wants/systemd-networkd.service": Entry(
            link="/usr/lib/systemd/system/systemd-networkd.service"
        ),
        f"{units}/labctl-host-keys.service": Entry(HOST_KEYS),
        f"{units}/multi-user.target.wants/labctl-host-keys.service": Entry(
            link="../labctl-host-keys.service"
        ),
        "etc/apt/sources.list.d/debian.list": Entry(
            "".join(f"{line}\n" for line in Mirror("http://deb.debian.org/debian").lines(release))
        ),
        "root/.ssh": Entry(mode=0o700),
        **masks(TIMERS),
    }


@dataclass(frozen=True, slots=True)
class BaseDisk:
    """A complete one."""

    folder: Path

    @property
    def disk(self) -> Path:
        return self.folder / "disk.raw"

    @property
    def kernel(self) -> Path:
        return self.folder / "kernel"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    def packages(self) -> dict[str, str]:
        """The version of each Debian package in it."""
        found: dict[str, str] = json.loads((self.folder / "packages.json").read_text(encoding="utf-8"))
        return found


def disk_recipe(release: str, architecture: qemu.Architecture, extra: tuple[str, ...]) -> Recipe:
    return Recipe.of(release, (architecture.kernel, *PACKAGES, *extra))


@dataclass(frozen=True, slots=True)
class DiskCache:
    """Complete disks in ``folder``; what is not complete has another name. ``root_user`` False: made in a user namespace."""

    folder: Path
    system: System
    root_user: bool

    def find(self, recipe: Recipe) -> BaseDisk | None:
        path = self.folder / self._digest(recipe)
        return BaseDisk(path) if path.is_dir() else None

    def ensure(self, recipe: Recipe, mirror: Mirror, options: Mapping[str, str]) -> BaseDisk:
        """The disk of ``recipe``, made where it is not there yet, by one labctl at a time. Raises LabError."""
        if found := self.find(recipe):
            return found
        lock = self.folder / f"{self._digest(recipe)}.lock"
        with locked(lock, "making the disk", self.system.clock, MAKE_SECONDS) as descriptor:
            return self.find(recipe) or self._make(recipe, mirror, options, descriptor)

    def _make(self, recipe: Recipe, mirror: Mirror, options: Mapping[str, str], lock: int) -> BaseDisk:
        """``lock`` is held by what works on it too: if we are killed, the next labctl waits for its end."""
        digest = self._digest(recipe)
        aside, log = self.folder / f"{digest}.partial", self.folder / f"{digest}.log"
        self._remove(aside)
        aside.mkdir(parents=True)
        log.unlink(missing_ok=True)
        tar, apt = aside / "root.tar", aside / "apt.conf"
        write_text(apt, apt_conf(options), 0o600)
        bootstrap = recipe.command(tar, mirror, apt, "tar")
        self._run(bootstrap, aside, log, lock, f"mmdebstrap could not make Debian {recipe.release}")
        apt.unlink()
        write_text(aside / "packages.json", json.dumps(packages_in(tar), indent=1) + "\n")
        write_tar(aside / "files.tar", common_files(recipe.release))
        self._run(["sh", "-c", SCRIPT, "sh", str(aside)], aside, log, lock, "the disk could not be made")
        # Durable before it gets its name: a torn disk would be taken for a whole one after a power cut.
        self.system.run("sync", "--file-system", str(aside), timeout=300)
        aside.rename(self.folder / digest)
        log.unlink(missing_ok=True)
        return BaseDisk(self.folder / digest)

    def _run(self, command: list[str], aside: Path, log: Path, lock: int, failed: str) -> None:
        """What it makes for a moment is made in ``aside`` too, so that it goes with it."""
        done = self.system.run(
            *(() if self.root_user else ENTER_NAMESPACE),
            *command,
            check=False,
            timeout=MAKE_SECONDS,
            log=log,
            keep_open=(lock,),
            env={"TMPDIR": str(aside)},
        )
        if done.code != 0:
            why = reason(log)
            self._remove(aside)
            raise LabError(f"{failed}: {why}", f"Its log: {log}")

    def _remove(self, folder: Path) -> None:
        if not self.root_user and folder.exists():
            # Some files are of users that exist only inside.
            inside = ("rm", "-rf", "--one-file-system", "--", str(folder))
            self.system.run(*ENTER_NAMESPACE, *inside, check=False, timeout=300)
        remove_tree(folder, self.system)

    def _digest(self, recipe: Recipe) -> str:
        files = {name: asdict(entry) for name, entry in common_files(recipe.release).items()}
        text = json.dumps([DISK, recipe.digest, SCRIPT, files], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def write_tar(path: Path, files: Mapping[str, Entry]) -> None:
    """``files`` as root's."""
    with tarfile.open(path, "w") as tar:
        for name, entry in files.items():
            info, data = tarfile.TarInfo(name), (entry.text or "").encode()
            info.mode, info.size = entry.mode, len(data)
            if entry.link is not None:
                info.type, info.linkname = tarfile.SYMTYPE, entry.link
            elif entry.text is None:
                info.type = tarfile.DIRTYPE
            tar.addfile(info, io.BytesIO(data))


def packages_in(tar: Path) -> dict[str, str]:
    """The version of each Debian package that is installed in the root file system ``tar``. Raises LabError: there is no list."""
    with tarfile.open(tar) as archive:
        member = archive.extractfile("./var/lib/dpkg/status")
        if member is None:
            raise LabError(f"{tar} is not the root file system of a Debian.")
        stanzas = member.read().decode("utf-8", "replace").split("\n\n")
    fields = [
        dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")
        for stanza in stanzas
    ]
    return {each["Package"]: each["Version"] for each in fields if "Version" in each}


# --- a host's own


def personalise(disk: Path, files: Mapping[str, Entry], staging: Path, system: System) -> None:
    """Write ``files`` into the ext4 file system ``disk``, which is not in use, in folders that are there. Raises LabError.

    It takes neither root nor a mount: debugfs(8) writes them, as root's. What it writes lies in ``staging`` for that moment.
    """
    staging.mkdir(mode=0o700, parents=True, exist_ok=True)
    orders: list[str] = []
    for number, (name, entry) in enumerate(files.items()):
        part = staging / str(number)
        write_text(part, entry.text or "", 0o600)
        folder, _, base = name.rpartition("/")
        orders += [f"cd /{folder}", f'write "{part}" {base}', f"sif {base} mode 0{0o100000 | entry.mode:o}"]
        orders += [f"sif {base} {field} 0" for field in ("uid", "gid")]
    replaced = [f"rm /{name}" for name in files if name in common_files("")]
    write_text(staging / "orders", "\n".join([*replaced, *orders]) + "\n", 0o600)
    done = system.run("debugfs", "-w", "-f", str(staging / "orders"), str(disk), timeout=120)
    remove_tree(staging, system)
    # Its exit code says nothing; each line on stderr but its name and version is an error.
    complaints = [
        line for line in done.stderr.splitlines() if line.strip() and not line.startswith("debugfs 1.")
    ]
    if complaints:
        raise LabError(f"debugfs could not write into {disk}: {complaints[0]}")
