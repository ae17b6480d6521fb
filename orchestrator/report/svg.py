# SPDX-License-Identifier: Apache-2.0
"""Vega-Lite spec to inline SVG: no network, no script, scales with the page, and says what it is to a screen reader."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from html import escape
from multiprocessing import get_context
from typing import Any

import vl_convert

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
"""As charts use it. The page sets it once, for all texts of all pictures."""
NEEDLESS = re.compile(
    r' (?:aria-[a-z]+|role|class|pointer-events)="[^"]*"'
    rf'| font-family="{re.escape(FONT)}"'
    r'| (?:opacity|stroke-opacity|fill-opacity)="1"'
    r'| (?:fill|stroke)="transparent"(?= (?:fill|stroke)="none")'
)
"""An image has no parts to a screen reader: the whole has its words, and its table."""
NOTHING_DRAWN = re.compile(
    r'<path(?: [a-z-]+="(?:[^"]*)")* d="(?:M0,0h0v0h0Z|)"[^>]*/>|<path[^>]* display="none"[^>]*/>'
)
TAG = re.compile(r"<[^>]*>")
LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")
EMPTY = re.compile(r"<g>\s*</g>")
SIZE = re.compile(r'<svg ([^>]*?)width="([\d.]+)" height="([\d.]+)"([^>]*)>')

DEADLINE_S = 120.0
Painted = Callable[[], str]
"""Gives one `<svg>` element, and waits for it."""
Paint = Callable[[dict[str, Any]], Painted]
"""From a Vega-Lite spec to a picture that is painted while the page goes on being written."""
PAINTERS = 2
NOTHING: dict[str, Any] = {"mark": "point", "data": {"values": []}, "description": ""}


@contextmanager
def painter() -> Iterator[Paint]:
    """Paints in processes of their own. Their engine needs half a second to start: it does so while the run is digested."""
    with ProcessPoolExecutor(PAINTERS, mp_context=get_context("spawn")) as pool:
        for _ in range(PAINTERS):
            pool.submit(render, NOTHING)

        def paint(spec: dict[str, Any]) -> Painted:
            return partial(pool.submit(render, spec).result, timeout=DEADLINE_S)

        yield paint


def here(spec: dict[str, Any]) -> Painted:
    """Paints in this process, when it is asked for."""
    return partial(render, spec)


def render(spec: dict[str, Any]) -> str:
    """One `<svg>` element. Its ids are not unique: vl-convert writes clip paths only where marks are clipped."""
    svg = slim(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))
    label = escape(spec["description"], quote=True)
    opening = rf'<svg \1role="img" aria-label="{label}" style="max-width:\2px"\4>'
    return SIZE.sub(opening, svg, count=1)


def slim(svg: str) -> str:
    """The same picture without what is not seen, and what is said for every mark again: half of its length."""
    less = TAG.sub(_shorter, NOTHING_DRAWN.sub("", NEEDLESS.sub("", svg)))
    while (next_one := EMPTY.sub("", less)) != less:
        less = next_one
    return less


def _shorter(tag: re.Match[str]) -> str:
    """Its coordinates; what stands between tags is text, and is left alone."""
    return LONG.sub(_hundredth, tag[0])


def _hundredth(found: re.Match[str]) -> str:
    """Of a pixel: nobody sees less."""
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")
