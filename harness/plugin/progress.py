"""What a run waits for, while it waits: a line now and then, on terminals and in logs alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest

from harness.observation import Observation
from harness.observer import Asks
from harness.plugin import meanwhile
from harness.plugin.run import Run
from harness.specs import Probe

# Whoever waits longer wants to know what for.
FIRST_AFTER_S, THEN_EVERY_S = 2.0, 5.0
# By then what is asked at once has been sent, which needs this processor too.
QUIET_AFTER_S = 0.2
SHOWN = 3
REPORTER = "terminalreporter"


def observation(config: pytest.Config, started: Run, probe: Probe) -> Observation:
    """Return what ``probe`` saw; says what is still waited for if that takes long."""
    observer = started.observer
    if isinstance(observer, Asks):
        observer.start([probe])
        until(config, observer, lambda: observer.answered(probe))
    return observer.observation(probe)


def until(config: pytest.Config, collector: Asks, enough: Callable[[], bool]) -> None:
    """Wait until what has been answered is ``enough``; says what is waited for."""
    since = time.monotonic()
    while not collector.until(enough, QUIET_AFTER_S) and (get_ready := meanwhile.step(config)):
        get_ready()
    pause = max(0.0, since + FIRST_AFTER_S - time.monotonic())
    # Each probe ends at its own deadline.
    while not collector.until(enough, pause):
        if (reporter := config.pluginmanager.get_plugin(REPORTER)) is not None:
            _tell(reporter, collector.pending(), time.monotonic() - since)
        pause = THEN_EVERY_S


def _tell(reporter: pytest.TerminalReporter, pending: Sequence[str], seconds: float) -> None:
    named = ", ".join(pending[:SHOWN])
    others = f" and {len(pending) - SHOWN} others" if len(pending) > SHOWN else ""
    reporter.ensure_newline()
    # The checks' own lines begin anew after this one.
    reporter.currentfspath = None
    reporter.write_line(f"hokusai: waiting since {seconds:.0f} s for {named}{others}")
