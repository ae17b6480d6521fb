# SPDX-License-Identifier: Apache-2.0
"""Jinja2 with ansible-core's rules: sandboxed, native values, backslashes, and what is undefined or failed until it is used."""

from __future__ import annotations

import functools
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from datetime import date, time
from typing import Any

from jinja2 import (
    ChainableUndefined,
    StrictUndefined,
    TemplateError,
    TemplateRuntimeError,
    Undefined,
    UndefinedError,
    nodes,
)
from jinja2.compiler import Frame
from jinja2.lexer import TOKEN_STRING, TOKEN_VARIABLE_BEGIN, TOKEN_VARIABLE_END, Lexer
from jinja2.nativetypes import NativeCodeGenerator, NativeEnvironment
from jinja2.runtime import Context, Macro
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

from orchestrator.load.filters import FILTERS, TESTS, FilterError

MISSING = missing
"""What a lookup answers for a name that it does not have."""

Lookup = Callable[[str], Any]
"""The value of a name, rendered, or MISSING."""

_ITERATED: Any = Iterator | ItemsView | KeysView | ValuesView
_SCALARS = frozenset((str, int, float, bool, bytes, type(None)))
_TAKE_UNDEFINED = frozenset(("mandatory", "ternary", "type_debug", "default", "d", "defined", "undefined"))


class TemplateFailed(Exception):
    """One sentence: why a template cannot be compiled, or has no value. ``line`` counts from 1, where it is known.

    ``undefined``: something that it names does not exist, so that `default` has an answer.
    """

    def __init__(self, message: str, line: int | None = None, undefined: bool = False) -> None:
        super().__init__(message)
        self.line, self.undefined = line, undefined


class Pending(Exception):
    """A template looked at a result that has not come back yet: whoever renders waits for it, and renders again."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class _Omit:
    def __repr__(self) -> str:
        return "<<Omit>>"


OMIT = _Omit()
"""The value of ``omit``: an argument or entry that has it is left out."""


class _ValueFailed(TemplateRuntimeError):
    """What Failed raises: unlike UndefinedError, it says nothing of a name that does not exist."""


class Missing(ChainableUndefined, StrictUndefined):
    """``a.b is defined`` is false where a is not defined, as in Ansible; any other use is an error."""


class Failed(Missing):
    """Stands for a value that cannot be had: every use of it fails, also `default` and `is defined`."""


def stand_in(error: TemplateFailed, name: str | None = None) -> Missing:
    """For a value whose template failed: what is not used must not fail."""
    if error.undefined:
        return Missing(hint=str(error), name=name)
    return Failed(hint=str(error), name=name, exc=_ValueFailed)


def default(value: Any, default_value: Any = "", boolean: bool = False) -> Any:
    """As Jinja2's, but a value that failed is not made good."""
    if isinstance(value, Failed):
        str(value)
    return default_value if isinstance(value, Undefined) or (boolean and not value) else value


def defined(value: Any) -> bool:
    if isinstance(value, Failed):
        str(value)
    return not isinstance(value, Undefined)


def settled(value: Any, top: bool = True) -> Any:
    """The value as it leaves a template: plain lists and mappings without what is omitted, however deep.

    Raises UndefinedError for what is undefined in it, and for ``top`` FilterError for what is no data.
    """
    if type(value) in _SCALARS or value is OMIT or isinstance(value, date | time):
        return value
    if isinstance(value, Undefined):
        str(value)  # a strict undefined says here what is missing
    if isinstance(value, Mapping):
        return {
            settled(key, top): settled(content, top) for key, content in value.items() if content is not OMIT
        }
    if isinstance(value, list | tuple | set | frozenset | _ITERATED):
        return [settled(entry, top) for entry in value if entry is not OMIT]
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    if top:
        raise FilterError(f"a value of type {type(value).__name__} is no data that a variable can have.")
    return value


def joined(pieces: Iterable[Any]) -> Any:
    """What a template's pieces are together: one has its own type, several are a text, in which None is nothing."""
    values = [value for value in pieces if value is not None]
    if len(values) < 2:
        return values[0] if values else None
    return "".join([str(settled(value, top=False)) for value in values if value is not OMIT])


def _listed(value: Any) -> Any:
    """What is yet to be iterated over is a list, wherever a filter or a call yields it."""
    return list(value) if isinstance(value, _ITERATED) else value


