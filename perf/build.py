# SPDX-License-Identifier: Apache-2.0
"""What `labctl build` costs beside the bare commands: `python perf/build.py [COMPONENT...]` (default: all that are compiled).

Both begin with an empty module cache and an empty build cache, and have the pinned toolchain. labctl builds on its disposable
lab host, whose root file system is there: its boot, its Debian packages, and packing the artifacts are in its time. The bare
commands are the same `go build` and `cc` lines, run one after another on this machine, which must have what they need.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.build import recipe, toolchain
from orchestrator.build.builder import GoPlaces
from orchestrator.build.toolchain import Caches
from orchestrator.files import cache_folder
from orchestrator.load.component import choose, load_components, load_toolchain
from orchestrator.model.component import Component, Source

COMPONENTS = Path(__file__).resolve().parents[1] / "playbooks/components"
SECONDS = 3600.0


def by_labctl(names: Sequence[str], folder: Path) -> dict[str, float]:
    """Seconds of each component by labctl's own count; "" is the whole command."""
    cache, work = folder / "cache/labctl", folder / "work"
    work.mkdir(parents=True)
    for kept in ("rootfs", "images", "go/toolchains"):
        shutil.copytree(cache_folder() / kept, cache / kept, symlinks=True, copy_function=os.link)
    command = [
        sys.executable,
        "-m",
        "orchestrator.cli.main",
        "build",
        "--json",
        "--components",
        str(COMPONENTS),
    ]
    start = time.perf_counter()
    done = subprocess.run(
        [*command, *names],
        cwd=work,
        env={**os.environ, "XDG_CACHE_HOME": str(cache.parent)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    took = time.perf_counter() - start
    if done.returncode != 0:
        sys.exit("labctl build failed.")
    built = json.loads(done.stdout)
    if any(one["cached"] for one in built):
        sys.exit("Something was not built, so this is not what is measured here.")
    return {"": took, **{one["component"]: one["seconds"] for one in built}}


def bare(components: Sequence[Component], root: Path, folder: Path) -> dict[str, float]:
    """The same commands without labctl; "" is their sum."""
    places = GoPlaces(str(root), str(folder / "modules"), str(folder / "build"))
    took: dict[str, float] = {}
    for component in components:
        assert component.go is not None
        source, out = folder / component.name, folder / f"{component.name}.out"
        source.mkdir(parents=True)
        for file in ("go.mod", "go.sum"):
            shutil.copyfile(component.folder / file, source / file)
        own = recipe.go_environment(component.go, places, str(folder))
        del (
            own["GOPROXY"],
            own["GOENV"],
            own["GOSUMDB"],
        )  # the modules come from where this machine has them from
        lines = [recipe.folders_command(component, str(out)), *recipe.go_commands(component, str(out))]
        start = time.perf_counter()
        subprocess.run(
            ["sh", "-eu", "-c", "\n".join(lines)],
            cwd=source,
            env={**os.environ, **own, "GOFLAGS": "-modcacherw"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=True,
        )
        took[component.name] = time.perf_counter() - start
    return {"": sum(took.values()), **took}


def main(names: Sequence[str]) -> None:
    components = [one for one in choose(load_components([COMPONENTS]), names) if one.source is Source.MODULE]
    root = toolchain.ensure(
        load_toolchain(COMPONENTS), Caches.of_user(), lambda text: None, platform.machine()
    )
    with tempfile.TemporaryDirectory(prefix="labctl-perf-", dir=cache_folder()) as name:
        own = bare(components, root, Path(name) / "bare")
        ours = by_labctl([one.name for one in components], Path(name) / "ours")
    print(f"{'':14} {'go build':>10} {'labctl':>10} {'ratio':>7}")
    for component in [*(one.name for one in components), ""]:
        ratio = ours[component] / own[component]
        print(f"{component or 'all of it':14} {own[component]:8.1f} s {ours[component]:8.1f} s {ratio:7.2f}")


if __name__ == "__main__":
    main(sys.argv[1:])
