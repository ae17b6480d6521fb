# SPDX-License-Identifier: Apache-2.0
"""Which lines of known_hosts are about a host (as `ssh-keygen -F` says), and which keys are right for it (as ssh itself says)."""

from __future__ import annotations

import base64
import getpass
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.model.errors import ChangedHostKey, ConfigError, LabctlError, UnknownHostKey
from orchestrator.ssh import connect
from orchestrator.ssh.host_certificate import HostCertificate, parse_certificate
from orchestrator.ssh.hostkeys import HostKeys
from orchestrator.ssh.known_hosts import Marker, parse_known_hosts
from tests.unit.ssh.conftest import CONFIG, Server, free_port, keygen, start_sshd

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtlZXAgdGhpcyBrZXkgZm9yIHRlc3RzIG9ubHkhISE="
NAMES = (
    "web",
    "WEB",
    "web.example.com",
    "10.0.0.7",
    "[10.0.0.7]:2222",
    "[10.0.0.7]:22",
    "[web]:2222",
    "::1",
    "[::1]:22",
)
FIELDS = (
    "web",
    "Web,db",
    "w*",
    "w?b",
    "*",
    "*.example.com",
    "*,!web",
    "!web,*",
    "!db",
    "10.0.0.*",
    "[10.0.0.*]:22",
    "[10.0.0.*]:*",
    "[10.0.0.7]:2222",
    "[*]:2222",
    "10.0.0.7,[10.0.0.7]:2222",
    "[w]eb",
    "web,",
    ",web",
    "::1",
    "[::1]:22",
)  # fmt: skip


@pytest.mark.parametrize("hashed", [False, True])
@pytest.mark.parametrize("field", FIELDS)
def test_the_lines_about_a_host_are_those_that_ssh_keygen_finds(
    tmp_path: Path, field: str, hashed: bool
) -> None:
    file = tmp_path / "known"
    file.write_text(f"# about nobody\n\n  \t{field} {KEY} a comment\n")
    if hashed:
        subprocess.run(["ssh-keygen", "-q", "-H", "-f", file], check=False, capture_output=True)
    lines = list(parse_known_hosts(file.read_text(), file))
    for name in NAMES:
        done = subprocess.run(["ssh-keygen", "-F", name, "-f", file], capture_output=True, check=False)
        assert any(line.is_about(name) for line in lines) is (done.returncode == 0), name


@pytest.mark.parametrize(
    ("line", "marker", "has_key"),
    [
        (f"h {KEY}", Marker.KEY, True),
        (f"@revoked h {KEY}", Marker.REVOKED, True),
        (f"@cert-authority\th {KEY} c", Marker.AUTHORITY, True),
        ("h ssh-ed25519 AAAA...A KEY", Marker.KEY, False),
        ("@cert-authority h ssh-ed25519", Marker.AUTHORITY, False),
        ("h", Marker.KEY, False),
        (f"h ssh-rsa {KEY.split()[1]}", Marker.KEY, False),
        ("|1|torn h", Marker.KEY, False),
    ],
)
def test_a_line(line: str, marker: Marker, has_key: bool) -> None:
    (found,) = parse_known_hosts(f"{line}\n", Path("known"))
    assert (found.marker, found.key is not None) == (marker, has_key)


@pytest.mark.parametrize("line", ["", "# x", f"@unknown h {KEY}", "  "])
def test_a_line_that_says_nothing(line: str) -> None:
    assert list(parse_known_hosts(f"{line}\n", Path("known"))) == []


@dataclass(frozen=True)
class Keys:
    """``right`` is the host's key, ``certificate`` has it signed by ``authority``; each as known_hosts writes it."""

    server: Server
    right: str
    another: str
    authority: str

    @property
    def names(self) -> dict[str, str]:
        return {
            "RIGHT": self.right,
            "OTHER": self.another,
            "CA": self.authority,
            "PORT": str(self.server.port),
            "TORN": "ssh-ed25519 AAAA...A",
        }


@contextmanager
def signed_server(folder: Path, kind: str) -> Iterator[Keys]:
    """A server whose key is signed for 127.0.0.1 by an authority."""
    right = keygen(folder / "host_key", kind)
    another, authority = keygen(folder / "another", kind), keygen(folder / "authority", kind)
    sign(folder, "127.0.0.1")
    (folder / "authorized_keys").write_text(keygen(folder / "key") + "\n")
    port = free_port()
    text = CONFIG.format(port=port, folder=folder) + f"HostCertificate {folder}/host_key-cert.pub\n"
    (folder / "config").write_text(text)
    with start_sshd(folder, port) as process:
        yield Keys(Server(folder, port, process), right, another, authority)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    with signed_server(tmp_path_factory.mktemp("signed"), "ed25519") as keys:
        yield keys


