# SPDX-License-Identifier: Apache-2.0
"""Jinja2 for values of an inventory: sandboxed, strict, and lazy as Ansible's is.

A variable that a template names is rendered when it is named, with the same variables. A template that is one
expression keeps the type of its value; everything else becomes text.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import StrictUndefined, TemplateError, Undefined
from jinja2.nativetypes import NativeEnvironment, NativeTemplate
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import missing

_FAILURES = (
    TemplateError,
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    RecursionError,
)


class TemplateFailed(Exception):
    """One sentence: why a template has no value."""


class Templates:
    """Renders with ``variables``; ``lookup('env', NAME)`` reads ``environ``, other lookups are refused."""

    def __init__(self, variables: Mapping[str, Any], environ: Mapping[str, str]) -> None:
        self._variables = variables
        self._under_way: list[str] = []
        self._environment = _Environment(undefined=StrictUndefined)
        self._environment.templates = self
        self._environment.globals["lookup"] = _Lookup(environ)

    def render(self, value: Any) -> Any:
        """``value`` with every template in it, however deep, rendered. Raises TemplateFailed."""
        try:
            return self.rendered(value)
        except _FAILURES as error:
            raise TemplateFailed(_sentence(error)) from error

    def rendered(self, value: Any) -> Any:
        """As `render`, with Jinja2's own errors."""
        if isinstance(value, str):
            return self._text(value) if "{{" in value or "{%" in value or "{#" in value else value
        if isinstance(value, dict):
            return {key: self.rendered(content) for key, content in value.items()}
        return [self.rendered(content) for content in value] if isinstance(value, list) else value

    def variable(self, name: str, value: Any) -> Any:
        """The variable as a template sees it. Raises TemplateFailed where it needs itself."""
        if name in self._under_way:
            raise TemplateFailed(f"'{name}' refers to itself.")
        self._under_way.append(name)
        try:
            return self.rendered(value)
        finally:
            self._under_way.pop()

    def _text(self, source: str) -> Any:
        return self._environment.from_string(source).render(self._variables)


class _Context(Context):
    def resolve_or_missing(self, key: str) -> Any:
        value = super().resolve_or_missing(key)
        if value is missing or not isinstance(value, str | dict | list):
            return value
        return self.environment.templates.variable(key, value)  # type: ignore[attr-defined]


class _Template(NativeTemplate):
    def render(self, *args: Any, **kwargs: Any) -> Any:
        context = self.new_context(dict(*args, **kwargs))
        return _join(self.root_render_func(context))


class _Environment(SandboxedEnvironment, NativeEnvironment):
    """Native values without NativeEnvironment's guess at what a text means: a password '1e5' stays a text."""

    template_class = _Template
    context_class = _Context
    templates: Templates


def _join(pieces: Iterable[Any]) -> Any:
    values = list(pieces)
    if len(values) != 1:
        return "".join(str(value) for value in values)
    if isinstance(values[0], Undefined):
        str(values[0])  # a strict undefined says here what is missing
    return values[0]


class _Lookup:
    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    def __call__(self, kind: str, name: str, default: str = "") -> str:
        if kind not in {"env", "ansible.builtin.env"}:
            raise TemplateFailed(f"lookup('{kind}') is not supported; lookup('env', NAME) is.")
        return self._environ.get(name, default)


def _sentence(error: BaseException) -> str:
    text = str(error).strip().splitlines()
    return f"{text[0].rstrip('.')}." if text else f"{type(error).__name__}."
