# SPDX-License-Identifier: Apache-2.0
"""The control of two runs: a combination that is the same in both, so that what moved it was the machine. Pure.

Each value as a ratio to the control's, in its own block, is free of what moved both between the runs. The baseline of both runs is taken
where it is made of the same components in both, on every host; another one may be named, or none.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestrator.model.errors import UsageError
from orchestrator.model.estimates import Notice
from orchestrator.results.alterations import parts_of
from orchestrator.results.matching import Common, Recorded

AUTO, NONE = "auto", "none"
SAME_RUN = "A release and a commit that are two handlers of one run have nothing between them (--with)."


@dataclass(frozen=True, slots=True)
class Control:
    """``name`` None: there is none."""

    name: str | None
    notices: tuple[Notice, ...] = ()


def chosen_control(a: Recorded, b: Recorded, both: Common, wanted: str) -> Control:
    """``wanted``: AUTO, NONE or a combination's name. Raises UsageError: it cannot be one."""
    if wanted == AUTO:
        return _automatic(a, b, both)
    if wanted == NONE:
        return Control(None, (_drift("none is wanted"),))
    if wanted not in both.combinations:
        raise UsageError(
            f"{wanted} cannot be the control: not both runs have it.",
            f"Both have: {', '.join(both.combinations)}.",
        )
    if len(both.combinations) == 1:
        raise UsageError(
            f"With {wanted} as the control nothing is left to compare.",
            "Leave it out, or say `--control none`.",
        )
    why = _why_not(a, b, both, wanted)
    return Control(wanted, (_doubtful(wanted, why),) if why else ())


def _automatic(a: Recorded, b: Recorded, both: Common) -> Control:
    name = a.spec.baseline
    if name != b.spec.baseline:
        why: str | None = f"the runs have two baselines, {name} and {b.spec.baseline}"
    elif name not in both.combinations or len(both.combinations) == 1:
        why = f"the runs have {' and '.join(both.combinations)} in common, and no other"
    else:
        why = _why_not(a, b, both, name)
    if why is None:
        return Control(name)
    others = [one for one in both.combinations if one != name and _why_not(a, b, both, one) is None]
    return Control(None, (_drift(why, others[0] if others and len(both.combinations) > 1 else None),))


def _why_not(a: Recorded, b: Recorded, both: Common, name: str) -> str | None:
    """Why a combination is not known to be the same in both runs; None: it is."""
    for host in both.hosts:
        records = (a.record(host.name), b.record(host.name))
        was, has = (parts_of(record.facts, name) if record else None for record in records)
        if was is None or has is None:
            return f"it is not recorded what {name} was made of on {host.name}"
        changed = [part for part in dict.fromkeys((*was, *has)) if was.get(part) != has.get(part)]
        if changed:
            return f"{name} has another {changed[0]} on {host.name}"
    return None


def _drift(why: str, other: str | None = None) -> Notice:
    hint = (
        f"`--control {other}` would take the machine's part out: it is the same in both."
        if other
        else SAME_RUN
    )
    return Notice(
        None, f"There is no control ({why}): what else changed between the runs is in every number.", hint
    )


def _doubtful(name: str, why: str) -> Notice:
    return Notice(
        None,
        f"The control may not be the same in both runs: {why}.",
        f"What changed {name} is in every number, turned round.",
    )