def sign(folder: Path, principals: str, *options: str) -> bytes:
    """The certificate, as SSH sends it."""
    names = ["-n", principals] if principals else []
    command: list[str | Path] = [
        "ssh-keygen",
        "-q",
        "-s",
        folder / "authority",
        "-I",
        "test",
        "-h",
        *options,
        *names,
    ]
    subprocess.run([*command, folder / "host_key.pub"], check=True, timeout=30)
    return base64.b64decode((folder / "host_key-cert.pub").read_text().split()[1])


HOST = "[127.0.0.1]:PORT"
LETS_IN = {
    "the key": f"{HOST} RIGHT",
    "the second of two keys of one type": f"{HOST} OTHER\n{HOST} RIGHT",
    "a pattern": "[127.0.0.*]:PORT RIGHT",
    "a pattern for every port": "[127.0.0.?]:* RIGHT",
    "a key without a port": "127.0.0.1 RIGHT",
    "a key without a port beside a wrong one with it": f"{HOST} OTHER\n127.0.0.1 RIGHT",
    "an authority": f"@cert-authority {HOST} CA",
    "an authority for all": "@cert-authority * CA",
    "an authority without a port": "@cert-authority 127.0.0.1 CA",
    "an authority beside a wrong key": f"{HOST} OTHER\n@cert-authority {HOST} CA",
    "another domain's authority": f"@cert-authority *.corp.example CA\n{HOST} RIGHT",
    "another authority beside the key": f"@cert-authority * OTHER\n{HOST} RIGHT",
    "a torn authority of another domain": f"@cert-authority *.corp.example TORN\n{HOST} RIGHT",
    "a torn line": f"{HOST} TORN\n{HOST} RIGHT",
    "another key that is revoked": f"@revoked * OTHER\n{HOST} RIGHT",
    "a key that is revoked for another host": f"@revoked elsewhere RIGHT\n{HOST} RIGHT",
}
KEEPS_OUT: dict[str, tuple[str, type[LabctlError], str]] = {
    "nothing": ("", UnknownHostKey, "has no key for"),
    "another key": (f"{HOST} OTHER", ChangedHostKey, "is not the one in {file}:1"),
    "another key behind a comment": (f"#\n\n{HOST} OTHER", ChangedHostKey, "is not the one in {file}:3"),
    "another host": ("127.0.0.2 RIGHT", UnknownHostKey, "has no key for"),
    "another port": ("[127.0.0.1]:22 RIGHT", UnknownHostKey, "has no key for"),
    "a negated pattern": ("[127.0.0.*]:*,![127.0.0.1]:* RIGHT", UnknownHostKey, "has no key for"),
    "brackets are no pattern": ("[127]*.0.0.1 RIGHT", UnknownHostKey, "has no key for"),
    "revoked": (f"{HOST} RIGHT\n@revoked * RIGHT", ChangedHostKey, "which {file}:2 revokes"),
    "revoked without a port": (f"{HOST} RIGHT\n@revoked 127.0.0.1 RIGHT", ChangedHostKey, "{file}:2 revokes"),
    "a revoked authority": (
        f"@cert-authority * CA\n@revoked {HOST} CA",
        ChangedHostKey,
        "which {file}:2 revokes",
    ),
    "revoked and torn": (f"{HOST} RIGHT\n@revoked {HOST} TORN", ConfigError, "{file}:2: holds a line with @revoked"),
    "another authority": ("@cert-authority * OTHER", UnknownHostKey, "no line with @cert-authority"),
    "an authority's key as the host's": (f"{HOST} CA", ChangedHostKey, "is not the one in {file}:1"),
    "a host's key as the authority's": ("@cert-authority * RIGHT", UnknownHostKey, "no line with @cert-authority"),
    "a torn line alone": (f"#\n{HOST} TORN", ConfigError, "{file}:2: holds a line that is not a host key"),
}  # fmt: skip
OURS_ALONE = {"revoked and torn", "revoked without a port"}
"""Where labctl is stricter than ssh."""


def ssh_lets_in(keys: Keys, known: Path) -> bool:
    options = (
        "BatchMode=yes",
        "StrictHostKeyChecking=yes",
        f"UserKnownHostsFile={known}",
        "GlobalKnownHostsFile=none",
    )
    words = [word for option in options for word in ("-o", option)]
    place: list[str | Path] = [
        "-i",
        keys.server.folder / "key",
        "-p",
        str(keys.server.port),
        f"{getpass.getuser()}@127.0.0.1",
    ]
    command: list[str | Path] = ["ssh", "-F", "none", *words, *place, "true"]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False, stdin=subprocess.DEVNULL)
    return done.returncode == 0


def known_hosts(keys: Keys, folder: Path, text: str) -> Path:
    words = re.sub("[A-Z]{2,}", lambda found: keys.names[found[0]], text)
    (folder / "known").write_text(f"{words}\n")
    return folder / "known"


