# SPDX-License-Identifier: Apache-2.0
"""Vega-Lite spec to inline SVG: no network, no script, scales with the page, and says what it is to a screen reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from html import escape
from multiprocessing import get_context
from typing import Any

import vl_convert

SIZE = re.compile(r'<svg ([^>]*?)width="([\d.]+)" height="([\d.]+)"([^>]*)>')

DEADLINE_S = 120.0
Paint = Callable[[dict[str, Any]], str]
"""From a Vega-Lite spec to one `<svg>` element."""
NOTHING: dict[str, Any] = {"mark": "point", "data": {"values": []}, "description": ""}


@contextmanager
def painter() -> Iterator[Paint]:
    """Paints in a process of its own. Its engine needs half a second to start: it does so while the run is digested."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(render, NOTHING)
        yield lambda spec: pool.submit(render, spec).result(timeout=DEADLINE_S)


def render(spec: dict[str, Any]) -> str:
    """One `<svg>` element. Its ids are not unique: vl-convert writes clip paths only where marks are clipped."""
    svg: str = vl_convert.vegalite_to_svg(spec, allowed_base_urls=[])
    label = escape(spec["description"], quote=True)
    opening = rf'<svg \1role="img" aria-label="{label}" style="max-width:\2px"\4>'
    return SIZE.sub(opening, svg, count=1)
