"""The life of one task: interface, secrets, process, registration, and the way back."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any, Protocol

from lab.aws.backends import Backends
from lab.aws.interfaces import Interfaces
from lab.ecs import start
from lab.ecs.model import Deployment, Process, Service, StartError, Task, new_task_id
from lab.ecs.registration import deregister, register
from lab.tempo import patience

# A task that serves nothing is RUNNING after this long: AWS does not look at its port.
_PATIENCE_WITH_PORT = 10.0
_STOP_TIMEOUT = 30.0
_KILLED = 137


class Launcher(Protocol):
    """Starts the programs in images."""

    def launch(self, task: Task, environment: dict[str, str], address: str, log: Path) -> Process:
        """Start the task's image. Raises StartError if it cannot be pulled."""


class Lifecycle:
    """Takes tasks through the states that AWS shows. Its methods may run in any thread."""

    def __init__(
        self, backends: Backends, interfaces: Interfaces, launcher: Launcher, logs: Path
    ) -> None:
        """`logs` is the folder for the output of the tasks, one file each."""
        self._backends, self._interfaces = backends, interfaces
        self._launcher, self._logs = launcher, logs

    def create(self, service: Service, deployment: Deployment) -> Task:
        """A new task of a deployment, PROVISIONING, with nothing started yet."""
        settings = deployment.settings
        definition = self._definition(settings.task_definition)
        identifier = new_task_id()
        arn = service.cluster_arn.replace(":cluster/", ":task/") + f"/{identifier}"
        task = Task(
            id=identifier,
            arn=arn,
            service=service.name,
            deployment=deployment.id,
            definition=settings.task_definition,
            container=dict(definition.container_definitions[0]),
            targets=tuple(settings.balancers),
            registries=tuple(settings.registries),
            execute_command=bool(service.options.get("enableExecuteCommand")),
        )
        service.tasks.append(task)
        service.say(f"has started 1 tasks: (task {task.id}).")
        return task

    def bring_up(self, service: Service, deployment: Deployment, task: Task) -> None:
        """Start the task's process, or stop the task with the reason why it cannot start."""
        try:
            network = deployment.settings.network["awsvpcConfiguration"]
            task.interface = self._interface(service, task, network)
            task.last_status, task.pull_started_at = "PENDING", time.time()
            environment = start.environment_of(
                self._backends, self._definition(task.definition), task.container
            )
            log = self._logs / f"{service.name}-{task.id[:8]}.log"
            address = task.interface.address
            task.process = self._launcher.launch(task, environment, address, log)
        except StartError as error:
            self._fail(task, "TaskFailedToStart", str(error))
        except Exception as error:  # a defect of the lab must not end the controller
            self._fail(task, "TaskFailedToStart", f"the lab: {type(error).__name__}: {error}")

    def observe(self, service: Service, task: Task) -> bool:
        """Take over what the task's process has done meanwhile; true if that changed anything."""
        if task.process is None or task.ended:
            return False
        status = task.process.poll()
        if status is not None and task.exit_code is None:
            task.exit_code = status if status >= 0 else 128 - status
            task.has_to_stop("EssentialContainerExited", "Essential container in task exited")
            return True
        return self._has_come_up(service, task)

    def take_down(self, service: Service, task: Task) -> None:
        """Stop a task that has to stop: out of the registers, process, interface."""
        if task.interface is not None:
            task.last_status = "DEACTIVATING"
            deregister(self._backends, service, task)
        if task.process is not None:
            task.last_status = "STOPPING"
            task.process.stop(patience(float(task.container.get("stopTimeout", _STOP_TIMEOUT))))
            self._note_exit(task)
        task.last_status = "DEPROVISIONING"
        if task.interface is not None:
            self._interfaces.remove(task.interface)
        with self._backends.lock:
            task.last_status, task.stopped_at = "STOPPED", time.time()
            if task.started_at is not None:
                service.say(f"has stopped 1 running tasks: (task {task.id}).")
            service.forget_old_tasks()

    def _has_come_up(self, service: Service, task: Task) -> bool:
        if task.started_at is not None or not task.wanted or task.interface is None:
            return False
        waited = time.time() - (task.pull_started_at or 0)
        listening = task.port is None or _accepts(task.interface.address, task.port)
        if not listening and waited < _PATIENCE_WITH_PORT:
            return False
        task.last_status = "ACTIVATING"
        register(self._backends, service, task)
        task.last_status, task.started_at = "RUNNING", time.time()
        return True

    def _interface(self, service: Service, task: Task, network: dict[str, Any]) -> Any:
        with self._backends.lock:
            subnets = network["subnets"]
            subnet = subnets[len(service.tasks) % len(subnets)]
            prefix = service.cluster_arn.partition(":cluster/")[0]
            description = f"{prefix}:attachment/{task.id}"
            return self._interfaces.create(subnet, network.get("securityGroups", []), description)

    def _definition(self, arn: str) -> Any:
        with self._backends.lock:
            return self._backends.ecs.describe_task_definition(arn)

    def _fail(self, task: Task, code: str, reason: str) -> None:
        with self._backends.lock:
            task.has_to_stop(code, reason)

    def _note_exit(self, task: Task) -> None:
        status = task.process.poll() if task.process else None
        if task.exit_code is None:
            task.exit_code = (
                _KILLED if status is None else (status if status >= 0 else 128 - status)
            )


def _accepts(address: str, port: int) -> bool:
    """Whether something listens there; loopback answers at once."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((address, port)) == 0
