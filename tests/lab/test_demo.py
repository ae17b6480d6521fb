# SPDX-License-Identifier: Apache-2.0
"""`labctl demo`, as somebody types it who has just installed labctl: outside the repository, in a new folder."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.install.installed import Installed, build, install

pytestmark = pytest.mark.lab

DEMO_SECONDS = 900
"""Two minutes where the caches are warm; more where the image of the hosts and the packages must come first."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    return install(build(folder / "dist").wheel, folder / "environment")


def test_the_demo_of_an_installed_labctl_writes_only_into_its_project(
    installed: Installed, tmp_path: Path
) -> None:
    """`labctl init` gives its lab a name and a network that are free: a developer's own demo may be up."""
    before = installed.content()
    assert installed.call(tmp_path, "init").status == 0
    try:
        demo = installed.call(tmp_path, "demo", seconds=DEMO_SECONDS)
        assert demo.status == 0, demo.out[-5000:] + demo.err[-5000:]
        status = json.loads(installed.call(tmp_path, "lab", "status", "--json").out)
        assert [host["standing"] for host in status["hosts"]] == ["running", "running"]
        again = installed.call(tmp_path, "provision", "--source", "debian", "--json")
        recap = json.loads(again.out.splitlines()[-1])
        assert [host["changed"] for host in recap["hosts"]] == [0, 0]
    finally:
        down = installed.call(tmp_path, "lab", "down")
    assert down.status == 0, down.err
    assert "containerd/crun" in demo.out
    (page,) = tmp_path.glob("runs/*/report.html")
    assert "</html>" in page.read_text()
    assert {path.name for path in tmp_path.iterdir()} == {
        *(".gitignore", ".labctl", "inventories", "runs", "suites"),
    }
    assert installed.content() == before
    name = status["name"]
    assert not Path("/var/lib/labctl/lab", name).exists()
    links = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    assert f"{name.replace('lab', 'labctl')}:" not in links
