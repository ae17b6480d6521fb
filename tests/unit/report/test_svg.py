# SPDX-License-Identifier: Apache-2.0
"""Pictures are made short without a change to what is seen."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import vl_convert

from orchestrator.report.svg import here, painter, slim

SPEC = {
    "description": 'A "small" one',
    "data": {"values": [{"x": 0.001, "y": 1.23456, "c": "a"}, {"x": 0.004, "y": 3.2, "c": "b"}]},
    "mark": "point",
    "encoding": {
        "x": {
            "field": "x",
            "type": "quantitative",
            "axis": {"values": [0.001, 0.0025, 0.004], "format": "~g"},
        },
        "y": {"field": "y", "type": "quantitative"},
        "color": {"field": "c", "type": "nominal", "scale": {"range": ["var(--c0)", "var(--c1)"]}},
    },
}
SVG = "{http://www.w3.org/2000/svg}"


def test_what_is_seen_stays() -> None:
    whole = vl_convert.vegalite_to_svg(SPEC)
    less = slim(whole)
    assert len(less) < 0.7 * len(whole)
    before, after = (ElementTree.fromstring(one) for one in (whole, less))
    texts = [element.text for element in before.iter(f"{SVG}text")]
    assert [element.text for element in after.iter(f"{SVG}text")] == texts
    assert "0.001" in texts, "labels are not rounded with the coordinates"
    for tag in ("line", "text"):
        assert len(list(after.iter(f"{SVG}{tag}"))) == len(list(before.iter(f"{SVG}{tag}")))
    marks = [path for path in after.iter(f"{SVG}path") if "var(--c" in str(path.get("stroke"))]
    assert len(marks) >= 2
    numbers = re.findall(
        r"\d+\.(\d+)", " ".join(value for element in after.iter() for value in element.attrib.values())
    )
    assert max(map(len, numbers)) <= 2


def test_it_is_one_image_with_its_words() -> None:
    svg = here(SPEC)()
    opening = svg[: svg.index(">")]
    assert 'role="img"' in opening
    assert 'aria-label="A &quot;small&quot; one"' in opening
    assert svg.count("role=") == svg.count("aria-") == 1


def test_other_processes_paint_the_same() -> None:
    with painter() as paint:
        waiting = [paint(SPEC) for _ in range(3)]
        assert {picture() for picture in waiting} == {here(SPEC)()}
