"""What a hand-off is made of: one run's results and observations, and the data they refer to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from harness import audit, recorder
from harness.catalogue import Catalogue
from harness.diagnosis import Diagnosis
from harness.environment import Environment
from harness.layout import Layout
from harness.observation import AwsObservation, Observation
from harness.project import Project
from harness.reports.deployment import SAMPLES
from harness.reports.hands import Judged
from harness.reports.run_json import RunFacts
from harness.verdicts import CheckResult, Judgement


@dataclass(frozen=True, kw_only=True)
class Sources:
    """One run. ``samples`` are repeats by probe key, the judged observation not among them.

    ``changes`` are lines about the previous run; None if there is none to compare with.
    ``waivers`` are lines about what is known and borne for a time. ``activity``: vantage point,
    kind, how much was asked, how much the guard refused; None if that was not kept.
    """

    facts: RunFacts
    duration_s: float
    environment: Environment
    catalogue: Catalogue
    layout: Layout
    checks: Sequence[CheckResult]
    judgements: Sequence[Judgement]
    diagnosis: Diagnosis
    observations: Mapping[str, Observation]
    samples: Mapping[str, Sequence[Observation]] = field(default_factory=dict)
    changes: Sequence[str] | None = None
    waivers: Sequence[str] = ()
    activity: Sequence[tuple[str, str, int, int]] | None = ()

    @cached_property
    def by_id(self) -> dict[str, CheckResult]:
        """The checks by id."""
        return {check.id: check for check in self.checks}

    def symptoms(self, failure: str) -> list[CheckResult]:
        """Return the symptom checks of a documented failure, in the order of their ids."""
        found = [c for c in self.checks if c.role == "symptom" and failure in c.failures]
        return sorted(found, key=lambda check: check.id)

    def section(self, name: str) -> AwsObservation | None:
        """Return the observation of one section of the AWS control plane, if it answered."""
        wanted = f"AWS: {name.replace('-', ' ')}"
        for seen in self.observations.values():
            if isinstance(seen, AwsObservation) and seen.label == wanted and seen.failure is None:
                return seen
        return None


def sources(judged: Judged, project: Project) -> Sources:
    """Return what the hand-off of a run is made of. Raises UsageError for a broken record."""
    record = Path(judged.record)
    kept = record.with_name(audit.NAME)
    return Sources(
        facts=judged.facts,
        duration_s=judged.duration_s,
        environment=project.environment,
        catalogue=project.data.catalogue,
        layout=project.data.layout,
        checks=judged.checks,
        judgements=judged.judgements,
        diagnosis=judged.diagnosis,
        # Whoever asks may have ended before there was anything to record.
        observations=recorder.read(record) if record.is_file() else {},
        samples=_samples(record.with_name(SAMPLES)),
        changes=judged.changes,
        activity=audit.counted(kept) if kept.is_file() else None,
        waivers=judged.waivers,
    )


def _samples(path: Path) -> dict[str, list[Observation]]:
    found: dict[str, list[Observation]] = {}
    for answer in recorder.read_all(path) if path.is_file() else ():
        if answer.failure is None or not answer.failure.unjudgeable:
            found.setdefault(answer.probe, []).append(answer)
    return found
