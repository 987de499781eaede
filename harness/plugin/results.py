"""The results of a run's checks, gathered in the controller."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from harness.catalogue import Catalogue
from harness.diagnosis import Diagnosis, diagnose
from harness.plugin import outcome
from harness.plugin.run import Run
from harness.verdicts import CheckResult, Judgement, judge

# The attribute of a pytest report that carries a check's result, also from xdist's workers.
RESULT = "hokusai"


class NotRun:
    """A pytest plugin that counts the symptom checks that are not selected, by failure.

    Under xdist the workers select, each the same, and tell the controller at their end.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self.by_failure: Counter[str] = Counter()

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        """Count those that are symptom checks."""
        for item in items:
            if outcome.role(item) == "symptom":
                self.by_failure.update(outcome.failures(item).keys())

    def pytest_sessionfinish(self) -> None:
        """Tell the controller, if this is a worker of xdist."""
        if (told := getattr(self._config, "workeroutput", None)) is not None:
            told[RESULT] = dict(self.by_failure)

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Hear from a worker; one that crashed has nothing to tell."""
        self.by_failure |= Counter(getattr(node, "workeroutput", {}).get(RESULT, {}))


class Results:
    """A pytest plugin that keeps each check's result as it is reported."""

    def __init__(self, not_run: NotRun) -> None:
        self.checks: list[CheckResult] = []
        self._not_run = not_run

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the result that the report of a check carries."""
        if (judged := getattr(report, RESULT, None)) is not None:
            self.checks.append(msgspec.convert(judged, CheckResult))

    def judgements(self, catalogue: Catalogue) -> list[Judgement]:
        """Return the verdicts so far, worst first."""
        return judge(catalogue, self.checks, self._not_run.by_failure)

    def diagnosis(self, started: Run) -> Diagnosis:
        """Return the root causes so far."""
        judgements = self.judgements(started.catalogue)
        return diagnose(started.graph, self.checks, judgements, started.environment.name)


RESULTS = pytest.StashKey[Results]()
