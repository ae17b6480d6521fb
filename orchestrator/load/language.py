# SPDX-License-Identifier: Apache-2.0
"""Ansible's template language: values, expressions and template files, with names looked up one by one.

A template that is one expression has its value's type; everything else is text, in which None is nothing. A template is
compiled once a process, and checked then (its grammar, that each filter, test and lookup exists), so that a loader can name the
place of what is wrong.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import Template
from jinja2.parser import Parser

from orchestrator.load.filters.problem import FilterError
from orchestrator.load.jinja import (
    MISSING,
    OMIT,
    Environment,
    LookingUp,
    Lookup,
    Pending,
    TemplateFailed,
    failure,
    joined,
    sentence,
    settled,
    stand_in,
)
from orchestrator.load.lookups import GLOBALS, Lookups, named
from orchestrator.load.template_subset import check_subset

__all__ = [
    "MISSING",
    "OMIT",
    "Blocks",
    "Compiled",
    "Language",
    "Lookup",
    "Pending",
    "TemplateFailed",
    "is_template",
    "stand_in",
]

_RESULT = "labctl_result"
_HEADER = "#jinja2:"


@dataclass(frozen=True, slots=True)
class Blocks:
    """How a template file is read: white space before (``lstrip``) and the line's end after (``trim``) a block, and its marks."""

    lstrip_blocks: bool = False
    trim_blocks: bool = True
    block_start_string: str = "{%"
    block_end_string: str = "%}"
    variable_start_string: str = "{{"
    variable_end_string: str = "}}"
    comment_start_string: str = "{#"
    comment_end_string: str = "#}"
    line_statement_prefix: str | None = None
    line_comment_prefix: str | None = None
    newline_sequence: str = "\n"
    keep_trailing_newline: bool = False

    @property
    def beginnings(self) -> tuple[str, str, str]:
        """A text without any of these is no template: not even its lines' ends are touched."""
        return self.variable_start_string, self.block_start_string, self.comment_start_string


_KINDS = {field.name: (bool,) if field.type == "bool" else (str,) for field in fields(Blocks)}
_USUAL = Blocks()


class Language:
    """Compiles, and remembers what it has compiled. Threads may share one."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._names = Lookups(environ, self.file).names()
        self._environments: dict[tuple[Blocks, bool], Environment] = {}
        self._compiled: dict[tuple[str, str, Blocks], Compiled] = {}

    def template(self, text: str) -> Compiled:
        """A value with ``{{ }}`` in it. Raises TemplateFailed."""
        return self._remembered("template", text, _USUAL, lambda: self._from_text(text, _USUAL, True))

    def expression(self, text: str) -> Compiled:
        """What stands in ``when``: an expression without braces. Raises TemplateFailed."""
        return self._remembered("expression", text, _USUAL, lambda: self._from_expression(text))

    def file(self, text: str, blocks: Blocks = _USUAL) -> Compiled:
        """A template file's content. Raises TemplateFailed."""
        return self._remembered("file", text, blocks, lambda: self._from_file(text, blocks))

    def _remembered(self, kind: str, text: str, blocks: Blocks, compile_: Callable[[], Compiled]) -> Compiled:
        key = (kind, text, blocks)
        found = self._compiled.get(key)
        if found is None:
            try:
                found = self._compiled[key] = compile_()
            except TemplateSyntaxError as error:
                raise TemplateFailed(sentence(error), error.lineno) from error
            except RecursionError as error:
                raise TemplateFailed("It nests too deep.") from error
        return found

    def _environment(self, blocks: Blocks, keep_backslashes: bool) -> Environment:
        key = (blocks, keep_backslashes)
        if key not in self._environments:
            try:
                self._environments[key] = Environment(self._names, keep_backslashes, **asdict(blocks))
            except AssertionError as error:  # Jinja2's own look at its options
                raise TemplateSyntaxError(sentence(error), 1) from error
        return self._environments[key]

    def _from_file(self, text: str, blocks: Blocks) -> Compiled:
        if text.startswith(_HEADER) or any(mark in text for mark in blocks.beginnings):
            return self._from_text(text, blocks, False)
        tree = nodes.Template([nodes.Output([nodes.TemplateData(text)])], lineno=1)
        tree.set_environment(environment := self._environment(blocks, False))
        return Compiled(environment.from_string(tree), lambda context, pieces: "".join(pieces))

    def _from_text(self, text: str, blocks: Blocks, keep_backslashes: bool) -> Compiled:
        text, blocks = _without_header(text, blocks)
        environment = self._environment(blocks, keep_backslashes)
        tree = environment.parse(text)
        _check(environment, tree)
        finish = partial(_value, newlines=_newlines_at_end(text), newline=blocks.newline_sequence)
        return Compiled(environment.from_string(tree), finish)

    def _from_expression(self, text: str) -> Compiled:
        environment = self._environment(_USUAL, True)
        parser = Parser(environment, text, state="variable")
        expression = parser.parse_expression()
        if not parser.stream.eos:
            line = parser.stream.current.lineno
            raise TemplateSyntaxError("something stands behind the end of the expression", line)
        body: list[nodes.Node] = [nodes.Assign(nodes.Name(_RESULT, "store"), expression, lineno=1)]
        tree = nodes.Template(body, lineno=1)
        tree.set_environment(environment)
        _check(environment, tree)
        return Compiled(environment.from_string(tree), _expression_value)


