"""What Allure is told of each check: labels, steps with their exchange, the run's facts."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import allure
import pytest

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
VERDICT = {Status.PASSED: "fixed", Status.BLOCKED: "blocked", Status.BROKEN: "blocked"}


def describe(item: pytest.Item) -> None:
    """Label the check before it runs."""
    started = item.config.stash[RUN]
    severity = outcome.severity(item)
    allure.dynamic.severity(SEVERITY[severity or "p3"])
    allure.dynamic.title(outcome.title(item) or outcome.check_id(item))
    allure.dynamic.tag(*filter(None, (severity, outcome.role(item))))
    allure.dynamic.parameter("environment", started.environment.name)
    allure.dynamic.label("check", outcome.check_id(item))
    for failure in outcome.failures(item, started.graph):
        documented = started.catalogue[failure]
        allure.dynamic.epic("Documented failures of 2025-08-06")
        allure.dynamic.feature(f"{documented.number}. {documented.title}")
        allure.dynamic.story(STORY[outcome.role(item) or "symptom"])
        allure.dynamic.parent_suite(documented.component)
        allure.dynamic.label("owner", documented.owner)
        allure.dynamic.label("documentedFailure", documented.id)


def attach(started: Run, observed: Sequence[Observation]) -> None:
    """Add a step for each observation, with the exchange and the command that repeats it."""
    for observation in observed:
        with allure.step(_headline(observation)):
            _text(exchange.kind(observation), exchange.as_text(observation))
            if (command := exchange.command(observation)) is not None:
                pasted = pasting.pasted(command, observation.vantage, started.environment)
                _text("command to paste", _with_shell(started.environment, pasted))


def _headline(observation: Observation) -> str:
    # The control plane's state is long: the headline names it only.
    return observation.label if isinstance(observation, AwsObservation) else evidence(observation)


def _with_shell(tested: Environment, command: str) -> str:
    return "\n".join([*pasting.shell(tested, [command]), command]) + "\n"


def label_verdict(result: CheckResult) -> None:
    """Label the check with what it says of its documented failures."""
    reproduced = any(result.sightings.values())
    otherwise = "reproduced" if reproduced else "changed"
    allure.dynamic.label("verdict", VERDICT.get(result.status, otherwise))
    for sightings in result.sightings.values():
        for sighting in sightings:
            allure.dynamic.label("signature", sighting.signature)


def _text(name: str, body: str) -> None:
    # A full disk must not fail a check.
    with contextlib.suppress(OSError):
        allure.attach(body, name, allure.attachment_type.TEXT)
