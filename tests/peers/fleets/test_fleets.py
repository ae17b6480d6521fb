# SPDX-License-Identifier: Apache-2.0
"""The playbooks that labctl ships, carried out by ansible-core and ansible-runner: provision, run and collect on real hosts."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrator.results.store import RunFolder
from tests.peers.fleets.conftest import Executed, hosts_of, on
from tests.peers.fleets.desk import PEERS, PLAYBOOKS, Desk, assert_everything_once, journal

pytestmark = [pytest.mark.timeout(900), pytest.mark.lab]


@pytest.mark.parametrize("playbook", sorted(path.name for path in PLAYBOOKS.glob("*.yaml")))
def test_ansible_reads_every_playbook(ansible_core: None, playbook: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [
            PEERS / "ansible-playbook",
            "-i",
            "localhost,",
            "--syntax-check",
            PLAYBOOKS / playbook,
            "-e",
            "run=none",
        ],
        capture_output=True,
        text=True,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            "ANSIBLE_CONFIG": str(tmp_path / "none.cfg"),
        },
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_host_that_ansible_provisioned_is_as_the_playbooks_want_it(desk: Desk) -> None:
    _, theirs = hosts_of(desk)
    site = ("-p", desk.project / "playbooks/site.yaml", "--source", "debian")
    done = desk.labctl("provision", desk.inventory, "--limit", theirs, *site, "--json")
    assert done.status == 0, done.out[-3000:]
    (host,) = json.loads(done.out.splitlines()[-1])["hosts"]
    assert (host["changed"], host["failed"]) == (0, 0), done.out


def test_ansible_executes_a_run_and_takes_it_up_after_a_kill(desk: Desk, by_ansible: Executed) -> None:
    assert by_ansible.first.status == 0, by_ansible.first.out[-4000:]
    assert_everything_once(by_ansible.folder, hosts_of(desk))
    again = by_ansible.again.recap()
    assert by_ansible.again.status == 0, by_ansible.again.out[-4000:]
    assert {name: host["changed"] for name, host in again.items()} == dict.fromkeys(hosts_of(desk), 0)


def test_hosts_of_one_machine_took_turns(desk: Desk, by_ansible: Executed, by_labctl: Executed) -> None:
    for executed in (by_ansible, by_labctl):
        spans = [_span(executed.folder, host) for host in hosts_of(desk)]
        (_, end), (begin, _) = sorted(spans)
        assert end <= begin, f"both were at work at the same time: {spans}"


def _span(folder: RunFolder, host: str) -> tuple[str, str]:
    records = journal(folder, host)
    return records[0]["time"], records[-1]["time"]


def test_labctl_carries_the_same_playbook_out(desk: Desk, by_labctl: Executed) -> None:
    assert by_labctl.first.status == 0, by_labctl.first.out[-4000:]
    assert_everything_once(by_labctl.folder, hosts_of(desk))
    hosts = json.loads(by_labctl.again.out.splitlines()[-1])["hosts"]
    assert [(host["changed"], host["failed"]) for host in hosts] == [(0, 0), (0, 0)]


def test_labctl_reports_what_was_brought(desk: Desk, by_ansible: Executed, by_labctl: Executed) -> None:
    root = ("--root", desk.store.root)
    ids = (by_ansible.folder.id, by_labctl.folder.id)
    done = desk.labctl("report", *ids, "--json", *root)
    assert done.status == 0, done.out[-3000:]
    cells = json.loads(done.out)["cells"]
    counted = {
        cell["n"]
        for cell in cells
        if (cell["benchmark"], cell["metric"]) == ("operations.container.lifecycle", "CreateAndRun")
    }
    assert counted == {4}, "two blocks of each run"
    assert {cell["host"] for cell in cells} == set(hosts_of(desk))
    listed = {each["id"]: each for each in json.loads(desk.labctl("runs", "--json", *root).out)}
    assert [(listed[id]["status"], listed[id]["trials"], listed[id]["failed"]) for id in ids] == [
        ("complete", 12, 0),
        ("complete", 12, 0),
    ]


def test_a_conductor_takes_a_prepared_run_over(desk: Desk) -> None:
    first, _ = hosts_of(desk)
    folder = desk.prepare("--limit", first)
    done = desk.labctl("attach", folder.id, "--root", desk.store.root)
    assert done.status == 0, done.out[-3000:]
    assert_everything_once(folder, [first])
    whole = folder.journal(first).read_bytes()
    folder.journal(first).write_bytes(whole[: len(whole) // 2])
    assert desk.labctl("fetch", folder.id, "--root", desk.store.root).status == 0
    assert folder.journal(first).read_bytes() == whole


def test_an_agent_is_not_changed_under_somebody_elses_run(desk: Desk) -> None:
    """Another run is under way on the host: the playbook says so, and leaves it alone."""
    first, _ = hosts_of(desk)
    other, mine = desk.prepare("--limit", first, "--runs", "40"), desk.prepare("--limit", first)
    asked = (other.fleet / "hosts" / f"{first}.json").read_text()
    on(
        desk,
        0,
        f"cat > /run/other.json <<'END'\n{asked}\nEND\nlabctl-agent start /run/other.json --grant-all",
    )
    try:
        done = desk.ansible("run.yaml", "--limit", first, "-e", f"run={mine.id}")
        assert done.status == 2
        assert f"This host is executing the run {other.id}: wait for its end" in done.out
    finally:
        on(desk, 0, f"labctl-agent cancel {other.id}; rm /run/other.json")


def hand_over(desk: Desk, host: str) -> RunFolder:
    """A run of one host, in the project of ansible-runner's private data directory."""
    folder = desk.prepare("--limit", host)
    shutil.copytree(folder.path, desk.private / "project/runs" / folder.id)
    (desk.private / "env/extravars").write_text(json.dumps({"run": folder.id}))
    return folder


