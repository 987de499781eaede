"""Command line options and markers."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from harness.plugin import gate, validate
from harness.reports.deployment import OBSERVATIONS

MAX_SAMPLES = 1000
MARKERS = (
    "p0: must work, or the platform is down",
    "p1: must work within 24 hours",
    "p2: must work within a week",
    "p3: a nuisance",
    "symptom(failure, *signatures): asserts what a user of the platform sees; tied to a "
    "documented failure, and to those of its signatures that the check can show",
    "writes: writes to the environment, and removes it again; left out without --allow-writes",
    "cause(failure, …): asserts one link of the chain behind a documented failure",
)


def add(parser: pytest.Parser) -> None:
    """Add the suite's own options."""
    group = parser.getgroup("hokusai", "Hokusai acceptance suite")
    group.addoption("--env", metavar="NAME", help="environment to test: a file in environments/")
    group.addoption(
        "--expect",
        choices=["passed", "reproduced"],
        default="passed",
        help="what makes the run succeed: every check passed (default), or every documented "
        "failure reproduced with its signature",
    )
    group.addoption(
        "--missing",
        choices=["stop", "block"],
        default="stop",
        help="when a selected check lacks a setting or a credential: stop with exit code 4 before "
        "anything is probed (default), or judge the others and report it as blocked",
    )
    group.addoption(
        "--replay",
        metavar="RUN",
        type=_record,
        help="judge the observations of an earlier run again, without any environment: its folder "
        "or its observations.jsonl (with the =: pytest takes a path that stands alone for a place "
        "of tests)",
    )
    group.addoption(
        "--samples",
        metavar="N",
        type=_samples,
        default=1,
        help="ask each probe of the symptom checks N times in all, for the failure rates and "
        "latencies in the hand-off (default: 1; the environment's limits hold)",
    )
    group.addoption(
        "--allow-writes",
        action="store_true",
        help="run the checks that write as well: they register a model and remove it again "
        "(the lab needs no asking)",
    )
    validate.add_options(group)
    gate.add_options(group)
    group.addoption(
        "--metrics",
        metavar="FILE",
        type=Path,
        help="write verdicts and latencies to FILE, as Prometheus reads them (textfile collector)",
    )
    group.addoption(
        "--junit",
        metavar="FILE",
        dest="xmlpath",
        help="the same as --junit-xml (default: junit.xml in the run's folder)",
    )
    group.addoption(
        "--reports",
        metavar="FOLDER",
        type=Path,
        help="where the reports of the run go: FOLDER/<env>/<run-id>/ (default: reports/)",
    )


def _record(text: str) -> Path:
    path = Path(text)
    return path / OBSERVATIONS if path.is_dir() else path


def _samples(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAX_SAMPLES:
        raise argparse.ArgumentTypeError(f"a number from 1 to {MAX_SAMPLES}, not {text!r}")
    return int(text)


def register_markers(config: pytest.Config) -> None:
    """Make the suite's markers known to ``--markers`` and ``--strict-markers``."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
