"""What the matrix shows: was a fault detected, was its cause named, which checks did it turn red?

Pure functions over the outcomes of cases.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import Any

import msgspec

SINGLES_AT_LEAST, PAIRS_AT_LEAST = 0.97, 0.90


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one case showed."""

    id: str
    kind: str
    faults: tuple[str, ...]
    causes: tuple[str, ...]
    named: tuple[tuple[str, ...], ...]
    red: tuple[str, ...]
    unjudged: tuple[str, ...]
    green: tuple[str, ...]
    apply_s: float
    run_s: float
    heal_s: float

    @property
    def detected(self) -> bool:
        """Whether any check turned red."""
        return bool(self.red)

    @property
    def score(self) -> float:
        """0 if a true cause is missed, else the share of the named causes that are true.

        A cause is named by one check, or by several that the same change mends.
        """
        true, named = set(self.causes), {check for checks in self.named for check in checks}
        if not true <= named:
            return 0.0
        right = sum(bool(true & set(checks)) for checks in self.named)
        return right / len(self.named) if self.named else 1.0


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The whole matrix in figures, and what is wrong with it."""

    cases: dict[str, int]
    detected: float
    singles: float
    pairs: float | None
    never_red: tuple[str, ...]
    wrong: tuple[str, ...]


def summarise(outcomes: Sequence[Outcome]) -> Summary:
    """Return the figures; `wrong` is empty if the matrix holds."""
    singles = _of(outcomes, "single")
    pairs = _of(outcomes, "pair")
    never_red = sorted(_all_checks(outcomes) - {check for each in outcomes for check in each.red})
    scores = {
        "singles": (_mean(singles), SINGLES_AT_LEAST),
        "pairs": (_mean(pairs), PAIRS_AT_LEAST),
    }
    wrong = [f"control: {check} is red" for each in _of(outcomes, "control") for check in each.red]
    wrong += [f"control: {name[0]} is named" for e in _of(outcomes, "control") for name in e.named]
    wrong += [f"{each.id}: not detected" for each in [*singles, *pairs] if not each.detected]
    wrong += [f"{check}: no fault turns it red" for check in never_red]
    wrong += [
        f"diagnosis of {kind}: {score:.3f}, at least {least} is wanted"
        for kind, (score, least) in scores.items()
        if score is not None and score < least
    ]
    return Summary(
        cases={kind: len(_of(outcomes, kind)) for kind in ("control", "single", "pair")},
        detected=fmean(each.detected for each in singles) if singles else 0.0,
        singles=scores["singles"][0] or 0.0,
        pairs=scores["pairs"][0],
        never_red=tuple(never_red),
        wrong=tuple(wrong),
    )


def outcome_of(case: Any, document: dict[str, Any], seconds: tuple[float, float, float]) -> Outcome:
    """Return what a run's `run.json` says of a case."""
    by_status: dict[str, list[str]] = {}
    for check in document["checks"]:
        by_status.setdefault(check["status"], []).append(check["id"])
    return Outcome(
        id=case.id,
        kind=case.kind,
        faults=case.faults,
        causes=tuple(sorted(case.causes)),
        named=tuple((c["check"], *c.get("same", ())) for c in document["root_causes"]),
        red=tuple(by_status.get("failed", ())),
        unjudged=(*by_status.get("blocked", ()), *by_status.get("broken", ())),
        green=tuple(by_status.get("passed", ())),
        apply_s=round(seconds[0], 2),
        run_s=round(seconds[1], 2),
        heal_s=round(seconds[2], 2),
    )


def _of(outcomes: Iterable[Outcome], kind: str) -> list[Outcome]:
    return [each for each in outcomes if each.kind == kind]


def _mean(outcomes: Sequence[Outcome]) -> float | None:
    return fmean(each.score for each in outcomes) if outcomes else None


def _all_checks(outcomes: Iterable[Outcome]) -> set[str]:
    return {c for each in outcomes for c in (*each.red, *each.green, *each.unjudged)}
