"""A run's result for those who do not read its folder: a pipeline's page, and Prometheus."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.plugin import gate
from harness.plugin.results import Results
from harness.plugin.run import RUN, Run
from harness.reports import pipeline

UNWRITTEN = pytest.StashKey[str]()
METRICS = "metrics.prom"


def publish(config: pytest.Config, started: Run, results: Results) -> None:
    """Write the metrics, where they are asked for."""
    if path := _metrics(config, started):
        try:
            _write_metrics(started, results, path)
        except UsageError as error:
            # What was observed and judged is written; this is said beside it.
            config.stash[UNWRITTEN] = str(error)


def note_unwritten(config: pytest.Config, error: OSError | UsageError) -> None:
    """Keep why the reports are not whole, for the terminal."""
    folder = config.stash[RUN].folder
    why = error.strerror if isinstance(error, OSError) else "what was recorded is not whole"
    config.stash[UNWRITTEN] = (
        f"{folder}: the reports cannot be written: {why}; make room, or choose another place with "
        "--reports=FOLDER. What was judged is above; it is not in the reports"
    )


def _metrics(config: pytest.Config, started: Run) -> Path | None:
    asked: Path | None = config.getoption("--metrics")
    return asked or (started.folder / METRICS if config.getoption("--gate") else None)


def _write_metrics(started: Run, results: Results, path: Path) -> None:
    from harness.reports import metrics

    observed = started.observer.seen().values()
    judged = results.judgements(started.catalogue), results.checks
    metrics.write(path, started.environment.name, time.time(), judged, observed)


def show(reporter: pytest.TerminalReporter, started: Run, results: Results) -> None:
    """Write the annotations, and the gate's answer last."""
    config = reporter.config
    if problem := config.stash.get(UNWRITTEN, None):
        reporter.write_line(problem, red=True)
    for line in pipeline.errors(results.diagnosis(started).root_causes):
        reporter.write_line(started.redactor.text(line))
    if config.getoption("--gate"):
        code = int(reporter._session.exitstatus) if reporter._session else 0
        reporter.write_line(gate.answer(config, code), bold=True, green=code == 0, red=code != 0)
