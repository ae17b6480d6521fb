# SPDX-License-Identifier: Apache-2.0
"""Suites load as Touchstone's do, select what their filters say and no more, and are refused with a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.load.suite import find_suite, list_suites, load_suite
from orchestrator.model.errors import ConfigError, UsageError
from orchestrator.model.run import BenchmarkPlan, Profile, Suite
from remote_agent.benchmarks import registry
from remote_agent.contract.benchmark import Benchmark

ROOT = Path(__file__).resolve().parents[3]


def _benchmark(name: str, **params: object) -> Benchmark:
    return Benchmark(name, "", "total", (), lambda bench: None, params=params)


CATALOGUE = (
    _benchmark("operations.container.lifecycle", image="busybox", settle=0.5),
    _benchmark("scalability.runtime.5"),
    _benchmark("scalability.runtime.10"),
    _benchmark("scalability.runtime.50", scale=1),
)
HEAD = "cri: [containerd]\noci: [runc, crun]\n"


def _load(folder: Path, text: str) -> Suite:
    path = folder / "mine.yaml"
    path.write_text(text)
    return load_suite(path, CATALOGUE)


@pytest.mark.parametrize(
    ("filters", "selected"),
    [
        ("[operations]", ["operations.container.lifecycle"]),
        ("[scalability]", ["scalability.runtime.5", "scalability.runtime.10", "scalability.runtime.50"]),
        ("[scalability.runtime.5]", ["scalability.runtime.5"]),
        (r"['.*\.5']", ["scalability.runtime.5"]),
        (r"['.*\.5.?']", ["scalability.runtime.5", "scalability.runtime.50"]),
        (
            "[scalability.runtime.10, operations, scalability.runtime.10]",
            ["operations.container.lifecycle", "scalability.runtime.10"],
        ),
        ("['.*5|.*10']", ["scalability.runtime.5", "scalability.runtime.10"]),
    ],
)
def test_a_filter_is_anchored_at_the_parts_of_a_name(
    tmp_path: Path, filters: str, selected: list[str]
) -> None:
    suite = _load(tmp_path, f"{HEAD}filter: {filters}\n")
    assert [plan.name for plan in suite.benchmarks] == selected


def test_a_touchstone_file_loads_unchanged(tmp_path: Path) -> None:
    text = 'cri: ["containerd", "crio"]\noci: ["runc", "runsc"]\nfilter:\n- operations\nruns: 100\noutput: operations.json\n'
    suite = _load(tmp_path, text)
    assert suite.benchmarks == (BenchmarkPlan("operations.container.lifecycle", blocks=100, warmup=1),)
    names = [combination.name for combination in suite.combinations]
    assert names == ["containerd/runc", "containerd/runsc", "crio/runc", "crio/runsc"]


THESIS = tuple(
    _benchmark(name)
    for name in (
        "performance.cpu.time",
        "performance.memory.total",
        "performance.memory.minavglatency",
        "performance.memory.maxlatency",
        "performance.disk.read",
        "performance.disk.write",
        "operations.container.lifecycle",
        "scalability.runtime.5",
        "scalability.runtime.10",
        "scalability.runtime.50",
        "limits.cpu.time",
        "limits.cpu.scaling",
    )
)


@pytest.mark.parametrize(
    ("filters", "selected"),
    [
        ("\n- operations", ["operations.container.lifecycle"]),
        ("\n- performance.cpu", ["performance.cpu.time"]),
        ("\n- performance.disk", ["performance.disk.read", "performance.disk.write"]),
        ("\n- scalability", ["scalability.runtime.5", "scalability.runtime.10", "scalability.runtime.50"]),
        ("\n- limits.cpu.scaling", ["limits.cpu.scaling"]),
        ("\n    performance", [b.name for b in THESIS[:6]]),  # figure 5.1 of the thesis
    ],
)
def test_the_filters_that_touchstones_files_have_select_what_they_select_there(
    tmp_path: Path, filters: str, selected: list[str]
) -> None:
    path = tmp_path / "suite.yamlt"  # as some of its files are called
    path.write_text(
        f'cri: ["containerd", "crio"]\noci: ["runc", "runsc"]\nfilter:{filters}\nruns: 10\nscale: 1\noutput: a.json\n'
    )
    plans = load_suite(path, THESIS).benchmarks
    assert [plan.name for plan in plans] == selected
    assert {plan.blocks for plan in plans} == {10}


def test_what_is_set_for_one_benchmark_goes_before_what_is_set_for_all(tmp_path: Path) -> None:
    text = (
        f"{HEAD}runs: 7\nwarmup: 2\nscale: 3\nfilter: [operations, scalability.runtime.50]\nbenchmarks:\n"
        "  operations.container.lifecycle: {blocks: 30, warmup: 0, params: {image: pause, settle: 1}}\n"
        "  scalability.runtime.5:\n"
    )
    assert _load(tmp_path, text).benchmarks == (
        BenchmarkPlan("operations.container.lifecycle", 30, 0, {"image": "pause", "settle": 1}),
        BenchmarkPlan("scalability.runtime.50", 7, 2, {"scale": 3}),
        BenchmarkPlan("scalability.runtime.5", 7, 2),
    )


def test_a_member_of_a_family_is_found_by_its_full_name(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        f"{HEAD}filter: [scalability.runtime.7, operations.container.lifecycle]\nbenchmarks: {{scalability.runtime.20: }}\n"
    )
    suite = load_suite(tmp_path / "mine.yaml", registry.catalogue(), registry.find)
    assert [plan.name for plan in suite.benchmarks] == [
        "operations.container.lifecycle",
        "scalability.runtime.7",
        "scalability.runtime.20",
    ]


def test_a_precision_target_goes_up_to_60_blocks_and_each_benchmark_may_have_its_own_rule(
    tmp_path: Path,
) -> None:
    text = (
        f"{HEAD}precision: 3%\nbudget: 30m\nfilter: [operations, scalability]\nbenchmarks:\n"
        "  scalability.runtime.5: {blocks: 6}\n  scalability.runtime.10: {precision: 0.1, budget: 90s}\n"
    )
    suite = _load(tmp_path, text)
    assert suite.budget == 1800
    assert [(plan.blocks, plan.precision, plan.budget) for plan in suite.benchmarks] == [
        (60, 0.03, None),
        (6, None, None),
        (60, 0.1, 90),
        (60, 0.03, None),
    ]


def test_one_benchmark_may_have_a_target_among_fixed_counts(tmp_path: Path) -> None:
    text = f"{HEAD}runs: 7\nfilter: [scalability.runtime.5]\nbenchmarks: {{scalability.runtime.10: {{precision: 5%}}}}\n"
    plans = _load(tmp_path, text).benchmarks
    assert [(plan.blocks, plan.precision) for plan in plans] == [(7, None), (60, 0.05)]


SIZED = (
    Benchmark(
        "performance.cpu.time", "", "total", (), lambda bench: None,
        params={"primes": 20000, "threads": 1, "scale": 1}, quick={"primes": 2000, "scale": 5},
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("more", "typed", "profile", "params"),
    [
        ("", None, "thesis", {}),
        ("profile: thesis\n", None, "thesis", {}),
        ("profile: quick\n", None, "quick", {"primes": 2000, "scale": 5}),
        ("", Profile.QUICK, "quick", {"primes": 2000, "scale": 5}),
        ("profile: quick\n", Profile.THESIS, "thesis", {}),
        ("profile: quick\nscale: 3\n", None, "quick", {"primes": 2000, "scale": 3}),
        (
            "profile: quick\nbenchmarks: {performance.cpu.time: {params: {primes: 7, threads: 2}}}\n",
            None,
            "quick",
            {"primes": 7, "scale": 5, "threads": 2},
        ),
    ],
)
def test_a_profile_sets_the_size_of_the_work_and_what_is_explicit_goes_before_it(
    tmp_path: Path, more: str, typed: Profile | None, profile: str, params: dict[str, int]
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(f"{HEAD}filter: [performance]\n{more}")
    suite = load_suite(path, SIZED, profile=typed)
    assert suite.profile == profile
    assert suite.benchmarks[0].params == params


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("- a\n", ":1:1", "mapping"),
        (f"{HEAD}filter: [operations]\nruns: 3\nprecision: 3%\n", ":5:1: precision", "exclude each other"),
        (
            f"{HEAD}filter: [operations]\nprecision: 3\n",
            ":4:12: precision",
            "'3' is no share; write 3% or 0.03",
        ),
        (f"{HEAD}filter: [operations]\nbudget: 3m\n", ":4:1: budget", "needs a precision target"),
        (f"{HEAD}filter: [operations]\nprecision: 3%\nbudget: 30\n", ":5:9: budget", "with its unit"),
        (
            f"{HEAD}filter: [operations]\nprofile: fast\n",
            ":4:10: profile",
            "'fast' is neither thesis nor quick",
        ),
        (
            f"{HEAD}benchmarks:\n  scalability.runtime.5: {{blocks: 3, precision: 3%}}\n",
            ":4:38: benchmarks.scalability.runtime.5.precision",
            "exclude each other",
        ),
        (
            f"{HEAD}benchmarks:\n  scalability.runtime.5: {{blocks: 3, budget: 3m}}\n",
            ":4:38: benchmarks.scalability.runtime.5.budget",
            "needs a precision target",
        ),
        (f"{HEAD}", ":1:1", "selects no benchmark"),
        ("cri: [containerd]\nfilter: [operations]\n", ":1:1: oci", "Field required"),
        (f"{HEAD}filter: ['.5']\n", ":3:10: filter[0]", "'.5' selects no benchmark"),
        (f"{HEAD}filter: ['(']\n", ":3:10: filter[0]", "regular expression"),
        (f"{HEAD}filter: [operations]\nrunz: 3\n", ":4:1: runz", "not a key"),
        (f"{HEAD}filter: [operations]\nruns: 0\n", ":4:7: runs", "greater than or equal to 1"),
        (f"{HEAD}filter: [operations]\nruns: '3'\n", ":4:7: runs", "integer"),
        (f"{HEAD}filter: [operations]\nbaseline: crio/runc\n", ":4:11: baseline", "containerd/runc"),
        ("cri: [a, a]\noci: [b]\nfilter: [operations]\n", ":1:10: cri[1]", "twice"),
        ("cri: []\noci: [b]\nfilter: [operations]\n", ":1:6: cri", "at least 1"),
        ("cri: [../a]\noci: [b]\nfilter: [operations]\n", ":1:7: cri[0]", "pattern"),
        (f"{HEAD}benchmarks:\n  nosuch: {{}}\n", ":4:3: benchmarks.nosuch", "no such benchmark"),
        (
            f"{HEAD}benchmarks:\n  operations.container.lifecycle: {{params: {{imag: a}}}}\n",
            ":4:45: benchmarks.operations.container.lifecycle.params.imag",
            "It has: image, settle",
        ),
        (
            f"{HEAD}benchmarks:\n  operations.container.lifecycle: {{params: {{image: 3}}}}\n",
            ":4:52: benchmarks.operations.container.lifecycle.params.image",
            "of type str",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tmp_path: Path, text: str, place: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, text)
    assert f"mine.yaml{place}" in str(caught.value)
    assert says in str(caught.value)


def test_an_unknown_suite_names_the_suites_there_are(tmp_path: Path) -> None:
    (tmp_path / "operations.yaml").write_text(HEAD)
    (tmp_path / "other.yml").write_text(HEAD)
    with pytest.raises(UsageError, match=r"'operation'.*mean operations\?.*operations, other") as caught:
        find_suite("operation", [tmp_path])
    assert caught.value.exit_code == 2
    with pytest.raises(UsageError, match=r"no suite file ./none.yaml"):
        find_suite("./none.yaml", [tmp_path])


def test_a_suite_is_found_by_name_in_the_first_folder_that_has_it_or_by_path(tmp_path: Path) -> None:
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    for folder in (mine, theirs):
        folder.mkdir()
        (folder / "demo.yaml").write_text(HEAD)
    assert find_suite("demo", [mine, theirs]) == mine / "demo.yaml"
    assert find_suite(str(theirs / "demo.yaml"), [mine]) == theirs / "demo.yaml"


@pytest.mark.parametrize("path", list_suites([ROOT / "suites"]).values(), ids=lambda path: path.stem)
def test_the_suites_that_labctl_brings_are_valid(path: Path) -> None:
    suite = load_suite(path, registry.catalogue())
    assert suite.description
    assert suite.baseline == "containerd/runc"
    assert all(plan.blocks >= 6 for plan in suite.benchmarks)


@pytest.mark.parametrize("benchmark", registry.catalogue(), ids=lambda benchmark: benchmark.name)
def test_what_the_profile_quick_sets_is_a_parameter_of_the_same_type(benchmark: Benchmark) -> None:
    assert {key: type(value) for key, value in benchmark.quick.items()} == {
        key: type(benchmark.params[key]) for key in benchmark.quick
    }
