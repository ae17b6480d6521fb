# SPDX-License-Identifier: Apache-2.0
"""Lookups, ``query`` and Ansible's other functions of templates: what is on the controller, and other ways to name a variable.

Each behaves as its namesake in ansible-core. What starts a program, writes a file or asks the network is left out.
"""

from __future__ import annotations

import itertools
import platform
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from jinja2 import TemplateError, Undefined, pass_context

from orchestrator.load.filters import FilterError, files_like
from orchestrator.load.jinja import MISSING, LookingUp, Lookup, Missing, TemplateFailed, stand_in
from orchestrator.load.searchpath import find, folders
from remote_agent.contract.truth import truth_of

GLOBALS = frozenset(("lookup", "query", "q"))
_REFUSED = {
    **dict.fromkeys(
        ("pipe", "lines"), "Register what a task says, or take it from the environment: lookup('env', NAME)."
    ),
    **dict.fromkeys(("password", "unvault"), "Take it from the environment: lookup('env', NAME)."),
    "url": "Fetch it with the module get_url.",
    "sequence": "Write range(FIRST, LAST + 1).",
    "random_choice": "Name the value.",
    "subelements": "Use the filter subelements.",
    "varnames": "Name the variables.",
    "inventory_hostnames": "Use groups.NAME.",
    **dict.fromkeys(("ini", "csvfile"), "Write the values as variables."),
    "config": "labctl reads no configuration of Ansible's.",
}


class FileTemplate(Protocol):
    """A compiled template file (language.Compiled)."""

    def value(self, look: Lookup, inner: bool = False) -> Any: ...


@dataclass(frozen=True, slots=True)
class Query:
    """What a lookup is asked. ``compile_file`` is language.Language.file."""

    terms: list[Any]
    options: Mapping[str, Any]
    look: Lookup
    environ: Mapping[str, str]
    compile_file: Callable[..., FileTemplate]

    def flag(self, name: str, default: bool) -> bool:
        value = truth_of(self.options.get(name, default))
        if value is None:
            raise FilterError(f"{name} must be true or false.")
        return value

    def texts(self) -> list[str]:
        wrong = next((term for term in self.terms if not isinstance(term, str)), None)
        if wrong is not None:
            raise FilterError(f"a term must be a text, not {type(wrong).__name__}.")
        return self.terms

    def file(self, kind: str, name: str) -> Path:
        found = find(self.look, kind, name)
        if found is None:
            raise FilterError(f"there is no file {name!r} (looked for in {', '.join(folders(self.look))}).")
        return found


@dataclass(frozen=True, slots=True)
class Kind:
    """``options`` are the names that it has besides wantlist and errors. ``takes_undefined``: terms may be undefined."""

    run: Callable[[Query], list[Any]]
    options: frozenset[str] = field(default_factory=frozenset)
    takes_undefined: bool = False


def named(kind: Any) -> Kind:
    """The lookup of that name. Raises FilterError with what to use instead."""
    name = str(kind).removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
    if name in _KINDS:
        return _KINDS[name]
    instead = _REFUSED.get(name, f"There are {', '.join(_KINDS)}.")
    raise FilterError(f"lookup({name!r}) is outside labctl's subset of Ansible. {instead}")


class Lookups:
    """The functions of templates, for one environment of variables."""

    def __init__(self, environ: Mapping[str, str], compile_file: Callable[..., FileTemplate]) -> None:
        self._environ, self._compile_file = environ, compile_file

    def names(self) -> dict[str, Callable[..., Any]]:
        @pass_context
        def lookup(context: LookingUp, kind: Any, *terms: Any, **options: Any) -> Any:
            return self._answer(context.look, kind, list(terms), options)

        @pass_context
        def query(context: LookingUp, kind: Any, *terms: Any, **options: Any) -> Any:
            return self._answer(context.look, kind, list(terms), {**options, "wantlist": True})

        for function in (lookup, query):
            function.takes_undefined = True  # type: ignore[attr-defined]
        return {"lookup": lookup, "query": query, "q": query, "now": now, "undef": undef}

    def _answer(self, look: Lookup, name: Any, terms: list[Any], options: dict[str, Any]) -> Any:
        wantlist, errors = options.pop("wantlist", False), options.pop("errors", "strict")
        kind = named(name)
        if unknown := options.keys() - kind.options:
            raise FilterError(f"lookup({name!r}) has no option {min(unknown)!r}.")
        undefined = [value for value in (*terms, *options.values()) if isinstance(value, Undefined)]
        if undefined and not kind.takes_undefined:
            return undefined[0]
        query = Query(terms, options, look, self._environ, self._compile_file)
        try:
            found = kind.run(query)
        except (
            TemplateError,
            TemplateFailed,
            LookupError,
            TypeError,
            ValueError,
            OSError,
            re.error,
        ) as error:
            if errors in ("warn", "ignore"):
                return [] if wantlist else None
            raise FilterError(f"lookup({name!r}): {error}") from error
        return found if wantlist else _together(found)


