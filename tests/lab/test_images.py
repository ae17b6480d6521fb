# SPDX-License-Identifier: Apache-2.0
"""The images are made by the real tools, twice, with the same bits; on hosts they run, and are pulled from the registry there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from orchestrator.pipeline.images import images

if TYPE_CHECKING:
    from tests.lab.conftest import LabOfTests

pytestmark = pytest.mark.lab

REGISTRY = "127.0.0.1:5051"
PULLED = ("labctl/busybox:1", "labctl/layers:1")
CRICTL = ("crictl-containerd", "crictl-crio")
SYSBENCH = "sysbench cpu --cpu-max-prime=2000 --threads=1 --events=100 --time=0 run"


def test_two_builds_have_the_same_bits(tmp_path: Path) -> None:
    one, two = (images(tmp_path / name) for name in ("one", "two"))
    assert [(image.name, image.sha256, image.digest) for image in one.images] == [
        (image.name, image.sha256, image.digest) for image in two.images
    ]
    assert (one.key, one.sha256) == (two.key, two.sha256)
    assert all(Path(image.path).stat().st_size > 500_000 for image in one.images)
    index = json.loads(Path(one.path).with_name("index.json").read_text())
    assert {package["name"] for package in index["packages"] if package["locked"]} >= {"sysbench"}


def sh(lab: LabOfTests, command: str) -> str:
    """On the lab's first host."""
    words = ["lab", "ssh", "-i", str(lab.inventory), f"{lab.inventory.stem}-1", "--", command]
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", *words],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@pytest.mark.parametrize("crictl", CRICTL)
@pytest.mark.parametrize("name", PULLED)
def test_an_image_is_pulled_from_loopback_listed_and_removed(
    provisioned_lab: LabOfTests, crictl: str, name: str
) -> None:
    ref = f"{REGISTRY}/{name}"
    listed = f"{crictl} images --output json"

    def tags() -> set[str]:
        told: dict[str, Any] = json.loads(sh(provisioned_lab, listed))
        return {tag for image in told["images"] for tag in image["repoTags"]}

    before = tags()
    assert ref not in before
    sh(provisioned_lab, f"{crictl} pull {ref}")
    assert tags() - before == {ref}
    sh(provisioned_lab, f"{crictl} rmi {ref}")
    assert tags() == before, "the images that are shipped stay, also those of the same layers"


def test_the_registry_is_reached_from_its_host_alone(provisioned_lab: LabOfTests) -> None:
    port = int(REGISTRY.rpartition(":")[2])
    listening = sh(provisioned_lab, "cat /proc/net/tcp /proc/net/tcp6")
    wanted = [
        line.split()[1] for line in listening.splitlines() if f":{port:04X} " in line and " 0A " in line
    ]
    assert wanted == [f"0100007F:{port:04X}"]


@pytest.mark.parametrize("crictl", CRICTL)
@pytest.mark.parametrize("handler", ["runc", "crun", "runsc"])
def test_sysbench_runs(provisioned_lab: LabOfTests, crictl: str, handler: str) -> None:
    pod, box = f"/tmp/pod-{crictl}-{handler}.json", f"/tmp/box-{crictl}-{handler}.json"
    told = {"metadata": {"name": "s", "uid": f"{crictl}-{handler}", "namespace": "t"}, "linux": {}}
    image = {"image": "localhost/labctl/sysbench:1", "user_specified_image": "localhost/labctl/sysbench:1"}
    what = {"metadata": {"name": "s"}, "image": image, "command": ["/bin/sh", "-c", "sleep 300"], "linux": {}}
    said = sh(
        provisioned_lab,
        f"echo '{json.dumps(told)}' >{pod}; echo '{json.dumps(what)}' >{box}; set -e;"
        f"sandbox=$({crictl} runp --runtime {handler} {pod}); id=$({crictl} create $sandbox {box} {pod});"
        f"{crictl} start $id >/dev/null; {crictl} exec $id {SYSBENCH} || failed=1;"
        f"{crictl} rmp --force $sandbox >/dev/null; rm {pod} {box}; exit ${{failed:-0}}",
    )
    assert "total number of events:              100" in said
