# SPDX-License-Identifier: Apache-2.0
"""The tokens of ssh_config(5): ``%h``, ``%p``, ``%%``; in paths ``~`` and ``${NAME}`` too."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from orchestrator.ssh.config_syntax import Statement, replace_variables

_TOKEN = re.compile(r"%(.?)", re.DOTALL)


def expand(
    text: str, tokens: Mapping[str, Callable[[], str]], statement: Statement, *, paths: bool = False
) -> str:
    """``text`` with every token replaced. Raises ConfigError, at the statement: an unknown token or variable."""

    def token(found: re.Match[str]) -> str:
        if found[1] == "%":
            return "%"
        if found[1] not in tokens:
            raise statement.error(f"{statement.keyword}: the token {found[0]} is not supported.")
        return tokens[found[1]]()

    if paths:
        text = replace_variables(text, statement, os.environ)
        text = str(Path(text).expanduser()) if text.startswith("~") else text
    return _TOKEN.sub(token, text)
