# SPDX-License-Identifier: Apache-2.0
"""What single modules ask of their arguments together. A value that holds a template is UNKNOWN here: it is checked on the host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from orchestrator.load.parameters import UNKNOWN
from remote_agent.contract.truth import truth_of

Arguments = Mapping[str, Any]
Found = tuple[str, str] | None


def line_is_named(args: Arguments) -> Found:
    """lineinfile: what is to be there must be said; what is to be gone, by one of three."""
    state = args.get("state", "present")
    if state == "present" and args.get("line") is None:
        return "lineinfile needs the parameter 'line' with state present.", "Add line: TEXT."
    if state == "absent" and all(args.get(name) is None for name in ("line", "regexp", "search_string")):
        return "lineinfile needs line, regexp or search_string with state absent.", "Say which lines."
    return None


def backrefs_have_a_regexp(args: Arguments) -> Found:
    """lineinfile: ``\\1`` in a line refers to a group of the regexp."""
    if truth_of(args.get("backrefs")) and args.get("regexp") is None and args.get("state") != "absent":
        return "lineinfile needs the parameter 'regexp' with backrefs.", "Add regexp: PATTERN."
    return None


def password_is_whole(args: Arguments) -> Found:
    """get_url: a password without a name is sent to nobody."""
    if args.get("url_password") is not None and args.get("url_username") is None:
        return "get_url needs the parameter 'url_username' with url_password.", "Add url_username: NAME."
    return None


def groups_are_named(args: Arguments) -> Found:
    """user: append says how to use groups."""
    if truth_of(args.get("append")) and args.get("groups") is None:
        return "user needs the parameter 'groups' with append.", "Add groups: [NAME], or leave append out."
    return None


def id_is_given(args: Arguments) -> Found:
    """user, group: only a number can be shared."""
    if truth_of(args.get("non_unique")) and args.get("uid", args.get("gid")) is None:
        return "non_unique needs the number that may be shared.", "Add uid (user) or gid (group)."
    return None


def repository_is_whole(args: Arguments) -> Found:
    """deb822_repository: apt refuses a source without an address or a suite, and a suite without components unless it is a path."""
    if args.get("state", "present") != "present":
        return None
    for name in ("uris", "suites"):
        if args.get(name) is None:
            return (
                f"deb822_repository needs the parameter '{name}' with state present.",
                f"Add {name}: VALUE.",
            )
    suites = args["suites"]
    named = suites if isinstance(suites, list) else [suites]
    paths = [suite is UNKNOWN or str(suite).endswith("/") for suite in named]
    if not any(paths) and args.get("components") is None:
        return (
            "a suite that is no path needs components.",
            "Add components: main, or end the suite with a slash.",
        )
    return None


ADDRESS_WITHOUT_REMOTE_SRC = "an address as src needs remote_src: true."


def address_is_fetched_by_the_host(args: Arguments) -> Found:
    """unarchive: what an address holds is downloaded by the host, never by the controller."""
    remote = args.get("remote_src")
    if "://" in str(args.get("src")) and remote is not UNKNOWN and not truth_of(remote):
        return f"unarchive: {ADDRESS_WITHOUT_REMOTE_SRC}", "Add remote_src: true."
    return None


def what_to_wait_for(args: Arguments) -> Found:
    """wait_for: a path does not stop."""
    if args.get("path") is not None and args.get("state") == "stopped":
        return "state stopped goes with a port.", "For a path, write state: absent."
    return None


_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*(?::[a-z0-9-]+)?(?:>?=\S+)?")
_EXTRA_OPTION = re.compile(r"--no-same-owner|--strip-components(?:[= ]\d+)?|\d+")
_STATES_WITH_SRC = ("link", "hard")


def _entries(value: Any) -> list[str]:
    """The texts of a list, or of a text with commas; none where the value holds a template."""
    if value is None or value is UNKNOWN:
        return []
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else [value]
    return [str(part).strip() for part in parts if str(part).strip()]


def packages_are_named(args: Arguments) -> Found:
    """apt: each name is one package's."""
    wrong = next((name for name in _entries(args.get("name")) if not _PACKAGE.fullmatch(name)), None)
    if wrong is None:
        return None
    return (
        f"apt: {wrong!r} is no package's name (NAME, NAME:ARCH, NAME=VERSION, NAME>=VERSION).",
        "Name each package; patterns, tasks and files are not supported (a file goes below deb:).",
    )


def extra_opts_are_known(args: Arguments) -> Found:
    """unarchive: the options of tar that labctl, which unpacks by itself, has too."""
    wrong = next((opt for opt in _entries(args.get("extra_opts")) if not _EXTRA_OPTION.fullmatch(opt)), None)
    if wrong is None:
        return None
    return (
        f"unarchive: {wrong!r} in extra_opts is outside labctl's subset of Ansible.",
        "There are --strip-components=N and --no-same-owner; write others as command: tar, with creates.",
    )


def file_state_fits(args: Arguments) -> Found:
    """file: src, recurse and `now` go with some states only."""
    state = args.get("state")
    if state is UNKNOWN:
        return None
    if args.get("src") is not None and state not in _STATES_WITH_SRC:
        return "file: src goes with state link or hard.", "Add state: link."
    if truth_of(args.get("recurse")) and state not in (None, "directory"):
        return "file: recurse goes with state directory.", "Write state: directory, or leave recurse out."
    for name in ("access_time", "modification_time"):
        if args.get(name) == "now" and state != "touch":
            return f"file: {name}: now goes with state touch.", "Write state: touch."
    return None


def content_has_a_file(args: Arguments) -> Found:
    """copy: content has no name and no mode of its own."""
    if args.get("content") is None:
        return None
    if str(args.get("dest")).endswith("/"):
        return "copy: dest is a folder, and content goes into a file.", "Name the file in dest."
    if args.get("mode") == "preserve":
        return "copy: mode preserve is that of src.", "Write the mode, as in mode: '0644'."
    return None


def unit_is_named(args: Arguments) -> Found:
    """systemd_service: one unit."""
    if any(letter in str(args.get("name")) for letter in "*?[") and args["name"] is not UNKNOWN:
        return "patterns are not supported as a unit's name.", "Name each unit, with a loop."
    if args.get("name") is None and any(args.get(key) is not None for key in ("state", "enabled", "masked")):
        return "systemd_service needs the parameter 'name' with state, enabled or masked.", "Add name: VALUE."
    return None


def repository_has_a_file_name(args: Arguments) -> Found:
    """deb822_repository: the file's name is made of the name's letters and digits."""
    if args.get("name") is UNKNOWN or re.search(r"[a-zA-Z0-9-]", str(args.get("name"))):
        return None
    return "deb822_repository: name has no letter or digit to call a file by.", "Write name: NAME."


def command_has_words(args: Arguments) -> Found:
    """command: the line can be split into words, and there are some."""
    line, argv = args.get("cmd"), args.get("argv")
    if line is UNKNOWN or argv is UNKNOWN:
        return None
    try:
        words = shlex.split(str(line)) if line is not None else argv
    except ValueError as error:
        return f"the command cannot be split into words: {error}.", "Close the quote, or use argv."
    return None if words else ("there is no command.", "Write the command.")
