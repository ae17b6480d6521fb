# SPDX-License-Identifier: Apache-2.0
"""Jinja2 as Ansible uses it: sandboxed, strict, native types, names looked up one by one.

A template that is one expression has its value's type; everything else is text, in which None is nothing. A template is
compiled once a process, and checked then (its grammar, and that each filter and test exists), so that a loader can name the
place of what is wrong.
"""

from __future__ import annotations

import itertools
import operator
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, NamedTuple

from jinja2 import ChainableUndefined, StrictUndefined, TemplateError, TemplateSyntaxError, Undefined, nodes
from jinja2.compiler import Frame
from jinja2.environment import Template
from jinja2.nativetypes import NativeCodeGenerator, NativeEnvironment
from jinja2.parser import Parser
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from orchestrator.load.filters import FILTERS, TESTS, lookup
from orchestrator.load.template_subset import check_subset

MISSING = missing
"""What a lookup answers for a name that it does not have."""

Lookup = Callable[[str], Any]
"""The value of a name, rendered, or MISSING."""

_FAILURES = (
    TemplateError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
)
_RESULT = "labctl_result"


class TemplateFailed(Exception):
    """One sentence: why a template cannot be compiled, or has no value. ``line`` counts from 1, where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class Blocks(NamedTuple):
    """What becomes of the white space before (``lstrip``) and the line's end after (``trim``) a block of a template file."""

    lstrip: bool = False
    trim: bool = True


class Language:
    """Compiles, and remembers what it has compiled. Threads may share one."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        self._native = _environment(_NativeEnvironment, environ, trim_blocks=True, finalize=_plain)
        self._text = {
            blocks: _environment(
                _TextEnvironment,
                environ,
                keep_trailing_newline=True,
                trim_blocks=blocks.trim,
                lstrip_blocks=blocks.lstrip,
                finalize=_shown,
            )
            for blocks in itertools.starmap(Blocks, itertools.product((False, True), repeat=2))
        }
        self._compiled: dict[tuple[str, str, Blocks], Compiled] = {}

    def template(self, text: str) -> Compiled:
        """A value with ``{{ }}`` in it. Raises TemplateFailed."""
        return self._remembered(("template", text, Blocks()), lambda: _from_text(self._native, text))

    def expression(self, text: str) -> Compiled:
        """What stands in ``when``: an expression without braces. Raises TemplateFailed."""
        return self._remembered(("expression", text, Blocks()), lambda: _from_expression(self._native, text))

    def file(self, text: str, blocks: Blocks = Blocks()) -> Compiled:  # noqa: B008 (it is frozen)
        """A template file's content, whose value is text. Raises TemplateFailed."""
        return self._remembered(
            ("file", text, blocks), lambda: _from_text(self._text[blocks], text, native=False)
        )

    def _remembered(self, key: tuple[str, str, Blocks], compile_: Callable[[], Compiled]) -> Compiled:
        found = self._compiled.get(key)
        if found is None:
            try:
                found = self._compiled[key] = compile_()
            except TemplateSyntaxError as error:
                raise TemplateFailed(_sentence(error), error.lineno) from error
            except RecursionError as error:
                raise TemplateFailed("It nests too deep.") from error
        return found


class Compiled:
    """``value`` evaluates it with the names that ``look`` answers for."""

    def __init__(self, template: Template, finish: Callable[[_Context, Iterable[Any]], Any]) -> None:
        self._template, self._finish = template, finish

    def value(self, look: Lookup) -> Any:
        """Raises TemplateFailed, and whatever ``look`` raises on its own account."""
        template = self._template
        context = _Context(template.environment, dict(template.globals), template.name, template.blocks)
        context.look = look
        try:
            return self._finish(context, template.root_render_func(context))
        except _FAILURES as error:
            raise TemplateFailed(_sentence(error)) from error


def is_template(value: Any) -> bool:
    """Has the text something for Jinja2 in it?"""
    return isinstance(value, str) and ("{{" in value or "{%" in value or "{#" in value)


class _Context(Context):
    look: Lookup

    def resolve_or_missing(self, key: str) -> Any:
        if key in self.vars:
            return self.vars[key]
        try:
            value = self.look(key)
        except (
            TemplateFailed
        ) as error:  # Jinja2 asks for every name at the start: what is not used must not fail
            return self.environment.undefined(hint=str(error), name=key)
        return self.parent.get(key, missing) if value is missing else value


