# SPDX-License-Identifier: Apache-2.0
"""Replace values in a YAML text, and nothing else of it: comments, order and layout stay."""

from __future__ import annotations

from collections.abc import Mapping

import yaml

KeyPath = tuple[str, ...]


def replace_values(text: str, values: Mapping[KeyPath, str]) -> str:
    """Return ``text`` with the scalar at each path replaced. The last key may be new in a mapping of one line: ``{a: x}``.

    >>> replace_values("a: {b: 1}  # why\\n", {("a", "b"): "2", ("a", "c"): "3"})
    'a: {b: 2, c: 3}  # why\\n'

    Raises KeyError: a path leads nowhere.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits = [_edit(root, path, value) for path, value in values.items()]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def _edit(root: yaml.Node | None, path: KeyPath, value: str) -> tuple[int, int, str]:
    """Return where the text changes: from, to, and what stands there then."""
    node = root
    for key in path[:-1]:
        node = _child(node, key)
    last = _child(node, path[-1])
    if isinstance(last, yaml.ScalarNode):
        return last.start_mark.index, last.end_mark.index, value
    if last is None and isinstance(node, yaml.MappingNode) and node.flow_style and node.value:
        end = node.end_mark.index - 1
        return end, end, f", {path[-1]}: {value}"
    raise KeyError(path)


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)
