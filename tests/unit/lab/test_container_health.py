"""Container health checks: which there are, and what follows from the ones that failed."""

from __future__ import annotations

from typing import Any

import pytest

from lab.ecs import health
from lab.ecs.model import Task
from lab.tempo import CALM, compressed

STARTED = 1_000.0
CHECK: dict[str, Any] = {
    "command": ["CMD-SHELL", "curl -f http://localhost:8001/health || exit 1"],
    "interval": 30,
    "retries": 3,
    "startPeriod": 60,
}


def task(check: dict[str, Any] | None = CHECK) -> Task:
    return Task(
        id="t",
        arn="",
        service="api",
        deployment="d",
        definition="family:1",
        container={"healthCheck": check} if check else {},
        targets=(),
        registries=(),
        execute_command=False,
        started_at=STARTED,
    )


def fail(checked: Task, times: int, now: float) -> str:
    for _ in range(times):
        health.note(checked, False, now)
    return checked.health


@pytest.mark.parametrize(
    ("command", "judged"),
    [
        (["CMD-SHELL", "curl -f http://localhost:8001/health || exit 1"], True),
        (["CMD", "curl", "-fsS", "http://127.0.0.1:5000/"], True),
        (["CMD-SHELL", "test -e /tmp/alive"], False),
    ],
)
def test_only_http_requests_are_judged(command: list[str], judged: bool) -> None:
    assert health.has_check(task({"command": command})) is judged


def test_a_container_without_a_check_is_never_judged() -> None:
    assert not health.has_check(task(None))
    assert health.check(task(None))


def test_failures_of_the_start_period_do_not_count() -> None:
    checked = task()
    assert fail(checked, 10, STARTED + compressed(60) / 2) == "UNKNOWN"
    assert fail(checked, 3, STARTED + compressed(60) + 1) == "UNHEALTHY"


def test_a_container_that_was_healthy_is_unhealthy_after_its_retries() -> None:
    checked = task()
    health.note(checked, True, STARTED)
    assert fail(checked, 2, STARTED + 0.1) == "HEALTHY"
    assert fail(checked, 1, STARTED + 0.1) == "UNHEALTHY"


def test_one_success_makes_up_for_every_failure_before() -> None:
    checked = task()
    fail(checked, 3, STARTED + 100)
    health.note(checked, True, STARTED + 100)
    assert fail(checked, 2, STARTED + 101) == "HEALTHY"


def test_what_is_well_is_looked_at_seldom_and_what_is_not_at_its_interval() -> None:
    checked = task()
    health.note(checked, True, STARTED)
    assert checked.next_check == STARTED + CALM
    health.note(checked, False, STARTED)
    assert checked.next_check == STARTED + compressed(30)
