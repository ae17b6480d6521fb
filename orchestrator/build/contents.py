# SPDX-License-Identifier: Apache-2.0
"""What lies in each container image, out of Debian packages that were unpacked into one folder."""

from __future__ import annotations

import re
from pathlib import Path

from orchestrator.build.debian import Run
from orchestrator.build.layer import Entry
from orchestrator.model.errors import BuildError

FOLDERS = ("bin", "dev", "etc", "proc", "sys", "tmp")
_LOADED = re.compile(r"^\s*\S+ => (.+) \(0x[0-9a-f]+\)$|^\s*(/\S+) \(0x[0-9a-f]+\)$", re.MULTILINE)
_ABSENT = re.compile(r"^\s*(\S+) => not found$", re.MULTILINE)


def pause_entries(packages: Path) -> list[Entry]:
    """catatonit alone."""
    return [Entry("catatonit", content=_program(packages, "catatonit").read_bytes())]


def busybox_entries(packages: Path, run: Run) -> list[Entry]:
    """busybox, a link for each applet, and the two files that name root. Raises BuildError."""
    program = _program(packages, "busybox")
    applets = sorted(set(run([str(program), "--list"], packages).split()) - {"busybox"})
    return [
        *(Entry(folder, 0o1777 if folder == "tmp" else 0o755) for folder in FOLDERS),
        Entry("bin/busybox", content=program.read_bytes()),
        *(Entry(f"bin/{applet}", link="busybox") for applet in applets),
        Entry("etc/group", 0o644, b"root:x:0:\n"),
        Entry("etc/passwd", 0o644, b"root:x:0:0:root:/:/bin/sh\n"),
    ]


def sysbench_entries(packages: Path, run: Run) -> list[Entry]:
    """busybox, sysbench, its loader, and the libraries that the loader says it loads. Raises BuildError: one is in no package."""
    program, loader = _program(packages, "sysbench"), _loader(packages)
    files = {path: packages / path for path in loaded(packages, program, loader, run)}
    files[str(loader.relative_to(packages))] = loader
    files["usr/bin/sysbench"] = program
    folders = sorted({str(parent) for path in files for parent in Path(path).parents} - {"."})
    tops = sorted(folder for folder in folders if re.fullmatch(r"usr/lib\d*", folder))
    return [
        *busybox_entries(packages, run),
        *(Entry(folder) for folder in folders),
        # As in Debian: the loader is asked for below /lib or /lib64.
        *(Entry(folder.removeprefix("usr/"), link=folder) for folder in tops),
        *(Entry(path, content=file.read_bytes()) for path, file in sorted(files.items())),
    ]


def loaded(packages: Path, program: Path, loader: Path, run: Run) -> list[str]:
    """Paths below ``packages`` of the libraries that ``program`` loads, as its own loader finds them. Raises BuildError."""
    places = ":".join(str(path) for path in sorted((packages / "usr/lib").glob("*-linux-*")))
    said = run([str(loader), "--inhibit-cache", "--library-path", places, "--list", str(program)], packages)
    found = [first or second for first, second in _LOADED.findall(said)]
    inside = [path for path in found if path.startswith(f"{packages}/")]
    # A library of this machine in its place would be another one on the next machine.
    outside = sorted({*found} - {*inside} - {f"/{loader.relative_to(packages / 'usr')}"})
    if outside := [Path(path).name for path in outside] + _ABSENT.findall(said):
        raise BuildError(
            f"{program.name} loads {', '.join(outside)}, which none of the images' packages has.",
            "Add the package that has it to playbooks/components/images/packages.yaml.",
        )
    return sorted(
        {str(Path(path).relative_to(packages)) for path in inside} - {str(loader.relative_to(packages))}
    )


def _loader(packages: Path) -> Path:
    found = sorted(packages.glob("usr/lib*/ld-linux*"))
    if not found:
        raise BuildError("The package libc6 of the container images holds no dynamic loader.")
    return found[0]


def _program(packages: Path, name: str) -> Path:
    """Where a package keeps its program: /bin in Debian 12, /usr/bin in Debian 13."""
    found = next(
        (path for path in (packages / "usr/bin" / name, packages / "bin" / name) if path.is_file()), None
    )
    if found is None:
        raise BuildError(f"The packages of the container images hold no program {name}.")
    return found
