"""Gathers what the cases showed, from every worker, and judges the matrix as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.matrix import report, scoring
from tests.matrix.scoring import Outcome
from tests.matrix.stage import Stage
from tests.matrix.suite import ROOT, Suite

OUTCOME = "matrix_outcome"
GATHERED = pytest.StashKey[list[Outcome]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("hokusai matrix")
    group.addoption("--pairs", type=int, default=60, metavar="N", help="random pairs of faults")
    group.addoption("--seed", type=int, default=20250806, metavar="N", help="which random pairs")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[GATHERED] = []
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Gathering(config), "hokusai-matrix")


class Gathering:
    """In the controller only."""

    def __init__(self, config: pytest.Config) -> None:
        self._outcomes: list[Outcome] = []
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take what a case showed from its report, which xdist brings from its worker."""
        for name, value in report.user_properties:
            if name == OUTCOME and report.when == "call":
                self._outcomes.append(msgspec.convert(value, Outcome))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Fail a matrix that does not hold, and write what it showed."""
        if self._outcomes:
            summary = scoring.summarise(self._outcomes)
            report.write(ROOT / "reports" / "matrix", self._outcomes, summary)
            if summary.wrong and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say in a few lines what the matrix showed."""
        if self._outcomes:
            terminalreporter.section("matrix")
            for line in report.lines(scoring.summarise(self._outcomes)):
                terminalreporter.write_line(line)
            terminalreporter.write_line("reports: reports/matrix")


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """A lab of this worker's own."""
    made = Stage()
    yield made
    made.close()


@pytest.fixture(scope="session")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    """The acceptance suite, ready to be run often."""
    return Suite(Path(tmp_path_factory.mktemp("suite")))
