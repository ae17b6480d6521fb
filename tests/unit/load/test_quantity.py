# SPDX-License-Identifier: Apache-2.0
"""Shares and spans of time: what people write, and what could mean two things is refused."""

from __future__ import annotations

import pytest

from orchestrator.load.quantity import share, time_span


@pytest.mark.parametrize(
    ("text", "value"), [("3%", 0.03), ("2.5 %", 0.025), (0.03, 0.03), ("0.1", 0.1), (".5", 0.5)]
)
def test_a_share(text: str | float, value: float) -> None:
    assert share(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["3", 3, "", "3 percent", "-3%", "0%", "100%", "1.5", "nan", 0])
def test_what_is_no_share_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError, match=r"no share|not between"):
        share(text)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("30m", 1800), ("30min", 1800), ("1h30m", 5400), ("1h 5s", 3605), ("2h", 7200)],
)
def test_a_span_of_time(text: str, seconds: float) -> None:
    assert time_span(text) == seconds


@pytest.mark.parametrize("text", ["30", 30, "", "m", "1.5h", "5m1h", "0s", "-5m", "30 minutes"])
def test_what_is_no_span_of_time_is_refused(text: str | float) -> None:
    with pytest.raises(ValueError, match=r"no span of time|no time at all"):
        time_span(text)