def _together(found: list[Any]) -> Any:
    """As Ansible: one thing is itself, texts are one text with commas."""
    if len(found) == 1:
        return found[0]
    texts = found and all(isinstance(entry, str) for entry in found)
    return ",".join(found) if texts else found


def now(utc: bool = False, fmt: str | None = None) -> Any:
    moment = datetime.now(UTC).replace(tzinfo=None) if utc else datetime.now()
    return moment.strftime(fmt) if fmt else moment


def undef(hint: str | None = None) -> Missing:
    return Missing(hint=hint or "Mandatory variable has not been overridden")


def _env(query: Query) -> list[Any]:
    return [query.environ.get(str(term).split()[0], query.options.get("default", "")) for term in query.terms]


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise FilterError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise FilterError(f"{path} is not UTF-8 text.") from error


def _file(query: Query) -> list[Any]:
    contents = [_read(query.file("files", name)) for name in query.texts()]
    contents = [text.lstrip() for text in contents] if query.flag("lstrip", False) else contents
    return [text.rstrip() for text in contents] if query.flag("rstrip", True) else contents


def _template(query: Query) -> list[Any]:
    from orchestrator.load.language import Blocks

    marks = {name: value for name, value in query.options.items() if name.endswith("_string")}
    blocks = Blocks(trim_blocks=query.flag("trim_blocks", True), **marks)
    names = query.options.get("template_vars", {})
    if not isinstance(names, Mapping):
        raise FilterError("template_vars must be a mapping.")
    return [
        _rendered(query, path, name, blocks, names)
        for name in query.texts()
        for path in (query.file("templates", name),)
    ]


def _rendered(query: Query, path: Path, name: str, blocks: Any, names: Mapping[str, Any]) -> Any:
    own = TemplateNames(query.look, name, path)

    def look(key: str) -> Any:
        return names[key] if key in names else own[key] if key in own else query.look(key)

    try:
        return query.compile_file(_read(path), blocks).value(look, inner=True)
    except TemplateFailed as error:
        where = f"{path}:{error.line}" if error.line else f"{path}"
        raise TemplateFailed(f"{where}: {error}", undefined=error.undefined) from error


class TemplateNames(Mapping[str, Any]):
    """The variables that a template file has besides those of its task; most files look at none of them."""

    def __init__(self, look: Lookup, name: str, path: Path, destination: str | None = None) -> None:
        self._look, self._name, self._path, self._destination = look, name, path, destination

    def __getitem__(self, key: str) -> Any:
        if key == "ansible_managed":
            given = self._look(key)
            return "Ansible managed" if given is MISSING else given
        return _TEMPLATE_NAMES[key](self._name, self._path, self._destination)

    def __contains__(self, key: object) -> bool:
        return key in _TEMPLATE_NAMES or key == "ansible_managed"

    def __iter__(self) -> Iterator[str]:
        yield from ("ansible_managed", *_TEMPLATE_NAMES)

    def __len__(self) -> int:
        return len(_TEMPLATE_NAMES) + 1


def _owner(path: Path) -> str | int:
    try:
        return path.owner()
    except KeyError:
        return path.stat().st_uid


_TEMPLATE_NAMES: Mapping[str, Callable[[str, Path, str | None], Any]] = {
    "template_host": lambda name, path, destination: platform.node(),
    "template_path": lambda name, path, destination: name,
    "template_fullpath": lambda name, path, destination: str(path),
    "template_destpath": lambda name, path, destination: destination,
    "template_uid": lambda name, path, destination: _owner(path),
    "template_mtime": lambda name, path, destination: datetime.fromtimestamp(path.stat().st_mtime),
    "template_run_date": lambda name, path, destination: datetime.now(),
}


