# SPDX-License-Identifier: Apache-2.0
"""The container images that benchmarks use, made on the controller from Debian's packages: no registry, no daemon.

busybox   busybox with a link for each applet
pause     catatonit alone, as `/catatonit -P`

The packages are downloaded and taken apart, never installed. The same packages give the same bits: entries are
sorted, owned by root and dated 1970; umoci writes the OCI image, skopeo the archive that `ctr images import` takes.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from orchestrator.files import sha256_of
from orchestrator.model.artifact import ImageArtifact
from orchestrator.model.errors import BuildError

RECIPE = 2
"""Counts up when what is done below changes the images that come out."""

PACKAGES = ("busybox-static", "catatonit")
TOOLS = {"skopeo": "skopeo", "umoci": "umoci", "apt-get": "apt", "dpkg-deb": "dpkg"}
EPOCH = "1970-01-01T00:00:00Z"
SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Image:
    """``ref`` is the name on the hosts; ``entrypoint`` and ``command`` as in an OCI image's configuration."""

    name: str
    ref: str
    busybox: bool
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


IMAGES = (
    Image("busybox", "localhost/labctl/busybox:1", busybox=True, command=("/bin/sh",)),
    Image("pause", "localhost/labctl/pause:1", busybox=False, entrypoint=("/catatonit", "-P")),
)

Run = Callable[[Sequence[str], Path], str]
"""Runs a command in a folder and gives what it printed. Raises BuildError."""


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


def build_images(
    cache: Path, run: Run = run_tool, say: Callable[[str], None] = lambda _: None
) -> tuple[ImageArtifact, ...]:
    """The images' archives, out of ``cache`` (a folder) where they are there and whole, else made.

    Raises BuildError: a tool is missing, a package cannot be fetched, a tool fails.
    """
    store = cache / "images" / _key()
    if found := _cached(store):
        return found
    if missing := [package for tool, package in TOOLS.items() if shutil.which(tool) is None]:
        raise BuildError(
            f"The container images cannot be made: {', '.join(missing)} is missing on this machine.",
            f"Install it: apt-get install {' '.join(missing)}",
        )
    say("making the container images (busybox, pause)")
    store.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=store.parent) as aside:
        work = Path(aside) / store.name
        work.mkdir()
        index = _make(work, run)
        (work / "index.json").write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
        shutil.rmtree(store, ignore_errors=True)
        work.rename(store)
    return _cached(store) or _torn(store)


def _key() -> str:
    """Everything that we decide about the images. Which versions of the packages went in is in the store's index."""
    described = [(image.name, image.ref, image.busybox, image.entrypoint, image.command) for image in IMAGES]
    return hashlib.sha256(json.dumps([RECIPE, PACKAGES, described]).encode()).hexdigest()[:16]


def _cached(store: Path) -> tuple[ImageArtifact, ...] | None:
    """What the index names, if every archive still has the bytes that it says."""
    try:
        index = json.loads((store / "index.json").read_text())
        artifacts = tuple(
            ImageArtifact(
                path=str(store / entry["file"]),
                **{key: entry[key] for key in ("name", "ref", "sha256", "digest")},
            )
            for entry in index["images"]
        )
    except (OSError, ValueError, KeyError):
        return None
    return (
        artifacts if all(_sha256(Path(artifact.path)) == artifact.sha256 for artifact in artifacts) else None
    )


def _torn(store: Path) -> tuple[ImageArtifact, ...]:
    raise BuildError(
        f"The images in {store} are not what was just written there.", "Is the disk full or failing?"
    )


def _make(work: Path, run: Run) -> dict[str, object]:
    """Archives in ``work``; gives the index."""
    _download(work, run)
    debs = sorted(work.glob("*.deb"))
    for deb in debs:
        run(["dpkg-deb", "--extract", deb.name, "packages"], work)
    busybox, catatonit = (_program(work / "packages", name) for name in ("busybox", "catatonit"))
    applets = run([str(busybox), "--list"], work).split()
    images = [_archive(work, run, image, _layer(image, busybox, catatonit, applets)) for image in IMAGES]
    for leftover in [*debs, *work.glob("*.layer"), *work.glob("*.oci"), work / "packages"]:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
    return {"recipe": RECIPE, "packages": [deb.name for deb in debs], "images": images}


def _download(work: Path, run: Run) -> None:
    """The packages, from Debian as this machine has it configured; its lists are fetched first where they are too old."""
    download = ["apt-get", "download", "-o", "APT::Sandbox::User=root", *PACKAGES]
    try:
        run(download, work)
    except BuildError:
        run(["apt-get", "update"], work)
        run(download, work)


def _program(packages: Path, name: str) -> Path:
    """Where a package keeps its program: /bin in Debian 12, /usr/bin in Debian 13."""
    found = next(
        (path for path in (packages / "usr/bin" / name, packages / "bin" / name) if path.is_file()), None
    )
    if found is None:
        raise BuildError(f"Debian's packages {', '.join(PACKAGES)} hold no program {name}.")
    return found


def _layer(image: Image, busybox: Path, catatonit: Path, applets: Sequence[str]) -> bytes:
    """The image's one layer, as a tar whose bytes only its contents decide."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        if image.busybox:
            for folder in ("bin", "dev", "etc", "proc", "sys", "tmp"):
                tar.addfile(_entry(folder, tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755))
            _add_file(tar, "bin/busybox", busybox.read_bytes(), 0o755)
            for applet in sorted(set(applets) - {"busybox"}):
                link = _entry(f"bin/{applet}", tarfile.SYMTYPE, 0o777)
                link.linkname = "busybox"
                tar.addfile(link)
            _add_file(tar, "etc/group", b"root:x:0:\n", 0o644)
            _add_file(tar, "etc/passwd", b"root:x:0:0:root:/:/bin/sh\n", 0o644)
        else:
            _add_file(tar, "catatonit", catatonit.read_bytes(), 0o755)
    return buffer.getvalue()


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode = kind, mode
    return entry


def _add_file(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    entry = _entry(name, tarfile.REGTYPE, mode)
    entry.size = len(content)
    tar.addfile(entry, io.BytesIO(content))


def _archive(work: Path, run: Run, image: Image, layer: bytes) -> dict[str, str]:
    """Make the image and its archive; gives the index's entry. ``digest`` is the OCI manifest's."""
    (work / f"{image.name}.layer").write_bytes(layer)
    layout = f"{image.name}.oci"
    tagged = f"{layout}:1"
    run(["umoci", "init", "--layout", layout], work)
    run(["umoci", "new", "--image", tagged], work)
    run(
        ["umoci", "raw", "add-layer", "--image", tagged, "--history.created", EPOCH, f"{image.name}.layer"],
        work,
    )
    words = [f"--config.entrypoint={word}" for word in image.entrypoint] + [
        f"--config.cmd={word}" for word in image.command
    ]
    run(["umoci", "config", "--image", tagged, "--created", EPOCH, "--no-history", *words], work)
    run(["umoci", "gc", "--layout", layout], work)
    run(["skopeo", "copy", "--quiet", f"oci:{tagged}", f"docker-archive:{image.name}.tar:{image.ref}"], work)
    manifest = json.loads((work / layout / "index.json").read_text())["manifests"][0]
    archive = f"{image.name}.tar"
    return {
        "name": image.name, "ref": image.ref, "file": archive,
        "sha256": _sha256(work / archive) or "", "digest": str(manifest["digest"]),
    }  # fmt: skip


def _sha256(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None
