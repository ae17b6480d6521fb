# SPDX-License-Identifier: Apache-2.0
"""A trial is the same after a way through the journal; what is no trial of this schema is refused."""

from __future__ import annotations

import json

import pytest

from remote_agent.contract.journal import SCHEMA, Leak, Sample, Trial, TrialKey, record

TRIAL = Trial("a.b.c", 3, 1, "containerd/runc", 2, False, "ok", None, (Sample("m", 0.5, "s"), Sample("p", 1.0, "s", 4)),
              10, 20, 30, (Leak("veth", "veth1"),))  # fmt: skip


def test_a_trial_comes_back_as_it_went() -> None:
    line = json.loads(json.dumps(TRIAL.to_json()))
    assert (line["v"], line["type"]) == (SCHEMA, "trial")
    assert Trial.from_json(line) == TRIAL
    assert TRIAL.key == TrialKey("a.b.c", 3, "containerd/runc")


@pytest.mark.parametrize("field", [*Trial.__slots__])
def test_a_trial_that_lacks_anything_is_refused(field: str) -> None:
    line = TRIAL.to_json()
    del line[field]
    with pytest.raises(KeyError):
        Trial.from_json(line)


def test_every_record_names_schema_and_type() -> None:
    assert record("note", level="info") == {"v": SCHEMA, "type": "note", "level": "info"}
