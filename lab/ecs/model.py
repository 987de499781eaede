"""What ECS knows: services, their deployments, tasks. Times are epoch seconds.

Everything here is read and changed with the control plane's lock held.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from lab.aws.interfaces import Interface

_KEPT_DEPLOYMENTS = 20
_KEPT_EVENTS = 100
_KEPT_STOPPED_TASKS = 50

Rollout = Literal["IN_PROGRESS", "COMPLETED", "FAILED"]
Health = Literal["UNKNOWN", "HEALTHY", "UNHEALTHY"]


class Process(Protocol):
    """The running program of a task."""

    @property
    def pid(self) -> int:
        """The process."""

    def poll(self) -> int | None:
        """The exit status (negative: the signal), None while it runs."""

    def stop(self, grace: float) -> None:
        """Ask it to end, make it end after `grace` seconds."""


class StartError(Exception):
    """A task that cannot start: the message is its `stoppedReason`, as AWS words it."""


@dataclass(slots=True)
class Task:
    """One task of a service, with its one container."""

    id: str
    arn: str
    service: str
    deployment: str
    definition: str
    container: dict[str, Any]
    targets: tuple[dict[str, Any], ...]
    registries: tuple[dict[str, Any], ...]
    execute_command: bool
    created_at: float = field(default_factory=time.time)
    last_status: str = "PROVISIONING"
    desired_status: Literal["RUNNING", "STOPPED"] = "RUNNING"
    health: Health = "UNKNOWN"
    interface: Interface | None = None
    process: Process | None = None
    pull_started_at: float | None = None
    started_at: float | None = None
    stopping_at: float | None = None
    stopped_at: float | None = None
    stop_code: str | None = None
    stopped_reason: str | None = None
    exit_code: int | None = None
    runtime_number: int = field(default_factory=lambda: 10**9 + secrets.randbelow(9 * 10**9))
    was_ready: bool = False
    failed_checks: int = 0
    next_check: float = 0.0

    @property
    def port(self) -> int | None:
        """The port that the container serves on."""
        for mapping in self.container.get("portMappings", []):
            return int(mapping["containerPort"])
        return None

    @property
    def wanted(self) -> bool:
        """Whether it is there and meant to stay."""
        return self.desired_status == "RUNNING" and self.stopped_at is None

    @property
    def ended(self) -> bool:
        """Whether nothing of it runs any more."""
        return self.stopped_at is not None

    def has_to_stop(self, code: str, reason: str) -> None:
        """Mark it for stopping; the first reason stays."""
        if self.stopping_at is None:
            self.desired_status = "STOPPED"
            self.stopping_at = time.time()
            self.stop_code, self.stopped_reason = code, reason


@dataclass(slots=True)
class Settings:
    """What a deployment deploys: a change to any of it is a new deployment."""

    task_definition: str
    network: dict[str, Any]
    balancers: list[dict[str, Any]]
    registries: list[dict[str, Any]]
    platform_version: str


@dataclass(slots=True)
class Deployment:
    """One rollout of a service. `status` as in DescribeServices: PRIMARY, ACTIVE or INACTIVE."""

    id: str
    settings: Settings
    status: str = "PRIMARY"
    rollout: Rollout = "IN_PROGRESS"
    reason: str = ""
    failed_tasks: int = 0
    failures_in_row: int = 0
    not_before: float = 0.0
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    finished_at: float | None = None
    rolled_back_to: str | None = None

    def enter(self, rollout: Rollout, reason: str) -> None:
        """Change the state of the rollout."""
        self.rollout, self.reason, self.updated_at = rollout, reason, time.time()
        if rollout != "IN_PROGRESS":
            self.finished_at = self.updated_at


@dataclass(slots=True)
class Service:
    """A service and what belongs to it, the newest deployment first."""

    name: str
    arn: str
    cluster: str
    cluster_arn: str
    desired: int
    deployments: list[Deployment]
    options: dict[str, Any]
    created_at: float = field(default_factory=time.time)
    status: str = "ACTIVE"
    tasks: list[Task] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def primary(self) -> Deployment:
        """The deployment that the service is to have."""
        return self.deployments[0]

    @property
    def visible_deployments(self) -> list[Deployment]:
        """What DescribeServices shows: the primary one, and older ones that still have tasks."""
        return [each for each in self.deployments if each.status != "INACTIVE"]

    def tasks_of(self, deployment: Deployment) -> list[Task]:
        """The tasks of a deployment that have not ended."""
        return [each for each in self.tasks if each.deployment == deployment.id and not each.ended]

    def say(self, text: str) -> None:
        """Add an event, newest first."""
        message = f"(service {self.name}) {text}"
        event = {"id": new_uuid(), "createdAt": time.time(), "message": message}
        self.events.insert(0, event)
        del self.events[_KEPT_EVENTS:]

    def deploy(self, settings: Settings) -> Deployment:
        """Make a new deployment the primary one."""
        made = Deployment(new_deployment_id(), settings)
        made.reason = f"ECS deployment {made.id} in progress."
        self.deployments.insert(0, made)
        self.retire_old_deployments()
        return made

    def promote(self, deployment: Deployment, reason: str) -> None:
        """Make an earlier deployment the primary one again."""
        self.deployments.remove(deployment)
        self.deployments.insert(0, deployment)
        deployment.status = "PRIMARY"
        deployment.enter("IN_PROGRESS", reason)
        self.retire_old_deployments()

    def retire_old_deployments(self) -> None:
        """Older deployments are ACTIVE as long as they have tasks."""
        for each in self.deployments[1:]:
            each.status = "ACTIVE" if self.tasks_of(each) else "INACTIVE"
        del self.deployments[_KEPT_DEPLOYMENTS:]

    def forget_old_tasks(self) -> None:
        """Keep only the newest stopped tasks, as AWS does (about an hour's worth there)."""
        ended = sorted(
            (each for each in self.tasks if each.ended), key=lambda each: each.created_at
        )
        for each in ended[:-_KEPT_STOPPED_TASKS]:
            self.tasks.remove(each)


def new_task_id() -> str:
    """An id like those of Fargate tasks: 32 hexadecimal digits."""
    return secrets.token_hex(16)


def new_deployment_id() -> str:
    """An id like `ecs-svc/1234567890123456789`."""
    return f"ecs-svc/{10**18 + secrets.randbelow(9 * 10**18)}"


def new_uuid() -> str:
    """An id of an event."""
    digits = secrets.token_hex(16)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
