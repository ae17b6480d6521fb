# SPDX-License-Identifier: Apache-2.0
"""ssh_config as labctl reads it is ssh_config as `ssh -G` reads it; what labctl does not do is refused with file and line."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

import pytest

from orchestrator.model.errors import ConfigError
from orchestrator.ssh.config import HostConfig, JumpHost, System, jump_hosts, resolve
from orchestrator.ssh.config_syntax import split_words

ME = getpass.getuser()
SAME_AS_SSH = {
    "first value counts": "Host web\n Port 1\nHost *\n Port 2\n User late\n",
    "patterns": "Host w?b\n Port 1\nHost w*\n User a\nHost [w]eb\n User b\n",
    "negated": "Host * !web\n Port 1\nHost !web2 w*\n Port 2\n",
    "negated last": "Host w* !web\n Port 1\n",
    "only negated": "Host !db\n Port 1\n",
    "case of Host": "Host WEB\n Port 1\nHost web\n Port 2\n",
    "equals sign": "Host=web\n Port=7\n User = a\n",
    "quotes": 'Host "web"\n User "a b"\n HostName \'h\'\n',
    "quoted pattern": 'Host "db" "w*"\n Port 3\n',
    "comment behind": "Host web # mine\n Port 8 # eight\n",
    "keyword's case": "HOST web\n pOrT 8\n",
    "indented": "  Host web\n\t\tPort\t8  \n\n\n# x\n   # y\n",
    "before any Host": "Port 9\nHost web\n Port 1\n",
    "hostname token": "Host web\n HostName %h.example.com\n",
    "percent": "Host web\n HostName a%%b\n",
    "identity files add up": "Host web\n IdentityFile /a\n IdentityFile /b\nHost *\n IdentityFile /c\n IdentityFile /a\n",
    "alias": "Host web\n HostKeyAlias other\n",
    "known hosts": "Host web\n UserKnownHostsFile /a /b\n GlobalKnownHostsFile /c\n",
    "known hosts quoted": 'Host web\n UserKnownHostsFile "/a b" /c\n',
    "jump": "Host web\n ProxyJump me@bastion:2222\n ProxyCommand x\n",
    "jumps": "Host web\n ProxyJump a,b\n",
    "no jump": "Host web\n ProxyJump none\nHost *\n ProxyJump bastion\n",
    "no jump and a command": "Host web\n ProxyJump none\n ProxyCommand nc h 22\n",
    "command": "Host web\n ProxyCommand nc -X 'a b' h 22\n ProxyJump bastion\n",
    "no command": "Host web\n ProxyCommand none\nHost *\n ProxyJump bastion\n",
    "match all": "Match all\n Port 1\n",
    "match host": "Host web\n HostName www\nMatch host www\n Port 1\nMatch host web\n Port 2\n",
    "match host's case": "Match host WEB\n Port 1\n",
    "match list": "Match host db,w*,!web2\n Port 1\n",
    "match negated list": "Match host w*,!web\n Port 1\n",
    "match originalhost": "Host web\n HostName www\nMatch originalhost web\n Port 1\n",
    "match negated": "Match !host web\n Port 1\nMatch !host db\n Port 2\n",
    "match user": "Match user bob\n Port 1\nHost web\n User bob\nMatch user bob\n Port 2\n",
    "match localuser": f"Match localuser {ME}\n Port 1\nMatch localuser x{ME}\n User no\n",
    "match several": f"Match originalhost web localuser {ME} !user bob\n Port 1\n",
    "match exec": "Match exec true\n Port 1\n",
    "match exec fails": "Match exec false\n Port 1\n",
    "match exec token": 'Match exec "test %h-%n-%p = web-web-22"\n Port 1\n',
    "match not exec": "Match !exec false\n Port 1\n",
    "match ends at a host": "Match host db\n Port 1\nHost web\n Port 2\n",
    "match final": "Match final\n Port 1\nHost web\n Port 2\n",
    "match final host": "Host web\n HostName www\nMatch final host www\n Port 1\nHost www\n User u\n",
    "match not final": "Match !final host web\n Port 1\n",
    "match final all": "Match final all\n Port 1\n",
    "match canonical": "Match canonical\n Port 1\n",
    "match canonical all": "Match canonical all\n Port 1\n",
    "match not canonical": "Match !canonical\n Port 1\n",
    "include": "Include {folder}/one\nHost web\n Port 2\n",
    "include of several": "Include {folder}/one {folder}/two\n",
    "include by pattern": "Include {folder}/t*\n",
    "include of nothing": "Include {folder}/none {folder}/none*\nPort 2\n",
    "include in a host": "Host web\n Include {folder}/plain\nHost db\n Port 8\n",
    "include in another host": "Host db\n Include {folder}/one\n Include {folder}/plain\nHost web\n Port 8\n",
    "behind an include": "Host web\n Include {folder}/otherhost\n Port 8\n",
    "behind an include in another host": "Host db\n Include {folder}/one\n Port 8\n",
    "include in match": "Match host web\n Include {folder}/one\n",
    "nested": "Include {folder}/nested\n",
    "canonicalize nothing": "Host web\n CanonicalizeHostname yes\n CanonicalDomains invalid\nMatch canonical\n Port 5\n",
    "canonicalize off": "CanonicalizeHostname no\nMatch canonical\n Port 5\n",
}
FILES = {
    "one": "Host web\n Port 1\n User one\n",
    "two": "Host *\n User two\n IdentityFile /two\n",
    "three": "Host *\n User three\n",
    "plain": "Port 11\n",
    "otherhost": "Host db\n Port 12\n",
    "nested": "Include {folder}/one\nHost web\n IdentityFile /nested\n",
}


def write(folder: Path, text: str) -> Path:
    for name, content in FILES.items():
        (folder / name).write_text(content.replace("{folder}", str(folder)))
    (folder / "config").write_text(text.replace("{folder}", str(folder)))
    return folder / "config"


def of_ssh(file: Path, *arguments: str) -> dict[str, list[str]]:
    done = subprocess.run(
        ["ssh", "-G", "-F", file, *arguments, "web"], capture_output=True, text=True, check=True, timeout=30
    )
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        found.setdefault(keyword, []).append(value)
    return found


def same(config: HostConfig, theirs: dict[str, list[str]]) -> None:
    assert config.address == theirs["hostname"][0]
    assert (config.port or 22) == int(theirs["port"][0])
    assert (config.user or ME) == theirs["user"][0]
    assert (config.host_key_alias or None) == theirs.get("hostkeyalias", [None])[0]
    assert config.proxy_command == theirs.get("proxycommand", [None])[0]
    jump = theirs.get("proxyjump", ["none"])[0]
    assert config.proxy_jump == (None if jump == "none" else jump)
    if config.identity_files:
        assert list(config.identity_files) == theirs["identityfile"]
    for ours, name in ((config.user_known_hosts, "user"), (config.global_known_hosts, "global")):
        if ours is not None:
            assert " ".join(ours) == theirs[f"{name}knownhostsfile"][0]


@pytest.mark.parametrize("name", SAME_AS_SSH)
def test_a_configuration_means_what_it_means_to_ssh(tmp_path: Path, name: str) -> None:
    file = write(tmp_path, SAME_AS_SSH[name])
    same(resolve("web", files=[file]), of_ssh(file))
    same(
        resolve("web", user="bob", port=2222, files=[file]),
        of_ssh(file, "-o", "Port=2222", "-o", "User=bob"),
    )


REFUSED = {
    "Port": "Port has no value",
    "Port 70000": "'70000' is not a port",
    'User "a': "quote without its end",
    "Match": "Match has no value",
    "Match host": "Match host has no argument",
    "Match all host web": "Match all stands alone",
    "Match localnetwork 10.0.0.0/8": "Match localnetwork is not supported",
    "Match tagged x": "Match tagged is not supported",
    "HostName %z": "the token %z is not supported",
    "IdentityFile ${LABCTL_NO_SUCH_VARIABLE}": "no variable LABCTL_NO_SUCH_VARIABLE",
    "Include {folder}/config": "more than 16 levels deep",
    "BindAddress 127.0.0.2": "bindaddress is not supported",
    "RevokedHostKeys /k": "revokedhostkeys is not supported",
    "KnownHostsCommand /k": "knownhostscommand is not supported",
    "CanonicalizePermittedCNAMEs a:b": "canonicalizepermittedcnames is not supported",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_labctl_does_not_do_is_refused_with_file_and_line(tmp_path: Path, line: str) -> None:
    file = write(tmp_path, f"Host web\n {line}\n" if not line.startswith("Match") else f"Port 1\n{line}\n")
    with pytest.raises(ConfigError) as caught:
        resolve("web", files=[file])
    assert REFUSED[line] in caught.value.message
    assert (caught.value.file, caught.value.line) == (file, 2)


@pytest.mark.parametrize("line", ["BindAddress 127.0.0.2", "RevokedHostKeys /k"])
def test_what_does_not_count_for_the_host_is_not_refused(tmp_path: Path, line: str) -> None:
    file = write(tmp_path, f"Host db\n {line}\nMatch host db localnetwork 10.0.0.0/8\n Port 1\n")
    assert resolve("web", files=[file]).port is None


def test_a_missing_file_says_nothing(tmp_path: Path) -> None:
    assert resolve("web", files=[tmp_path / "none"]) == HostConfig("web", "web", None, None)


def test_the_users_file_goes_before_the_systems(tmp_path: Path) -> None:
    for name, port in (("user", 1), ("system", 2)):
        (tmp_path / name).write_text(f"Port {port}\nUser {name}\n" if name == "system" else f"Port {port}\n")
    found = resolve("web", files=[tmp_path / "user", tmp_path / "system"])
    assert (found.port, found.user) == (1, "system")


def test_a_relative_include_is_beside_the_users_configuration(tmp_path: Path) -> None:
    own = Path.home() / ".ssh/conf.d"
    own.mkdir(parents=True)
    (own / "a").write_text("Port 5\n")
    (own.parent / "config").write_text("Include conf.d/*\n")
    assert resolve("web").port == 5


@pytest.mark.parametrize("command", ["false", "true"])
def test_a_command_is_run_only_where_what_stands_before_it_holds(tmp_path: Path, command: str) -> None:
    ran: list[str] = []

    def runs(text: str) -> bool:
        ran.append(text)
        return text == "true"

    file = write(tmp_path, f"Match host db exec {command}\n Port 1\nMatch host web exec {command}\n Port 2\n")
    assert resolve("web", files=[file], system=System(runs=runs)).port == (2 if command == "true" else None)
    assert ran == [command]


def test_a_short_name_is_completed(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        "CanonicalizeHostname yes\nCanonicalDomains a.example b.example\nHost *.b.example\n Port 7\nMatch canonical\n User u\n",
    )
    system = System(resolves=lambda name: name == "web.b.example")
    found = resolve("web", files=[file], system=system)
    assert (found.address, found.port, found.user) == ("web.b.example", 7, "u")
    assert resolve("a.b.c", files=[file], system=system).address == "a.b.c", "more dots than one"
    assert resolve("10.0.0.1", files=[file], system=system).address == "10.0.0.1"


def test_tokens_of_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYS", "/keys")
    file = write(
        tmp_path,
        "Host web\n HostName www\n IdentityFile ~/%n-%h-%p-%r\n IdentityFile ${KEYS}/%%x\n ProxyJump %r@bastion\n",
    )
    found = resolve("web", user="u", files=[file])
    assert found.identity_files == (f"{Path.home()}/web-www-22-u", "/keys/%x")
    assert found.proxy_jump == "u@bastion"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", [JumpHost("a")]),
        ("u@a:22,b", [JumpHost("a", "u", 22), JumpHost("b")]),
        ("ssh://u@a:22/", [JumpHost("a", "u", 22)]),
        ("[::1]:22", [JumpHost("::1", None, 22)]),
        ("::1", [JumpHost("::1")]),
        ("u@b@a", [JumpHost("a", "u@b")]),
    ],
)
def test_jump_hosts(text: str, expected: list[JumpHost]) -> None:
    assert list(jump_hosts(text)) == expected


@pytest.mark.parametrize("text", ["", "a:0", "a:x", "a,,b", "u@"])
def test_what_is_no_jump_host(text: str) -> None:
    with pytest.raises(ConfigError, match="ProxyJump"):
        jump_hosts(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('a "b c" # d', ("a", "b c")),
        ("a#b", ("a#b",)),
        (r"a\ b c\d", ("a b", r"c\d")),
        (r'"a\"b" \'', ('a"b', "'")),
        ("'a\"b'", ('a"b',)),
        ("'a", None),
    ],
)
def test_words_are_split_as_ssh_splits_them(text: str, words: tuple[str, ...] | None) -> None:
    assert split_words(text) == words
