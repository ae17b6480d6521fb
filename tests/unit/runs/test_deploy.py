# SPDX-License-Identifier: Apache-2.0
"""What the agent needs on a host, as steps: the version in use is switched last, the one before it stays."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from orchestrator.runs.bundle import Bundle
from orchestrator.runs.deploy import BASE, LOOK, Installed, install_steps, service_steps, stale

BUNDLE = Bundle(Path("agent.tar.gz"), "c" * 64, 123)
NEW = "c" * 12


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Installed()),
        ("current aaa\nversion aaa\nversion bbb\nrunning bbb\n", Installed("aaa", "bbb", ("aaa", "bbb"))),
        ("version aaa\n", Installed(None, None, ("aaa",))),
    ],
)
def test_what_a_host_says_is_read(text: str, expected: Installed) -> None:
    assert Installed.parse(text) == expected


def test_looking_says_what_is_there(tmp_path: Path) -> None:
    for name in ("aaa", "bbb"):
        (tmp_path / name).mkdir()
    (tmp_path / "current").symlink_to("bbb")
    look = LOOK.replace(BASE, str(tmp_path))
    said = subprocess.run(["sh", "-c", look], capture_output=True, text=True, check=True, timeout=10).stdout
    assert Installed.parse(said) == Installed("bbb", None, ("aaa", "bbb"))
    empty = subprocess.run(
        ["sh", "-c", LOOK.replace(BASE, f"{tmp_path}/none")],
        capture_output=True,
        text=True,
        check=True,
        timeout=10,
    )
    assert Installed.parse(empty.stdout) == Installed()


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        (Installed(), []),
        (Installed("old", "old", ("old",)), []),
        (Installed("old", "old", ("older", "old", "oldest")), ["older", "oldest"]),
        (Installed(NEW, NEW, ("old", NEW)), []),
        (Installed(None, None, ("torn",)), ["torn"]),
    ],
)
def test_only_the_version_before_stays(installed: Installed, expected: list[str]) -> None:
    assert stale(BUNDLE, installed) == expected
    absent = [
        step.args["path"] for step in install_steps(BUNDLE, installed) if step.args.get("state") == "absent"
    ]
    assert absent == [f"{BASE}/{name}" for name in expected]


def test_the_link_is_switched_when_the_files_are_there() -> None:
    steps = install_steps(BUNDLE, Installed())
    order = [step.args.get("creates") or step.args.get("path") or step.args.get("dest") for step in steps]
    assert order.index(f"{BASE}/{NEW}/.complete") < order.index(f"{BASE}/current")
    assert steps[1].args["src"] == {"$blob": BUNDLE.sha256, "size": 123}
    assert [step.id for step in steps] == list(range(len(steps)))
    unit = next(step for step in steps if str(step.args.get("dest", "")).endswith(".service")).args["content"]
    assert "Restart=on-failure" in unit
    assert "OOMScoreAdjust" not in unit, "hosts without CAP_SYS_RESOURCE could not start it"


def test_the_service_restarts_only_for_a_change() -> None:
    assert [service_steps(changed)[0].args["state"] for changed in (True, False)] == ["restarted", "started"]
