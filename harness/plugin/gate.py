"""``--gate``: after a deployment, wait until it is there, then judge what may stop it."""

from __future__ import annotations

import argparse
import re
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
from harness.plugin import outcome
from harness.plugin.run import RUN, Run
from harness.probes.stage import StageError
from harness.reports import pipeline
from harness.rollout import Rollout, Standing, State

BUDGET_S = 120.0
_PAUSE_S, _REPEAT_S = 1.0, 10.0
_UNITS = {"s": 1, "m": 60}
_DURATION = re.compile(r"(\d+)([sm])")
# What may be over a moment later: AWS throttles, or did not answer.
_PASSING = (FailureKind.RUNNER_OFFLINE, FailureKind.BUDGET_EXHAUSTED)
ROLLOUTS = pytest.StashKey[list[Rollout]]()


class Gate(Exit):
    """The run ends before anything is judged; shown to people as ``Gate: …``."""

    __module__ = "builtins"


def add_options(group: pytest.OptionGroup) -> None:
    """Add the options of the gate."""
    group.addoption(
        "--gate",
        action="store_true",
        help="wait until the rollout is done, then run the checks whose severities block (policy) "
        "and exit 0 passed, 1 failed, 4 usage, 6 not judged, 7 rolled back, stale or not done",
    )
    group.addoption(
        "--revision",
        metavar="[SERVICE=]REV,…",
        default="",
        help="with --gate: the git hash, tag or image digest that has to run (of the api service, "
        "if none is named)",
    )
    group.addoption(
        "--budget",
        metavar="TIME",
        type=_seconds,
        default=BUDGET_S,
        help="with --gate: how long to wait for the rollout (default: 120s)",
    )


def _seconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError(f"a time like 90s or 5m, not {text!r}")
    return int(found[1]) * float(_UNITS[found[2]])


def check_options(config: pytest.Config) -> None:
    """Raise UsageError for options that do not go together."""
    if config.getoption("--revision") and not config.getoption("--gate"):
        raise UsageError("--revision is for --gate: give both")
    if config.getoption("--gate") and (config.getoption("--replay") or config.option.validate):
        raise UsageError("--gate judges a deployment as it is now: leave out the other option")


def wait(session: pytest.Session) -> None:
    """Wait until every service's rollout is done; end the run at once where none will be."""
    config = session.config
    started = config.stash.get(RUN, None)
    if started is None or not config.getoption("--gate") or hasattr(config, "workerinput"):
        return
    if started.environment.aws is None or started.clients is None:
        raise pytest.UsageError(
            f"--gate: environment {started.environment.name} has no aws section"
        )
    try:
        services = started.environment.aws.services
        expected = rollout.revisions(config.getoption("--revision"), services)
        found = _wait(config, started, started.clients, expected)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    except StageError as error:
        _end_unjudged(started, error)
    config.stash[ROLLOUTS] = found
    lacking = [each for each in found if each.standing is not Standing.DONE]
    if lacking:
        _end(started, lacking, config.getoption("--budget"))


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


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the checks whose severities block, the most severe first: others change no answer."""
    if not config.getoption("--gate"):
        return
    blocking = config.stash[RUN].environment.policy.blocks
    out = [item for item in items if outcome.severity(item) not in blocking]
    config.hook.pytest_deselected(items=out)
    kept = [item for item in items if item not in out]
    items[:] = sorted(kept, key=lambda item: str(outcome.severity(item)))


def answer(config: pytest.Config, exit_code: int) -> str:
    """Return the gate's answer in a line."""
    words = {
        exit_codes.PASSED: "PASSED",
        exit_codes.FAILED: "FAILED",
        exit_codes.BLOCKED: "NOT JUDGED",
    }
    rollouts = "; ".join(f"{each.service} {each.told}" for each in config.stash.get(ROLLOUTS, []))
    return f"GATE {words.get(exit_code, 'ENDED')} (exit code {exit_code}): {rollouts}"
