# SPDX-License-Identifier: Apache-2.0
"""The command and the zip that bring the runner onto a host."""

from __future__ import annotations

import io
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remote_agent.contract.bootstrap import (
    COMMAND,
    MISSING,
    SETUP,
    TOO_OLD,
    Program,
    payload,
    program,
)
from remote_agent.contract.wire import MAGIC, WireError, read_hello

MODULES = Path(__file__).parents[3] / "remote_agent/runner/modules"


def test_same_files_make_the_same_bytes_in_any_order() -> None:
    files = {"b": b"2", "a": b"1"}
    turned = dict(reversed(files.items()))
    assert payload(Program(files, turned)) == payload(Program(turned, files))
    assert payload(Program(files, {})) != payload(Program(files, files))


def test_a_line_tells_how_long_everything_is() -> None:
    _, line, rest = payload(Program({"a": b"1"}, {"a": b"2"}, "0d0a")).split(b"\n", 2)
    magic, sizes = line.decode().split()
    assert (magic, sum(map(int, sizes.split(",")))) == ("0d0a", len(rest))


def test_only_what_the_runner_needs_travels() -> None:
    names = set(program().sources)
    assert {
        "remote_agent/__init__",
        "remote_agent/runner/main",
        "remote_agent/runner/modules/copy",
    } <= names
    assert not [
        name
        for name in names
        if "/agent/" in name or "/cri/" in name or "bootstrap" in name or "journal" in name
    ]


def hello_of(contents: Program) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *shlex.split(COMMAND)[-6:]],
        input=payload(contents),
        capture_output=True,
        check=False,
    )


def unreadable(modules: Mapping[str, bytes]) -> dict[str, bytes]:
    return dict.fromkeys(modules, b"neither python nor made of it (")


def test_a_python_of_the_same_release_compiles_nothing() -> None:
    whole = program()
    assert MAGIC in hello_of(replace(whole, sources=unreadable(whole.sources))).stdout
    assert MAGIC not in hello_of(replace(whole, codes=unreadable(whole.codes))).stdout


def test_a_python_of_another_release_takes_the_sources() -> None:
    whole = program()
    foreign = replace(whole, codes=unreadable(whole.codes), magic="00000d0a")
    assert MAGIC in hello_of(foreign).stdout
    assert MAGIC in hello_of(replace(whole, codes={})).stdout


@pytest.mark.parametrize("module", [SETUP, *sorted(path.stem for path in MODULES.glob("[a-z]*.py"))])
def test_a_runner_for_one_module_has_all_that_it_needs(tmp_path: Path, module: str) -> None:
    sources = program({module}).sources
    for name, source in sources.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / f"{name}.py").write_bytes(source)
    imports = ", ".join(name.removesuffix("/__init__").replace("/", ".") for name in sources)
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import {imports}"],
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.stderr == ""
    assert f"remote_agent/runner/modules/{module}" in sources or module == SETUP
    assert ("remote_agent/host/facts" in sources) == (module == SETUP)
    assert len(sources) < len(program().sources)


def test_the_controller_can_pack_the_runner_without_importing_it() -> None:
    script = (
        "import sys; from remote_agent.contract.bootstrap import program; program();"
        "print([name for name in sys.modules if name.startswith(('remote_agent.runner', 'remote_agent.host'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "[]"


def test_a_host_without_python_gets_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", COMMAND], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == MISSING
    assert (
        done.stderr
        == "labctl: python3 is missing on this host: install it (apt-get install python3) and try again.\n"
    )


def test_an_old_python_gets_one_sentence() -> None:
    inner = shlex.split(COMMAND)[-1]
    script = f"import sys; sys.version_info = (3, 9, 2); exec({inner!r})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        input=payload(Program({}, {})).decode("latin-1"),
    )
    assert done.returncode == TOO_OLD
    assert (
        done.stderr
        == "labctl: python3 on this host is 3.9, and labctl needs 3.11 or newer (Debian 12 and 13 have it).\n"
    )


@pytest.mark.parametrize("torn", [payload(program())[:-1], payload(Program({}, {})), b""])
def test_a_torn_program_is_not_started(torn: bytes) -> None:
    done = subprocess.run(["/bin/sh", "-c", COMMAND], input=torn, capture_output=True, check=False)
    assert done.returncode != 0
    assert done.stdout == b""
    assert b"before the runner had arrived" in done.stderr


def test_hello_comes_from_memory_alone(controller: Any) -> None:
    assert controller.hello()["python"].startswith("3.")
    opened = [str(found.readlink()) for found in Path(f"/proc/{controller.process.pid}/fd").iterdir()]
    assert opened and not [place for place in opened if place.startswith("/") and place != "/dev/null"]
    assert controller.end() == 0


@pytest.mark.parametrize("noise", [b"", b"Welcome!\nmail: 3\n", b"no newline at the end: "])
def test_what_a_login_shell_prints_is_passed_over(noise: bytes) -> None:
    stream = io.BytesIO(noise + MAGIC + b'{"type":"hello","python":"3.13.5"}\n')
    assert read_hello(stream) == {"type": "hello", "python": "3.13.5"}


def test_a_host_that_says_something_else_is_quoted() -> None:
    with pytest.raises(WireError, match="This account is currently not available"):
        read_hello(io.BytesIO(b"This account is currently not available.\n"))


def test_endless_noise_ends() -> None:
    with pytest.raises(WireError, match="no runner answered"):
        read_hello(io.BytesIO(b"spam\n" * 300_000))
