"""The results of a run's checks, gathered in the controller."""

from __future__ import annotations

import msgspec
import pytest

from harness.catalogue import Catalogue
from harness.diagnosis import Diagnosis, diagnose
from harness.plugin.run import Run
from harness.verdicts import CheckResult, Judgement, judge

# The attribute of a pytest report that carries a check's result, also from xdist's workers.
RESULT = "hokusai"


class Results:
    """A pytest plugin that keeps each check's result as it is reported."""

    def __init__(self) -> None:
        self.checks: list[CheckResult] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the result that the report of a check carries."""
        if (judged := getattr(report, RESULT, None)) is not None:
            self.checks.append(msgspec.convert(judged, CheckResult))

    def judgements(self, catalogue: Catalogue) -> list[Judgement]:
        """Return the verdicts so far, worst first."""
        return judge(catalogue, self.checks)

    def diagnosis(self, started: Run) -> Diagnosis:
        """Return the root causes so far."""
        judgements = self.judgements(started.catalogue)
        return diagnose(started.graph, self.checks, judgements, started.environment.name)


RESULTS = pytest.StashKey[Results]()
