"""How ECS brings a service to its desired state: a rolling deployment with its circuit breaker.

Decisions only: `advance` marks tasks for stopping, changes the state of deployments, and says how
many tasks to start. Nothing here starts, stops or waits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lab.ecs.model import Deployment, Service, Task
from lab.tempo import compressed

BREAKER_THRESHOLD = 3  # AWS: half of the desired count, at least 3.
_FIRST_BACKOFF, _LONGEST_BACKOFF = 10.0, 900.0


@dataclass(frozen=True, slots=True)
class Standing:
    """How a wanted task does: `reason` says why an unhealthy one is to be replaced."""

    state: Literal["starting", "ready", "unhealthy"]
    reason: str = ""


Judge = Callable[[Task], Standing]


def advance(service: Service, judge: Judge, now: float) -> int:
    """Take the next step of a service; returns how many tasks of the primary deployment to start.

    Call again whenever anything has changed; without a change it does nothing.
    """
    primary = service.primary
    standings = {task.id: judge(task) for task in service.tasks if task.wanted}
    _stop_what_never_worked(service, standings, now)
    mine = [task for task in service.tasks_of(primary) if task.wanted]
    ready = [task for task in mine if standings[task.id].state == "ready"]
    for task in ready:
        task.was_ready, primary.failures_in_row = True, 0
    _stop_older(service, len(ready))
    _stop_surplus(service, mine, ready)
    _complete(service, mine, ready)
    service.retire_old_deployments()
    return _to_start(service, mine, standings, now)


def note_failure(service: Service, deployment: Deployment, now: float) -> None:
    """A task of a deployment failed: wait longer before the next, and give up after the third."""
    deployment.failed_tasks += 1
    deployment.failures_in_row += 1
    seconds = min(_FIRST_BACKOFF * 2**deployment.failures_in_row, _LONGEST_BACKOFF)
    deployment.not_before = now + compressed(seconds)
    breaker = service.options.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {})
    tripped = deployment.failures_in_row >= max(BREAKER_THRESHOLD, math.ceil(service.desired / 2))
    if breaker.get("enable") and tripped and deployment.rollout == "IN_PROGRESS":
        _fail(service, deployment, rollback=bool(breaker.get("rollback")))


def _fail(service: Service, deployment: Deployment, *, rollback: bool) -> None:
    deployment.enter("FAILED", "ECS deployment circuit breaker: tasks failed to start.")
    service.say(f"(deployment {deployment.id}) deployment failed: tasks failed to start.")
    good = [each for each in service.deployments if each.rollout == "COMPLETED"]
    if rollback and good and deployment is service.primary:
        for task in service.tasks_of(deployment):
            task.has_to_stop("ServiceSchedulerInitiated", _scaling(good[0]))
        reason = f"ECS deployment circuit breaker: rolling back to deploymentId {good[0].id}."
        deployment.rolled_back_to = good[0].id
        service.promote(good[0], reason)
        service.say(f"rolling back to deployment {good[0].id}.")


def _stop_what_never_worked(service: Service, standings: dict[str, Standing], now: float) -> None:
    deployments = {each.id: each for each in service.deployments}
    for task in service.tasks:
        standing = standings.get(task.id)
        if standing and standing.state == "unhealthy" and not task.was_ready:
            task.has_to_stop("ServiceSchedulerInitiated", standing.reason)
            service.say(f"(task {task.id}) {standing.reason.lower()}.")
            if task.deployment in deployments:
                note_failure(service, deployments[task.deployment], now)


def _stop_older(service: Service, ready: int) -> None:
    """Stop tasks of older deployments, as far as enough others stay."""
    older = [t for t in service.tasks if t.wanted and t.deployment != service.primary.id]
    enough = math.ceil(service.desired * _percent(service, "minimumHealthyPercent", 100))
    for task in older[: max(0, ready + len(older) - enough)]:
        task.has_to_stop("ServiceSchedulerInitiated", _scaling(service.primary))


def _stop_surplus(service: Service, mine: list[Task], ready: list[Task]) -> None:
    """Stop what is too much: what is not ready before what is."""
    surplus = len(mine) - service.desired
    if surplus > 0 and (len(ready) >= service.desired):
        for task in sorted(mine, key=lambda each: each in ready)[:surplus]:
            task.has_to_stop("ServiceSchedulerInitiated", _scaling(service.primary))


def _complete(service: Service, mine: list[Task], ready: list[Task]) -> None:
    primary = service.primary
    others = [t for t in service.tasks if not t.ended and t.deployment != primary.id]
    settled = len(ready) == len([task for task in mine if task.wanted]) == service.desired
    if primary.rollout == "IN_PROGRESS" and settled and not others:
        primary.enter("COMPLETED", f"ECS deployment {primary.id} completed.")
        service.say(f"(deployment {primary.id}) deployment completed.")
        service.say("has reached a steady state.")


def _to_start(
    service: Service, mine: list[Task], standings: dict[str, Standing], now: float
) -> int:
    primary = service.primary
    if primary.rollout == "FAILED" or now < primary.not_before:
        return 0
    working = [each for each in mine if each.wanted and standings[each.id].state != "unhealthy"]
    present = [task for task in service.tasks if task.wanted]
    most = math.floor(service.desired * _percent(service, "maximumPercent", 200))
    return max(0, min(service.desired - len(working), most - len(present)))


def _percent(service: Service, name: str, default: int) -> float:
    return float(service.options.get("deploymentConfiguration", {}).get(name, default)) / 100


def _scaling(deployment: Deployment) -> str:
    return f"Scaling activity initiated by (deployment {deployment.id})"
