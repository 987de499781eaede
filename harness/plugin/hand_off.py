"""Writing the hand-off at a run's end, from what the controller knows."""

from __future__ import annotations

import time
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness import audit, recorder
from harness.observation import Observation
from harness.observer import Asks
from harness.plugin import since, waiving
from harness.plugin.results import Results
from harness.plugin.run import Run, load_layout
from harness.recorder import Recorder
from harness.reports import handoff
from harness.reports.compare import Change, Comparison
from harness.reports.deployment import OBSERVATIONS
from harness.reports.handoff.metrics import UNTIMED
from harness.reports.run_json import RunFacts

UNWRITTEN = pytest.StashKey[str]()
OBSERVED = pytest.StashKey[dict[str, Observation]]()
SAMPLES = "samples.jsonl"


def observations(config: pytest.Config, started: Run) -> dict[str, Observation]:
    """Return what the run observed, or judged again, by probe: for its end, when all is there."""
    if OBSERVED not in config.stash:
        replayed: Path | None = config.getoption("--replay")
        config.stash[OBSERVED] = recorder.read(replayed or started.folder / OBSERVATIONS)
    return config.stash[OBSERVED]


def write(
    config: pytest.Config, started: Run, results: Results, facts: RunFacts
) -> handoff.HandOff | None:
    """Write ``handoff.md`` and ``handoff.html`` into the run's folder; returns what they say.

    A defect of the document is told, and does not cost the run its result.
    """
    try:
        return _write(config, started, results, facts)
    except Exception as error:
        config.stash[UNWRITTEN] = _place(error)
        return None


def _place(error: Exception) -> str:
    # Not its text, which may quote anything.
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"


def _write(
    config: pytest.Config, started: Run, results: Results, facts: RunFacts
) -> handoff.HandOff:
    ended, replayed = time.time(), config.getoption("--replay")
    record: Path = replayed or started.folder / OBSERVATIONS
    observed, times = observations(config, started), config.getoption("--samples")
    if times > 1:
        _sample(config, started, results, observed)
    samples, kept = _read_samples(record.with_name(SAMPLES)), record.with_name(audit.NAME)
    sources = handoff.Sources(
        facts=facts,
        duration_s=ended - facts.started,
        environment=started.environment,
        catalogue=started.catalogue,
        layout=load_layout(),
        checks=results.checks,
        judgements=results.judgements(started.catalogue),
        diagnosis=results.diagnosis(started),
        observations=observed,
        samples=samples,
        changes=_changes(config.stash.get(since.SINCE, None)),
        activity=audit.counted(kept) if kept.is_file() else None,
        waivers=waiving.lines(started, waiving.applied(started, results)),
    )
    most = 1 + max(map(len, samples.values()), default=0)
    document = handoff.build(sources, replayed=replayed is not None, samples=most)
    handoff.write(started.folder, document, started.redactor)
    return document


def _changes(found: Comparison | None) -> list[str] | None:
    """Return what is otherwise than in the previous run, the most urgent first."""
    if found is None:
        return None
    order = list(Change)
    differing = [e for e in (*found.failures, *found.causes) if e.change is not Change.SAME]
    differing.sort(key=lambda each: order.index(each.change))
    told = [
        f"{each.change}: {each.id} (then: {each.before or 'not there'}; "
        f"now: {each.after or 'not there'})"
        for each in differing
    ]
    return [*told, *(f"not quite comparable with {found.before}: {w}" for w in found.warnings)]


def _sample(
    config: pytest.Config, started: Run, results: Results, observed: Mapping[str, Observation]
) -> None:
    """Ask the symptom checks' probes again, and record the answers apart from the judged ones."""
    symptoms = (check for check in results.checks if check.role == "symptom")
    used = dict.fromkeys(key for check in symptoms for key in check.probes)
    keys = [k for k in used if k in observed and not isinstance(observed[k], UNTIMED)]
    rounds = config.getoption("--samples") - 1
    if not isinstance(started.observer, Asks):
        return
    if reporter := config.pluginmanager.get_plugin("terminalreporter"):
        reporter.ensure_newline()
        reporter.write_line(f"hokusai: asking {len(keys)} probes {rounds} times more")
    with Recorder(started.folder / SAMPLES) as record:
        for _round in range(rounds):
            for answer in started.observer.again(keys):
                record(started.redactor.clean(answer))


def _read_samples(path: Path) -> dict[str, list[Observation]]:
    found: dict[str, list[Observation]] = {}
    for answer in recorder.read_all(path) if path.is_file() else ():
        if answer.failure is None or not answer.failure.unjudgeable:
            found.setdefault(answer.probe, []).append(answer)
    return found
