# SPDX-License-Identifier: Apache-2.0
"""The container images that benchmarks use, made on the controller from Debian's packages: no registry, no daemon.

busybox    busybox with a link for each applet
pause      catatonit alone, as `/catatonit -P`
sysbench   busybox, and sysbench with the libraries that it loads

The packages are those of the lock (playbooks/components/images/packages.yaml), of one release of Debian whatever this machine has; they are
taken apart, never installed. The same packages give the same bits: entries are sorted, owned by root and dated 1970; umoci writes
the OCI image, skopeo the archive that `ctr images import` takes. What went in stands in each image's labels and in the store's index.
Beside them comes `set.tar`, an artifact for hosts: artifact.json, which tells the host's fingerprint what the images are made of,
and what the registry on its loopback serves.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.build.contents import busybox_entries, pause_entries, sysbench_entries
from orchestrator.build.debian import Fetched, Run, fetch, run_tool
from orchestrator.build.layer import pack
from orchestrator.build.recipe import DEBIAN_NAMES
from orchestrator.build.registry import EPOCH, Served, several_layers, tree
from orchestrator.files import sha256_of
from orchestrator.model.artifact import ImageArtifact, ImageSet
from orchestrator.model.errors import BuildError
from orchestrator.model.image_lock import ImageLock
from orchestrator.model.system_packages import CONTAINER_IMAGES, install_hint

RECIPE = 3
"""Counts up when what is done below changes the images that come out."""

SET = "set.tar"


@dataclass(frozen=True, slots=True)
class Image:
    """``ref`` is the name on the hosts; ``entrypoint`` and ``command`` as in an OCI image's configuration. ``packages`` it holds;
    None: all but catatonit."""

    name: str
    ref: str
    packages: tuple[str, ...] | None
    entrypoint: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def holds(self, package: str) -> bool:
        return package != "catatonit" if self.packages is None else package in self.packages


IMAGES = (
    Image("busybox", "localhost/labctl/busybox:1", ("busybox-static",), command=("/bin/sh",)),
    Image("pause", "localhost/labctl/pause:1", ("catatonit",), entrypoint=("/catatonit", "-P")),
    Image("sysbench", "localhost/labctl/sysbench:1", None, command=("/bin/sh",)),
)

Say = Callable[[str], None]


def build_images(
    cache: Path,
    lock: ImageLock,
    sources: Callable[[], Sequence[str]],
    run: Run = run_tool,
    say: Say = lambda _: None,
) -> ImageSet:
    """The images' archives, out of ``cache`` (a folder) where they are there and whole, else made.

    ``sources`` gives apt's lines for the lock's release, and is asked only where something is made. Raises BuildError: a tool is
    missing, a package cannot be fetched or is not the locked one, a tool fails.
    """
    store = cache / "images" / _key(lock)
    if found := _cached(store):
        return found
    if missing := [package for tool, package in CONTAINER_IMAGES.items() if shutil.which(tool) is None]:
        raise BuildError(
            f"The container images cannot be made: {', '.join(missing)} is missing on this machine.",
            install_hint(missing),
        )
    say(f"making the container images ({', '.join(image.name for image in IMAGES)})")
    store.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".making-", dir=store.parent) as aside:
        work, done = Path(aside) / "work", Path(aside) / store.name
        work.mkdir()
        done.mkdir()
        index = _make(work, done, lock, sources(), run, say)
        (done / "index.json").write_text(json.dumps(index, indent=1, sort_keys=True) + "\n")
        shutil.rmtree(store, ignore_errors=True)
        done.rename(store)
    return _cached(store) or _torn(store)


def _key(lock: ImageLock) -> str:
    """Everything that we decide about the images. Where the mirror has moved on from a library, the store's index says to what."""
    described = {
        "images": [asdict(image) for image in IMAGES],
        "lock": asdict(lock) | {"held": sorted(lock.held)},
    }
    said = json.dumps([RECIPE, platform.machine(), described], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _cached(store: Path) -> ImageSet | None:
    """What the index names, if every archive still has the bytes that it says."""
    try:
        index = json.loads((store / "index.json").read_text())
        images = tuple(
            ImageArtifact(
                path=str(store / entry["file"]),
                **{key: entry[key] for key in ("name", "ref", "sha256", "digest")},
            )
            for entry in index["images"]
        )
        found = ImageSet(images, index["set"]["key"], str(store / SET), index["set"]["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    files = [(image.path, image.sha256) for image in images] + [(found.path, found.sha256)]
    return found if all(_sha256(Path(path)) == sha256 for path, sha256 in files) else None


def _torn(store: Path) -> ImageSet:
    raise BuildError(
        f"The images in {store} are not what was just written there.", "Is the disk full or failing?"
    )


def _make(
    work: Path, done: Path, lock: ImageLock, sources: Sequence[str], run: Run, say: Say
) -> dict[str, object]:
    """Archives in ``done``; gives the index."""
    packages = fetch(lock, platform.machine(), sources, work, run, say)
    for package in packages:
        run(["dpkg-deb", "--extract", package.path.name, "packages"], work)
    layers = {
        "busybox": pack(busybox_entries(work / "packages", run)),
        "pause": pack(pause_entries(work / "packages")),
        "sysbench": pack(sysbench_entries(work / "packages", run)),
    }
    entries = []
    for image in IMAGES:
        labels = _labels(lock, [package for package in packages if image.holds(package.name)])
        entries.append(_archive(work, done, run, image, layers[image.name], labels))
    about = [
        {"name": one.name, "version": one.version, "sha256": one.sha256, "locked": one.locked}
        for one in packages
    ]
    made = _set(done / SET, lock, packages, entries, layers["busybox"])
    return {"recipe": RECIPE, "release": lock.release, "packages": about, "images": entries, "set": made}


def _labels(lock: ImageLock, packages: Sequence[Fetched]) -> dict[str, str]:
    """Which packages the image holds, each with its sha256, and which of them are not as locked."""
    other = [package.name for package in packages if not package.locked]
    told = {
        f"debian.package.{package.name}": f"{package.version} sha256:{package.sha256}" for package in packages
    }
    return {"debian.release": lock.release, "labctl.not-as-locked": " ".join(other) or "none", **told}


def _archive(
    work: Path, done: Path, run: Run, image: Image, layer: bytes, labels: Mapping[str, str]
) -> dict[str, str]:
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
    words = [
        *(f"--config.entrypoint={word}" for word in image.entrypoint),
        *(f"--config.cmd={word}" for word in image.command),
        *(f"--config.label={name}={value}" for name, value in labels.items()),
    ]
    run(["umoci", "config", "--image", tagged, "--created", EPOCH, "--no-history", *words], work)
    run(["umoci", "gc", "--layout", layout], work)
    archive = f"{image.name}.tar"
    run(["skopeo", "copy", "--quiet", f"oci:{tagged}", f"docker-archive:{done / archive}:{image.ref}"], work)
    manifest = json.loads((work / layout / "index.json").read_text())["manifests"][0]
    return {
        "name": image.name, "ref": image.ref, "file": archive,
        "sha256": _sha256(done / archive) or "", "digest": str(manifest["digest"]),
    }  # fmt: skip


def _set(
    path: Path,
    lock: ImageLock,
    packages: Sequence[Fetched],
    images: Sequence[Mapping[str, str]],
    busybox: bytes,
) -> dict[str, str]:
    """images/KEY/artifact.json and images/KEY/registry/..., in one tar; gives its key and sha256."""
    architecture = DEBIAN_NAMES.get(platform.machine(), platform.machine())
    served = tree(
        [
            Served("labctl/busybox", "1", architecture, [busybox], ("/bin/sh",)),
            several_layers(architecture),
        ]
    )
    files = {f"image/{image['name']}": image["digest"].removeprefix("sha256:") for image in images}
    files |= {package.path.name: package.sha256 for package in packages}
    files |= {
        name: hashlib.sha256(data).hexdigest() for name, data in served.items() if "/blobs/" not in name
    }
    about: dict[str, Any] = {
        "component": "images",
        "version": lock.release,
        "source": "debian",
        "files": files,
    }
    about["key"] = hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:16]
    top = f"images/{about['key']}"
    manifest = json.dumps({"schema": 1, **about}, indent=1, sort_keys=True).encode() + b"\n"
    _pack_files(
        path, top, {"artifact.json": manifest} | {f"registry/{name}": data for name, data in served.items()}
    )
    return {"key": about["key"], "sha256": sha256_of(path)}


def _pack_files(path: Path, top: str, files: Mapping[str, bytes]) -> None:
    """As an artifact of the store: below ``top``, sorted, root's, dated 1970."""
    names = {f"{top}/{name}": data for name, data in files.items()}
    folders = {str(parent) for name in names for parent in Path(name).parents} - {"."}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted({*folders, *names}):
            entry = tarfile.TarInfo(name)
            entry.uname = entry.gname = "root"
            entry.type, entry.mode = (tarfile.REGTYPE, 0o644) if name in names else (tarfile.DIRTYPE, 0o755)
            entry.size = len(names.get(name, b""))
            tar.addfile(entry, io.BytesIO(names.get(name, b"")))


def _sha256(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None
