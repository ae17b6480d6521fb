# SPDX-License-Identifier: Apache-2.0
"""The pinned toolchain: from whichever proxy this machine has configured, only with the pinned bytes, unpacked whole."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from orchestrator.build.toolchain import Caches, archive, ensure, go_platform, proxies
from orchestrator.files import sha256_of
from orchestrator.model.component import Toolchain
from orchestrator.model.errors import BuildError

TOP = "golang.org/toolchain@v0.0.1-go1.26.8.linux-amd64"


def zipped(path: Path) -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        packed.writestr(f"{TOP}/bin/go", "#!/bin/sh\necho go\n")
        packed.writestr(f"{TOP}/src/_go.mod", "module std\n")
        packed.writestr(f"{TOP}/VERSION", "go1.26.8\n")
        packed.writestr("evil/../../outside", "x")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return path


@pytest.fixture
def proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module proxy in a folder, the second of two: the first has nothing."""
    path = zipped(tmp_path / "proxy/golang.org/toolchain/@v/v0.0.1-go1.26.8.linux-amd64.zip")
    monkeypatch.setenv("GOPROXY", f"file://{tmp_path}/empty,file://{tmp_path}/proxy,direct")
    return path


def test_it_is_fetched_checked_and_unpacked_once(proxy: Path, tmp_path: Path) -> None:
    caches, pinned = Caches(tmp_path / "go"), Toolchain("1.26.8", {"linux-amd64": sha256_of(proxy)})
    said: list[str] = []
    root = ensure(pinned, caches, said.append, "x86_64")
    assert said
    assert (root / "src/go.mod").read_text() == "module std\n"
    assert (root / "bin/go").stat().st_mode & 0o111
    assert not list(tmp_path.rglob("outside"))
    proxy.unlink()
    assert ensure(pinned, caches, said.append, "x86_64") == root
    assert archive(pinned, caches, said.append, "x86_64").is_file()


def test_other_bytes_than_the_pinned_ones_are_refused(proxy: Path, tmp_path: Path) -> None:
    caches = Caches(tmp_path / "go")
    with pytest.raises(BuildError, match="not the pinned one"):
        ensure(Toolchain("1.26.8", {"linux-amd64": "a" * 64}), caches, lambda _: None, "x86_64")
    assert not list(caches.toolchains.iterdir())


def test_a_proxy_that_has_it_not_is_named_with_what_it_said(proxy: Path, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"No Go module proxy gave v0\.0\.1-go1\.26\.9") as caught:
        ensure(
            Toolchain("1.26.9", {"linux-amd64": "a" * 64}), Caches(tmp_path / "go"), lambda _: None, "x86_64"
        )
    assert "GOPROXY" in str(caught.value.hint)


def test_a_kind_of_machine_that_nothing_is_pinned_for_is_said(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="riscv64"):
        go_platform("riscv64")
    with pytest.raises(BuildError, match="pins no Go toolchain for linux-arm64"):
        ensure(Toolchain("1.26.8", {"linux-amd64": "a" * 64}), Caches(tmp_path), lambda _: None, "aarch64")


def test_proxies_are_the_machines_own(tmp_path: Path) -> None:
    config = tmp_path / "go/env"
    config.parent.mkdir()
    config.write_text("GOPROXY=https://own.example/|direct\n")
    assert proxies({"XDG_CONFIG_HOME": str(tmp_path)}) == ["https://own.example"]
    assert proxies({"XDG_CONFIG_HOME": str(tmp_path), "GOPROXY": "https://a.example,off"}) == [
        "https://a.example"
    ]
    assert proxies({"HOME": str(tmp_path)}) == ["https://proxy.golang.org"]
