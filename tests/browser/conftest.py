# SPDX-License-Identifier: Apache-2.0
"""Debian's Chromium, driven by Playwright: pages from files, and nothing from any network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from orchestrator.pipeline.report import report, write_html
from tests.fixtures.synthetic import Wanted, write_run

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
FLEET = tuple((f"m{index}", f"machine{index}") for index in range(3))


@dataclass
class Opened:
    """A page in the browser, and what it complained of or asked for while it was open."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("Chromium must be here, and is not: `make .venv/dev` installs it.", pytrace=False)
        pytest.skip("Chromium is not installed: `make .venv/dev` installs it.")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def one_host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of one machine's two hosts with three handlers, a failure and a leak."""
    wanted = Wanted(
        handlers=("runc", "crun", "runsc"),
        fails=(("h1", "containerd/crun", 3),),
        leaks=(("h1", "containerd/runc", 4),),
        blocks={"operations.container.lifecycle": 22, "scalability.runtime.5": 6},
        effect=0.7,
    )
    return _page(tmp_path_factory.mktemp("one"), wanted)


@pytest.fixture(scope="session")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of three machines."""
    return _page(tmp_path_factory.mktemp("fleet"), Wanted(hosts=FLEET, effect=0.7))


def _page(folder: Path, wanted: Wanted) -> Path:
    run = write_run(folder, wanted)
    return write_html(report(run), run / "report.html")


Open = Callable[..., Opened]


@pytest.fixture
def opened(chromium: Browser) -> Iterator[Open]:
    """``opened(path, **options of a browser context)``."""
    contexts: list[BrowserContext] = []

    def _open(path: Path, **options: object) -> Opened:
        context = chromium.new_context(**options)  # type: ignore[arg-type]
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.complaints.append(message.text))
        found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
        found.page.on("request", lambda request: found.requests.append(request.url))
        found.page.goto(path.as_uri())
        return found

    yield _open
    for context in contexts:
        context.close()
