# SPDX-License-Identifier: Apache-2.0
"""ansible-core's answers to options -e. Runs in .venv-peers: reads a JSON list of lists of words, writes a JSON list of
["value", Python's spelling of the variables] or ["error", why].
"""

from __future__ import annotations

import json
import sys

from ansible import context
from ansible.parsing.dataloader import DataLoader
from ansible.utils import vars as extra
from ansible.utils.context_objects import CLIArgs
from oracle import plain


def answer(words: list[str]) -> tuple[str, str]:
    context.CLIARGS = CLIArgs({"extra_vars": tuple(words)})
    extra.load_extra_vars.extra_vars = {}
    try:
        return "value", repr(plain(extra.load_extra_vars(DataLoader())))
    except Exception as error:  # noqa: BLE001 (it is the answer)
        return "error", f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    json.dump([answer(words) for words in json.load(sys.stdin)], sys.stdout)
