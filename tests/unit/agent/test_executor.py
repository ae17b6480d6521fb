# SPDX-License-Identifier: Apache-2.0
"""One trial over a fake runtime: measured, cleaned up and audited, whatever happens in it."""

from __future__ import annotations

import gc
import json
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from remote_agent.agent.executor import CriExecutor, cgroup_parents
from remote_agent.agent.preflight import PROVISION, preflight
from remote_agent.agent.schedule import DoTrial
from remote_agent.agent.spec import BenchmarkSpec, Combination, RunSpec
from remote_agent.agent.trial import Torn
from remote_agent.benchmarks.bench import IMAGE, Cancelled, NotSupported
from remote_agent.benchmarks.registry import find
from remote_agent.contract.checks import UNSUPPORTED
from remote_agent.contract.journal import Leak, Trial
from remote_agent.gen.runtime.v1 import cri_pb2 as pb
from tests.fixtures.fake_cri import Failure, FakeCri, listening_instead, serving

LIFECYCLE, SCALE = "operations.container.lifecycle", "scalability.runtime.3"


class World:
    """A fake runtime, an executor over an empty host, and a way to try a trial."""

    def __init__(self, fake: FakeCri, root: Path) -> None:
        self.fake, self.root = fake, root
        self.executor = CriExecutor(root, root / "logs", settle_s=0.05, return_s=0.3, forget_s=2)
        self.notes: list[str] = []
        self.spec = RunSpec.from_json(
            {
                "run_id": "run-1", "host": "m1", "seed": 1,
                "combinations": [{"cri": "fake", "handler": h, "socket": str(fake.socket)} for h in ("runc", "kata")],
                "benchmarks": [{"name": LIFECYCLE}, {"name": SCALE}],
            }
        )  # fmt: skip

    def trial(
        self, benchmark: str = LIFECYCLE, handler: str = "runc", checkpoint: Any = lambda: None
    ) -> Trial:
        due = DoTrial(benchmark, 2, 0, f"fake/{handler}", 1, False)
        return self.executor.trial(self.spec, due, checkpoint, lambda *words: self.notes.append(words[1]))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with serving(tmp_path / "cri.sock") as fake:
        yield World(fake, tmp_path)


def test_lifecycle_has_every_metric_and_leaves_nothing(world: World) -> None:
    trial = world.trial()
    assert (trial.status, trial.reason, trial.leaks) == ("ok", None, ())
    values = {sample.metric: sample.value for sample in trial.samples}
    benchmark = world.spec.benchmark(LIFECYCLE).benchmark
    # The fake's process is this one; the empty root has no /proc to tell of memory and control groups.
    assert list(values) == [*(metric.name for metric in benchmark.metrics), "Floor", "DaemonCPU"]
    assert 0 < values["Floor"] < 1000
    assert values["DaemonCPU"] > 0
    assert values["CreateAndRun"] == pytest.approx(values["Create"] + values["Run"])
    assert values["Create"] == pytest.approx(values["RunPodSandbox"] + values["CreateContainer"])
    assert 0 < sum(values[name] for name in ("CreateAndRun", "Destroy")) * 1e9 <= trial.elapsed_ns
    assert (world.fake.pods, world.fake.containers) == ({}, {})
    assert not list((world.root / "logs").iterdir())


def test_scalability_starts_all_pods_before_it_destroys_one(world: World) -> None:
    trial = world.trial(SCALE)
    assert trial.status == "ok"
    names = [
        name for name in world.fake.names() if not name.startswith(("List", "Status", "Version", "RuntimeC"))
    ]
    start = ["RunPodSandbox", "CreateContainer", "StartContainer"]
    destroy = ["StopContainer", "RemoveContainer", "StopPodSandbox", "RemovePodSandbox"]
    assert names == start * 3 + destroy * 3
    items = [(sample.metric, sample.item) for sample in trial.samples if sample.item is not None]
    assert items == [(metric, item) for item in range(3) for metric in ("PodStart", "PodDestroy")]
    values = {sample.metric: sample.value for sample in trial.samples if sample.item is None}
    starts = sum(sample.value for sample in trial.samples if sample.metric == "PodStart")
    assert starts <= values["TotalTime"] < values["TotalWithDestruction"]


