# SPDX-License-Identifier: Apache-2.0
"""What a playbook installs is there before any host is reached: built, or at least said to be missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestrator.build.artifacts import read_artifacts, write_artifacts
from orchestrator.model.artifact import ARTIFACTS
from orchestrator.model.errors import ConfigError
from orchestrator.pipeline.build import Asked, View, build
from orchestrator.pipeline.images import images


def build_artifacts(asked: Callable[[], Asked] | None, view: View | None, state: Path, cache: Path) -> None:
    """Build what is asked for; without anybody who asks, or is told, only the container images are made. Raises as `build`."""
    if asked is not None and view is not None:
        build(asked(), view)
    elif not (state / ARTIFACTS).is_file():
        write_artifacts(state / ARTIFACTS, images(cache))


def demand_artifacts(state: Path) -> None:
    """For a prediction, which builds nothing. Raises ConfigError where nothing was built yet."""
    if not read_artifacts(state / ARTIFACTS).get("components"):
        raise ConfigError(
            "nothing was built yet, so that nothing can be predicted.",
            file=state / ARTIFACTS,
            hint="Run `labctl build` first.",
        )
