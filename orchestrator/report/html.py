# SPDX-License-Identifier: Apache-2.0
"""report.html: one file, no network, no script needed."""

from __future__ import annotations

import re
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from orchestrator.model.verdict import VerdictKind
from orchestrator.report import numbers
from orchestrator.report.page import facts_table, overview, section
from orchestrator.report.svg import Paint, render
from orchestrator.report.tables import binaries_table, contaminated_table, host_table, provenance_table
from orchestrator.report.view import Report

MARKS = {
    VerdictKind.CONFLICT: "disagreement",
    VerdictKind.DIFFERENT: "different",
    VerdictKind.NEGLIGIBLE: "negligible",
    VerdictKind.EQUIVALENT: "no difference",
    VerdictKind.INCONCLUSIVE: "inconclusive",
    VerdictKind.UNCLAIMED: "no claim",
    VerdictKind.VARIES: "size varies",
}

CODE = re.compile(r"`([^`]+)`")


def render_html(report: Report, paint: Paint = render) -> str:
    """The whole page; ``paint`` makes its pictures."""
    return _environment().get_template("report.html.j2").render(
        report=report,
        spec=report.spec,
        estimates=report.estimates,
        settings=report.estimates.settings,
        marks=MARKS,
        overview=overview(report, paint),
        sections=[section(report, plan.name, paint) for plan in report.spec.benchmarks],
        contaminated=_contaminated(report),
        hosts=host_table(report),
        provenance=provenance_table(report),
        binaries=binaries_table(report),
        facts=facts_table(report),
    )  # fmt: skip


def _contaminated(report: Report) -> dict[str, object] | None:
    """How many counted blocks are flagged, and their table; None where none is."""
    table, found = contaminated_table(report), report.estimates.contamination
    if table is None or found is None:
        return None
    return {"flagged": sum(not one.warmup for one in found.flagged), "table": table}


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("orchestrator.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        prose=_prose,
        ratio=numbers.ratio,
        ratios=numbers.ratios,
        probability=numbers.probability,
        picture=Markup,
        names=_names,
    )
    return environment


def _names(paths: str) -> str:
    """Of files: where they lay on somebody's machine is nothing for a report that is passed on."""
    return ", ".join(Path(path).name for path in paths.split(", "))


def _prose(text: str) -> Markup:
    """Escaped; what stands in backticks becomes code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(text))))
