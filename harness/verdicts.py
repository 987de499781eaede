"""Verdicts: what the checks of one documented failure say together. Pure functions."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from harness.catalogue import Catalogue, DocumentedFailure
from harness.environment import Severity
from harness.finding import Finding
from harness.signatures import Sighting


class Status(StrEnum):
    """How one check went. ``broken`` is the check's own mistake: it judged nothing."""

    PASSED = "passed"
    FAILED = "failed"
    BLOCKED = "blocked"
    BROKEN = "broken"


class Verdict(StrEnum):
    """What became of a documented failure; the worst first."""

    REPRODUCED = "reproduced"
    CHANGED = "changed"
    BLOCKED = "blocked"
    FIXED = "fixed"


ORDER = tuple(Verdict)


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one check went, and what it was about."""

    id: str
    role: str
    status: Status
    severity: Severity
    failures: tuple[str, ...] = ()
    title: str = ""
    message: str = ""
    remedy: str | None = None
    transport: bool = False
    probes: tuple[str, ...] = ()
    sightings: dict[str, tuple[Sighting, ...]] = {}
    finding: Finding | None = None
    duration_ms: float = 0.0


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict on one documented failure, with what it rests on.

    ``not_run`` counts symptom checks that were not selected (a severity, ``-k``, no writing).
    """

    failure: str
    number: int
    component: str
    severity: Severity
    verdict: Verdict
    because: str
    sightings: tuple[Sighting, ...] = ()
    passed: int = 0
    failed: int = 0
    blocked: int = 0
    not_run: int = 0


def judge(
    catalogue: Catalogue, results: Iterable[CheckResult], not_run: Mapping[str, int] | None = None
) -> list[Judgement]:
    """Return a judgement for each documented failure that had a symptom check, worst first.

    ``not_run``: how many symptom checks of a failure were not selected.
    """
    kept = [result for result in results if result.role == "symptom"]
    judged = [
        _judge(failure, mine, (not_run or {}).get(failure.id, 0))
        for failure in catalogue.values()
        if (mine := [result for result in kept if failure.id in result.failures])
    ]
    return sorted(judged, key=lambda j: (ORDER.index(j.verdict), j.severity, j.number))


def _judge(failure: DocumentedFailure, results: list[CheckResult], not_run: int) -> Judgement:
    failed = [r for r in results if r.status is Status.FAILED]
    unjudged = [r for r in results if r.status in (Status.BLOCKED, Status.BROKEN)]
    seen = _distinct(s for r in failed for s in r.sightings.get(failure.id, ()))
    verdict, because = _decide(failed, unjudged, seen, not_run)
    return Judgement(
        failure=failure.id,
        number=failure.number,
        component=failure.component,
        severity=failure.documented.priority,
        verdict=verdict,
        because=because,
        sightings=seen,
        passed=sum(r.status is Status.PASSED for r in results),
        failed=len(failed),
        blocked=len(unjudged),
        not_run=not_run,
    )


def _decide(
    failed: list[CheckResult],
    unjudged: list[CheckResult],
    seen: tuple[Sighting, ...],
    not_run: int,
) -> tuple[Verdict, str]:
    if seen:
        return Verdict.REPRODUCED, seen[0].evidence
    if failed:
        return Verdict.CHANGED, f"{failed[0].id}: {_first_line(failed[0].message)}"
    if unjudged:
        return Verdict.BLOCKED, f"{unjudged[0].id}: {_first_line(unjudged[0].message)}"
    if not_run:
        return Verdict.FIXED, f"the symptom checks that ran passed; {not_run} did not run"
    return Verdict.FIXED, "every symptom check passed"


def _distinct(sightings: Iterable[Sighting]) -> tuple[Sighting, ...]:
    first: dict[str, Sighting] = {}
    for sighting in sightings:
        first.setdefault(sighting.signature, sighting)
    return tuple(first.values())


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else ""
