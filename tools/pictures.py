# SPDX-License-Identifier: Apache-2.0
"""The README's pictures: `make pictures`, or `python tools/pictures.py RUN_FOLDER docs/pictures`. They show a real run's report.

terminal.svg is what `labctl report` prints; report-light.png and report-dark.png are the head of the page, in Chromium.
"""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from orchestrator.pipeline.report import report, write_html
from orchestrator.report.terminal import print_report
from orchestrator.report.view import Report

LINES = 46
WIDTH, HEIGHT = 1000, 1060
FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
"""rich names fonts on a server; a reader's own monospace font will do."""


def main(run: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / run.name
        shutil.copytree(run, copy)
        told = report(copy)
        (folder / "terminal.svg").write_text(terminal(told))
        page = write_html(told, copy / "report.html")
        with sync_playwright() as playwright:
            path = shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
            for scheme in ("light", "dark"):
                shoot(browser, page, folder / f"report-{scheme}.png", scheme)
            browser.close()


def terminal(told: Report) -> str:
    """The first lines, as a picture that scales."""
    whole = Console(
        file=io.StringIO(), width=80, force_terminal=True, highlight=False, emoji=False, markup=False
    )
    with whole.capture() as captured:
        print_report(told, whole)
    console = Console(file=io.StringIO(), width=80, record=True, force_terminal=True)
    console.print(Text.from_ansi("$ labctl report\n" + "\n".join(captured.get().splitlines()[:LINES])))
    return FACES.sub("", console.export_svg(title="labctl report", theme=MONOKAI, unique_id="labctl"))


def shoot(browser: Browser, page: Path, path: Path, scheme: str) -> None:
    tab = browser.new_page(
        viewport={"width": WIDTH, "height": HEIGHT},
        color_scheme=scheme,  # type: ignore[arg-type]
        device_scale_factor=1.5,
    )
    tab.goto(page.as_uri())
    tab.screenshot(path=path)
    tab.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
