# SPDX-License-Identifier: Apache-2.0
"""A comparison as JSON, as `labctl schema comparison` describes it."""

from __future__ import annotations

from pydantic import TypeAdapter

from orchestrator.model.comparison import Comparison


def to_json(comparison: Comparison) -> str:
    return TypeAdapter(Comparison).dump_json(comparison, indent=1).decode() + "\n"
