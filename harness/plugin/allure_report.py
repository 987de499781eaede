"""What Allure is told of each check: labels, steps with their exchange, the run's facts."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path

import pytest
from allure_commons.model2 import Attachment, Label, Parameter, TestResult, TestStepResult
from allure_commons.types import AttachmentType, LabelType

from harness.observation import Observation
from harness.plugin import outcome
from harness.plugin.results import RESULT
from harness.plugin.run import RUN
from harness.reports.allure import conclude, quick
from harness.reports.allure.conclude import Conclusion, Document
from harness.reports.hands import Step
from harness.verdicts import CheckResult, Status

SEVERITY = {"p0": "blocker", "p1": "critical", "p2": "normal", "p3": "minor"}
STORY = {"symptom": "What a user of the platform sees", "cause": "Links of the chain behind it"}
VERDICT = {Status.PASSED: "fixed", Status.BLOCKED: "blocked", Status.BROKEN: "blocked"}


class AllureReport:
    """A plugin of one run, where Allure's is."""

    def __init__(self, config: pytest.Config, folder: Path) -> None:
        """``folder`` is the one for Allure's results."""
        self._config, self._folder = config, folder
        self._steps: dict[str, TestStepResult] = {}

    def pytest_sessionstart(self) -> None:
        """Have results written our way; Allure's own plugin has registered its logger by now."""
        if self._config.pluginmanager.has_plugin("allure_listener"):
            quick.write_quickly(partial(_complete, self._config))

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Label a check before it runs."""
        if outcome.role(item) and (check := _check(self._config)) is not None:
            _describe(item, check)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> None:
        """Add a step for each observation, with the exchange and the command that repeats it.

        A step takes what its probe took. Checks of one observation share its step and its files.
        """
        if not outcome.role(item) or (check := _check(self._config)) is None:
            return
        hands = self._config.stash[RUN].hands
        for observation in outcome.observed_by(item):
            if observation.probe not in self._steps:
                self._steps[observation.probe] = _step(hands.step(observation), observation)
            check.steps.append(self._steps[observation.probe])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self,
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Label a check with its verdict, once it is decided."""
        report = yield
        judged = self._config.stash.get(outcome.JUDGED, None)
        if hasattr(report, RESULT) and judged is not None:
            _label_verdict(self._config, judged)
        return report

    def conclude(self, told: Conclusion) -> None:
        """Tell Allure what only the end of the run knows. Raises OSError."""
        conclude.conclude(self._folder, told, self._config.stash[RUN].redactor)


def _describe(item: pytest.Item, check: TestResult) -> None:
    started, severity, role = item.config.stash[RUN], outcome.severity(item), outcome.role(item)
    told = [(LabelType.SEVERITY, SEVERITY[severity or "p3"]), ("check", outcome.check_id(item))]
    told += [(LabelType.TAG, tag) for tag in (severity, role) if tag]
    for failure in outcome.failures(item, started.graph):
        documented = started.catalogue[failure]
        told += [
            (LabelType.EPIC, "Documented failures of 2025-08-06"),
            (LabelType.FEATURE, f"{documented.number}. {documented.title}"),
            (LabelType.STORY, STORY[role or "symptom"]),
            (LabelType.PARENT_SUITE, documented.component),
            ("owner", documented.owner),
            ("documentedFailure", documented.id),
        ]
    check.labels += [Label(name=name, value=value) for name, value in told]
    check.parameters.append(Parameter(name="environment", value=repr(started.environment.name)))


def _check(config: pytest.Config) -> TestResult | None:
    """Return what Allure keeps of the check that is running; None without Allure."""
    listener = config.pluginmanager.get_plugin("allure_listener")
    return listener.allure_logger.get_last_item(TestResult) if listener else None


def _step(step: Step, observation: Observation) -> TestStepResult:
    began = round(observation.started * 1000)
    attached = Attachment(name=step.kind, source=step.file, type=AttachmentType.TEXT.mime_type)
    return TestStepResult(
        name=step.headline,
        status=Status.PASSED,
        start=began,
        stop=began + round(observation.duration_ms),
        attachments=[attached],
    )


def _complete(config: pytest.Config, document: Document) -> Document:
    """Return a check's result as it is to be written."""
    started, judged = config.stash[RUN], config.stash.get(outcome.JUDGED, None)
    if judged is None or judged.id != conclude.label(document, "check"):
        return document
    return conclude.judged(document, judged, started.catalogue, started.redactor)


def _label_verdict(config: pytest.Config, result: CheckResult) -> None:
    """Label the check with what it says of its documented failures."""
    if (check := _check(config)) is None:
        return
    otherwise = "reproduced" if any(result.sightings.values()) else "changed"
    check.labels.append(Label(name="verdict", value=VERDICT.get(result.status, otherwise)))
    for sightings in result.sightings.values():
        check.labels += [Label(name="signature", value=each.signature) for each in sightings]
