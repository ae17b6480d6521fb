# SPDX-License-Identifier: Apache-2.0
"""How soon does report.html open? `python -m perf.page [--rounds N]`

Chromium opens, in turns: an empty page (the bound), the report of a real run of two hosts, and one of 60 hosts x 6 combinations x
39 metrics (synthetic). Medians of the time from the request to the page's load event, and to the first change that its script
makes, with the ratio to the empty page. It decides nothing: it shows.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from orchestrator.pipeline.report import report, write_html
from tests.browser.conftest import QUIET
from tests.browser.test_large import BLOCKS, HANDLERS, HOSTS
from tests.fixtures.synthetic import Wanted, write_run

REAL = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "real" / "demo"
LOADED = "performance.getEntriesByType('navigation')[0].loadEventEnd"
CHANGED = """() => {
    const select = document.querySelector('#choices select[name=baseline]');
    if (!select) return null;
    const begin = performance.now();
    select.value = select.options[1].value;
    select.dispatchEvent(new Event('input', { bubbles: true }));
    document.body.getBoundingClientRect();
    return performance.now() - begin;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        pages = _pages(Path(scratch))
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=list(QUIET))
        found = [{name: _open(browser, path) for name, path in pages.items()} for _ in range(rounds)]
        browser.close()
        print(f"{'page':22}{'size':>9}{'loaded':>10}{'ratio':>8}{'changed':>10}")
        bound = statistics.median(one["empty"][0] for one in found)
        for name, path in pages.items():
            loaded = statistics.median(one[name][0] for one in found)
            changed = [after for one in found if (after := one[name][1]) is not None]
            drawn = f"{statistics.median(changed):7.0f} ms" if changed else ""
            size = path.stat().st_size / 1e6
            print(f"{name:22}{size:6.2f} MB{loaded:7.0f} ms{loaded / bound:8.1f}{drawn:>10}")


def _pages(scratch: Path) -> dict[str, Path]:
    empty = scratch / "empty.html"
    empty.write_text("<!DOCTYPE html><title>empty</title>")
    real = scratch / "real"
    shutil.copytree(REAL, real)
    crowd = write_run(scratch, Wanted(hosts=HOSTS, handlers=HANDLERS, blocks=BLOCKS, effect=0.8))
    reports = {"a run of two hosts": real, "60 hosts": crowd}
    made = {name: write_html(report(run), run / "report.html") for name, run in reports.items()}
    return {"empty": empty, **made}


def _open(browser: Browser, path: Path) -> tuple[float, float | None]:
    """Milliseconds until it was loaded, and until it had shown another baseline."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri(), wait_until="load")
    loaded, changed = page.evaluate(LOADED), page.evaluate(CHANGED)
    page.close()
    return loaded, changed


if __name__ == "__main__":
    main()
