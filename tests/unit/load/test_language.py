# SPDX-License-Identifier: Apache-2.0
"""Jinja2 as ansible-core has it. The expected values are ansible-core 2.19's answers to the same templates."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.load.language import MISSING, Language, TemplateFailed

NAMES: dict[str, Any] = {
    "numbers": [1, 2],
    "text": "1e5",
    "nothing": None,
    "yes": True,
    "tree": {"b": 1, "a": {"x": 1}},
    "done": {"changed": True, "failed": False, "rc": 0},
    "path": "/etc/labctl/a.conf",
}


def look(name: str) -> Any:
    return NAMES.get(name, MISSING)


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ numbers }}", [1, 2]),
        ("{{ text }}", "1e5"),
        ("a{{ numbers }}", "a[1, 2]"),
        ("{{ numbers }}\n", [1, 2]),
        ("{{ text }}\n", "1e5\n"),
        ("a{{ text }}\n\n", "a1e5\n\n"),
        ("{{ yes }}", True),
        ("{{ true }}", True),
        ("a{{ nothing }}b", "ab"),
        ("{{ nothing }}", None),
        ("{{ 'True' }}", "True"),
        ("{{ missing | default('x') }}", "x"),
        ("{{ missing.deep.deeper | default('x') }}", "x"),
        ("{{ tree | combine({'a': {'y': 2}}, recursive=True) }}", {"b": 1, "a": {"x": 1, "y": 2}}),
        ("{{ tree | combine({'a': 2}) }}", {"b": 1, "a": 2}),
        ("{{ {'k': 1} | dict2items }}", [{"key": "k", "value": 1}]),
        ("{{ [{'key': 'k', 'value': 1}] | items2dict }}", {"k": 1}),
        ("{{ path | basename }} {{ path | dirname }}", "a.conf /etc/labctl"),
        ("{{ 'a1b' | regex_replace('[0-9]', '<\\g<0>>') }}", "a<1>b"),
        ("{{ 'v1.2' | regex_search('v(\\d)\\.(\\d)', '\\1', '\\2') }}", ["1", "2"]),
        ("{{ 'x' | regex_search('y') }}", None),
        ('{{ "it\'s" | quote }}', "'it'\"'\"'s'"),
        ("{{ 'abc' | b64encode }} {{ 'YWJj' | b64decode }}", "YWJj abc"),
        ("{{ 'abc' | hash('sha256') }}", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("{{ tree | to_json }}", '{"b": 1, "a": {"x": 1}}'),
        ("{{ tree | to_nice_json(indent=1) }}", '{\n "a": {\n  "x": 1\n },\n "b": 1\n}'),
        ("{{ '[1]' | from_json }}", [1]),
        ("{{ 'a: 1' | from_yaml }}", {"a": 1}),
        ("{{ yes | ternary('a', 'b') }}", "a"),
        ("{{ 'on' | bool }}", True),
    ],
)
def test_templates(template: str, value: Any) -> None:
    assert Language({}).template(template).value(look) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("done is changed and done is succeeded and not done is skipped", True),
        ("missing.deep is defined", False),
        ("'1.10' is version('1.9', '>')", True),
        ("'2.0~rc1' is version('2.0', 'lt')", False),
        ("'abc' is match('b') or 'abc' is search('b')", True),
        ("numbers is contains(2)", True),
        ("tree.a.x == 1", True),
        ("nothing is none", True),
    ],
)
def test_expressions(expression: str, value: bool) -> None:
    assert Language({}).expression(expression).value(look) is value


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{{ missing }}", "'missing' is undefined"),
        ("{{ tree.nosuch }}", "no attribute 'nosuch'"),
        ("{{ missing | mandatory }}", "'missing' is not defined"),
        ("{{ ''.__class__ }}", "unsafe"),
        ("{{ lookup('pipe', 'id') }}", "lookup('env', NAME)"),
        ("{{ done | from_json }}", "not JSON"),
        ("{{ text | dict2items }}", "not a mapping"),
        ("{{ 1 / 0 }}", "Division by zero"),
    ],
)
def test_what_has_no_value_says_why(template: str, says: str) -> None:
    with pytest.raises(TemplateFailed) as caught:
        Language({}).template(template).value(look)
    assert says in str(caught.value)


def test_env_is_what_was_given() -> None:
    assert (
        Language({"A": "b"}).template("{{ lookup('env', 'A') }}{{ lookup('env', 'HOME') }}").value(look)
        == "b"
    )


def test_template_files_keep_their_last_newline_and_drop_block_lines() -> None:
    text = "{% for n in numbers %}\n- {{ n }}{{ nothing }}\n{% endfor %}\nend\n"
    assert Language({}).file(text).value(look) == "- 1\n- 2\nend\n"


def test_an_include_is_refused() -> None:
    with pytest.raises(TemplateFailed, match="Include is not supported"):
        Language({}).file("{% include 'x' %}")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("{{ (1, (2, [3])) }}", [1, [2, [3]]]),
        ("{{ [1, 2] | zip('ab') }}", [[1, "a"], [2, "b"]]),
        ("{{ {'a': (1,)} }}", {"a": [1]}),
        ("{{ [3, 1, 3] | unique }}", [3, 1]),
        ("{{ [1, 2] | map('string') }}", ["1", "2"]),
    ],
)
def test_tuples_and_what_is_yet_to_be_iterated_over_are_lists(text: str, value: object) -> None:
    assert Language({}).template(text).value(lambda name: MISSING) == value
    assert Language({}).file(f"{text}|").value(lambda name: MISSING) == f"{value}|"


def test_a_blocks_line_goes_in_a_value_as_in_a_file() -> None:
    text = "{% for n in [1, 2] %}\n{{ n }}\n{% endfor %}\nend"
    assert Language({}).template(text).value(lambda name: MISSING) == "1\n2\nend"
    assert Language({}).file(text).value(lambda name: MISSING) == "1\n2\nend"
