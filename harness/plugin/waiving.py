"""Waivers in a run: its exit code, and what the terminal says of them."""

from __future__ import annotations

import datetime

import pytest

from harness import exit_codes, waivers
from harness.errors import UsageError
from harness.plugin.results import Results
from harness.plugin.run import Run
from harness.verdicts import CheckResult, Status
from harness.waivers import Applied, State


def require_known(started: Run, checks: set[str]) -> None:
    """Raise pytest.UsageError for a waiver of an unknown check, if all checks are ``checks``."""
    # Where only some files were named, what is not among them may well exist.
    if not set(started.graph.causes) <= checks:
        return
    try:
        waivers.require_checks(started.environment, checks)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def applied(started: Run, results: Results) -> list[Applied]:
    """Return what became of the environment's waivers so far."""
    began = datetime.datetime.fromtimestamp(started.started, datetime.UTC)
    judgements = results.judgements(started.catalogue)
    return waivers.apply(started.environment.waivers, results.checks, judgements, began.date())


def decide(
    status: int, failed_tests: int, checks: list[CheckResult], applied: list[Applied]
) -> int:
    """Return pytest's own exit code as the waivers change it: one that expired fails the run."""
    if any(each.state is State.EXPIRED for each in applied):
        return exit_codes.FAILED
    failed = [check for check in checks if check.status in (Status.FAILED, Status.BROKEN)]
    borne = waivers.covered(applied)
    if not borne:
        return status
    others = failed_tests > len(failed) or any(check.id not in borne for check in failed)
    return status if others else exit_codes.PASSED


def lines(started: Run, found: list[Applied]) -> list[str]:
    """Return a line for each waiver: what it is about, and what is to be done about it."""
    return list(waivers.lines(found, f"environments/{started.environment.name}.yaml"))


def show(
    reporter: pytest.TerminalReporter, config: pytest.Config, started: Run, results: Results
) -> None:
    """Say what is waived, by whom and for how long; not where no waiver counts."""
    if config.getoption("--validate") or config.getoption("--expect") == "reproduced":
        return
    found = applied(started, results)
    for each, line in zip(found, lines(started, found), strict=True):
        reporter.write_line(line, red=each.state is State.EXPIRED, yellow=True)
