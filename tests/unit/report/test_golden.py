# SPDX-License-Identifier: Apache-2.0
"""The report of a real run, word by word. `make golden` writes what is said now; look at the difference before you commit it."""

from __future__ import annotations

import io
import os
import re
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from orchestrator.pipeline.report import report
from orchestrator.report.html import render_html
from orchestrator.report.terminal import printed
from orchestrator.report.view import Report

REAL = Path(__file__).resolve().parents[2] / "fixtures" / "real"
RUNS = sorted(folder.name for folder in REAL.iterdir() if folder.is_dir())


@pytest.fixture(scope="module", params=RUNS)
def real(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Report]:
    folder = tmp_path_factory.mktemp("golden") / str(request.param)
    shutil.copytree(REAL / request.param, folder)
    return request.param, report(folder)


def test_the_terminals_words(real: tuple[str, Report]) -> None:
    name, told = real
    console = Console(file=io.StringIO(), width=80, highlight=False, emoji=False, markup=False)
    text = printed(told, console)
    assert max(map(len, text.splitlines())) <= 80
    _compare(REAL / f"{name}.terminal.txt", text)


def test_the_pages_words(real: tuple[str, Report]) -> None:
    """Its text, a line an element; pictures by their words alone."""
    name, told = real
    _compare(
        REAL / f"{name}.page.txt", _words(render_html(told, lambda spec: lambda: f"[{spec['description']}]"))
    )


def _words(html: str) -> str:
    body = re.sub(r"<(style|script)\b.*?</\1>", "", html, flags=re.DOTALL)
    body = re.sub(r"</t[dh]>\s*", " | ", body)
    lines = (re.sub(r"\s+", " ", line).strip() for line in re.sub(r"<[^>]+>", "\n", body).split("\n"))
    joined = "\n".join(line for line in lines if line)
    return re.sub(r"\n?\|\n?", " | ", joined).replace("sha256 \n", "sha256 ") + "\n"


def _compare(golden: Path, text: str) -> None:
    if os.environ.get("LABCTL_GOLDEN") == "write":
        golden.write_text(text)
    assert text == golden.read_text()
