# SPDX-License-Identifier: Apache-2.0
"""labctl's values of a zoo's file, in the form in which oracle.py gives ansible-core's."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from orchestrator.load.document import load_document
from orchestrator.load.language import OMIT, Blocks, Language, TemplateFailed
from orchestrator.provision.scope import Layer, Scope

Answer = tuple[str, str]


def answers(path: Path) -> Iterator[tuple[str, Any, Answer]]:
    """Each case of the file: its kind, itself, its answer."""
    zoo = load_document(path).value
    language = Language(os.environ)
    names = {**zoo.get("vars", {}), "ansible_search_path": [str(path.parent)]}
    scope = Scope(language, [Layer(names)])
    for kind, work in {
        "values": scope.render,
        "stricter": scope.render,
        "expressions": scope.evaluate,
        "files": lambda case: of_file(language, scope, case),
    }.items():
        for case in zoo.get(kind, ()):
            yield kind, case, answer(work, case)


def of_file(language: Language, scope: Scope, case: Any) -> str:
    text, options = (case["text"], case["with"]) if isinstance(case, dict) else (case, {})
    return scope.render_file(language.file(text, Blocks(**options)))


def answer(work: Callable[[Any], Any], case: Any) -> Answer:
    """An error of any other kind is a defect of labctl's, and ends the test."""
    try:
        value = work(case)
        return ("error", "omitted") if value is OMIT else ("value", repr(value))
    except TemplateFailed as error:
        return "error", str(error)
