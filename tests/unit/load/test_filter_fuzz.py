# SPDX-License-Identifier: Apache-2.0
"""Whatever a filter, a test or a lookup is given, it has a value, or fails with one sentence. `make fuzz`: 10,000 expressions."""

from __future__ import annotations

import json
import os
import random
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import randoms

from orchestrator.load.jinja import MISSING, Environment
from orchestrator.load.language import OMIT, Language, TemplateFailed
from orchestrator.load.parameters import Param
from orchestrator.provision.arguments import spelled

EXPRESSIONS = int(os.environ.get("LABCTL_FUZZ", "800")) // 2
VALUES: dict[str, Any] = {
    **{
        f"n{index}": value for index, value in enumerate((0, 1, -2, 7, 1.5, float("nan"), float("inf"), True))
    },
    **{
        f"t{index}": text
        for index, text in enumerate(
            (
                "",
                "a",
                "v1.2",
                "(",
                "\\1",
                "\\g<x>",
                "%d%",
                "[1",
                "{",
                "2024-01-02",
                "x" * 50,
                "ä\n\nb",
                "\udcff",
            )
        )
    },
    "none": None,
    "list": [3, "a", None, [1], {"a": 1}],
    "numbers": [3, 1, 2],
    "pairs": [("a", 1), ("b", 2)],
    "maps": [{"a": 1, "key": "k", "value": 2}, {"a": 2}, {"b": [1]}],
    "map": {"a": 1, "b": {"c": [1]}, 2: None, None: 3},
    "empty": {},
    "date": date(2024, 1, 2),
    "moment": datetime(2024, 1, 2, 3, 4, 5),
    "span": timedelta(1),
    "bytes": b"\xff",
    "set": {1, "a"},
    "range": range(3),
    "function": len,
}
OPTIONS = (
    *(
        "attribute",
        "case_sensitive",
        "count",
        "default",
        "indent",
        "isbits",
        "list_merge",
        "pattern",
        "recursive",
    ),
    *("reverse", "seed", "style", "unit", "width"),
)
KINDS = ("str", "bool", "int", "list", "map", "mode", "regex", "url", "checksum", "content")


def look(name: str) -> Any:
    if name == "failed":
        raise TemplateFailed("It failed.")
    return VALUES.get(name, MISSING)


def expression(chance: random.Random, environment: Environment) -> str:
    names = [*VALUES, "nosuch", "failed", "nosuch.a", "[nosuch]", "omit"]
    words = [chance.choice(names) for _ in range(chance.choice((0, 0, 1, 1, 2, 3)))]
    words += [f"{chance.choice(OPTIONS)}={chance.choice(names)}" for _ in range(chance.choice((0, 0, 0, 1)))]
    arguments = f"({', '.join(words)})" if words else ""
    first, second = (chance.choice(sorted(environment.filters)) for _ in range(2))
    if chance.random() < 0.2:
        kind = chance.choice(("'env'", "'file'", "'template'", "'first_found'", "'fileglob'", "'dict'", "n1"))
        return f"lookup({', '.join((kind, *words))})"
    if chance.random() < 0.2:
        return f"{chance.choice(names)} is {chance.choice(sorted(environment.tests))}{arguments}"
    return f"{chance.choice(names)} | {first}{arguments}{chance.choice(('', '', f' | {second}'))}"


def test_every_expression_has_a_value_or_a_sentence() -> None:
    language = Language({"A": "a"})
    environment = Environment({}, keep_backslashes=True)
    seen = {"value": 0, "sentence": 0}

    @settings(max_examples=EXPRESSIONS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(chance=randoms(use_true_random=False))
    def one(chance: random.Random) -> None:
        text = expression(chance, environment)
        for template in (f"{{{{ {text} }}}}", f"x{{{{ {text} }}}}"):
            try:
                value = language.template(template).value(look)
            except TemplateFailed as error:
                seen["sentence"] += 1
                assert "\n" not in str(error), text
            else:
                seen["value"] += 1
                assert value is OMIT or travels(value), text

    one()
    assert min(seen.values()) > EXPRESSIONS // 10, seen


def travels(value: Any) -> bool:
    """Each kind of argument takes it to the host, or refuses it."""
    for kind in KINDS:
        param = Param(kind)
        try:
            sent = spelled(param, value)
        except ValueError:
            continue
        if param.problem(sent) is None:
            json.dumps(sent)
    return True
