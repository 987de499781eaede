"""A run's verdicts and latencies for Prometheus: a file for node_exporter's textfile collector."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from harness.errors import UsageError
from harness.observation import AwsObservation, Observation
from harness.verdicts import CheckResult, Judgement, Status, Verdict


def write(
    path: Path,
    environment: str,
    ended: float,
    judged: tuple[Iterable[Judgement], Sequence[CheckResult]],
    observations: Iterable[Observation],
) -> None:
    """Write the file, whole or not at all. ``ended`` is in epoch seconds. Raises UsageError."""
    registry = CollectorRegistry()
    judgements, checks = judged
    labels = ["environment"]
    _gauge(registry, "run_ended_timestamp_seconds", "When the run ended.", labels).labels(
        environment
    ).set(ended)
    _verdicts(registry, environment, judgements)
    counts = _gauge(registry, "checks", "Checks by status.", [*labels, "status"])
    for status in Status:
        counts.labels(environment, str(status)).set(sum(c.status is status for c in checks))
    _latencies(registry, environment, observations)
    try:
        write_to_textfile(str(path), registry)
    except OSError as error:
        raise UsageError(f"--metrics {path}: cannot be written: {error.strerror}") from None


def _verdicts(
    registry: CollectorRegistry, environment: str, judgements: Iterable[Judgement]
) -> None:
    names = ["environment", "failure", "severity", "verdict"]
    gauge = _gauge(registry, "verdict", "1 for the verdict on a documented failure.", names)
    for judgement in judgements:
        for verdict in Verdict:
            labels = (environment, judgement.failure, judgement.severity, str(verdict))
            gauge.labels(*labels).set(judgement.verdict is verdict)


def _latencies(
    registry: CollectorRegistry, environment: str, observations: Iterable[Observation]
) -> None:
    names = ["environment", "probe", "vantage"]
    seconds = _gauge(registry, "probe_seconds", "How long a probe's answer took.", names)
    answered = _gauge(registry, "probe_answered", "1 if a probe was answered.", names)
    for seen in observations:
        if not isinstance(seen, AwsObservation):
            labels = (environment, seen.label, seen.vantage)
            seconds.labels(*labels).set(seen.duration_ms / 1000)
            answered.labels(*labels).set(seen.failure is None)


def _gauge(registry: CollectorRegistry, name: str, says: str, labels: Sequence[str]) -> Gauge:
    return Gauge(f"hokusai_acceptance_{name}", says, labels, registry=registry)
