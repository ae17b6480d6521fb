# SPDX-License-Identifier: Apache-2.0
"""What a build left, copied into a project's folder, with a vars file that holds no path of this machine.

PROJECT/.labctl/artifacts.yaml             as `orchestrator.build.artifacts` writes it, its paths beginning at the project's folder
PROJECT/.labctl/artifacts/NAME-SHA256.tar
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml

from orchestrator.build.artifacts import HEAD, read_artifacts
from orchestrator.files import aside, sha256_of, write_text
from orchestrator.model.artifact import ARTIFACTS
from orchestrator.model.errors import BuildError

STATE = ".labctl"
_FROM_PROJECT = "{{ labctl_project | default(playbook_dir ~ '/..') }}/" + STATE + "/artifacts/"


def pack(artifacts: Path, project: Path) -> int:
    """Bring everything that the vars file ``artifacts`` names; the bytes that were copied, 0 where all was there already.

    What an earlier packing left there and nothing names any more is removed. Raises BuildError.
    """
    told = deepcopy(dict(read_artifacts(artifacts)))
    if not told:
        raise BuildError(f"{artifacts}: nothing was built yet.", "Run `labctl build` first.")
    folder = project / STATE / "artifacts"
    names, copied = set(), 0
    try:
        for name, entry in _entries(told):
            source = Path(entry["path"])
            dest = folder / f"{name}-{entry['sha256'][:16]}{source.suffix}"
            copied += _copy(source, dest, entry["sha256"])
            entry["path"] = _FROM_PROJECT + dest.name
            names.add(dest.name)
        write_text(project / STATE / ARTIFACTS, HEAD + yaml.safe_dump({"labctl_artifacts": told}))
        for path in folder.iterdir():
            if path.name not in names:
                path.unlink()
    except OSError as error:
        raise BuildError(f"{error.filename or project}: cannot be packed: {error.strerror}.") from error
    return copied


def _entries(told: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Everything that has a ``path`` and its ``sha256``."""
    for target in told.get("targets", {}).values():
        yield from target.get("components", {}).items()
    yield from ((f"image-{name}", entry) for name, entry in told.get("images", {}).items())
    if "image_set" in told:
        yield "images", told["image_set"]


def _copy(source: Path, dest: Path, sha256: str) -> int:
    if dest.is_file() and sha256_of(dest) == sha256:
        return 0
    with aside(dest) as beside:
        shutil.copyfile(source, beside)
    return dest.stat().st_size
