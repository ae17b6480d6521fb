# SPDX-License-Identifier: Apache-2.0
"""Real builds on a real builder: cached, the same bits again, mended, completed after a kill; an own commit beside the release."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.build.toolchain import Caches, ensure
from orchestrator.files import cache_folder, sha256_of
from orchestrator.lab.state import LABS
from orchestrator.load.component import load_toolchain
from tests.lab.conftest import LAB_TARGET, LabOfTests

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parents[2]
BUILDER = LABS / "labctl-build"


def start(*words: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "orchestrator.cli.main", *map(str, words)]
    return subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def labctl(*words: str | Path, timeout: float = 1800) -> tuple[int, str]:
    with start(*words) as process:
        said, _ = process.communicate(timeout=timeout)
    return process.returncode, said


def written(name: str) -> dict[str, Any]:
    """What the vars file says of a component."""
    artifacts = yaml.safe_load((REPOSITORY / ".labctl/artifacts.yaml").read_text())["labctl_artifacts"]
    return dict(artifacts["targets"][LAB_TARGET]["components"][name])


SLOW = """\
summary: A program that takes its time to compile
source: checkout
checkout: ../../tree
version: "1"
go:
  build:
    bin/slow: .
optional: true
"""


def slow(folder: Path, name: str) -> Path:
    """A component that nobody has built yet, and whose compilation takes ten seconds: one function of 20,000 lines."""
    tree, target = folder / "tree", folder / "components" / name
    tree.mkdir()
    target.mkdir(parents=True)
    mark = time.time_ns()
    lines = (f"\tif x%{n + 2} == {n} {{ x = x*{n + 3} + len(os.Args) }}\n" for n in range(20_000))
    head, tail = 'package main\n\nimport "os"\n\n', "func main() { os.Exit(f(len(os.Args)) & 1) }\n"
    (tree / "main.go").write_text(
        f"{head}func f(x int) int {{\n\tx += {mark}\n{''.join(lines)}\treturn x\n}}\n\n{tail}"
    )
    (tree / "go.mod").write_text("module example.org/slow\n\ngo 1.26\n")
    (tree / "go.sum").write_text("")
    subprocess.run(["git", "-C", str(tree), "init", "--quiet"], check=True)
    git = ["git", "-C", str(tree), "-c", "user.name=A Developer", "-c", "user.email=dev@example.org"]
    subprocess.run([*git, "add", "--all"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "Slow"], check=True)
    (target / "component.yaml").write_text(SLOW)
    return target.parent


@pytest.fixture(scope="module", autouse=True)
def everything_built(provisioned_lab: LabOfTests) -> None:
    """Provisioning has built it."""


def test_a_second_build_starts_no_builder(provisioned_lab: LabOfTests) -> None:
    code, said = labctl("build", "--json")
    assert code == 0, said
    entries = json.loads(said[said.index("[") :])
    assert {entry["component"] for entry in entries} >= {
        "containerd",
        "cri-o",
        "runc",
        "crun",
        "runsc",
        "cni-plugins",
    }
    assert all(entry["cached"] for entry in entries)
    assert "builder:" not in said


def test_built_again_from_nothing_the_bits_are_the_same() -> None:
    code, said = labctl("build", "--verify", "runc", "cni-plugins", "--json")
    assert code == 0, said
    assert json.loads(said[said.index("{") :]) == {
        name: {"identical": True, "differing": []} for name in ("cni-plugins", "runc")
    }


def test_a_flipped_byte_in_the_store_is_said_and_mended() -> None:
    about = written("cni-plugins")
    tar = Path(about["path"])
    with tar.open("r+b") as stream:
        stream.seek(tar.stat().st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))
    assert sha256_of(tar) != about["sha256"]
    code, said = labctl("build", "cni-plugins")
    assert code == 0, said
    assert "in the store is not what was built. It is made again." in said
    assert sha256_of(Path(written("cni-plugins")["path"])) == about["sha256"]


@pytest.mark.parametrize("victim", ["controller", "builder"])
def test_a_kill_in_the_middle_of_a_build_leaves_nothing_half_there(tmp_path: Path, victim: str) -> None:
    name = f"slow-{victim}-{os.getpid()}"
    folder = slow(tmp_path, name)
    words = ("build", name, "--components", folder)
    process = start(*words)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(f"{name}: ") and line.endswith(" packages\n"):
            break  # the builder begins to compile
    time.sleep(2.0)
    if victim == "controller":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        state = json.loads((BUILDER / "state.json").read_text())
        for host in state["hosts"].values():
            pid = host["process"]["pid"]
            inits = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
            for one in (pid, *map(int, inits)):  # the container's own first process outlives systemd-nspawn's
                os.kill(one, signal.SIGKILL)
    rest = process.stdout.read()
    process.stdout.close()
    code = process.wait(timeout=300)
    store = cache_folder() / "artifacts" / name
    if victim == "builder":
        assert code in (1, 3), rest
        assert "Traceback" not in rest
        assert not BUILDER.exists()
    assert not [path for path in store.glob("*") if not path.name.startswith(".")]
    code, said = labctl(*words)
    assert code == 0, said
    assert f"{name}" in said and "built in" in said
    assert [path.name for path in store.iterdir()] == [written(name)["key"]]
    assert not BUILDER.exists()
    assert labctl("build")[0] == 0  # the vars file without it
    shutil.rmtree(store)


def source_tree(folder: Path, module: str, vendored: bool = True) -> Path:
    """A developer's work tree: the sources of a module in git, with vendor/ as its own repository has it.

    Modules come without vendor/, so that the go command makes it anew.
    """
    pinned = load_toolchain(REPOSITORY / "playbooks/components")
    go = ensure(pinned, Caches.of_user(), lambda text: None) / "bin/go"
    environment = {
        **os.environ,
        "GOMODCACHE": str(cache_folder() / "go/modules"),
        "GOFLAGS": "-modcacherw",
        "GOTOOLCHAIN": "local",
    }

    def run_go(place: Path, *words: str) -> str:
        done = subprocess.run(
            [go, *words], cwd=place, env=environment, capture_output=True, text=True, timeout=600, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    release = json.loads(run_go(folder, "mod", "download", "-json", module))["Dir"]
    tree = folder / f"tree of {Path(release).name}"
    shutil.copytree(release, tree)
    subprocess.run(["chmod", "-R", "u+w", str(tree)], check=True)
    if vendored:
        run_go(tree, "mod", "vendor")
    return commit(tree)


def commit(tree: Path) -> Path:
    """Make ``tree`` a git work tree, with all of it in one commit that has a tag."""
    subprocess.run(["git", "-C", str(tree), "init", "--quiet"], check=True)
    commit_again(tree)
    subprocess.run(["git", "-C", str(tree), "tag", "v1.99.0"], check=True)
    return tree


def commit_again(tree: Path) -> None:
    git = ["git", "-C", str(tree), "-c", "user.name=A Developer", "-c", "user.email=dev@example.org"]
    subprocess.run([*git, "add", "--all", "--force"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--message", "Mine"], check=True)


def provenance(name: str) -> dict[str, Any]:
    """How a component was made."""
    return dict(json.loads(Path(written(name)["path"]).with_name("provenance.json").read_text()))


def change_line(path: Path, before: str, after: str) -> None:
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


def plain_tree(folder: Path) -> Path:
    """A work tree without vendor/, with a module of others that the release of runc needs too."""
    sums = (REPOSITORY / "playbooks/components/runc/go.sum").read_text().splitlines(keepends=True)
    about = [line for line in sums if line.startswith("golang.org/x/sys ")]
    version = next(line.split()[1] for line in about if "/go.mod" not in line)
    tree = folder / "plain"
    tree.mkdir()
    (tree / "go.mod").write_text(
        f"module example.org/plain\n\ngo 1.26\n\nrequire golang.org/x/sys {version}\n"
    )
    (tree / "go.sum").write_text("".join(about))
    (tree / "main.go").write_text(
        'package main\n\nimport "golang.org/x/sys/unix"\n\nfunc main() { println(unix.Getpid()) }\n'
    )
    return commit(tree)


MINE = """\
summary: My own commit of runc
source: checkout
checkout: {tree}
go:
  cgo: true
  tags: [seccomp, urfave_cli_no_docs]
  build: {{bin/runc: .}}
