# SPDX-License-Identifier: Apache-2.0
"""The report as a reader has it: in a browser, by keyboard and screen reader, without script, on paper."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page

from tests.browser.conftest import Open

CELL = "tr[data-row='0'] td"


def cells(page: Page, selector: str = CELL) -> list[str]:
    return page.locator(selector).all_inner_texts()


def choice(page: Page, name: str) -> Locator:
    return page.locator(f"#choices select[name={name}]")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["one_host", "fleet"])
def test_nothing_complains_nothing_is_asked_for_and_everybody_can_use_it(
    opened: Open, which: str, scheme: str, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(which)
    found = opened(path, color_scheme=scheme)
    found.page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    result = Axe().run(found.page)
    assert result.response["passes"], "axe-core has looked at something"
    assert result.violations_count == 0, result.generate_report()
    assert found.complaints == []
    assert found.requests == [path.as_uri()]


def test_another_baseline_turns_the_ratios_round(opened: Open, one_host: Path) -> None:
    page = opened(one_host).page
    before = cells(page)
    assert "baseline" in before[0]
    choice(page, "baseline").select_option(label="containerd/crun")
    after = cells(page)
    assert "baseline" in after[1]
    ratio, low, high = (float(number) for number in re.findall(r"[\d.]+", before[1]))
    turned = [float(number) for number in re.findall(r"[\d.]+", after[0])]
    assert turned == pytest.approx([1 / ratio, 1 / high, 1 / low], rel=2e-3)
    assert "Claims are made against containerd/runc only" in page.locator("#chosen").inner_text()
    assert page.locator(".claimed").count() == 0
    page.get_by_role("button", name="As it was").click()
    page.wait_for_function(f"document.querySelector({CELL!r}).innerText.includes('baseline')")
    assert cells(page) == before


@pytest.mark.parametrize("statistic", ["min", "median", "mean", "p95", "max"])
def test_another_statistic_is_the_ratio_of_the_tables_own_numbers(
    opened: Open, one_host: Path, statistic: str
) -> None:
    page = opened(one_host).page
    choice(page, "statistic").select_option(statistic)
    base, crun, _ = (cell.split() for cell in cells(page))
    assert base[2] == "baseline"
    assert float(crun[0]) == pytest.approx(float(crun[1]) / float(base[0]), rel=5e-3)
    told = "All metrics of" if statistic == "median" else "Secondary statistics"
    section = page.locator("section", has=page.locator("#b1"))
    section.locator("summary", has_text=told).click()
    table = section.locator("details[open]", has_text=told).last.locator("table")
    head = table.locator("thead th").all_inner_texts()
    first = table.locator("tbody tr", has_text="CreateAndRun").filter(has_text="containerd/runc").first
    shown = first.locator("th, td").all_inner_texts()[head.index(statistic)]
    assert base[0] == shown
    assert "no claim rests on them" in page.locator("#chosen").inner_text()


def test_one_host_can_be_chosen(opened: Open, fleet: Path) -> None:
    page = opened(fleet).page
    choice(page, "host").select_option("m1")
    shown = {row.get_attribute("data-host") for row in page.locator("tr[data-row]").all() if row.is_visible()}
    assert shown == {"m1"}


def test_the_first_key_strokes_reach_links_and_choices(opened: Open, one_host: Path) -> None:
    page = opened(one_host).page
    reached = []
    for _ in range(12):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.tagName"))
    assert reached[0] == "A"
    assert {"statistic", "baseline"} <= set(reached)


def test_without_script_everything_is_there_but_the_choices(opened: Open, one_host: Path) -> None:
    with_script, without = opened(one_host).page, opened(one_host, java_script_enabled=False).page
    assert choice(without, "baseline").is_hidden()
    assert choice(with_script, "baseline").is_visible()
    drawn = [without.locator(f"tr[data-row='{row}'] td").all_text_contents() for row in range(4)]
    again = [with_script.locator(f"tr[data-row='{row}'] td").all_text_contents() for row in range(4)]
    assert drawn == again
    kinds = "[...document.querySelectorAll('tr[data-row] td')].map((td) => td.className)"
    assert with_script.evaluate(kinds) == re.findall(
        r'<td class="([a-z ]+)">[^<]*<small>', one_host.read_text()
    )
    statistics = without.locator("summary", has_text="Secondary statistics").first
    statistics.click()
    assert without.get_by_role("columnheader", name="p95").first.is_visible()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_runs_out_of_the_window(opened: Open, one_host: Path, width: int) -> None:
    page = opened(one_host, viewport={"width": width, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_on_paper_the_choices_are_gone_and_the_tables_are_not(opened: Open, one_host: Path) -> None:
    page = opened(one_host).page
    page.emulate_media(media="print")
    assert choice(page, "baseline").is_hidden()
    assert page.locator("table.matrix").is_visible()
    assert page.get_by_text("What is timed").first.is_visible()
    paper = page.pdf(format="A4")
    assert paper.startswith(b"%PDF")
    pages = len(re.findall(rb"/Type\s*/Page\b", paper))
    assert 3 <= pages <= 40