def guarded(kind: str, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter or test that answers an undefined argument with it, and any error with one sentence."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if name not in _TAKE_UNDEFINED:
            for value in (*args, *kwargs.values()):
                if isinstance(value, Undefined):
                    return value
        try:
            result = function(*args, **kwargs)
            if kind == "test":
                return result if isinstance(result, bool | Undefined) else bool(result)
            return list(result) if isinstance(result, range | _ITERATED) else result
        except (TemplateError, TemplateFailed, Pending):
            raise
        except Exception as error:
            raise FilterError(f"the {kind} {name!r} failed: {sentence(error)}") from error

    return call


class LookingUp(Context):
    """Asks ``look`` for each name."""

    look: Lookup

    def resolve_or_missing(self, key: str) -> Any:
        if key in self.vars:
            return self.vars[key]
        try:
            value = self.look(key)
        except TemplateFailed as error:  # Jinja2 asks for every name at the start
            return stand_in(error, key)
        return self.parent.get(key, missing) if value is missing else value

    def derived(self, locals: dict[str, Any] | None = None) -> Context:
        context = super().derived(locals)
        context.look = self.look  # type: ignore[attr-defined]
        return context


class _Generator(NativeCodeGenerator):
    """Jinja2's own turns what it can compute while compiling into text, and would make ``{{ true }}`` the word 'True'."""

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> Any:
        if not isinstance(node, nodes.TemplateData):
            raise nodes.Impossible()
        return super()._output_child_to_const(node, frame, finalize)


class _KeepingBackslashes(Lexer):
    """In ``{{ }}`` a backslash is a letter, as in Ansible: YAML has read it already. In ``{% %}`` it is Jinja2's."""

    def tokeniter(self, *args: Any, **kwargs: Any) -> Iterator[tuple[int, str, str]]:
        within = False
        for line, kind, text in super().tokeniter(*args, **kwargs):
            if kind in (TOKEN_VARIABLE_BEGIN, TOKEN_VARIABLE_END):
                within = kind == TOKEN_VARIABLE_BEGIN
            yield line, kind, text.replace("\\", "\\\\") if within and kind == TOKEN_STRING else text


class Environment(SandboxedEnvironment, NativeEnvironment):
    """Native values without NativeEnvironment's guess at what a text means: a password '1e5' stays a text."""

    context_class = LookingUp
    code_generator_class = _Generator
    concat = staticmethod(joined)  # type: ignore[assignment]

    def __init__(self, names: Mapping[str, Any], keep_backslashes: bool, **options: Any) -> None:
        """``names`` are there beside the variables."""
        super().__init__(undefined=Missing, cache_size=0, optimized=False, **options)
        self._lexer = (_KeepingBackslashes if keep_backslashes else Lexer)(self)
        filters: dict[str, Any] = {**self.filters, **FILTERS, "default": default, "d": default}
        tests: dict[str, Any] = {
            **self.tests,
            **TESTS,
            "defined": defined,
            "undefined": lambda value: not defined(value),
        }
        self.filters = _with_full_names("filter", filters)
        self.tests = _with_full_names("test", tests)
        self.globals.update(names, range=range, omit=OMIT)

    @property
    def lexer(self) -> Lexer:
        return self._lexer

    def call(self, context: Context, function: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(function, Macro):
            for value in (*args, *kwargs.values()):
                if isinstance(value, Undefined) and not getattr(function, "takes_undefined", False):
                    return value
        return _listed(super().call(context, function, *args, **kwargs))


def _with_full_names(kind: str, functions: Mapping[str, Callable[..., Any]]) -> dict[str, Any]:
    table = {name: guarded(kind, name, function) for name, function in functions.items()}
    return {**table, **{f"ansible.builtin.{name}": function for name, function in table.items()}}


def sentence(error: BaseException) -> str:
    """What an error says, as one sentence."""
    lines = str(error).strip().splitlines()
    text = lines[0].rstrip(".") if lines else type(error).__name__
    return f"{text[0].upper()}{text[1:]}." if text else f"{type(error).__name__}."


def failure(error: Exception) -> TemplateFailed:
    """Whatever a template raised."""
    return TemplateFailed(sentence(error), undefined=isinstance(error, UndefinedError))
