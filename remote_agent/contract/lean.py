# SPDX-License-Identifier: Apache-2.0
"""Dataclasses for what runs on a host: dataclasses' own module takes a host longer to import than all that the runner does first.

For whoever reads and checks the code they are the real ones. What the runner has is what it uses of them: frozen, with slots,
defaults and factories, equality, a repr, `replace`.
"""

from __future__ import annotations

__all__ = ["dataclass", "field", "replace"]

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass, field, replace
    from typing import Any

else:

    class field:  # as in dataclasses
        """A field whose value a function makes."""

        def __init__(self, *, default_factory: Callable[[], Any]) -> None:
            self.make = default_factory

    def dataclass(*, frozen, slots):
        """Both must be asked for: there are no others here."""
        if not (frozen and slots):
            raise TypeError("write @dataclass(frozen=True, slots=True)")
        return _made

    def _made(cls):
        """The class, made anew with slots for its annotations and an ``__init__`` that takes them in order or by name."""
        names = tuple(cls.__annotations__)
        defaults = {name: cls.__dict__[name] for name in names if name in cls.__dict__}
        hidden = (*names, "__dict__", "__weakref__")
        body = {name: value for name, value in cls.__dict__.items() if name not in hidden}
        made = type(cls)(cls.__name__, cls.__bases__, {**body, "__slots__": names})
        made.__init__ = _initialiser(made, names, defaults)
        made.__setattr__ = made.__delattr__ = _refuse
        made.__eq__, made.__hash__, made.__repr__ = _equal, _hash, _repr
        return made

    def replace(instance, **changes):
        """Another one, with these fields changed."""
        return type(instance)(**{name: getattr(instance, name) for name in instance.__slots__} | changes)

    def _initialiser(cls, names, defaults):
        known = frozenset(names)

        def __init__(self, *values, **named):
            given = dict(zip(names, values, strict=False)) | named
            if len(given) != len(values) + len(named) or not given.keys() <= known:
                raise TypeError(f"{cls.__name__}() got too many arguments, or one twice: {', '.join(given)}")
            for name in names:
                if name in given:
                    value = given[name]
                elif name in defaults:
                    value = defaults[name].make() if isinstance(defaults[name], field) else defaults[name]
                else:
                    raise TypeError(f"{cls.__name__}() lacks the argument {name!r}")
                object.__setattr__(self, name, value)

        return __init__

    def _refuse(self, name, *value):
        raise AttributeError(f"cannot assign to field {name!r}")

    def _fields(instance):
        return tuple(getattr(instance, name) for name in instance.__slots__)

    def _equal(self, other):
        return _fields(self) == _fields(other) if type(other) is type(self) else NotImplemented

    def _hash(self):
        return hash(_fields(self))

    def _repr(self):
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"
