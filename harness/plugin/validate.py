"""``--validate FAILURE``: only what one documented failure needs, and one answer."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence

import pytest

from harness import catalogue, exit_codes, validation
from harness.observation import Observation
from harness.plugin import outcome
from harness.plugin.results import Results
from harness.plugin.run import RUN, Run
from harness.project import load_catalogue
from harness.replay import Replay
from harness.reports import deployment, history
from harness.validation import Answer

_UNITS = {"s": 1, "m": 60, "h": 3600}
_DURATION = re.compile(r"(\d+)([smh])")
_PAUSE_S = 5.0


def add_options(group: pytest.OptionGroup) -> None:
    """Add the options of a validation."""
    group.addoption(
        "--validate",
        metavar="FAILURE",
        help="judge one documented failure only, and answer FIXED (exit code 0), STILL THERE, "
        "CHANGED (1) or NOT JUDGED (4)",
    )
    group.addoption(
        "--wait",
        metavar="TIME",
        type=_seconds,
        default=0.0,
        help="with --validate: judge again until it is fixed, for so long at most (90s, 15m, 1h)",
    )


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"a time like 90s, 15m or 1h, not {text!r}")
    return int(found[1]) * float(_UNITS[found[2]])


def check_options(config: pytest.Config) -> None:
    """Raise UsageError for an unknown failure, pytest.UsageError for --wait alone."""
    if chosen := config.getoption("--validate"):
        catalogue.find(load_catalogue(), chosen)
    elif config.getoption("--wait"):
        raise pytest.UsageError("--wait is for --validate FAILURE: name the failure to wait for")


def deselect_others(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the symptom checks of the failure, and the cause checks that could explain it."""
    failure = config.getoption("--validate")
    if not failure:
        return
    causes = validation.wanted(failure, config.stash[RUN].graph)
    out = [item for item in items if not _is_about(item, failure, causes)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def _is_about(item: pytest.Item, failure: str, causes: set[str]) -> bool:
    if outcome.role(item) == "symptom":
        return failure in outcome.failures(item)
    return outcome.check_id(item) in causes


def answer(
    started: Run, results: Results, failure: str, observed: Mapping[str, Observation]
) -> Answer:
    """Return the answer, with what earlier runs and the deployed revisions add to it."""
    documented = started.catalogue[failure]
    judgements = results.judgements(started.catalogue)
    deployed = deployment.revisions_in(observed.values())
    earlier = () if isinstance(started.observer, Replay) else history.before(started.folder)
    notes = validation.deployed_since(failure, deployed, earlier)
    found = validation.answer(documented, judgements, results.checks)
    kept = notes if found.exit_code == exit_codes.FAILED else ()
    return validation.answer(documented, judgements, results.checks, kept)


def show(reporter: pytest.TerminalReporter, found: Answer) -> None:
    """Write the answer as a run's last line, so that nobody has to look for it."""
    for note in found.notes:
        reporter.write_line(f"note: {note}")
    good = found.exit_code == exit_codes.PASSED
    reporter.write_line(
        f"{found.word}: {found.failure}: {found.because}", bold=True, green=good, red=not good
    )


def wait_until_fixed(arguments: Sequence[str], seconds: float) -> int:
    """Judge again and again in processes of their own; return the last one's exit code."""
    try:
        return _judge_again(_without_wait(arguments), seconds)
    except KeyboardInterrupt:
        print("interrupted while waiting: nothing was changed", file=sys.stderr)
        return exit_codes.INTERRUPTED


def _judge_again(arguments: Sequence[str], seconds: float) -> int:
    began, attempt = time.monotonic(), 0
    while True:
        attempt += 1
        done = subprocess.run(
            [sys.executable, "-m", "harness", "test", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        passed = time.monotonic() - began
        said, over = _said(done.stdout), passed + _PAUSE_S > seconds
        # Without an answer it was not judged at all, and asking again does not help.
        if said is None or done.returncode == exit_codes.PASSED or over:
            sys.stdout.write(done.stdout)
            sys.stderr.write(done.stderr)
            return done.returncode
        print(f"attempt {attempt}, {passed:.0f} of {seconds:.0f} s: {said}", flush=True)
        time.sleep(_PAUSE_S)


def _said(output: str) -> str | None:
    words = ("FIXED", "STILL THERE", "CHANGED", "NOT JUDGED")
    return next((line for line in output.splitlines() if line.startswith(words)), None)


def _without_wait(arguments: Sequence[str]) -> list[str]:
    kept, skip = [], False
    for argument in arguments:
        if skip or argument.startswith("--wait="):
            skip = False
        elif argument == "--wait":
            skip = True
        else:
            kept.append(argument)
    return kept
