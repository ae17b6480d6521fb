# SPDX-License-Identifier: Apache-2.0
"""ansible-core's own engine, asked for the values of a zoo's files, or with the word ``-e`` for those of options. Runs in .venv-peers.

Reads a JSON list of paths, writes a JSON list of lists: for each case (see test_values.py) ["value", Python's spelling of it] or
["error", why].
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible._internal._templating._engine import TemplateEngine, TemplateOptions, TemplateOverrides
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import init_plugin_loader
from ansible.template import trust_as_template
from ansible.utils.context_objects import CLIArgs
from ansible.utils.vars import load_extra_vars


def main() -> None:
    init_plugin_loader([])
    constants.LOCALHOST_WARNING = False
    asked = json.load(sys.stdin)
    if sys.argv[1:] == ["-e"]:
        json.dump([answer(lambda words=words: options(words)) for words in asked], sys.stdout)
    else:
        json.dump([answers(Path(path)) for path in asked], sys.stdout)


def options(words: list[str]) -> Any:
    context.CLIARGS = CLIArgs({"extra_vars": tuple(words)})
    load_extra_vars.extra_vars = {}
    return load_extra_vars(DataLoader())


def answers(path: Path) -> list[tuple[str, str]]:
    loader = DataLoader()
    loader.set_basedir(str(path.parent))
    zoo = loader.load_from_file(str(path), trusted_as_template=True)
    names = {**zoo.get("vars", {}), "ansible_search_path": [str(path.parent)]}
    engine = TemplateEngine(loader=loader, variables=names)
    return [
        *(answer(lambda value=value: engine.template(value)) for value in zoo.get("values", ())),
        *(answer(lambda value=value: engine.template(value)) for value in zoo.get("stricter", ())),
        *(
            answer(lambda value=value: engine.evaluate_expression(value))
            for value in zoo.get("expressions", ())
        ),
        *(answer(lambda case=case: of_file(engine, case)) for case in zoo.get("files", ())),
    ]


def of_file(engine: TemplateEngine, case: Any) -> str:
    """What the action `template` writes."""
    text, overrides = (case["text"], case["with"]) if isinstance(case, dict) else (case, {})
    options = TemplateOptions(
        escape_backslashes=False, overrides=TemplateOverrides.from_kwargs(dict(overrides))
    )
    value = engine.template(trust_as_template(str(text)), options=options)
    return "" if value is None else str(value)


def answer(work: Any) -> tuple[str, str]:
    try:
        return "value", repr(plain(work()))
    except Exception as error:  # noqa: BLE001 (it is the answer)
        return "error", " ".join(f"{type(error).__name__}: {error}".split())


def plain(value: Any) -> Any:
    """Without the subclasses by which Ansible remembers where a value comes from."""
    if isinstance(value, dict):
        return {plain(key): plain(content) for key, content in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    native = getattr(value, "_native_copy", None)
    return native() if native else value


if __name__ == "__main__":
    os.environ.setdefault("ANSIBLE_DEPRECATION_WARNINGS", "false")
    main()
