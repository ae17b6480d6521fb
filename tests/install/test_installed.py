# SPDX-License-Identifier: Apache-2.0
"""The installed command in an empty folder: it has its files, and writes nothing outside the project and its cache."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.install.installed import REPOSITORY, Installed

RUN = REPOSITORY / "tests/fixtures/real/demo"
SUITES = {path.stem for path in (REPOSITORY / "suites").glob("*.yaml")}


@pytest.fixture(autouse=True)
def untouched(installed: Installed) -> Iterator[None]:
    """No test of this module may change what is installed."""
    before = installed.content()
    yield
    assert installed.content() == before


def test_the_repository_cannot_be_imported(installed: Installed, project: Path) -> None:
    code = "import orchestrator, remote_agent, sys; print(orchestrator.__file__, remote_agent.__file__, *sys.path, sep='\\n')"
    controller, agent, *path = installed.python(project, code).out.splitlines()
    assert controller.startswith(str(installed.packages)) and agent.startswith(str(installed.packages))
    assert str(REPOSITORY) not in path
    assert "ModuleNotFoundError" in installed.python(project, "import perf").err


def test_it_knows_its_version_and_its_suites(installed: Installed, project: Path) -> None:
    assert installed.call(project, "--version").out.strip().endswith(version("labctl"))
    listed = json.loads(installed.call(project, "list", "--json").out)
    assert {suite["name"] for suite in listed["suites"]} == SUITES
    assert list(project.iterdir()) == []


def test_the_labs_that_come_with_it_have_their_keys_in_the_project(
    installed: Installed, project: Path
) -> None:
    assert "debian13-a" in installed.call(project, "inventory").out
    assert "debian13-vm" in installed.call(project, "inventory", "vm").out
    answer = installed.call(project, "ping")
    assert answer.status == 3
    assert f"no key file {project}/.labctl/lab/lab/id_ed25519" in answer.out


def test_a_run_of_a_shipped_suite_is_planned(installed: Installed, project: Path) -> None:
    answer = installed.call(project, "run", "--dry-run", "--suite", "demo", "--json")
    assert answer.status == 0, answer.err
    plan = json.loads(answer.out)
    assert plan["suite"] == "demo"
    assert plan["expected"]["typical"], "the typical durations come with it"


def test_a_project_is_written_and_its_files_win(installed: Installed, project: Path) -> None:
    assert installed.call(project, "init").status == 0
    assert installed.call(project, "run", "--dry-run", "--suite", "first").status == 0
    assert "debian13-a" not in installed.call(project, "inventory").out
    (project / "suites/demo.yaml").write_text(
        (project / "suites/first.yaml").read_text().replace("The first suite", "Mine")
    )
    assert "  demo           Mine" in installed.call(project, "list").out


def test_it_reports_a_run(installed: Installed, project: Path) -> None:
    shutil.copytree(RUN, project / "runs" / json.loads((RUN / "run.json").read_text())["id"])
    answer = installed.call(project, "report")
    assert answer.status == 0, answer.err
    assert "containerd/crun" in answer.out
    (page,) = project.glob("runs/*/report.html")
    assert "</html>" in page.read_text()


def test_what_is_wrong_is_one_sentence_without_a_path_into_the_installation(
    installed: Installed, project: Path
) -> None:
    answer = installed.call(project, "plan")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.splitlines() == [
        "labctl: .labctl/artifacts.yaml: nothing was built yet, so that nothing can be predicted.",
        "        Run `labctl build` first.",
    ]


def test_the_playbooks_load_from_where_they_are(installed: Installed, project: Path) -> None:
    """The lab is not up, so that every host is unreachable; all that comes before is in order."""
    (project / ".labctl").mkdir()
    artifacts = {
        "prefix": "/opt/labctl",
        "targets": {"trixie-x86_64": {"components": {"runc": {}}, "handlers": {}, "missing": {}}},
        "images": {},
        "image_set": {},
    }
    (project / ".labctl/artifacts.yaml").write_text(json.dumps({"labctl_artifacts": artifacts}))
    answer = installed.call(project, "plan", "--json")
    assert answer.status == 3, answer.err
    plan = json.loads(answer.out)
    assert plan["playbook"] == str(installed.packages / "orchestrator/shipped_files/playbooks/site.yaml")
    assert all("no key file" in host["error"] for host in plan["hosts"])


@pytest.mark.parametrize("verb", ["build", "demo", "init", "provision"])
def test_help_names_no_path_of_the_repository(installed: Installed, project: Path, verb: str) -> None:
    text = installed.call(project, verb, "--help").out
    assert "Examples:" in text
    assert "playbooks/site.yaml" not in text
    assert "playbooks/components" not in text
