# SPDX-License-Identifier: Apache-2.0
"""What single modules ask of their arguments together. A value that holds a template is UNKNOWN here: it is checked on the host."""

from __future__ import annotations

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
