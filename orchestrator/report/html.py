# SPDX-License-Identifier: Apache-2.0
"""report.html: one file, no network, and no script needed: it has one that changes what the matrix shows."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from orchestrator.model.choices import STATISTICS
from orchestrator.model.ranking import RankKind
from orchestrator.model.text import printable
from orchestrator.model.verdict import VerdictKind
from orchestrator.report import numbers
from orchestrator.report.headlines import FEW, headlines, said, summary
from orchestrator.report.hosts import binaries_table, host_table, provenance_table
from orchestrator.report.matrix import matrices, numbers_for_script
from orchestrator.report.page import facts_table, overview, section
from orchestrator.report.ranks import leaders, ranks_table
from orchestrator.report.svg import Paint, here
from orchestrator.report.tables import contaminated_table
from orchestrator.report.together import Views
from orchestrator.report.topics import topics
from orchestrator.report.view import Report
from orchestrator.report.warned import by_message

MARKS = {
    VerdictKind.CONFLICT: "disagreement",
    VerdictKind.DIFFERENT: "different",
    VerdictKind.NEGLIGIBLE: "negligible",
    VerdictKind.EQUIVALENT: "no difference",
    VerdictKind.PROBABLE: "probably different",
    VerdictKind.UNDECIDED: "undecided",
    VerdictKind.UNCLAIMED: "no claim",
    VerdictKind.VARIES: "size varies",
}

RANKS = {RankKind.FIRST: "comes first", RankKind.AMONG: "among the first"}
CODE = re.compile(r"`([^`]+)`")


def render_html(report: Report, paint: Paint = here) -> str:
    """The whole page; ``paint`` makes its pictures."""
    views = Views(report)
    return _environment().get_template("report.html.j2").render(
        report=report,
        spec=report.spec,
        estimates=report.estimates,
        settings=report.estimates.settings,
        marks=MARKS,
        overview=overview(report, paint),
        matrices=matrices(report),
        statistics=STATISTICS,
        script_numbers=numbers_for_script(report),
        sections=[section(views, plan.name, paint) for plan in report.spec.benchmarks],
        leaders=leaders(report)[:FEW],
        leading=RANKS,
        ranks=ranks_table(report),
        verdicts=headlines(report),
        every=said(report),
        told=summary(report),
        warned=by_message(report),
        topics=topics(views, paint),
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
        finalize=_without_control,
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
        once=_Once(),
    )
    return environment


class _Once:
    """Of a label that comes again, the second one is numbered: to a screen reader, two regions of one name are one."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def __call__(self, label: str) -> str:
        self._seen[label] += 1
        return label if self._seen[label] == 1 else f"{label} ({self._seen[label]})"


def _names(paths: str) -> str:
    """Of files: where they lay on somebody's machine is nothing for a report that is passed on."""
    return ", ".join(Path(path).name for path in paths.split(", "))


def _prose(text: str) -> Markup:
    """Escaped; what stands in backticks becomes code."""
    return Markup(CODE.sub(r"<code>\1</code>", str(escape(printable(text)))))


def _without_control(value: object) -> object:
    """A text of the page, so that none reorders what stands beside it. Markup is labctl's own."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
