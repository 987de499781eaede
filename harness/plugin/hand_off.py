"""Writing the hand-off at a run's end, from what the controller knows."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness import recorder
from harness.plugin.results import Results
from harness.plugin.run import Run, load_layout
from harness.reports import handoff
from harness.reports.run_json import RunFacts


def write(config: pytest.Config, started: Run, results: Results, facts: RunFacts) -> None:
    """Write ``handoff.md`` and ``handoff.html`` into the run's folder."""
    replayed: Path | None = config.getoption("--replay")
    record = replayed or started.folder / "observations.jsonl"
    sources = handoff.Sources(
        facts=facts,
        duration_s=time.time() - facts.started,
        environment=started.environment,
        catalogue=started.catalogue,
        layout=load_layout(),
        checks=results.checks,
        judgements=results.judgements(started.catalogue),
        diagnosis=results.diagnosis(started),
        observations=recorder.read(record),
    )
    document = handoff.build(sources, replayed=replayed is not None)
    handoff.write(started.folder, document, started.redactor)
