# SPDX-License-Identifier: Apache-2.0
"""The Debian mirror that this machine uses, and how its apt reaches it: sources.list(5), deb822 and one-line form."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from orchestrator.lab.system import System
from orchestrator.model.errors import LabError
from orchestrator.model.system_packages import KEYRING

_SUITES = re.compile(
    r"(?P<base>oldoldstable|oldstable|stable|testing|unstable|sid|buster|bullseye|bookworm|trixie|forky|duke)"
    r"(?P<part>-security|/updates|-updates)?/?"
)
_OPTION = re.compile(r'^(Acquire::(?:https?::.*|Check-[A-Za-z-]+|Retries)) "(.*)";$')
_CLOSED = ("SslKey", "SslCert", "AutoDetect", "Auto-Detect")


@dataclass(frozen=True, slots=True)
class Source:
    """One entry of apt's sources."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where Debian comes from: the archive, and the security archive where the machine has one."""

    archive: str
    security: str | None = None

    def lines(self, release: str) -> tuple[str, ...]:
        """One-line sources of ``release``."""
        signed = f"deb [signed-by={KEYRING}]"
        lines = [f"{signed} {self.archive} {release} main", f"{signed} {self.archive} {release}-updates main"]
        if self.security:
            lines.append(f"{signed} {self.security} {release}-security main")
        return tuple(lines)


def read_sources(etc_apt: Path = Path("/etc/apt")) -> list[Source]:
    """All entries for binaries; Debian's own file first, then sources.list, then the others by name."""
    parts = etc_apt / "sources.list.d"
    others = sorted(parts.glob("*")) if parts.is_dir() else []
    first = [parts / "debian.sources", etc_apt / "sources.list"]
    entries: list[Source] = []
    for path in [*first, *(other for other in others if other not in first)]:
        if not path.is_file() or path.suffix not in {".list", ".sources"}:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        entries += parse_deb822(text) if path.suffix == ".sources" else parse_one_line(text)
    return entries


def parse_deb822(text: str) -> Iterator[Source]:
    """The stanzas of a .sources file that are enabled and for binaries."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n\s*\n", "\n".join(lines)):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in " \t":
                fields[name] = f"{fields.get(name, '')}\n{line.strip()}"
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        enabled = fields.get("enabled", "yes").lower() not in {"no", "false", "0", "off"}
        if enabled and "deb" in fields.get("types", "").split():
            yield _source(fields)


def _source(fields: Mapping[str, str]) -> Source:
    def words(name: str) -> tuple[str, ...]:
        return tuple(fields.get(name, "").split())

    return Source(words("uris"), words("suites"), words("components"), fields.get("signed-by") or None)


def parse_one_line(text: str) -> Iterator[Source]:
    """The `deb` lines of a .list file."""
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)\s*([^#]*)", line)
        if found:
            options, uri, suite, components = found.groups()
            signed = re.search(r"signed-by=(\S+)", options or "")
            yield Source((uri,), (suite,), tuple(components.split()), signed[1] if signed else None)


def find_mirror(entries: Sequence[Source], root: Path = Path("/")) -> Mirror:
    """The first Debian archive among ``entries``. Raises LabError where there is none."""
    archive = security = None
    for entry in entries:
        if "main" not in entry.components or (entry.signed_by and "debian-archive" not in entry.signed_by):
            continue
        uri = _reachable(entry.uris, root)
        for suite in entry.suites:
            found = _SUITES.fullmatch(suite)
            if not (found and uri):
                continue
            if found["part"] in ("-security", "/updates"):
                security = security or uri
            else:
                archive = archive or uri
    if archive is None:
        raise LabError(
            "This machine's apt sources name no Debian archive, so there is nothing to make lab hosts from.",
            "Name one in the inventory: labctl_lab, key mirror.",
        )
    return Mirror(archive, security)


def mirror_for(asked: str | None) -> Mirror:
    """The one that an inventory names, else the one that this machine's apt uses. Raises LabError where there is none."""
    return Mirror(asked.rstrip("/")) if asked else find_mirror(read_sources())


def _reachable(uris: Sequence[str], root: Path) -> str | None:
    """The first HTTP address; a mirror list in a file (as cloud images have) is looked up."""
    for uri in uris:
        if uri.startswith(("http://", "https://")):
            return uri.rstrip("/")
        if uri.startswith("mirror+file:"):
            path = root / uri.removeprefix("mirror+file:").lstrip("/")
            lines = path.read_text().split("\n") if path.is_file() else []
            listed = [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]
            if found := _reachable(listed, root):
                return found
    return None


def acquire_options(dump: str, environ: Mapping[str, str]) -> dict[str, str]:
    """How apt gets through, of `apt-config dump`: proxies and what they need, checks of dates.

    http_proxy and https_proxy of ``environ`` count where apt has no proxy of its own, as with apt itself.
    """
    options: dict[str, str] = {}
    for line in dump.splitlines():
        found = _OPTION.match(line)
        if found and found[2] and not found[1].endswith(_CLOSED):
            options[found[1]] = found[2]
    for scheme in ("http", "https"):
        value = environ.get(f"{scheme}_proxy")
        if value and "://" in value:
            options.setdefault(f"Acquire::{scheme}::Proxy", value)
    return options


def apt_options(system: System) -> dict[str, str]:
    """How apt of this machine gets through."""
    dump = system.run("apt-config", "dump", "Acquire", check=False).stdout
    return acquire_options(dump, os.environ)


def for_guest(options: Mapping[str, str], gateway: IPv4Address) -> dict[str, str]:
    """The same as a lab host must say it: a proxy on this machine's loopback is at the gateway for it."""
    return {
        name: _from_guest(value, gateway) if "::Proxy" in name else value
        for name, value in options.items()
        if not name.endswith("CaInfo")
    }


def _from_guest(url: str, gateway: IPv4Address) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host != "localhost" and not host.startswith("127.") and host != "::1":
        return url
    login, at, _ = parts.netloc.rpartition("@")
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{login}{at}{gateway}{port}"))


def apt_conf(options: Mapping[str, str]) -> str:
    """As a file of apt.conf.d; it may hold a password, so its mode is 600."""
    return "".join(f'{name} "{value}";\n' for name, value in sorted(options.items()))


def nameservers(root: Path = Path("/")) -> str:
    """resolv.conf as a lab host can use it. Behind a stub on loopback stands systemd-resolved, which lists the real ones.

    Raises LabError where only loopback is named.
    """
    for name in ("etc/resolv.conf", "run/systemd/resolve/resolv.conf"):
        path = root / name
        lines = path.read_text().splitlines() if path.is_file() else []
        servers = [
            line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1
        ]
        real = [server for server in servers if not server.startswith("127.") and server != "::1"]
        if real:
            kept = [line for line in lines if line.split()[:1] in (["search"], ["domain"])]
            return "\n".join([*kept, *(f"nameserver {server}" for server in real)]) + "\n"
    raise LabError(
        "/etc/resolv.conf names only this machine's loopback as name server, which lab hosts cannot reach.",
        "Name a server that answers on the network too.",
    )
