# SPDX-License-Identifier: Apache-2.0
"""estimates.json: written whole, read strictly."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from orchestrator.files import sha256_of
from orchestrator.model.errors import ResultError
from orchestrator.model.estimates import SCHEMA, Estimates
from orchestrator.model.text import printable, printable_value
from orchestrator.results import touchstone
from orchestrator.results.files import write_text

NAME = "estimates.json"


def save(folder: Path, estimates: Estimates) -> Path:
    """Write estimates.json into the run's folder, atomically."""
    path = folder / NAME
    write_text(path, to_json(estimates))
    return path


def to_json(estimates: Estimates) -> str:
    return TypeAdapter(Estimates).dump_json(estimates, indent=1).decode() + "\n"


def load(folder: Path) -> Estimates:
    """Read estimates.json. Raises ResultError if it is missing, of another schema or not what this labctl writes."""
    path = folder / NAME
    again = "`labctl report` makes it from the journals."
    try:
        content = path.read_bytes()
        schema = json.loads(content).get("schema")
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror}.", again) from error
    except (ValueError, AttributeError) as error:
        raise ResultError(f"{path}: not JSON as labctl writes it.", again) from error
    if schema != SCHEMA:
        raise ResultError(f"{path}: schema {schema}, and this labctl reads {SCHEMA}.", again)
    try:
        return TypeAdapter(Estimates).validate_json(_safe_to_show(content))
    except ValidationError as error:
        raise ResultError(
            f"{path}: {error.error_count()} values are not as the schema says.", again
        ) from error


def _safe_to_show(content: bytes) -> bytes:
    """The same JSON, its strings safe to show: the file may come from elsewhere."""
    text = content.decode()
    if r"\u" not in text and text == printable(text):
        return content
    return json.dumps(printable_value(json.loads(text))).encode()


def fingerprint(folder: Path, parts: Sequence[Path] = ()) -> Mapping[str, str]:
    """sha256 of what estimates are made from, by path relative to ``folder``: run.json and the pulled journals.

    The journals are those below ``folder``, or those of ``parts``, the folders of the runs that are joined: named by run.
    """
    sums = _sums(folder, [folder / "run.json"])
    for part in parts or (folder,):
        beside = folder if part == folder else part.parent
        sums |= _sums(
            beside, [*part.glob("hosts/*/journal.jsonl"), *part.glob(f"hosts/*/{touchstone.NAME}.json")]
        )
    return sums


def _sums(beside: Path, paths: Sequence[Path]) -> dict[str, str]:
    return {str(path.relative_to(beside)): sha256_of(path) for path in sorted(paths) if path.exists()}


def sources(folder: Path) -> Mapping[str, str] | None:
    """What the estimates in ``folder`` were made from; None where there are none that this labctl can read."""
    try:
        return load(folder).sources
    except ResultError:
        return None
