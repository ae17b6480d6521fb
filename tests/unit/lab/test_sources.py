# SPDX-License-Identifier: Apache-2.0
"""The machine's mirror is found in what its apt reads, and how apt gets there is handed on."""

from __future__ import annotations

from ipaddress import IPv4Address
from pathlib import Path

import pytest

from orchestrator.lab.sources import (
    Mirror,
    acquire_options,
    apt_conf,
    find_mirror,
    for_guest,
    nameservers,
    parse_deb822,
    parse_one_line,
    read_sources,
)
from orchestrator.model.errors import LabError

DEB822 = """\
Types: deb
# URIs: http://commented.example/debian
URIs: http://first.example/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs:
  http://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main
Enabled: no
"""


def test_deb822_keeps_enabled_binaries_and_skips_comments() -> None:
    found = list(parse_deb822(DEB822))
    assert [source.uris for source in found] == [
        ("http://first.example/debian",),
        ("http://security.example/debian-security",),
    ]
    assert find_mirror(found) == Mirror(
        "http://first.example/debian", "http://security.example/debian-security"
    )


def test_one_line_form_reads_options_and_ignores_sources() -> None:
    text = (
        "# deb http://no.example/debian trixie main\n"
        "deb-src http://src.example/debian trixie main\n"
        "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://yes.example/debian/ trixie main # x\n"
        "deb http://sec.example/debian-security trixie-security main contrib\n"
    )
    assert find_mirror(list(parse_one_line(text))) == Mirror(
        "http://yes.example/debian", "http://sec.example/debian-security"
    )


def test_a_third_party_source_is_not_debian(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "a.list").write_text(
        "deb [signed-by=/etc/keys/vendor.gpg] https://vendor.example/apt bookworm main\n"
        "deb https://other.example/apt nodistro main\n"
        "deb https://third.example/linux bookworm stable\n"
    )
    with pytest.raises(LabError, match="no Debian archive") as raised:
        find_mirror(read_sources(tmp_path))
    assert "mirror" in (raised.value.hint or "")


def test_debians_own_file_goes_before_others(tmp_path: Path) -> None:
    parts = tmp_path / "sources.list.d"
    parts.mkdir()
    (parts / "aaa.list").write_text("deb http://other.example/debian bookworm main\n")
    (parts / "debian.sources").write_text(DEB822)
    assert find_mirror(read_sources(tmp_path)).archive == "http://first.example/debian"


def test_a_mirror_list_of_a_cloud_image_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/mirrors.list").write_text("# comment\nhttps://cloud.example/debian\tpriority:1\n")
    sources = list(parse_one_line("deb mirror+file:///etc/mirrors.list trixie main"))
    assert find_mirror(sources, tmp_path).archive == "https://cloud.example/debian"


def test_hosts_get_the_same_mirror_for_their_own_release() -> None:
    lines = Mirror("http://a.example/debian", "http://s.example/sec").lines("trixie")
    assert [line.split("] ")[1] for line in lines] == [
        "http://a.example/debian trixie main",
        "http://a.example/debian trixie-updates main",
        "http://s.example/sec trixie-security main",
    ]
    assert len(Mirror("http://a.example/debian").lines("trixie")) == 2


def test_the_way_of_apt_is_handed_on_with_loopback_seen_from_the_host() -> None:
    dump = (
        'Acquire "";\nAcquire::http "";\nAcquire::http::Proxy "http://user:secret@127.0.0.1:3142/";\n'
        'Acquire::https::Proxy "http://proxy.example:8080";\nAcquire::Check-Valid-Until "false";\n'
        'Acquire::https::SslKey "/etc/key.pem";\nAcquire::GzipIndexes "true";\n'
    )
    options = acquire_options(dump, {"http_proxy": "http://ignored.example:1"})
    assert options == {
        "Acquire::http::Proxy": "http://user:secret@127.0.0.1:3142/",
        "Acquire::https::Proxy": "http://proxy.example:8080",
        "Acquire::Check-Valid-Until": "false",
    }
    guest = for_guest(options, IPv4Address("10.231.9.1"))
    assert guest["Acquire::http::Proxy"] == "http://user:secret@10.231.9.1:3142/"
    assert guest["Acquire::https::Proxy"] == "http://proxy.example:8080"
    assert 'Acquire::Check-Valid-Until "false";\n' in apt_conf(guest)


def test_a_proxy_of_the_environment_counts_where_apt_has_none() -> None:
    assert acquire_options("", {"http_proxy": "http://p.example:1"}) == {
        "Acquire::http::Proxy": "http://p.example:1"
    }


def test_name_servers_behind_a_stub_are_the_real_ones(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "run/systemd/resolve").mkdir(parents=True)
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.53\noptions edns0\n")
    with pytest.raises(LabError, match="loopback"):
        nameservers(tmp_path)
    (tmp_path / "run/systemd/resolve/resolv.conf").write_text("search lan.example\nnameserver 192.0.2.1\n")
    assert nameservers(tmp_path) == "search lan.example\nnameserver 192.0.2.1\n"
    (tmp_path / "etc/resolv.conf").write_text("nameserver 127.0.0.1\nnameserver 192.0.2.9\n")
    assert nameservers(tmp_path) == "nameserver 192.0.2.9\n"
