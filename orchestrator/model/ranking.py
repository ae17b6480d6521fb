# SPDX-License-Identifier: Apache-2.0
"""Which combination comes first in a benchmark, and the duels on which that is said (STATISTICS.md, "Fastest")."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from orchestrator.model.verdict import Evidence, Scope


class RankKind(StrEnum):
    """FIRST: one beats all others. AMONG: nobody is shown to beat these, and more than one is left, or it beats not all."""

    FIRST = "first"
    AMONG = "among the first"


@dataclass(frozen=True, slots=True)
class Duel:
    """One combination against one ``other``; the evidence's ratio is of the first to the other, above 1 is worse.

    ``winner`` beats the other one: a difference after Holm over all duels of the ranking, beyond the margin. None: undecided.
    """

    combination: str
    other: str
    evidence: Evidence
    winner: str | None

    @property
    def loser(self) -> str | None:
        """The one that was beaten; None: undecided."""
        if self.winner is None:
            return None
        return self.other if self.winner == self.combination else self.combination

    @property
    def size(self) -> float:
        """How far apart the two are, as a factor above 1."""
        ratio = self.evidence.ratio or 1.0
        return max(ratio, 1 / ratio)


@dataclass(frozen=True, slots=True)
class Contest:
    """What is ranked: a benchmark's primary metric, and the words for the first of it.

    ``best`` is ``fastest``, ``highest``, ``smallest`` or ``lowest``; ``worse`` the word for a ratio above 1.
    """

    benchmark: str
    metric: str
    best: str = "fastest"
    worse: str = "slower"


@dataclass(frozen=True, slots=True)
class Ranking:
    """``first`` are those at the head; ``where`` is the host's name, None: of several machines.

    ``entered`` are the combinations that could be compared, ``absent`` those that could not (not supported, or too few pairs);
    all three in the run's order. ``duels`` has every pair of the run's combinations: the family over which Holm runs.
    """

    kind: RankKind
    scope: Scope
    where: str | None
    contest: Contest
    entered: tuple[str, ...]
    absent: tuple[str, ...]
    first: tuple[str, ...]
    duels: tuple[Duel, ...]
    sentence: str

    @property
    def nearest(self) -> Duel | None:
        """What the one at the head won by the least. None: it has won nothing, or is not alone there, and each has its own."""
        won = [duel for duel in self.duels if self.first == (duel.winner,)]
        return min(won, key=lambda duel: duel.size, default=None)
