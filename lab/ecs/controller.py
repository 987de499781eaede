"""Keeps every service at its desired state: one thread that looks, decides, and has things done.

It is woken by `poke` after each change of the control plane, and looks by itself often enough to
see what processes and health checks do.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from lab.aws.backends import Backends
from lab.ecs import health
from lab.ecs.lifecycle import Lifecycle
from lab.ecs.model import Deployment, Service, Task
from lab.ecs.rollout import Standing, advance, note_failure
from lab.tempo import compressed

_BUSY, _IDLE = 0.02, 0.2
_WORKERS = 8
_HOPELESS = 2

_log = logging.getLogger(__name__)


class Targets(Protocol):
    """What the load balancers' health checks say."""

    def state(self, target_group: str, address: str, port: int) -> str:
        """`healthy`, `unhealthy`, `initial`, … or `unused`."""


class Controller:
    """Runs from `start` to `stop`. `services` is the table that the API handlers fill."""

    def __init__(
        self,
        backends: Backends,
        services: dict[str, Service],
        lifecycle: Lifecycle,
        targets: Targets,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        """`on_change` is called, from the controller's thread, after tasks came or went."""
        self._backends, self._services = backends, services
        self._lifecycle, self._targets, self._on_change = lifecycle, targets, on_change
        self._wake, self._ending = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="ecs", daemon=True)
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="ecs-worker")
        self._under_way: set[str] = set()
        self._checking: set[str] = set()

    def start(self) -> None:
        """Begin: services created before are brought up now."""
        self._thread.start()

    def poke(self) -> None:
        """Something may have changed."""
        self._wake.set()

    def look_at_everything(self) -> None:
        """Anything may have changed: check the health of every container now."""
        with self._backends.lock:
            for service in self._services.values():
                for task in _live(service):
                    task.next_check = 0.0
        self.poke()

    def stop(self) -> None:
        """Stop every task and end."""
        self._ending.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(5)
        with self._backends.lock:
            left = [(s, t) for s in self._services.values() for t in s.tasks if not t.ended]
        for _service, task in left:
            task.has_to_stop("ServiceSchedulerInitiated", "the lab ends")
        list(self._workers.map(lambda pair: self._lifecycle.take_down(*pair), left))
        self._workers.shutdown(cancel_futures=True)

    def settled(self) -> bool:
        """Whether nothing is under way: each deployment is done, one way or the other."""
        with self._backends.lock:
            return not self._under_way and all(
                service.primary.rollout != "IN_PROGRESS"
                and _has_its_tasks(service)
                and not any(
                    task.wanted != (task.last_status == "RUNNING") for task in _live(service)
                )
                for service in self._services.values()
            )

    def at_rest(self) -> bool:
        """Whether things are as they will stay: settled, or failing over and over again."""
        if self.settled():
            return True
        with self._backends.lock:
            return all(_as_it_will_stay(service) for service in self._services.values())

    def _run(self) -> None:
        while not self._ending.is_set():
            try:
                busy = self._look()
            except Exception:
                _log.exception("the ECS controller")
                busy = False
            self._wake.wait(_BUSY if busy else _IDLE)
            self._wake.clear()

    def _look(self) -> bool:
        with self._backends.lock:
            services = list(self._services.values())
            tasks = [(service, task) for service in services for task in service.tasks]
        changed = [self._lifecycle.observe(*pair) for pair in tasks]
        self._check_health(tasks)
        with self._backends.lock:
            for service in services:
                self._advance(service)
            busy = not self.settled()
            self._count(services)
        if any(changed) or busy:
            self._on_change()
        return busy

    def _advance(self, service: Service) -> None:
        now = time.time()
        for _ in range(advance(service, self._judge, now)):
            task = self._lifecycle.create(service, service.primary)
            self._submit(task, self._bring_up, service, service.primary, task)
        for task in _live(service):
            if not task.wanted and task.id not in self._under_way:
                self._note_failed(service, task, now)
                self._submit(task, self._lifecycle.take_down, service, task)
        if service.status == "DRAINING" and not _live(service):
            service.status = "INACTIVE"

    def _bring_up(self, service: Service, deployment: Deployment, task: Task) -> None:
        self._lifecycle.bring_up(service, deployment, task)

    def _note_failed(self, service: Service, task: Task, now: float) -> None:
        """A task that ended by itself, or never started, counts against its deployment."""
        if task.stop_code in ("TaskFailedToStart", "EssentialContainerExited"):
            for deployment in service.deployments:
                if deployment.id == task.deployment:
                    note_failure(service, deployment, now)

    def _submit(self, task: Task, work: Callable[..., None], *arguments: object) -> None:
        self._under_way.add(task.id)

        def run() -> None:
            try:
                work(*arguments)
            except Exception:
                _log.exception("task %s", task.id)
            finally:
                self._under_way.discard(task.id)
                self.poke()

        self._workers.submit(run)

    def _judge(self, task: Task) -> Standing:
        if task.last_status != "RUNNING" or task.interface is None:
            return Standing("starting")
        if task.health == "UNHEALTHY":
            return Standing("unhealthy", "Task failed container health checks")
        states = {
            each["targetGroupArn"]: self._targets.state(
                each["targetGroupArn"], task.interface.address, int(each["containerPort"])
            )
            for each in task.targets
        }
        grace = self._services[task.service].options.get("healthCheckGracePeriodSeconds", 0)
        in_grace = time.time() - (task.started_at or 0) < compressed(float(grace))
        for group, state in states.items():
            if state == "unhealthy" and not in_grace:
                reason = f"Task failed ELB health checks in (target-group {group})"
                return Standing("unhealthy", reason)
        waiting = health.has_check(task) and task.health == "UNKNOWN"
        if waiting or not set(states.values()) <= {"healthy", "unused"}:
            return Standing("starting")
        return Standing("ready")

    def _check_health(self, tasks: list[tuple[Service, Task]]) -> None:
        now = time.time()
        for _service, task in tasks:
            due = task.last_status == "RUNNING" and task.wanted and now >= task.next_check
            if due and task.id not in self._checking and health.has_check(task):
                self._checking.add(task.id)
                self._workers.submit(self._check, task)

    def _check(self, task: Task) -> None:
        try:
            before, passed = task.health, health.check(task)
            health.note(task, passed, time.time())
            if task.health != before:
                self.poke()
        finally:
            self._checking.discard(task.id)

    def _count(self, services: list[Service]) -> None:
        """Moto's cluster shows the numbers that DescribeClusters is asked for."""
        for cluster in self._backends.ecs.clusters.values():
            live = [task for s in services if s.cluster == cluster.name for task in _live(s)]
            running = sum(task.last_status == "RUNNING" for task in live)
            cluster.running_tasks_count = running
            cluster.pending_tasks_count = sum(task.wanted for task in live) - running
            cluster.active_services_count = sum(
                s.cluster == cluster.name and s.status == "ACTIVE" for s in services
            )


def _has_its_tasks(service: Service) -> bool:
    wanted = sum(task.wanted for task in service.tasks)
    return service.primary.rollout == "FAILED" or wanted == service.desired


def _as_it_will_stay(service: Service) -> bool:
    primary = service.primary
    hopeless = primary.failures_in_row >= _HOPELESS and not _will_give_up(service)
    finished = primary.rollout != "IN_PROGRESS" and _has_its_tasks(service)
    return finished or hopeless


def _will_give_up(service: Service) -> bool:
    breaker = service.options.get("deploymentConfiguration", {}).get("deploymentCircuitBreaker", {})
    return bool(breaker.get("enable"))


def _live(service: Service) -> list[Task]:
    return [task for task in service.tasks if not task.ended]
