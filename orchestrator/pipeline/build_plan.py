# SPDX-License-Identifier: Apache-2.0
"""Which artifacts hosts of several Debian releases need, and which of them one artifact serves.

A build from source is made once an architecture, on the oldest release asked for: what that builds runs on all newer ones. Debian's
packages are another artifact for each release.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.build import snapshot
from orchestrator.build.key import inputs_of, key_of
from orchestrator.model.artifact import RELEASES, MissingComponent, Target, is_newer, oldest
from orchestrator.model.component import Component, Source, Toolchain
from orchestrator.model.errors import BuildError

_CHEAP_FIRST = (Source.PREBUILT, Source.DEBIAN, Source.CHECKOUT, Source.MODULE)


@dataclass(frozen=True, slots=True)
class PlannedArtifact:
    """An artifact by its ``key``, and the ``inputs`` that the key was computed from. ``releases`` are those that it serves.

    ``component`` has the packages of that release alone. ``snapshot``: of a checkout, the tar of its work tree.
    """

    component: Component
    releases: tuple[str, ...]
    key: str
    inputs: Mapping[str, Any]
    snapshot: Path | None


@dataclass(frozen=True, slots=True)
class BuildPlan:
    """All artifacts of one architecture, the cheap ones first; and by release what there is no artifact of."""

    artifacts: tuple[PlannedArtifact, ...]
    missing: Mapping[str, tuple[MissingComponent, ...]] = field(default_factory=dict)

    @property
    def releases(self) -> frozenset[str]:
        """Return the releases that any artifact serves."""
        return frozenset(release for planned in self.artifacts for release in planned.releases)


def nothing_to_build_on(components: Sequence[Component], releases: Sequence[str], reason: str) -> BuildPlan:
    """Return the plan of an architecture that nothing can be built for: every component is missing, for the same ``reason``."""
    missing = tuple(missing_component(component, reason) for component in components)
    return BuildPlan((), dict.fromkeys(releases, missing))


def missing_component(component: Component, reason: str) -> MissingComponent:
    """Return what a host is told of a component that it cannot have."""
    return MissingComponent(component.name, reason, component.handler.name if component.handler else None)


def releases_by_architecture(targets: Iterable[Target]) -> dict[str, tuple[str, ...]]:
    """Return each architecture's releases, the oldest first."""
    releases: dict[str, set[str]] = {}
    for target in targets:
        releases.setdefault(target.architecture, set()).add(target.release)
    return {name: tuple(release for release in RELEASES if release in own) for name, own in releases.items()}


def plan_build(
    components: Sequence[Component],
    toolchain: Toolchain,
    builder: Target,
    releases: Sequence[str],
    work: Path,
) -> BuildPlan:
    """Plan ``components`` for ``releases`` (code names, the oldest first) on a builder that is ``builder``.

    Snapshots of work trees are written into ``work``. Raises BuildError: the builder is newer than a release that it builds for, or a
    lock cannot be read.
    """
    planned: list[PlannedArtifact] = []
    missing: dict[str, list[MissingComponent]] = {release: [] for release in releases}
    for component in sorted(components, key=lambda item: (_CHEAP_FIRST.index(item.source), item.name)):
        if component.source is not Source.DEBIAN:
            planned.append(_built(component, toolchain, builder, tuple(releases), work))
            continue
        for release in releases:
            of_release = component.for_release(release)
            if isinstance(of_release, str):
                missing[release].append(missing_component(component, of_release))
            else:
                inputs = inputs_of(of_release, toolchain, Target(builder.architecture, release), None)
                planned.append(PlannedArtifact(of_release, (release,), key_of(inputs), inputs, None))
    return BuildPlan(tuple(planned), {release: tuple(items) for release, items in missing.items()})


def _built(
    component: Component, toolchain: Toolchain, builder: Target, releases: tuple[str, ...], work: Path
) -> PlannedArtifact:
    tar = None
    if component.checkout is not None:
        tar = work / f"{component.name}.tar"
        snapshot.take(component.checkout, tar)
    inputs = inputs_of(component, toolchain, builder, tar)
    if inputs.get("release"):
        _demand_old_enough(component, builder, oldest(releases))
    return PlannedArtifact(component, releases, key_of(inputs), inputs, tar)


def _demand_old_enough(component: Component, builder: Target, release: str) -> None:
    """Raise BuildError where C that ``builder`` compiles would not start on ``release``."""
    if not is_newer(builder.release, release):
        return
    raise BuildError(
        f"{component.name} is built with a C library: what Debian {RELEASES[builder.release]} ({builder.release}) builds does not"
        f" start on Debian {RELEASES[release]} ({release}).",
        f"Build without --local, or on a host of the group `builders` that has Debian {RELEASES[release]}.",
    )
