# SPDX-License-Identifier: Apache-2.0
"""Builds the wheel and the sdist, installs the wheel, and calls its command: shared with the lab test of the demo."""

from __future__ import annotations

import hashlib
import os
import site
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
SECONDS = 300


@dataclass(frozen=True)
class Distribution:
    """The two files."""

    wheel: Path
    sdist: Path


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Installed:
    """labctl in an environment outside the repository."""

    environment: Path

    @property
    def packages(self) -> Path:
        (found,) = self.environment.glob("lib/python3*/site-packages")
        return found

    def call(self, folder: Path, *words: str | Path, seconds: float = SECONDS, **environ: str) -> Answer:
        """Type ``labctl WORDS`` in ``folder``."""
        return self._run(folder, [self.environment / "bin/labctl", *words], seconds, environ)

    def python(self, folder: Path, code: str) -> Answer:
        return self._run(folder, [self.environment / "bin/python", "-c", code], SECONDS, {})

    def content(self) -> dict[str, tuple[int, str]]:
        """Each installed file with its time and its hash: equal before and after where nothing was written."""
        return {
            str(path.relative_to(self.packages)): (
                path.stat().st_mtime_ns,
                hashlib.sha256(path.read_bytes()).hexdigest(),
            )
            for path in sorted(self.packages.rglob("*"))
            if path.is_file()
        }

    @staticmethod
    def _run(folder: Path, command: list[str | Path], seconds: float, environ: dict[str, str]) -> Answer:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("LABCTL_", "PYTHON"))
        }
        done = subprocess.run(
            command,
            cwd=folder,
            env={**kept, **environ},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)


def build(into: Path) -> Distribution:
    """With the hatchling of this environment, so that no package index is asked."""
    _check([sys.executable, "-m", "hatchling", "build", "-d", into], REPOSITORY)
    (wheel,), (sdist,) = into.glob("*.whl"), into.glob("*.tar.gz")
    return Distribution(wheel, sdist)


def build_wheel(source: Path, into: Path) -> Path:
    """The wheel of the unpacked sdist ``source``."""
    _check([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", into], source)
    (wheel,) = into.glob("*.whl")
    return wheel


def install(wheel: Path, environment: Path) -> Installed:
    """Install ``wheel`` alone; what it depends on is seen in this environment by the name of its folder.

    A folder in a .pth file is only added to the path: the .pth of this repository's editable install is not read there.
    """
    _check([sys.executable, "-m", "venv", "--without-pip", environment], environment.parent)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--disable-pip-version-check",
        "--python",
        environment / "bin/python",
    ]
    _check([*pip, "install", "--quiet", "--no-deps", "--no-index", wheel], environment.parent)
    installed = Installed(environment)
    (installed.packages / "dependencies.pth").write_text(f"{_own_packages()}\n")
    return installed


def _own_packages() -> Path:
    return Path(next(folder for folder in site.getsitepackages() if folder.startswith(sys.prefix)))


def _check(command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
