# SPDX-License-Identifier: Apache-2.0
"""JSON Schemas of what labctl leaves for other programs, made from the dataclasses and relations that write it.

docs/schemas has them as files; `make schemas` writes those anew, and a test compares. A schema describes what this version writes, to
the last key: an unknown one is a mistake, and a change of meaning is another number under `schema`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from orchestrator.model import comparison, estimates, run
from orchestrator.model.comparison import Comparison
from orchestrator.model.estimates import Estimates
from orchestrator.model.run import RunSpec
from orchestrator.results.files import write_text
from orchestrator.results.relations import SAMPLES, Relation

DIALECT = "https://json-schema.org/draft/2020-12/schema"
JSON_TYPES = {
    "VARCHAR": "string",
    "INTEGER": "integer",
    "BIGINT": "integer",
    "DOUBLE": "number",
    "BOOLEAN": "boolean",
}


def schema_of(name: str) -> dict[str, Any]:
    """``name`` is one of SCHEMAS."""
    made = SCHEMAS[name]()
    return {"$schema": DIALECT, "$id": f"urn:labctl:{name}", **made}


def schema_text(name: str) -> str:
    return json.dumps(schema_of(name), indent=1) + "\n"


def write_schemas(folder: Path) -> Iterator[Path]:
    """Every schema to ``folder``/NAME.schema.json; gives the files. Raises ResultError."""
    for name in SCHEMAS:
        path = folder / f"{name}.schema.json"
        write_text(path, schema_text(name))
        yield path


def _document(kind: type, version: int) -> dict[str, Any]:
    """Of a file that is one dataclass, with its schema's number."""
    made = TypeAdapter[Any](kind).json_schema(mode="serialization")
    for shape in (made, *made.get("$defs", {}).values()):
        if "properties" in shape:
            shape["additionalProperties"] = False
            for about in shape["properties"].values():
                about.pop("title", None)  # the key once more, with a capital
    made["properties"]["schema"] = {"const": version}
    made["required"].append("schema")
    return made


def _row(relation: Relation) -> dict[str, Any]:
    columns = {
        column.name: {
            "description": column.meaning,
            "type": [JSON_TYPES[column.type], "null"] if column.missing else JSON_TYPES[column.type],
        }
        for column in relation.columns
    }
    return {
        "title": "Sample",
        "description": "A row of `labctl report --parquet`, and of the view `samples` of `labctl query`: "
        + relation.meaning
        + ".",
        "type": "object",
        "properties": columns,
        "required": list(columns),
        "additionalProperties": False,
    }


SCHEMAS: Mapping[str, Callable[[], dict[str, Any]]] = {
    "comparison": lambda: _document(Comparison, comparison.SCHEMA),
    "estimates": lambda: _document(Estimates, estimates.SCHEMA),
    "run": lambda: _document(RunSpec, run.SCHEMA),
    "sample": lambda: _row(SAMPLES),
}
ABOUT = {
    "comparison": "`labctl compare --json`",
    "estimates": "estimates.json, and `labctl report --json`",
    "run": "run.json: what was decided before the first trial",
    "sample": "a row of `labctl report --parquet`, and of the view `samples`",
}