class Compiled:
    """``value`` evaluates it with the names that ``look`` answers for."""

    def __init__(self, template: Template, finish: Callable[[LookingUp, Iterable[Any]], Any]) -> None:
        self._template, self._finish = template, finish
        self._globals = dict(template.globals)

    def value(self, look: Lookup, inner: bool = False) -> Any:
        """Raises TemplateFailed, and Pending where ``look`` does.

        ``inner``: of a variable that another template names; what in it is undefined fails where it is used.
        """
        template = self._template
        context = LookingUp(template.environment, self._globals, template.name, template.blocks)
        context.look = look
        try:
            value = self._finish(context, template.root_render_func(context))
            return value if inner else settled(value)
        except (TemplateFailed, Pending):
            raise
        except Exception as error:
            raise failure(error) from error


def is_template(value: Any) -> bool:
    """Has the text something for Jinja2 in it?"""
    return isinstance(value, str) and (
        "{{" in value or "{%" in value or "{#" in value or value.startswith(_HEADER)
    )


def _without_header(text: str, blocks: Blocks) -> tuple[str, Blocks]:
    """What a first line ``#jinja2: NAME: VALUE, ...`` says, and the rest."""
    if not text.startswith(_HEADER):
        return text, blocks
    line, end, rest = text.removeprefix(_HEADER).partition("\n")
    if not end:
        raise TemplateSyntaxError(f"nothing follows the line {_HEADER}", 1)
    options: dict[str, Any] = {}
    for pair in line.split(","):
        name, _, value = (part.strip() for part in pair.partition(":"))
        if name not in _KINDS:
            raise TemplateSyntaxError(f"{_HEADER} has no {name!r}; there are {', '.join(sorted(_KINDS))}", 1)
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise TemplateSyntaxError(f"{_HEADER} {name}: {value!r} is no value of Python's", 1) from error
        if not isinstance(options[name], _KINDS[name]):
            raise TemplateSyntaxError(f"{_HEADER} {name} cannot be {value}", 1)
    return rest, replace(blocks, **options)


def _check(environment: Environment, tree: nodes.Template) -> None:
    """Filters, tests and lookups that do not exist, also where a branch would not reach them; what would read other files."""
    check_subset(environment, tree)
    for call in tree.find_all(nodes.Call):
        _check_lookup(call)
    for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise TemplateSyntaxError(
            f"{type(other).__name__.lower()} is not supported: write it in one file", other.lineno
        )


def _check_lookup(call: nodes.Call) -> None:
    if not (isinstance(call.node, nodes.Name) and call.node.name in GLOBALS and call.args):
        return
    kind, *terms = call.args
    if isinstance(kind, nodes.Const):
        try:
            named(kind.value)
        except FilterError as error:
            raise TemplateSyntaxError(sentence(error), call.lineno) from error
    for term in (part for each in terms for part in (each, *each.find_all(nodes.Const))):
        if isinstance(term, nodes.Const) and is_template(term.value):
            message = f"braces within braces: write the expression itself instead of {term.value!r}"
            raise TemplateSyntaxError(message, call.lineno)


def _value(context: LookingUp, pieces: Iterable[Any], newlines: int, newline: str) -> Any:
    """``newlines`` stand at the template's end, one of which Jinja2 drops; a text keeps them, as in Ansible."""
    value = joined(pieces)
    if not isinstance(value, str):
        return value
    return value + newline * (newlines - _newlines_at_end(value))


def _newlines_at_end(text: str) -> int:
    return len(text) - len(text.rstrip("\n"))


def _expression_value(context: LookingUp, pieces: Iterable[Any]) -> Any:
    for _ in pieces:
        pass
    return context.vars[_RESULT]
