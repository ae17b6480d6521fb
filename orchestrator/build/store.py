# SPDX-License-Identifier: Apache-2.0
"""The controller's store of artifacts: COMPONENT/KEY/ with one tar and its provenance. Whole, or not there."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import tarfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from orchestrator.files import sha256_of
from orchestrator.model.artifact import PREFIX, Artifact
from orchestrator.model.component import Component, Handler, Source
from orchestrator.model.errors import BuildError

SCHEMA = 1
TAR = "artifact.tar"
PROVENANCE = "provenance.json"
MANIFEST = "artifact.json"
_ABOUT = ("component", "version", "source", "key", "sha256", "architecture", "files")


@dataclass(frozen=True, slots=True)
class Spoilt:
    """An artifact whose bytes are not what they were: one sentence."""

    what: str


@dataclass(frozen=True, slots=True)
class Store:
    """Below ``folder``. Several labctl may read it at once; who writes holds the lock of builds."""

    folder: Path

    def find(self, component: Component, key: str) -> Artifact | Spoilt | None:
        """The artifact, its tar read and compared with its sha256; None where it was never made."""
        place = self._place(component.name, key)
        try:
            about = json.loads((place / PROVENANCE).read_text(encoding="utf-8"))
            known = {name: about[name] for name in _ABOUT}
        except OSError:
            return None
        except (ValueError, KeyError, TypeError):
            return Spoilt(f"The provenance of {component.name} ({key}) in the store cannot be read.")
        try:
            found = sha256_of(place / TAR)
        except OSError as error:
            return Spoilt(
                f"The artifact of {component.name} ({key}) in the store cannot be read: {error.strerror}."
            )
        if found != known["sha256"]:
            return Spoilt(f"The artifact of {component.name} ({key}) in the store is not what was built.")
        return artifact_of(component, str(place / TAR), known)

    def provenance(self, artifact: Artifact) -> dict[str, Any]:
        """What was written when it was made. Raises BuildError."""
        path = self._place(artifact.component, artifact.key) / PROVENANCE
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:
            raise BuildError(f"{path} cannot be read: {error}") from error

    def put(
        self, component: Component, key: str, architecture: str, out: Path, provenance: Mapping[str, Any]
    ) -> Artifact:
        """Pack ``out`` and take it in, in place of what was there. Raises BuildError: a file that should be there is not."""
        files = {str(path.relative_to(out)): path for path in sorted(out.rglob("*")) if path.is_file()}
        _complete(component, files)
        place = self._place(component.name, key)
        place.parent.mkdir(parents=True, exist_ok=True)
        aside = place.with_name(f".{key}.{secrets.token_hex(4)}")
        aside.mkdir()
        try:
            about: dict[str, Any] = {
                "schema": SCHEMA,
                "component": component.name,
                "version": component.version,
                "source": component.source.value,
                "key": key,
                "architecture": architecture,
                "files": {name: sha256_of(path) for name, path in files.items()},
            }
            _pack(aside / TAR, f"{component.name}/{key}", files, _json(about))
            about["sha256"] = sha256_of(aside / TAR)
            (aside / PROVENANCE).write_text(_json({**about, **provenance}), encoding="utf-8")
            os.sync()
            shutil.rmtree(place, ignore_errors=True)
            aside.rename(place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return artifact_of(component, str(place / TAR), about)

    def sweep(self) -> None:
        """Take away what killed builds left aside."""
        for path in self.folder.glob("*/.*"):
            shutil.rmtree(path, ignore_errors=True)

    def _place(self, component: str, key: str) -> Path:
        return self.folder / component / key


def artifact_of(component: Component, path: str, about: Mapping[str, Any]) -> Artifact:
    """``about`` has what _ABOUT names; how the component is used may have changed since it was built."""
    programs = dict(component.programs) or {
        name.removeprefix("bin/"): f"{PREFIX}/{component.name}/current/{name}"
        for name in about["files"]
        if name.startswith("bin/")
    }
    return Artifact(
        path=path,
        programs=programs,
        packages=tuple(name for name in about["files"] if name.endswith(".deb")),
        handler=component.handler,
        **{name: about[name] for name in _ABOUT},
    )


def handler_entry(artifact: Artifact, handler: Handler) -> dict[str, str]:
    """A handler as roles read it: its program is an absolute path on a host."""
    program = artifact.programs[Path(handler.program).name]
    return {"component": artifact.component, "program": program, "kind": handler.kind}


def _complete(component: Component, files: Mapping[str, Path]) -> None:
    wanted = [target.output for target in component.go.targets] if component.go else []
    wanted += [target.output for target in component.go.c] if component.go else []
    wanted += [file.output for file in component.prebuilt]
    missing = [name for name in wanted if name not in files]
    if missing or not files:
        raise BuildError(f"The build of {component.name} left no {', '.join(missing) or 'files'}.")
    if component.source is Source.DEBIAN and len(files) != len(component.debian):
        raise BuildError(f"The packages of {component.name} are not all there: {', '.join(files)}.")


def _pack(path: Path, top: str, files: Mapping[str, Path], manifest: str) -> None:
    """Sorted, owned by root, dated 1970: only the contents decide the bytes."""
    folders = {top, *(f"{top}/{parent}" for name in files for parent in _parents(name))}
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as packed:
        for folder in sorted(folders):
            packed.addfile(_entry(folder, 0o755, kind=tarfile.DIRTYPE))
        data = manifest.encode()
        packed.addfile(_entry(f"{top}/{MANIFEST}", 0o644, len(data)), io.BytesIO(data))
        for name, file in sorted(files.items()):
            mode = 0o755 if name.startswith("bin/") else 0o644
            with file.open("rb") as stream:
                packed.addfile(_entry(f"{top}/{name}", mode, file.stat().st_size), stream)


def _parents(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: count + 1]) for count in range(len(parts))]


def _entry(name: str, mode: int, size: int = 0, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.size, entry.type = mode, size, kind
    entry.uname = entry.gname = "root"
    return entry


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=1, sort_keys=True, default=_plain) + "\n"


def _plain(value: Any) -> Any:
    return asdict(value) if hasattr(value, "__dataclass_fields__") else str(value)