def events(artifacts: Path, task: str) -> list[str]:
    """The hosts on which the task went well."""
    found = [json.loads(path.read_text()) for path in (artifacts / "job_events").glob("*.json")]
    fine = [each["event_data"] for each in found if each["event"] == "runner_on_ok"]
    return [each["host"] for each in fine if each["task"] == task]


def test_ansible_runner_provisions_executes_and_collects(desk: Desk) -> None:
    _, theirs = hosts_of(desk)
    folder = hand_over(desk, theirs)
    done = desk.runner("run", desk.private, "-p", "playbooks/run.yaml", "--ident", "one")
    assert done.returncode == 0, done.stdout[-4000:]
    for ident in ("provision", "one"):
        artifacts = desk.private / "artifacts" / ident
        assert ((artifacts / "rc").read_text(), (artifacts / "status").read_text()) == ("0", "successful")
    assert events(desk.private / "artifacts/provision", "Unpack the artifacts") == [theirs]
    assert events(desk.private / "artifacts/one", "Fetch the journal") == [theirs]
    brought = RunFolder(desk.private / "project/runs" / folder.id)
    assert_everything_once(brought, [theirs])
    assert desk.labctl("report", brought.path).status == 0


def test_what_a_node_of_a_mesh_does_brings_the_journals_with_its_artifacts(desk: Desk) -> None:
    """transmit | worker | process: how AWX hands a job to a node; only the artifacts come back from there."""
    first, _ = hosts_of(desk)
    folder = hand_over(desk, first)
    where = ("--cmdline", "-e run_journals=../../artifacts/two/journals")
    sent = desk.runner("transmit", desk.private, "-p", "playbooks/run.yaml", "--ident", "two", *where)
    assert sent.returncode == 0, sent.stderr[-3000:]
    worked = desk.runner("worker", piped=sent.stdout)
    back = desk.own / "back"
    done = desk.runner("process", back, "--ident", "two", piped=worked.stdout)
    assert done.returncode == 0, (done.stdout[-3000:], done.stderr[-3000:])
    shutil.copytree(back / "artifacts/two/journals", folder.path / "hosts", dirs_exist_ok=True)
    assert_everything_once(folder, [first])
    assert desk.labctl("report", folder.path).status == 0
