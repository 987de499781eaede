"""What a run waits for, while it waits: a line now and then, on terminals and in logs alike."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import wait

import pytest

from harness.collector import Collector
from harness.observation import Observation
from harness.plugin.run import Run
from harness.specs import Probe

# Whoever waits longer wants to know what for.
FIRST_AFTER_S, THEN_EVERY_S = 2.0, 5.0
SHOWN = 3
REPORTER = "terminalreporter"


def observation(config: pytest.Config, started: Run, probe: Probe) -> Observation:
    """Return what ``probe`` saw; says what is still waited for if that takes long."""
    observer, reporter = started.observer, config.pluginmanager.get_plugin(REPORTER)
    if not isinstance(observer, Collector) or reporter is None:
        return observer.observation(probe)
    observer.start([probe])
    future, since, pause = observer.future(probe), time.monotonic(), FIRST_AFTER_S
    # Each probe ends at its own deadline.
    while not wait([future], pause).done:
        _tell(reporter, observer.pending(), time.monotonic() - since)
        pause = THEN_EVERY_S
    return future.result()


def _tell(reporter: pytest.TerminalReporter, pending: Sequence[str], seconds: float) -> None:
    named = ", ".join(pending[:SHOWN])
    others = f" and {len(pending) - SHOWN} others" if len(pending) > SHOWN else ""
    reporter.ensure_newline()
    # The checks' own lines begin anew after this one.
    reporter.currentfspath = None
    reporter.write_line(f"hokusai: waiting since {seconds:.0f} s for {named}{others}")