@pytest.mark.parametrize(
    "call", ["RunPodSandbox", "CreateContainer", "StartContainer", "StopContainer", "RemoveContainer"]
)
def test_a_call_that_fails_fails_the_trial_and_is_cleaned_up_after(world: World, call: str) -> None:
    world.fake.failures[call] = Failure(grpc.StatusCode.INTERNAL, "it broke")
    trial = world.trial()
    assert (trial.status, trial.reason, trial.samples) == ("failed", f"{call}: it broke (INTERNAL)", ())
    assert (world.fake.pods, world.fake.containers, trial.leaks) == ({}, {}, ())
    assert world.trial().status == "ok"


def test_a_pod_that_was_made_though_its_call_failed_is_removed(world: World) -> None:
    world.fake.failures["RunPodSandbox"] = Failure(grpc.StatusCode.DEADLINE_EXCEEDED, "too late", stay=True)
    assert world.trial().status == "failed"
    assert world.fake.pods == {}


def test_what_cannot_be_removed_is_a_leak_and_said(world: World) -> None:
    world.fake.failures["RemovePodSandbox"] = Failure(grpc.StatusCode.INTERNAL, "busy", times=99)
    trial = world.trial()
    assert trial.status == "failed"
    assert [leak.kind for leak in trial.leaks] == ["pod"]
    assert any("busy" in note for note in world.notes)


def test_what_a_benchmark_finds_not_supported_is_no_failure(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise NotSupported("This kernel has no such thing.")

    monkeypatch.setattr("remote_agent.agent.reach.HostPod.create", refuse)
    trial = world.trial()
    assert (trial.status, trial.reason, trial.samples) == (
        "unsupported",
        "This kernel has no such thing.",
        (),
    )
    assert world.fake.pods == {}, "what was made before is removed"


def test_a_missing_handler_is_unsupported_with_its_reason(world: World) -> None:
    trial = world.trial(handler="kata")
    assert (trial.status, trial.samples) == ("unsupported", ())
    assert trial.reason == "fake has no handler kata; it has crun, runc."
    assert "RunPodSandbox" not in world.fake.names()


def test_a_runtime_that_is_gone_is_a_failed_trial(tmp_path: Path) -> None:
    trial = World(FakeCri(tmp_path / "none.sock"), tmp_path).trial()
    assert trial.status == "failed"
    assert trial.reason == (
        "Version: the runtime's socket does not answer: No such file or directory (UNAVAILABLE)"
    )


def test_a_runtime_that_comes_back_is_waited_for_and_one_that_stays_away_only_once(tmp_path: Path) -> None:
    world = World(FakeCri(tmp_path / "cri.sock"), tmp_path)
    away = [_seconds(world.trial) for _ in range(2)]
    assert away[0] >= 0.3 > away[1]
    with serving(tmp_path / "cri.sock"):
        time.sleep(0.5)  # the channel's own pause before it connects again
        assert world.trial().status == "ok"


def test_a_runtime_that_is_away_at_clean_up_is_waited_for(world: World) -> None:
    world.fake.failures["StartContainer"] = Failure(grpc.StatusCode.UNAVAILABLE, "going away")
    away = Failure(grpc.StatusCode.UNAVAILABLE, "away", after=2)  # before the trial all was well
    world.fake.failures["ListPodSandbox"] = away
    trial = world.trial()
    assert (trial.status, trial.leaks, world.notes) == ("failed", (), [])
    assert away.times == 0, "clean-up did meet the failure"
    assert world.fake.pods == {}


@pytest.mark.parametrize("call", [None, "StartContainer"], ids=["between-calls", "in-a-call"])
def test_a_trial_in_which_the_daemon_was_started_again_is_torn_and_cleaned_up(
    tmp_path: Path, call: str | None
) -> None:
    """Also where every call of it went well: what was measured is not the daemon that it began with."""
    with ExitStack() as stack:
        fake = stack.enter_context(serving(tmp_path / "cri.sock"))
        world = World(fake, tmp_path)
        if call:
            fake.failures[call] = Failure(grpc.StatusCode.UNAVAILABLE, "going away")
        asked: list[None] = []

        def restart() -> None:
            asked.append(None)
            if len(asked) == 3:
                stack.enter_context(listening_instead(fake))

        with pytest.raises(Torn, match=r"^fake's daemon went away in it\.$"):
            world.trial(checkpoint=restart)
        assert (fake.pods, fake.containers) == ({}, {})
        assert world.trial().status == "ok", "the next attempt is one"


def test_a_daemon_that_is_gone_after_a_trial_has_torn_it(tmp_path: Path) -> None:
    with serving(tmp_path / "cri.sock") as fake:
        world, asked = World(fake, tmp_path), list[None]()

        def vanish() -> None:
            asked.append(None)
            if len(asked) == 3:
                fake.socket.unlink()

        with pytest.raises(Torn):
            world.trial(checkpoint=vanish)


def test_what_a_killed_daemon_has_forgotten_is_ended_by_its_control_group(tmp_path: Path) -> None:
    """No runtime lists it any more; only what is below this host's own control groups is meant."""
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(subprocess.Popen(["sleep", "60"])) for _ in range(2))
        stack.callback(theirs.kill)
        stack.callback(ours.kill)
        hierarchy = tmp_path / "sys/fs/cgroup/pids"
        for group, process in (("labctl/m1/forgotten", ours), ("labctl/other/pod", theirs)):
            (hierarchy / group).mkdir(parents=True)
            (hierarchy / group / "cgroup.procs").write_text(f"{process.pid}\n0\n")
        fake = stack.enter_context(serving(tmp_path / "cri.sock"))
        world, asked = World(fake, tmp_path), list[None]()

        def vanish() -> None:
            asked.append(None)
            if len(asked) == 3:
                fake.socket.unlink()

        with pytest.raises(Torn):
            world.trial(checkpoint=vanish)
        assert ours.wait(5) == -signal.SIGKILL
        assert theirs.poll() is None


