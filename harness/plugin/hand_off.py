"""Having the hand-off written at a run's end, from what the controller knows."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from harness.errors import BrokenApart, UsageError, place
from harness.observation import UNTIMED, Observation
from harness.observer import Asks
from harness.plugin import gate, since, waiving
from harness.plugin.results import Results
from harness.plugin.run import Run
from harness.recorder import Recorder
from harness.reports.compare import Change, Comparison
from harness.reports.deployment import OBSERVATIONS, SAMPLES
from harness.reports.hands import Judged
from harness.reports.run_json import RunFacts

UNWRITTEN = pytest.StashKey[str]()
WRITTEN = pytest.StashKey[Callable[[], None]]()


def write(config: pytest.Config, started: Run, results: Results, facts: RunFacts) -> None:
    """Have ``handoff.md`` and ``handoff.html`` written into the run's folder.

    A defect of the document is told, and does not cost the run its result. Raises OSError and
    UsageError.
    """
    with _told(config):
        judged = _judged(config, started, results, facts)
        config.stash[WRITTEN] = started.hands.conclude(judged)


def settle(config: pytest.Config) -> None:
    """Wait until the hand-off is written. Raises OSError, and UsageError for a broken record."""
    with _told(config):
        config.stash.get(WRITTEN, lambda: None)()


@contextlib.contextmanager
def _told(config: pytest.Config) -> Iterator[None]:
    try:
        yield
    except (OSError, UsageError):
        raise
    except BrokenApart as error:
        config.stash[UNWRITTEN] = str(error)
    except Exception as error:
        config.stash[UNWRITTEN] = place(error)


def _judged(config: pytest.Config, started: Run, results: Results, facts: RunFacts) -> Judged:
    ended, replayed = time.time(), config.getoption("--replay")
    record: Path = replayed or started.folder / OBSERVATIONS
    if config.getoption("--samples") > 1:
        _sample(config, started, results, started.observer.seen())
    return Judged(
        facts=facts,
        record=str(record.absolute()),
        duration_s=ended - facts.started,
        checks=results.checks,
        judgements=results.judgements(started.catalogue),
        diagnosis=results.diagnosis(started),
        changes=_changes(config.stash.get(since.SINCE, None)),
        waivers=waiving.lines(started, waiving.applied(started, results)),
        answer=gate.answer(config, facts.exit_code) if config.getoption("--gate") else "",
    )


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
