# SPDX-License-Identifier: Apache-2.0
"""What of a task travels to the host in its step."""

from __future__ import annotations

from pathlib import Path

from orchestrator.load.inventory import load_inventory
from orchestrator.load.language import Language
from orchestrator.load.playbook import load_playbook
from orchestrator.provision.compile import Options, compile_task
from orchestrator.provision.files import Blobs
from orchestrator.provision.scope import Variables
from remote_agent.contract.steps import Step


def step_of(folder: Path, task: str, check: bool = False) -> Step:
    (folder / "inventory.yaml").write_text("all: {hosts: {h: {}}}\n")
    (folder / "site.yaml").write_text(f"- hosts: all\n  vars: {{who: me}}\n  tasks:\n    - {task}\n")
    language, inventory = Language({}), load_inventory(folder / "inventory.yaml")
    (play,) = load_playbook(folder / "site.yaml", language).plays
    variables = Variables(language, inventory, inventory.host("h"), {}, check).for_play(play, [])
    options = Options(language, Blobs(), folder, check=check)
    compiled = compile_task(play.tasks[0], variables.scope(play.tasks[0]), options, 7)
    (unit,) = compiled.units
    assert unit.step is not None
    return unit.step


def test_a_plain_task(tmp_path: Path) -> None:
    step = step_of(
        tmp_path, "{name: t, ansible.builtin.command: 'echo {{ who }}', environment: {A: '{{ 1 }}'}}"
    )
    assert (step.id, step.module, step.args, step.environment) == (
        7,
        "command",
        {"cmd": "echo me"},
        {"A": "1"},
    )
    assert (step.check, step.diff, step.no_log, step.stop_on_failure) == (False, False, False, True)


def test_the_host_is_told_what_is_withheld_and_what_is_predicted(tmp_path: Path) -> None:
    step = step_of(tmp_path, "{command: echo, no_log: true, ignore_errors: true}", check=True)
    assert (step.no_log, step.check, step.stop_on_failure) == (True, True, False)
    assert not step_of(tmp_path, "{command: echo, check_mode: false}", check=True).check


def test_a_file_goes_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("content")
    step = step_of(tmp_path, "{copy: {src: a, dest: /b}}")
    assert step.args["src"] == {
        "$blob": "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73",
        "size": 7,
    }
    assert step.args["_original_basename"] == "a"
