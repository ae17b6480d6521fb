# SPDX-License-Identifier: Apache-2.0
"""playbooks/components/images/packages.yaml: Debian's packages that the container images are made of."""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.component import DebianPackage


@dataclass(frozen=True, slots=True)
class ImageLock:
    """``release`` is Debian's code name. ``held`` names the packages that must be exactly as locked: what measures. The others,
    libraries, are taken as the mirror has them where it has moved on, and that is said and recorded."""

    release: str
    packages: tuple[DebianPackage, ...]
    held: frozenset[str]
