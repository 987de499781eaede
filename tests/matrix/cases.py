"""The cases of the matrix: no fault, each fault alone, and random pairs of them."""

from __future__ import annotations

import itertools
import random
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lab import faults

SEED = 20250806
PAIRS = 60
_EXPECTED = Path(__file__).parent / "expected.yaml"


@dataclass(frozen=True, slots=True)
class Case:
    """The faults that are put in together, in this order, and the causes that they are."""

    faults: tuple[str, ...]
    causes: frozenset[str]

    @property
    def id(self) -> str:
        """How the case is called."""
        return " + ".join(self.faults) or "control"

    @property
    def kind(self) -> str:
        """`control`, `single` or `pair`."""
        return ("control", "single", "pair")[len(self.faults)]


def control() -> Case:
    """The healthy lab."""
    return Case((), frozenset())


def singles() -> list[Case]:
    """Every fault of the lab alone. Raises LookupError for a fault that nothing is known of."""
    known = _expected()
    missing = faults.everything().keys() ^ known.keys()
    if missing:
        raise LookupError(f"{_EXPECTED.name} and the lab's faults differ: {sorted(missing)}")
    return [Case((name,), frozenset(known[name])) for name in faults.everything()]


def pairs(count: int = PAIRS, seed: int = SEED) -> list[Case]:
    """Random pairs of faults that do not undo each other, each pair once."""
    alone = {case.faults[0]: case for case in singles()}
    possible = [
        (one, other)
        for one, other in itertools.combinations(alone, 2)
        if not faults.find(one).undoes(faults.find(other))
    ]
    chosen = random.Random(seed).sample(possible, count)
    return [Case(pair, alone[pair[0]].causes | alone[pair[1]].causes) for pair in chosen]


def _expected() -> dict[str, list[str]]:
    return msgspec.yaml.decode(_EXPECTED.read_bytes(), type=dict[str, list[str]])