def test_leftovers_are_looked_for_when_the_runtime_is_up(tmp_path: Path) -> None:
    """After the host's restart the agent may be there before the runtimes are."""
    world = World(FakeCri(tmp_path / "cri.sock"), tmp_path)
    world.executor = CriExecutor(tmp_path, tmp_path / "logs", settle_s=0.05, return_s=5)
    with ThreadPoolExecutor() as pool:
        cleaning = pool.submit(world.executor.clean, world.spec, lambda *words: world.notes.append(words[1]))
        time.sleep(0.3)
        with serving(tmp_path / "cri.sock") as fake:
            fake.pods["left"] = pb.RunPodSandboxRequest(
                config=pb.PodSandboxConfig(labels={"labctl.run": "an-older-one"})
            )
            fake.pods["foreign"] = pb.RunPodSandboxRequest(config=pb.PodSandboxConfig(labels={"app": "x"}))
            assert cleaning.result(10) == 1
            assert list(fake.pods) == ["foreign"], "by label, and nothing else"
    assert world.notes == []


def test_a_pod_that_appears_after_a_crash_is_waited_for_and_removed(world: World) -> None:
    """As CRI-O's: what it was making when the agent died is not listed at first, and holds things all the same."""
    held = world.root / "run/netns/late"
    held.parent.mkdir(parents=True)
    held.touch()

    def appear() -> None:
        time.sleep(0.3)
        world.fake.pods["late"] = pb.RunPodSandboxRequest(
            config=pb.PodSandboxConfig(labels={"labctl.run": "run-1"})
        )
        while "late" in world.fake.pods:
            time.sleep(0.01)
        held.unlink()

    with ThreadPoolExecutor() as pool:
        appearing = pool.submit(appear)
        assert world.executor.leaks(world.spec, frozenset()) == ()
        appearing.result(5)