class _Undefined(ChainableUndefined, StrictUndefined):
    """``a.b is defined`` is false where a is not defined, as in Ansible; any other use is an error."""


class _Sandboxed(SandboxedEnvironment):
    context_class = _Context


class _Generator(NativeCodeGenerator):
    """Jinja2's own turns what it can compute while compiling into text, and would make ``{{ true }}`` the word 'True'."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> Any:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible()
        return super()._output_child_to_const(node, frame, finalize)


class _NativeEnvironment(_Sandboxed, NativeEnvironment):
    """Native values without NativeEnvironment's guess at what a text means: a password '1e5' stays a text."""

    code_generator_class = _Generator


class _TextEnvironment(_Sandboxed):
    pass


def _environment(kind: type[_Sandboxed], environ: Mapping[str, str], **options: Any) -> _Sandboxed:
    environment = kind(undefined=_Undefined, cache_size=0, **options)
    environment.filters.update(FILTERS)
    environment.tests.update(TESTS)
    for name in (*FILTERS, *TESTS):
        table = environment.filters if name in FILTERS else environment.tests
        table[f"ansible.builtin.{name}"] = table[name]
    environment.globals["lookup"] = lookup(environ)
    return environment


def _plain(value: Any) -> Any:
    """As Ansible hands on what an expression yields: tuples, and what is yet to be iterated over, are lists, however deep."""
    if isinstance(value, tuple | Iterator):
        return [_plain(entry) for entry in value]
    if isinstance(value, list):
        entries = [_plain(entry) for entry in value]
        return value if all(map(operator.is_, entries, value)) else entries
    if isinstance(value, dict):
        contents = [_plain(content) for content in value.values()]
        alike = all(map(operator.is_, contents, value.values()))
        return value if alike else dict(zip(value, contents, strict=True))
    return value


def _shown(value: Any) -> Any:
    return "" if value is None else _plain(value)


def _from_text(environment: _Sandboxed, text: str, native: bool = True) -> Compiled:
    tree = environment.parse(text)
    _check(environment, tree)
    finish = partial(_native_value, newlines=_newlines_at_end(text)) if native else _text_value
    return Compiled(environment.from_string(tree), finish)


def _from_expression(environment: _Sandboxed, text: str) -> Compiled:
    parser = Parser(environment, text, state="variable")
    expression = parser.parse_expression()
    if not parser.stream.eos:
        raise TemplateSyntaxError(
            "something stands behind the end of the expression", parser.stream.current.lineno
        )
    body: list[nodes.Node] = [nodes.Assign(nodes.Name(_RESULT, "store"), expression, lineno=1)]
    tree = nodes.Template(body, lineno=1)
    tree.set_environment(environment)
    _check(environment, tree)
    return Compiled(environment.from_string(tree), _expression_value)


def _check(environment: _Sandboxed, tree: nodes.Template) -> None:
    """What does not exist, also where a branch would not reach it; what would read other files."""
    check_subset(environment, tree)
    for other in tree.find_all((nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise TemplateSyntaxError(
            f"{type(other).__name__.lower()} is not supported: write it in one file", other.lineno
        )


def _native_value(context: _Context, pieces: Iterable[Any], newlines: int) -> Any:
    """``newlines`` stand at the template's end, one of which Jinja2 drops; a text keeps them, as in Ansible."""
    values = list(pieces)
    value = values[0] if len(values) == 1 else "".join("" if v is None else str(v) for v in values)
    if isinstance(value, Undefined):
        str(value)  # a strict undefined says here what is missing
    return value + "\n" * (newlines - _newlines_at_end(value)) if isinstance(value, str) else value


def _newlines_at_end(text: str) -> int:
    return len(text) - len(text.rstrip("\n"))


def _text_value(context: _Context, pieces: Iterable[Any]) -> Any:
    return "".join(pieces)


def _expression_value(context: _Context, pieces: Iterable[Any]) -> Any:
    for _ in pieces:
        pass
    value = context.vars[_RESULT]
    if isinstance(value, Undefined):
        str(value)
    return value


def _sentence(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    text = lines[0].rstrip(".") if lines else type(error).__name__
    return f"{text[0].upper()}{text[1:]}." if text else f"{type(error).__name__}."
