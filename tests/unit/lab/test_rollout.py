"""Rolling deployments: what is started, stopped and given up, decided without starting anything."""

from __future__ import annotations

from typing import Any

import pytest

from lab.ecs.model import Deployment, Service, Settings, Task, new_task_id
from lab.ecs.rollout import BREAKER_THRESHOLD, Standing, advance, note_failure

NOW = 1_000.0
BREAKER: dict[str, Any] = {"deploymentCircuitBreaker": {"enable": True, "rollback": True}}


def settings(revision: int) -> Settings:
    return Settings(f"family:{revision}", {}, [], [], "LATEST")


def service(desired: int = 1, **deployment: Any) -> Service:
    return Service(
        name="api",
        arn="arn:service/c/api",
        cluster="c",
        cluster_arn="arn:cluster/c",
        desired=desired,
        deployments=[Deployment("ecs-svc/1", settings(1))],
        options={"deploymentConfiguration": deployment},
    )


class Bench:
    """A service whose tasks stand as a test says; whatever is to be started is there at once."""

    def __init__(self, made: Service) -> None:
        self.service, self.unhealthy, self.slow = made, set[str](), set[str]()

    def step(self, now: float = NOW) -> int:
        """Advance once, and start what is wanted."""
        wanted = advance(self.service, self._judge, now)
        for _ in range(wanted):
            primary = self.service.primary
            task = Task(
                id=new_task_id(),
                arn="",
                service="api",
                deployment=primary.id,
                definition=primary.settings.task_definition,
                container={},
                targets=(),
                registries=(),
                execute_command=False,
            )
            self.service.tasks.append(task)
        return wanted

    def settle(self) -> None:
        """Advance until nothing is started any more; what has to stop is gone at once."""
        for _ in range(10):
            started = self.step()
            for task in self.service.tasks:
                if not task.wanted:
                    task.stopped_at = NOW
            if not started and self.service.primary.rollout != "IN_PROGRESS":
                return

    def running(self) -> list[str]:
        return [task.definition for task in self.service.tasks if task.wanted]

    def _judge(self, task: Task) -> Standing:
        if task.definition in self.unhealthy:
            return Standing("unhealthy", "Task failed container health checks")
        return Standing("starting" if task.definition in self.slow else "ready")


@pytest.fixture
def bench() -> Bench:
    made = Bench(service(**BREAKER))
    made.settle()
    return made


def test_a_new_service_is_brought_to_its_desired_count() -> None:
    bench = Bench(service(desired=3))
    assert bench.step() == 3
    assert bench.step() == 0
    assert bench.service.primary.rollout == "COMPLETED"


def test_the_old_task_stays_until_the_new_one_is_ready(bench: Bench) -> None:
    bench.slow.add("family:2")
    bench.service.deploy(settings(2))
    bench.step()
    bench.step()
    assert bench.running() == ["family:1", "family:2"]
    bench.slow.clear()
    bench.settle()
    assert bench.running() == ["family:2"]
    assert bench.service.primary.rollout == "COMPLETED"


def test_with_no_minimum_the_old_task_goes_first() -> None:
    bench = Bench(service(minimumHealthyPercent=0, maximumPercent=100))
    bench.settle()
    bench.slow.add("family:2")
    bench.service.deploy(settings(2))
    bench.settle()
    assert bench.running() == ["family:2"]
    assert bench.service.primary.rollout == "IN_PROGRESS"


def test_a_deployment_whose_tasks_fail_is_rolled_back_after_the_third(bench: Bench) -> None:
    bad = bench.service.deploy(settings(2))
    for count in range(1, BREAKER_THRESHOLD + 1):
        assert bench.service.primary is bad
        note_failure(bench.service, bad, NOW)
        assert bad.failed_tasks == count
    assert bad.rollout == "FAILED"
    assert bench.service.primary.settings.task_definition == "family:1"
    assert "rolling back to deployment" in bench.service.events[0]["message"]
    bench.settle()
    assert bench.running() == ["family:1"]


def test_without_the_circuit_breaker_it_is_tried_again_for_ever() -> None:
    bench = Bench(service())
    for _ in range(10):
        note_failure(bench.service, bench.service.primary, NOW)
    assert bench.service.primary.rollout == "IN_PROGRESS"
    later = bench.service.primary.not_before + 1
    assert bench.step(NOW) == 0
    assert bench.step(later) == 1


def test_each_failure_makes_the_next_attempt_wait_longer() -> None:
    made, waits = service(), []
    for _ in range(3):
        note_failure(made, made.primary, NOW)
        waits.append(made.primary.not_before - NOW)
    assert waits == sorted(set(waits))


def test_a_task_that_was_well_and_is_not_any_more_is_replaced_before_it_is_stopped(
    bench: Bench,
) -> None:
    bench.unhealthy.add("family:1")
    assert bench.step() == 1
    assert len(bench.running()) == 2


def test_scaling_in_stops_what_is_not_ready_first() -> None:
    bench = Bench(service(desired=2))
    bench.settle()
    bench.service.desired = 1
    bench.settle()
    assert len(bench.running()) == 1
    assert bench.service.primary.failed_tasks == 0
