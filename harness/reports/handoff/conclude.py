"""From what a run came to, to the documents that are handed over."""

from __future__ import annotations

from pathlib import Path

from harness.project import Project
from harness.redaction import Redactor
from harness.reports import pipeline
from harness.reports.handoff import rendering
from harness.reports.handoff.build import build
from harness.reports.handoff.sources import sources
from harness.reports.hands import Judged


def conclude(folder: Path, judged: Judged, project: Project, redactor: Redactor) -> None:
    """Write the hand-off into the run's folder, and a pipeline's page where there is one.

    Raises UsageError and OSError.
    """
    made = sources(judged, project)
    samples = 1 + max(map(len, made.samples.values()), default=0)
    document = build(made, replayed=judged.facts.replayed, samples=samples)
    rendering.write(folder, document, redactor)
    if pipeline.is_asked_for():
        clean = redactor.clean(document)
        pipeline.summarise(rendering.as_summary(clean, redactor.text(judged.answer)))
