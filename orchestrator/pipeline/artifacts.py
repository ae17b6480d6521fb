# SPDX-License-Identifier: Apache-2.0
"""What a playbook installs is there before any host is changed: built, or at least said to be missing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from orchestrator.build.artifacts import targets_built, write_artifacts
from orchestrator.model.artifact import ARTIFACTS, Target
from orchestrator.model.errors import ConfigError
from orchestrator.pipeline.build import Asked, View, build
from orchestrator.pipeline.images import images


def build_artifacts(
    asked: Callable[[tuple[Target, ...]], Asked] | None,
    targets: Callable[[], tuple[Target, ...]],
    view: View | None,
    state: Path,
    cache: Path,
) -> None:
    """Build what is asked for ``targets``, which are those of the hosts that answer; where there is none, nothing is built.

    Without anybody who asks, or is told, only the container images are made. Raises as `build`.
    """
    if asked is not None and view is not None:
        if of_hosts := targets():
            build(asked(of_hosts), view)
    elif not (state / ARTIFACTS).is_file():
        write_artifacts(state / ARTIFACTS, images(cache))


def demand_artifacts(state: Path) -> None:
    """For a prediction, which builds nothing. Raises ConfigError where nothing was built yet."""
    if not targets_built(state / ARTIFACTS):
        raise ConfigError(
            "nothing was built yet, so that nothing can be predicted.",
            file=state / ARTIFACTS,
            hint="Run `labctl build` first.",
        )
