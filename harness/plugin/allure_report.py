"""What Allure is told of each check: labels, steps with their exchange, the run's facts."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

import pytest
from allure_commons.model2 import Attachment, Label, Parameter, TestResult, TestStepResult
from allure_commons.types import AttachmentType, LabelType

from harness.environment import Environment
from harness.observation import AwsObservation, Observation
from harness.plugin import outcome
from harness.plugin.run import RUN, Run
from harness.reports import exchange
from harness.reports.handoff import pasting
from harness.signatures import evidence
from harness.verdicts import CheckResult, Status

SEVERITY = {"p0": "blocker", "p1": "critical", "p2": "normal", "p3": "minor"}
STORY = {"symptom": "What a user of the platform sees", "cause": "Links of the chain behind it"}
STEPS = pytest.StashKey[dict[str, TestStepResult]]()
VERDICT = {Status.PASSED: "fixed", Status.BLOCKED: "blocked", Status.BROKEN: "blocked"}


def describe(item: pytest.Item) -> None:
    """Label the check before it runs."""
    if (check := _check(item.config)) is None:
        return
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


def attach(config: pytest.Config, observed: Sequence[Observation]) -> None:
    """Add a step for each observation, with the exchange and the command that repeats it.

    A step takes what its probe took. Checks of one observation share its step and its files.
    """
    if (check := _check(config)) is None:
        return
    steps, folder = config.stash.setdefault(STEPS, {}), Path(config.option.allure_report_dir)
    for observation in observed:
        if observation.probe not in steps:
            steps[observation.probe] = _step(config.stash[RUN], folder, observation)
        check.steps.append(steps[observation.probe])


def _step(started: Run, folder: Path, observation: Observation) -> TestStepResult:
    text = exchange.as_text(observation)
    if (command := exchange.command(observation)) is not None:
        pasted = pasting.pasted(command, observation.vantage, started.environment)
        text += (
            f"\nto ask the same again, in a shell:\n\n{_with_shell(started.environment, pasted)}"
        )
    began = round(observation.started * 1000)
    return TestStepResult(
        name=_headline(observation),
        status=Status.PASSED,
        start=began,
        stop=began + round(observation.duration_ms),
        # One file, not two: where many are asked, files take most of a run's time.
        attachments=[_attached(folder, exchange.kind(observation), text)],
    )


def _headline(observation: Observation) -> str:
    # The control plane's state is long: the headline names it only.
    return observation.label if isinstance(observation, AwsObservation) else evidence(observation)


def _with_shell(tested: Environment, command: str) -> str:
    return "\n".join([*pasting.shell(tested, [command]), command]) + "\n"


def label_verdict(config: pytest.Config, result: CheckResult) -> None:
    """Label the check with what it says of its documented failures."""
    if (check := _check(config)) is None:
        return
    otherwise = "reproduced" if any(result.sightings.values()) else "changed"
    check.labels.append(Label(name="verdict", value=VERDICT.get(result.status, otherwise)))
    for sightings in result.sightings.values():
        check.labels += [Label(name="signature", value=each.signature) for each in sightings]


def _attached(folder: Path, name: str, text: str) -> Attachment:
    file_name = f"{hashlib.sha256(text.encode()).hexdigest()[:32]}-attachment.txt"
    # A full disk must not fail a check. Not by Allure's own logger, which renames what it has
    # written: a result that names this file is written after it.
    with contextlib.suppress(OSError):
        (folder / file_name).write_text(text, encoding="utf-8")
    return Attachment(name=name, source=file_name, type=AttachmentType.TEXT.mime_type)
