"""Waiting until a deployment is there, or will never be: what the gate does first."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NoReturn

import pytest
from _pytest.outcomes import Exit

from harness import exit_codes, rollout
from harness.aws import view
from harness.aws.sections import SECTIONS, At, Reader
from harness.errors import UsageError
from harness.observation import FailureKind
from harness.plugin.run import Run
from harness.probes.stage import StageError
from harness.reports import pipeline
from harness.rollout import Rollout, Standing, State

_PAUSE_S, _REPEAT_S = 1.0, 10.0
# What may be over a moment later: AWS throttles, or did not answer.
_PASSING = (FailureKind.RUNNER_OFFLINE, FailureKind.BUDGET_EXHAUSTED)


class Gate(Exit):
    """The run ends before anything is judged; shown to people as ``Gate: …``."""

    __module__ = "builtins"


def wait(config: pytest.Config, started: Run) -> list[Rollout]:
    """Wait until every service's rollout is done; end the run at once where none will be."""
    if started.environment.aws is None or started.workers.aws is None:
        raise pytest.UsageError(
            f"--gate: environment {started.environment.name} has no aws section"
        )
    try:
        services = started.environment.aws.services
        expected = rollout.revisions(config.getoption("--revision"), services)
        found = _wait(config, started, started.workers.aws, expected)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    except StageError as error:
        _end_unjudged(started, error)
    lacking = [each for each in found if each.standing is not Standing.DONE]
    if lacking:
        _end(started, lacking, config.getoption("--budget"))
    return found


def _wait(
    config: pytest.Config, started: Run, aws: Reader, expected: dict[str, str]
) -> list[Rollout]:
    began, told, told_at = time.monotonic(), "", 0.0
    while True:
        passed = time.monotonic() - began
        try:
            found = _look(started, aws, expected)
        except StageError as error:
            if error.failure.kind not in _PASSING or passed > config.getoption("--budget"):
                raise
            _tell(config, f"hokusai: {passed:.0f} s: {error.failure.message}; asking again")
            time.sleep(_PAUSE_S)
            continue
        hopeless = any(e.standing in (Standing.ROLLED_BACK, Standing.STALE) for e in found)
        under_way = [each for each in found if each.standing is Standing.UNDER_WAY]
        if hopeless or not under_way or passed > config.getoption("--budget"):
            return found
        now = "; ".join(f"{each.service}: {each.told}" for each in under_way)
        if now != told or passed - told_at > _REPEAT_S:
            _tell(config, f"hokusai: {passed:.0f} s: {now}")
            told, told_at = now, passed
        time.sleep(_PAUSE_S)


def _look(started: Run, aws: Reader, expected: dict[str, str]) -> list[Rollout]:
    at = At(aws, started.environment, {})
    services, tasks = (SECTIONS[name].read(at) for name in ("services", "tasks"))
    history = _history(at)
    found = []
    for name, names in view.names(started.environment).services.items():
        all_of = services.get("services", [])
        described: view.Json = next((e for e in all_of if e["serviceName"] == names.service), {})
        mine = [t for t in tasks["tasks"] if t.get("group") == f"service:{names.service}"]
        state = State(
            description=described,
            history=history.get(names.service, []),
            running=[task for task in mine if task.get("lastStatus") == "RUNNING"],
            definition=_definition(aws, described.get("taskDefinition")),
            container=names.container,
        )
        found.append(rollout.rollout(name, state, expected.get(name)))
    return found


def _history(at: At) -> view.Json:
    try:
        return SECTIONS["deployments"].read(at)
    except StageError as error:
        # Older stacks do not let it be read; the services tell most of it.
        if error.failure.kind is FailureKind.NOT_PERMITTED:
            return {}
        raise


def _definition(aws: Reader, arn: str | None) -> view.Json:
    if arn is None:
        return {}
    found: view.Json = aws.read("ecs", "describe_task_definition", taskDefinition=arn)
    return dict(found["taskDefinition"])


def _end(started: Run, lacking: Sequence[Rollout], budget: float) -> NoReturn:
    late = all(each.standing is Standing.UNDER_WAY for each in lacking)
    why = f"not done within {budget:.0f} s" if late else "not what was to be judged"
    lines = [f"{each.service}: {each.standing}: {each.told}" for each in lacking]
    message = f"NOT DEPLOYED ({why}): " + "; ".join(lines)
    pipeline.tell_end(started.redactor.text(message))
    raise Gate(started.redactor.text(message), exit_codes.NOT_DEPLOYED)


def _end_unjudged(started: Run, error: StageError) -> NoReturn:
    remedy = f" ({error.failure.remedy})" if error.failure.remedy else ""
    message = f"NOT JUDGED: the rollout cannot be seen: {error.failure.message}{remedy}"
    pipeline.tell_end(started.redactor.text(message))
    raise Gate(started.redactor.text(message), exit_codes.BLOCKED)


def _tell(config: pytest.Config, line: str) -> None:
    if reporter := config.pluginmanager.get_plugin("terminalreporter"):
        reporter.write_line(line)