def test_what_never_goes_after_a_crash_is_named(world: World) -> None:
    lease = world.root / "var/lib/cni/networks/labctl/10.0.0.9"
    lease.parent.mkdir(parents=True)
    lease.touch()
    assert world.executor.leaks(world.spec, frozenset()) == (Leak("lease", "10.0.0.9"),)
    assert lease.exists(), "nobody knows whose it is"


def test_cancel_does_not_wait_for_a_runtime(tmp_path: Path) -> None:
    world = World(FakeCri(tmp_path / "none.sock"), tmp_path)

    def cancel() -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        world.trial(checkpoint=cancel)


def test_cancelled_between_two_calls_everything_is_removed(world: World) -> None:
    calls: list[None] = []

    def third() -> None:
        calls.append(None)
        if len(calls) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        world.trial(checkpoint=third)
    assert world.fake.requests("StartContainer") == []
    assert (world.fake.pods, world.fake.containers) == ({}, {})
    assert gc.isenabled()


@pytest.mark.parametrize("recorded", [(), ("Create",)])
def test_a_trial_without_its_primary_metric_is_a_failed_one(
    world: World, monkeypatch: pytest.MonkeyPatch, recorded: tuple[str, ...]
) -> None:
    def record(bench: Any) -> None:
        for metric in recorded:
            bench.sample(metric, 1.0)

    silent = replace(find(LIFECYCLE), function=record)
    monkeypatch.setattr("remote_agent.benchmarks.registry.find", lambda _: silent)
    trial = world.trial()
    assert (trial.status, trial.samples) == ("failed", ())
    assert trial.reason == f"{LIFECYCLE} recorded no CreateAndRun, its primary metric."


