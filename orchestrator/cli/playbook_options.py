# SPDX-License-Identifier: Apache-2.0
"""What `labctl plan` and `labctl provision` are both told of: a playbook, the part of it that is meant, and its variables."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from orchestrator.model.errors import UsageError
from orchestrator.shipped import find_playbook, shipped

_PATH = click.Path(path_type=Path)
_OPTIONS = (
    click.option(
        "-p",
        "--playbook",
        type=_PATH,
        help="What to carry out.  [default: the site.yaml that comes with labctl]",
    ),
    click.option(
        "-t",
        "--tags",
        multiple=True,
        metavar="TAG",
        help="Only tasks with these tags (commas or several times).",
    ),
    click.option("--skip-tags", multiple=True, metavar="TAG", help="No tasks with these tags."),
    click.option(
        "-e",
        "--extra-vars",
        multiple=True,
        metavar="NAME=VALUE",
        help="Variables that win over all others; @FILE or JSON too.",
    ),
)


def playbook_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command ``wanted``: what pipeline.provision.Request has of these (playbook, tags, skip_tags, extra_vars)."""

    @functools.wraps(command)
    def with_playbook(
        *args: Any,
        playbook: Path | None,
        tags: Sequence[str],
        skip_tags: Sequence[str],
        extra_vars: Sequence[str],
        **kwargs: Any,
    ) -> Any:
        wanted = {
            "playbook": find_playbook(playbook) if playbook else shipped() / "playbooks/site.yaml",
            "tags": _words(tags),
            "skip_tags": _words(skip_tags),
            "extra_vars": parse_extra_vars(extra_vars),
        }
        return command(*args, wanted=wanted, **kwargs)

    decorated: Callable[..., Any] = with_playbook
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def _words(values: Sequence[str]) -> tuple[str, ...]:
    """Each value may be several words with commas between them."""
    return tuple(word.strip() for value in values for word in value.split(",") if word.strip())


def parse_extra_vars(texts: Sequence[str]) -> dict[str, Any]:
    """``NAME=VALUE ...`` (values are text), a JSON or YAML mapping, or @FILE. Raises UsageError, ConfigError."""
    variables: dict[str, Any] = {}
    for text in texts:
        if text.startswith("@"):
            variables.update(_from_file(Path(text[1:])))
        elif text:
            variables.update(_without_passwords(_from_text(text)))
    return variables


def _without_passwords(variables: Mapping[str, Any]) -> Mapping[str, Any]:
    """Whoever may list processes reads command lines, and shells remember them."""
    from orchestrator.load.endpoint import is_password

    for name in filter(is_password, variables):
        raise UsageError(
            f"-e {name}: a password does not belong on a command line, where others read it.",
            "Write it to a file, and -e @FILE; sudo's also goes with --ask-become-pass.",
        )
    return variables


def _from_file(path: Path) -> Mapping[str, Any]:
    from orchestrator.load.language import Language
    from orchestrator.load.roles import read_vars_file

    return read_vars_file(path.expanduser(), Language())


def _from_text(text: str) -> Mapping[str, Any]:
    from orchestrator.load.keyvalues import pair_of, words_of

    if text.lstrip().startswith(("{", "[")):
        return _from_structure(text)
    if text.startswith(("/", ".")):
        raise UsageError("-e: a file's name begins with @.", "Write -e @FILE.")
    try:
        pairs = [pair_of(word) for word in words_of(text)]
    except ValueError as error:
        raise UsageError(f"-e {text.partition('=')[0]}: {error}.") from error
    for number, (name, value) in enumerate(pairs):
        if value is None or not name.isidentifier():
            # What follows a NAME=VALUE is most often the rest of its value, which may be a secret: it is not repeated.
            word = f"'{name}'" if number == 0 else f"the word after {pairs[number - 1][0]}=..."
            raise UsageError(
                f"-e: {word} is not NAME=VALUE.",
                "Write -e NAME=VALUE (with a space in it: -e \"NAME='A B'\"), -e '{...}' or -e @FILE.",
            )
    return dict(pairs)


def _from_structure(text: str) -> Mapping[str, Any]:
    from orchestrator.load.keyvalues import structure_of

    hint = "Write -e NAME=VALUE, -e '{...}' or -e @FILE."
    try:
        found = structure_of(text)
    except ValueError as error:
        raise UsageError("-e: this is neither JSON nor YAML.", hint) from error
    if not isinstance(found, dict):
        raise UsageError("-e: this is no mapping of NAME: VALUE.", hint)
    wrong = next((name for name in found if not isinstance(name, str) or not name.isidentifier()), None)
    if wrong is not None:
        raise UsageError(f"-e: {wrong!r} is not a variable's name.", hint)
    return found
