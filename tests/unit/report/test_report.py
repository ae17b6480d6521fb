# SPDX-License-Identifier: Apache-2.0
"""The report from a synthetic run: the page stands alone, the terminal fits, and nothing is shown without its numbers."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from orchestrator.cli.report import report as command
from orchestrator.model.errors import UsageError
from orchestrator.pipeline.report import digest, digested, report
from orchestrator.report.html import render_html
from orchestrator.report.terminal import printed
from orchestrator.report.thesis import published
from orchestrator.report.view import Report
from tests.fixtures.synthetic import LIFECYCLE, SCALE, Wanted, write_run

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and keeps what the tests ask for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.order: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.anchors: list[str] = []
        self.unscoped = 0
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag not in VOID:
            self.open.append(tag)
        self._keep(tag, given)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._keep(tag, dict(attrs))

    def _keep(self, tag: str, given: dict[str, str | None]) -> None:
        self.order.append(tag)
        self.loads += [str(given[name]) for name in ("src", "data", "srcset") if name in given]
        href = given.get("href") or given.get("xlink:href")
        if href:
            self.anchors.append(href)
        if "id" in given:
            assert given["id"] not in self.ids
            self.ids.add(str(given["id"]))
        self.unscoped += tag == "th" and "scope" not in given

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.text.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Report:
    wanted = Wanted(fails=(("h1", "containerd/crun", 3),), leaks=(("h1", "containerd/runc", 4),))
    return report(write_run(tmp_path_factory.mktemp("report"), wanted))


@pytest.fixture(scope="module")
def html(made: Report) -> str:
    return render_html(made)


def text_of(told: Report, width: int = 80) -> str:
    return printed(told, Console(file=io.StringIO(), width=width, highlight=False, emoji=False, markup=False))


def test_the_page_is_well_formed_and_loads_nothing(html: str) -> None:
    page = Page(html)
    assert page.loads == []
    assert re.findall(r"<script[^>]*>", html) == ['<script type="application/json" id="numbers">', "<script>"]
    assert "link" not in page.order
    addresses = set(re.findall(r"https?://[^\"'<> )]+", html))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "@import" not in html
    assert "url(" not in html
    assert all(anchor.startswith("#") and anchor[1:] in page.ids for anchor in page.anchors)


def test_every_figure_is_followed_by_its_table(html: str) -> None:
    first, *after = re.split(r"</figure>", html)[1:]
    assert "<details" not in first.split("</section>")[0], (
        "its numbers are the matrix's, and its caption says so"
    )
    assert "numbers are those of the matrix" in html
    assert len(after) == 7
    for rest in after:
        assert re.match(
            r"\s*<details[^>]*>\s*<summary>Figure \d+ as a table</summary>\s*<div[^>]*>\s*<table>", rest
        )
    figures = re.findall(r"<figure>.*?</figure>", html, re.DOTALL)
    for figure in figures:
        assert re.search(r'<svg [^>]*role="img" aria-label="[^"]+"', figure)
        assert "<figcaption>" in figure
    assert [int(n) for n in re.findall(r"Figure (\d+)\.</span>", html)] == list(range(1, 9))


def test_tables_have_scopes_and_captions(html: str) -> None:
    page = Page(html)
    assert page.unscoped == 0
    assert page.order.count("table") == page.order.count("caption") > 8


def test_colours_are_the_pages_own_so_that_dark_and_paper_work(html: str) -> None:
    drawn = "".join(re.findall(r"<svg .*?</svg>", html, re.DOTALL))
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn)) - {"none", "transparent"}
    assert colours
    assert {colour for colour in colours if not colour.startswith("var(--")} == set()
    for name in {re.sub(r"var\((.*)\)", r"\1", colour) for colour in colours}:
        assert html.count(f"{name}:") >= 3, name


def test_every_sentence_stands_in_page_and_terminal(made: Report, html: str) -> None:
    text = " ".join("".join(Page(html).text).split())
    terminal = " ".join(text_of(made, 1000).split())
    for verdict in made.estimates.verdicts:
        assert verdict.sentence in text
        assert verdict.sentence in terminal
    for sentence in (made.estimates.fleet_sentence, *(notice.message for notice in made.estimates.notices)):
        assert sentence in text
        assert sentence in terminal


def test_the_numbers_are_those_of_the_estimates(made: Report, html: str) -> None:
    measure = made.primary(LIFECYCLE)
    assert measure is not None
    cell, pair = made.cell("h2", measure, "containerd/crun"), made.pair("h2", measure, "containerd/crun")
    assert cell is not None
    assert pair is not None
    assert cell.median is not None
    for text in (f"{cell.median * 1000:.1f}", f"{pair.ratio:.3f}"):
        assert f"<td>{text}</td>" in html
        assert text in text_of(made)


def test_the_terminal_fits_80_columns_and_a_pipe_gets_no_escapes(made: Report) -> None:
    text = text_of(made)
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
    assert text.index("On h1: ") < text.index("h1 (machine alpha)") < text.index("journal")


def test_the_thesis_stands_beside_what_it_has_and_is_not_claimed(html: str) -> None:
    assert len(published()) == 19
    assert published()[12]["containerd/runc"] == "0.4786"
    assert "context, not a comparison" in html
    row = re.search(r"CreateAndRun</th>\s*<th[^>]*>containerd/runc</th>\s*<td>([^<]*)</td>", html)
    assert row is not None
    assert row[1] == "681 ms"


def test_what_comes_from_outside_is_escaped(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    path = folder / "hosts" / "h1" / "journal.jsonl"
    note = {
        "v": 1,
        "type": "note",
        "level": "warning",
        "message": "<script>alert(1)</script> `x<y`",
        "hint": None,
    }
    text = path.read_text().replace('"Synthetic CPU"', '"<script src=x>"')
    path.write_text(text + json.dumps(note) + "\n")
    html = render_html(report(folder))
    assert "&lt;script src=x&gt;" in html
    assert html.count("<script") == 2, "the page's own"
    assert "alert(1)</script>" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; <code>x&lt;y</code>" in html


def test_a_run_with_nothing_but_failures_still_has_a_page(tmp_path: Path) -> None:
    every = tuple(
        ("h1", name, block) for name in ("containerd/crun", "containerd/runc") for block in range(4)
    )
    wanted = Wanted(hosts=(("h1", "alpha"),), blocks={LIFECYCLE: 3}, fails=every)
    told = report(write_run(tmp_path, wanted))
    html = render_html(told)
    Page(html)
    both = "h1 containerd/runc, h1 containerd/crun"
    assert f"{both}: no counted trial succeeded: StartContainer: deadline exceeded (synthetic)." in html
    assert "<figure>" not in html
    assert f"- {both}: no counted" in text_of(told)


def test_a_run_that_never_came_to_a_trial_says_so(tmp_path: Path) -> None:
    folder = write_run(tmp_path, Wanted(hosts=(("h1", "alpha"),)))
    path = folder / "hosts" / "h1" / "journal.jsonl"
    path.write_text(path.read_text().splitlines()[0] + "\n")
    told = report(folder)
    assert "h1 containerd/runc, h1 containerd/crun: no counted trial was recorded." in render_html(told)
    assert "Nothing can be claimed of" in text_of(told)


def test_below_six_blocks_the_range_stands_in_parentheses(tmp_path: Path) -> None:
    told = report(write_run(tmp_path, Wanted(hosts=(("h1", "alpha"),), blocks={LIFECYCLE: 4})))
    measure = told.primary(LIFECYCLE)
    assert measure is not None
    cell = told.cell("h1", measure, "containerd/runc")
    assert cell is not None
    assert cell.secondary is not None
    text = " ".join(text_of(told).split())
    assert f"({cell.secondary.minimum * 1000:.0f}–{cell.secondary.maximum * 1000:.0f})" in text
    assert "4 of the 6 values that an interval needs; the range stands in" in text
    assert "4 of the 6 pairs that an interval needs" in text


def test_one_combination_alone_has_medians_and_no_ratios(tmp_path: Path) -> None:
    told = report(write_run(tmp_path, Wanted(handlers=("runc",), blocks={SCALE: 6})))
    html = render_html(told)
    Page(html)
    assert "nothing is compared" in html
    assert told.estimates.verdicts == ()


def test_digest_is_made_again_only_when_a_journal_has_changed(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    digest(folder)
    stamp = (folder / "estimates.json").stat().st_mtime_ns
    digested(folder)
    assert (folder / "estimates.json").stat().st_mtime_ns == stamp
    path = folder / "hosts" / "h2" / "journal.jsonl"
    path.write_text("".join(line + "\n" for line in path.read_text().splitlines()[:-1]))
    assert digested(folder).hosts[1].ended is None
    assert (folder / "estimates.json").stat().st_mtime_ns != stamp


def test_the_command_says_where_the_page_is(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    done = CliRunner().invoke(command, ["--root", str(folder.parent), "synth"])
    assert done.exit_code == 0, done.output
    assert f"The full report: {folder / 'report.html'}" in done.output
    assert (folder / "report.html").read_text().startswith("<!DOCTYPE html>")
    assert max(len(line) for line in done.output.splitlines() if "report.html" not in line) <= 80


def test_the_command_prints_json_and_csv_alone(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    root = ["--root", str(folder.parent)]
    estimates = json.loads(CliRunner().invoke(command, [*root, "--json"]).output)
    assert estimates["schema"] == 5
    assert len(estimates["verdicts"]) == 4
    lines = CliRunner().invoke(command, [*root, "--csv", "latest"]).output.splitlines()
    assert lines[0].startswith("run,host,machine")
    assert len(lines) == 1 + 2 * (2 * 11 * 11 + 2 * 7 * 12)
    assert not (folder / "report.html").exists()


def test_the_command_refuses_what_cannot_be(tmp_path: Path) -> None:
    folder = write_run(tmp_path)
    root = ["--root", str(folder.parent)]
    assert CliRunner().invoke(command, [*root, "--json", "--csv"]).exit_code == 2
    assert CliRunner().invoke(command, [*root, "--html", "x.html", "no-such-run"]).exit_code != 0
    assert isinstance(CliRunner().invoke(command, [*root, "nosuch"]).exception, UsageError)