def test_a_mistake_in_a_benchmark_fails_its_trial(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        stop_timeout_s = property(lambda self: 1 / 0)

    monkeypatch.setattr("remote_agent.agent.reach.HostPod", lambda *_: Broken())
    trial = world.trial()
    assert trial.status == "failed"
    assert trial.reason is not None
    assert "itself is at fault: AttributeError" in trial.reason
    assert gc.isenabled()


def _seconds(work: Any) -> float:
    begun = time.monotonic()
    work()
    return time.monotonic() - begun


def test_the_collector_is_off_while_it_is_measured(world: World) -> None:
    seen: list[bool] = []
    world.trial(checkpoint=lambda: seen.append(gc.isenabled()))
    assert seen == [False] * 7


def test_what_the_host_keeps_after_clean_up_is_a_leak(world: World) -> None:
    lease = world.root / "var/lib/cni/networks/labctl/10.0.0.9"

    def leave() -> None:
        lease.parent.mkdir(parents=True, exist_ok=True)
        lease.touch()

    assert world.trial(checkpoint=leave).leaks == (Leak("lease", "10.0.0.9"),)
    assert world.trial().leaks == (), "it was there before: nobody's leak now"


@pytest.mark.parametrize(("systemd", "parent"), [(False, "/labctl/m1"), (True, "labctl-m1.slice")])
def test_pods_are_below_the_hosts_own_cgroup(world: World, systemd: bool, parent: str) -> None:
    world.fake.systemd = systemd
    world.trial()
    assert world.fake.requests("RunPodSandbox")[0].config.linux.cgroup_parent == parent


def test_a_hosts_name_does_not_nest_slices() -> None:
    assert cgroup_parents("lab-1.example")[1] == "/labctl.slice/labctl-lab_1_example.slice"


def test_at_the_end_the_cgroup_parents_are_gone_if_they_are_empty(world: World) -> None:
    for hierarchy in ("memory", "pids"):
        (world.root / "sys/fs/cgroup" / hierarchy / "labctl/m1/forgotten/below").mkdir(parents=True)
    (world.root / "sys/fs/cgroup/pids/labctl/other").mkdir()
    world.executor.finish(world.spec)
    assert not (world.root / "sys/fs/cgroup/memory/labctl").exists()
    assert sorted(path.name for path in (world.root / "sys/fs/cgroup/pids/labctl").iterdir()) == ["other"]


def test_leftovers_of_an_agent_that_died_are_counted_and_removed(world: World) -> None:
    world.fake.failures["RemovePodSandbox"] = Failure(grpc.StatusCode.INTERNAL, "busy", times=4)
    world.trial()
    assert len(world.fake.pods) == 1
    assert world.executor.clean(world.spec, lambda *words: None) == 1
    assert world.fake.pods == {}


def test_the_fingerprint_tells_the_runtimes_or_why_not(world: World) -> None:
    facts = world.executor.fingerprint(world.spec)
    assert facts["runtimes"]["fake"]["version"] == "1.0"
    assert facts["cpu"]["model"] is None
    assert "cpuinfo" in facts["missing"]["cpu.model"]
    gone = World(FakeCri(world.root / "none.sock"), world.root)
    facts = gone.executor.fingerprint(gone.spec)
    assert facts["runtimes"]["fake"] is None
    assert "UNAVAILABLE" in facts["missing"]["runtimes.fake"]


def test_preflight_finds_what_stands_against_it(world: World, tmp_path: Path) -> None:
    socket = str(world.fake.socket)
    assert all(
        one.ok for one in preflight([Combination("fake", "runc", socket)]) if "pause" not in one.message
    )
    world.fake.network_ready, world.fake.images = False, ()
    wrong = [one for one in preflight([Combination("fake", "kata", socket)]) if not one.ok]
    assert [one.name for one in wrong] == ["ready", "handler", "image", "image"]
    assert all(one.hint and one.combination == "fake/kata" for one in wrong)
    assert wrong[0].hint.endswith("/etc/cni/labctl.d."), "where the role cni_network puts the network"
    world.fake.images = (IMAGE,)
    other = BenchmarkSpec("operations.container.lifecycle", params={"image": "localhost/labctl/other:1"})
    (lacking, _) = [
        one for one in preflight([Combination("fake", "runc", socket)], [other]) if one.name == "image"
    ]
    assert (lacking.ok, lacking.message) == (False, "Image localhost/labctl/other:1 is missing.")
    assert lacking.hint == PROVISION
    own = BenchmarkSpec("operations.container.lifecycle", params={"image": "registry.example.org/mine:2"})
    for cri, way in (("containerd", "ctr --namespace k8s.io images import"), ("crio", "crictl-crio pull")):
        (lacking, _) = [
            one for one in preflight([Combination(cri, "runc", socket)], [own]) if one.name == "image"
        ]
        assert (lacking.ok, lacking.message) == (False, "Image registry.example.org/mine:2 is missing.")
        assert way in lacking.hint and "registry.example.org/mine:2" in lacking.hint
        assert "provision" not in lacking.hint.lower()
    (none,) = preflight([Combination("fake", "runc", str(tmp_path / "no.sock"))])
    assert (none.ok, none.name) == (False, "socket")


def test_a_handler_that_the_host_cannot_have_is_skipped_and_stands_against_no_other(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "opt/labctl").mkdir(parents=True)
    missing = {"crun": {"reason": "It is too old here.", "handler": "kata"}}
    (tmp_path / "opt/labctl/missing.json").write_text(json.dumps(missing))
    world.fake.images = (IMAGE,)
    has, lacks = (Combination("fake", name, str(world.fake.socket)) for name in ("runc", "kata"))
    found = [one for one in preflight([has, lacks], root=tmp_path) if "pause" not in one.message]
    assert all(one.ok for one in found)
    (skipped,) = [one for one in found if one.name == UNSUPPORTED]
    assert (skipped.combination, skipped.message) == (
        "fake/kata",
        "kata is not to be had on this host: It is too old here.",
    )
    alone = [one for one in preflight([lacks], root=tmp_path) if not one.ok]
    assert [one.message.partition(":")[0] for one in alone if one.name == "handler"] == [
        "No combination can run here"
    ]