def _fileglob(query: Query) -> list[Any]:
    return [path for term in query.texts() for path in _globbed(query.look, term)]


def _globbed(look: Lookup, term: str) -> list[str]:
    folder, name = posixpath.split(term)
    if folder:
        found = find(look, "files", folder)
        tops = [str(found)] if found else []
    else:
        tops = [path for top in folders(look) for path in (posixpath.join(top, "files"), top)]
    for top in tops:
        files = files_like(posixpath.join(top, name))
        if files:
            return files
    return []


def _first_found(query: Query) -> list[Any]:
    if bad := next((term for term in _flat(query.terms) if isinstance(term, Undefined)), None):
        str(bad)
    options: dict[str, Any] = dict(query.options)
    names = _names_of(query.terms or _split(options.get("files", []), ","), options)
    for name in names:
        found = find(query.look, None, name)
        if found is not None:
            return [str(found)]
    if truth_of(options.get("skip", False)):
        return []
    raise FilterError(f"there is none of these files: {', '.join(names)}.")


def _names_of(terms: Iterable[Any], options: dict[str, Any]) -> list[str]:
    """Every path in turn. A mapping among the terms brings the options of what follows."""
    names: list[str] = []
    for term in terms:
        if isinstance(term, Mapping):
            options.clear()
            options.update(term)
            files = _split(options.get("files", []), ",;")
        elif isinstance(term, str):
            files = _split([term], ",;")
        elif isinstance(term, list | tuple):
            names += _names_of(term, options)
            continue
        else:
            raise FilterError(f"a term must be a text, a list or a mapping, not {type(term).__name__}.")
        paths = _split(options.get("paths", []), ",:;")
        names += [posixpath.join(path, file) for path in paths for file in files] if paths else files
    return names


def _split(texts: Any, marks: str) -> list[str]:
    entries = [texts] if isinstance(texts, str) else texts
    return [part for entry in entries for part in re.split(f"[{re.escape(marks)}]", str(entry))]


def _flat(values: Iterable[Any]) -> Iterable[Any]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _flat(value)
        elif isinstance(value, Mapping):
            yield from _flat(value.values())
        else:
            yield value


def _vars(query: Query) -> list[Any]:
    return [_variable(query, name) for name in query.texts()]


def _variable(query: Query, name: str) -> Any:
    try:
        value = query.look(name)
    except TemplateFailed as error:
        return stand_in(error, name)
    if value is not MISSING:
        return value
    default = query.options.get("default")
    return Missing(hint=f"No variable named {name!r} was found.") if default is None else default


def _dict(query: Query) -> list[Any]:
    if wrong := [term for term in query.terms if not isinstance(term, Mapping)]:
        raise FilterError(f"a term must be a mapping, not {type(wrong[0]).__name__}.")
    return [{"key": key, "value": value} for term in query.terms for key, value in term.items()]


def _once_flat(terms: Iterable[Any]) -> list[Any]:
    return [entry for term in terms for entry in (term if isinstance(term, list | tuple) else [term])]


def _nested(query: Query) -> list[Any]:
    if not query.terms:
        raise FilterError("needs a list.")
    return [_once_flat(entry) for entry in itertools.product(*query.terms)]


def _rows(query: Query) -> list[Any]:
    if not query.terms:
        raise FilterError("needs a list.")
    return [_once_flat(entry) for entry in itertools.zip_longest(*query.terms)]


_MARKS = frozenset(
    ("variable_start_string", "variable_end_string", "comment_start_string", "comment_end_string")
)
_KINDS: Mapping[str, Kind] = {
    "dict": Kind(_dict),
    "env": Kind(_env, frozenset(("default",)), takes_undefined=True),
    "file": Kind(_file, frozenset(("lstrip", "rstrip"))),
    "fileglob": Kind(_fileglob),
    "first_found": Kind(_first_found, frozenset(("files", "paths", "skip")), takes_undefined=True),
    "indexed_items": Kind(lambda query: [list(pair) for pair in enumerate(_once_flat(query.terms))]),
    "items": Kind(lambda query: _once_flat(query.terms)),
    "list": Kind(lambda query: query.terms),
    "nested": Kind(_nested),
    "template": Kind(_template, _MARKS | {"template_vars", "trim_blocks", "convert_data", "jinja2_native"}),
    "together": Kind(_rows),
    "vars": Kind(_vars, frozenset(("default",))),
}
