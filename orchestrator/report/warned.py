# SPDX-License-Identifier: Apache-2.0
"""Warnings as they are told: what is the same on several hosts is said once."""

from __future__ import annotations

from orchestrator.report.view import MANY, Report


def by_message(report: Report) -> list[tuple[str, str, str]]:
    """Hosts, message, hint."""
    hosts: dict[tuple[str, str], list[str]] = {}
    for notice in report.estimates.notices:
        hosts.setdefault((notice.message, notice.hint), []).append(notice.host or "")
    return [
        (f"{len(who)} hosts" if len(who) > MANY else ", ".join(filter(None, who)), message, hint)
        for (message, hint), who in hosts.items()
    ]