needs: [gcc, libc6-dev, libseccomp-dev, pkg-config]
handler: {{name: runc-1.99, program: bin/runc}}
"""
SHIM = """\
summary: My own commit of containerd's shim
source: checkout
checkout: {tree}
go:
  tags: [no_btrfs, no_devmapper, no_zfs, urfave_cli_no_docs]
  build: {{bin/containerd-shim-runc-v2: ./cmd/containerd-shim-runc-v2}}
"""
PLAIN = """\
summary: A tree without vendor
source: checkout
checkout: {tree}
go:
  build: {{bin/plain: .}}
  c: {{bin/true: {{sources: "*.x", flags: [-x, c]}}}}
needs: [gcc, libc6-dev]
"""
WRAPPER = """\
#!/bin/sh
# An OCI runtime that a developer brings along.
exec /opt/labctl/runc/current/bin/runc "$@"
"""
PREBUILT = """\
summary: A wrapper around runc
source: prebuilt
version: "1"
prebuilt:
  bin/wrapped: {{path: wrapped.sh, sha256: {sha256}}}
handler: {{name: wrapped, program: bin/wrapped}}
"""


def test_an_own_commit_and_a_prebuilt_runtime_run_beside_the_release(
    own_inventory: Path, tmp_path: Path
) -> None:
    """No line of code for it: folders of components, and their handlers in a suite. A second host joins at the end.

    The trees of runc and containerd carry vendor/, as their repositories do. Of containerd only the shim is built, to be
    done in seconds; the whole of it takes minutes and no other way. A third tree has no vendor/, and C of its own.
    """
    from orchestrator.pipeline.lab import lab_up
    from orchestrator.results.store import RunStore

    folder = tmp_path / "components"
    folder.mkdir()
    runc = source_tree(tmp_path, "github.com/opencontainers/runc@v1.5.2")
    change_line(runc / "main.go", "func main() {", "// Faster, one hopes.\nfunc main() {")
    containerd = source_tree(tmp_path, "github.com/containerd/containerd/v2@v2.4.2")
    change_line(containerd / "version/version.go", "package version", "// Mine.\npackage version")
    commit_again(containerd)
    plain = plain_tree(tmp_path)
    (plain / "main.x").write_text("int main(void) { return 0; }\n")
    for name, text, tree in (
        ("runc-mine", MINE, runc),
        ("shim-mine", SHIM, containerd),
        ("plain", PLAIN, plain),
    ):
        (folder / name).mkdir()
        (folder / name / "component.yaml").write_text(text.format(tree=tree))
    (folder / "wrapped").mkdir()
    (folder / "wrapped/wrapped.sh").write_text(WRAPPER)
    sha256 = sha256_of(folder / "wrapped/wrapped.sh")
    (folder / "wrapped/component.yaml").write_text(PREBUILT.format(sha256=sha256))
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        "cri: [containerd]\noci: [runc, runc-1.99, wrapped]\nfilter: [operations.container.lifecycle]\nruns: 6\n"
    )
    whole = own_inventory.read_text()
    one = whole[: whole.index(f"    {own_inventory.stem}-2:")]
    own_inventory.write_text(one)
    try:
        assert lab_up(own_inventory, lambda who, what: None).ok
        code, said = labctl("provision", own_inventory, "--components", folder)
        assert code == 0, said
        code, said = labctl(
            "run", "--suite", suite, "--inventory", own_inventory, "--root", tmp_path / "runs"
        )
        assert code == 0, said
        run = RunStore(tmp_path / "runs").find("latest")
        lines = [json.loads(line) for line in run.journal(f"{own_inventory.stem}-1").read_text().splitlines()]
        trials = [line for line in lines if line.get("type") == "trial"]
        assert Counter((trial["combination"], trial["status"]) for trial in trials) == {
            (f"containerd/{name}", "ok"): 7 for name in ("runc", "runc-1.99", "wrapped")
        }, trials
        assert not any(trial["leaks"] for trial in trials)
        mine, release = written("runc-mine"), written("runc")
        assert (mine["version"], mine["source"]) == ("1.99.0-dirty", "checkout")
        assert mine["key"] != release["key"]
        assert written("shim-mine")["version"].startswith("1.99.0-1-g"), "one commit after the tag"
        modes = {"runc-mine": "vendor", "shim-mine": "vendor", "plain": "readonly"}
        assert {name: provenance(name)["modules"] for name in modes} == modes
        code, said = labctl(
            "compare", "latest", "--with", "containerd/runc-1.99", "--root", tmp_path / "runs", "--json"
        )
        assert code == 0, said
        assert "containerd/runc-1.99" in said and "operations.container.lifecycle" in said
        _a_second_host_is_worked_on_alone(own_inventory, whole, folder)
    finally:
        assert labctl("build")[0] == 0  # the vars file without them


def _a_second_host_is_worked_on_alone(inventory: Path, whole: str, folder: Path) -> None:
    """Its containerd copies layers, as where the kernel has no overlayfs; a name with a dot is one to CRI-O as well."""
    from orchestrator.pipeline.lab import lab_up

    name = f"{inventory.stem}-2"
    inventory.write_text(
        whole
        + f"  children:\n    copying:\n      hosts: {{{name}: {{}}}}\n      vars: {{containerd_snapshotter: native}}\n"
    )
    assert lab_up(inventory, lambda who, what: None).ok
    code, said = labctl("provision", inventory, "--components", folder, "--json")
    assert code == 0, said
    assert "builder:" not in said
    hosts = json.loads(said.splitlines()[-1])["hosts"]
    changed = {host["host"]: host["changed"] for host in hosts}
    assert changed[f"{inventory.stem}-1"] == 0
    assert changed[name] > 10
    suite = inventory.with_name("dots.yaml")
    suite.write_text(
        "cri: [containerd, crio]\noci: [runc-1.99]\nfilter: [operations.container.lifecycle]\nruns: 1\n"
    )
    words = ("--limit", name, "--root", inventory.with_name("more-runs"))
    code, said = labctl("run", "--suite", suite, "--inventory", inventory, *words)
    assert code == 0, said
    assert "4 trials, 0 failed, 0 leaks" in said
    snapshots = "ctr --namespace k8s.io snapshots --snapshotter native list"
    code, said = labctl("lab", "ssh", name, "--inventory", inventory, "--", snapshots)
    assert code == 0 and "Committed" in said, said


def test_critest_passes_its_benchmarks_on_a_provisioned_host(
    provisioned_lab: LabOfTests, tmp_path: Path
) -> None:
    code, said = labctl("build", "critest")
    assert code == 0, said
    about = written("critest")
    subprocess.run(["tar", "-C", str(tmp_path), "-xf", about["path"]], check=True)
    host = f"{provisioned_lab.inventory.stem}-1"
    run_there: list[str | Path] = ["lab", "ssh", host, "--inventory", provisioned_lab.inventory, "--"]
    binary = tmp_path / "critest" / about["key"] / "bin/critest"
    words = [
        sys.executable,
        "-m",
        "orchestrator.cli.main",
        *map(str, run_there),
        "cat > /tmp/critest; chmod +x /tmp/critest",
    ]
    with binary.open("rb") as stream:
        subprocess.run(words, cwd=REPOSITORY, stdin=stream, check=True, timeout=120)
    script = (
        "cd /tmp; mkdir -p out; printf 'defaultTestContainerImage: localhost/labctl/busybox:1\\n' > images.yaml;"
        " printf 'containersNumber: 3\\ncontainersNumberParallel: 1\\npodsNumber: 3\\npodsNumberParallel: 1\\n' > params.yaml;"
        " ./critest -benchmark -runtime-endpoint unix:///run/containerd/containerd.sock -test-images-file images.yaml"
        " -benchmarking-params-file params.yaml -benchmarking-output-dir out -ginkgo.focus='operations on (Container|Pod)'"
        " -ginkgo.no-color; code=$?; rm -f critest; exit $code"
    )
    code, said = labctl(*run_there, script, timeout=600)
    assert code == 0, said[-3000:]
    assert "2 Passed | 0 Failed" in said or "SUCCESS!" in said, said[-2000:]
    assert " 0 Passed" not in said
