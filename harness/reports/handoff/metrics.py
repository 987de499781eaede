"""The metrics table: failure rates over checks and over repeated probes, and latencies."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from harness.catalogue import DocumentedFailure
from harness.observation import UNTIMED, HttpObservation, Observation
from harness.reports.handoff.model import Metric
from harness.reports.handoff.sources import Sources
from harness.signatures import shows
from harness.verdicts import CheckResult, Judgement, Status

GOOD_BELOW = 400


def metric(sources: Sources, failure: DocumentedFailure, judgement: Judgement) -> Metric:
    """Return the row of one documented failure's component."""
    judged, repeats = judgement.passed + judgement.failed, _repeats(sources, failure)
    return Metric(
        component=failure.component,
        failure=failure.id,
        rate=_percent(judgement.failed, judged) if judged else None,
        checks=f"{judgement.failed} of {judged}",
        documented_rate=failure.documented.failure_rate,
        sampled_rate=_percent(sum(wrong for _, wrong in repeats), len(repeats))
        if repeats
        else None,
        samples=len(repeats),
        latency=_latency(repeats),
        impact=failure.documented.impact,
        severity=failure.documented.priority,
        verdict=judgement.verdict,
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile; ``share`` is 0 to 1. Raises ValueError if empty."""
    if not values:
        raise ValueError("no percentile of nothing")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


# Answers, each with whether it went wrong.
_Repeats = list[tuple[Observation, bool]]


def _repeats(sources: Sources, failure: DocumentedFailure) -> _Repeats:
    found: _Repeats = []
    for key, users in _users(sources.symptoms(failure.id)).items():
        judged = sources.observations.get(key)
        if judged is None or isinstance(judged, UNTIMED):
            continue
        for answer in _judgeable((judged, *sources.samples.get(key, ()))):
            found.append((answer, _wrong(answer, judged, users, failure)))
    return found


def _users(checks: Sequence[CheckResult]) -> dict[str, list[CheckResult]]:
    """Return the checks that use each probe, by its key, in the order of their first use."""
    found: dict[str, list[CheckResult]] = {}
    for check in checks:
        for key in dict.fromkeys(check.probes):
            found.setdefault(key, []).append(check)
    return found


def _judgeable(answers: Iterable[Observation]) -> Iterable[Observation]:
    return (a for a in answers if a.failure is None or not a.failure.unjudgeable)


def _wrong(
    answer: Observation,
    judged: Observation,
    users: Sequence[CheckResult],
    failure: DocumentedFailure,
) -> bool:
    """True if the answer would fail a check that uses it, as far as it can be told without it.

    A repeat is not judged by the checks again: where they passed it has to be the same answer,
    where one failed it may be neither the same answer nor another error.
    """
    same = _outcome(answer) == _outcome(judged)
    if all(check.status is not Status.FAILED for check in users):
        return not same
    documented = any(shows(signature, answer) for signature in failure.signatures)
    return same or documented or not _good(answer)


def _outcome(observation: Observation) -> str:
    if observation.failure is not None:
        return str(observation.failure.kind)
    status = observation.status if isinstance(observation, HttpObservation) else None
    return str(status or "answered")


def _good(observation: Observation) -> bool:
    status = observation.status if isinstance(observation, HttpObservation) else None
    return observation.failure is None and (status is None or status < GOOD_BELOW)


def _latency(repeats: _Repeats) -> tuple[int, int, int] | None:
    times = [answer.duration_ms for answer, _wrong in repeats]
    if not times:
        return None
    return (
        round(percentile(times, 0.50)),
        round(percentile(times, 0.95)),
        round(percentile(times, 0.99)),
    )


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole)