@pytest.mark.parametrize("name", LETS_IN)
def test_a_host_whose_key_is_right(keys: Keys, tmp_path: Path, name: str) -> None:
    known = known_hosts(keys, tmp_path, LETS_IN[name])
    assert ssh_lets_in(keys, known)
    with connect(replace(keys.server.endpoint, known_hosts=known)) as connection:
        assert connection.alive


@pytest.mark.parametrize("name", KEEPS_OUT)
def test_a_host_whose_key_is_not(keys: Keys, tmp_path: Path, name: str) -> None:
    text, error, words = KEEPS_OUT[name]
    known = known_hosts(keys, tmp_path, text)
    assert name in OURS_ALONE or not ssh_lets_in(keys, known)
    with pytest.raises(error) as caught, connect(replace(keys.server.endpoint, known_hosts=known)):
        pass
    assert words.replace("{file}", str(known)) in str(caught.value)


@pytest.mark.parametrize("kind", ["ecdsa", "rsa"])
def test_keys_and_authorities_of_other_types(tmp_path: Path, kind: str) -> None:
    with signed_server(tmp_path, kind) as keys:
        for text in (f"{HOST} RIGHT", f"@cert-authority {HOST} CA"):
            known = known_hosts(keys, tmp_path, text)
            assert ssh_lets_in(keys, known)
            connect(replace(keys.server.endpoint, known_hosts=known)).close()


CERTIFICATES: dict[str, tuple[str, list[str], str | None]] = {
    "of the address": ("127.0.0.1", [], None),
    "of several": ("elsewhere,127.0.0.1", [], None),
    "of nobody": ("", [], None),
    "of another host": ("elsewhere", [], "its certificate is for elsewhere"),
    "of a pattern": ("127.0.0.*", [], "its certificate is for 127.0.0.*"),
    "expired": ("127.0.0.1", ["-V", "-2d:-1d"], "its certificate has expired"),
    "of tomorrow": ("127.0.0.1", ["-V", "+1d:+2d"], "its certificate is not valid yet"),
    "with a critical option": ("127.0.0.1", ["-O", "critical:x=y"], "its certificate has critical options"),
}


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_is_right_where_ssh_takes_it(keys: Keys, tmp_path: Path, name: str) -> None:
    """sshd reads its certificate anew for each connection."""
    principals, options, why = CERTIFICATES[name]
    sign(keys.server.folder, principals, *options)
    try:
        known = known_hosts(keys, tmp_path, "@cert-authority * CA")
        assert ssh_lets_in(keys, known) is (why is None)
        endpoint = replace(keys.server.endpoint, known_hosts=known)
        if why is None:
            connect(endpoint).close()
            return
        with pytest.raises(UnknownHostKey, match=re.escape(why)):
            connect(endpoint)
    finally:
        sign(keys.server.folder, "127.0.0.1")


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("certificate")
    for key in ("host_key", "authority"):
        keygen(folder / key)
    return sign(folder, "web,db", "-V", "20300101:20310101")


def certificate_of(blob: bytes) -> HostCertificate:
    found = parse_certificate(blob)
    assert found is not None
    return found


def test_a_certificate_says_who_it_is_for(signed: bytes) -> None:
    found = certificate_of(signed)
    during = (found.valid_after + found.valid_before) / 2
    assert found.principals == ("web", "db")
    assert found.why_wrong("WEB", during) is None
    assert found.why_wrong("mail", during) == "its certificate is for web, db"
    assert found.why_wrong("web", found.valid_after - 1) == "its certificate is not valid yet"
    assert found.why_wrong("web", found.valid_before) == "its certificate has expired"
    assert replace(found, kind=1).why_wrong("web", during) == "its certificate is not one of a host"
    assert replace(found, signed=found.signed + b"x").why_wrong("web", during) is not None
    assert replace(found, signature=b"torn").why_wrong("web", during) is not None


def test_a_torn_certificate_is_none(signed: bytes) -> None:
    assert all(parse_certificate(signed[:length]) is None for length in range(len(signed)))


def test_the_host_is_asked_first_for_what_is_on_file(tmp_path: Path) -> None:
    supported = ("ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256")
    known = tmp_path / "known"
    rsa = keygen(tmp_path / "rsa", "rsa")
    hosts = HostKeys("h", "web", 22, (known,))
    assert hosts.key_types(supported) == supported
    known.write_text(f"web {rsa}\n")
    assert hosts.key_types(supported)[:2] == ("rsa-sha2-512", "rsa-sha2-256")
    known.write_text(f"web {rsa}\n@cert-authority * {rsa}\n")
    assert "cert" in hosts.key_types(supported)[0]


def test_an_alias_stands_in_place_of_address_and_port(tmp_path: Path) -> None:
    hosts = HostKeys("h", "10.0.0.7", 2222, (tmp_path / "known",))
    assert hosts.name == "[10.0.0.7]:2222"
    assert replace(hosts, alias="web").name == "web"
    assert replace(hosts, port=22).name == "10.0.0.7"
