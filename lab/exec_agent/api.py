"""ExecuteCommand as AWS answers it: who gets a session, and in which words it is refused."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.aws.answer import Answer, AwsError, result
from lab.aws.backends import Backends
from lab.aws.call import Call
from lab.aws.hooks import Hooks
from lab.ecs import render
from lab.ecs.model import Service, Task
from lab.ecs.start import permitted
from lab.exec_agent.orders import Order, Orders
from lab.images import find

CommandInside = Callable[[Task, Sequence[str]], tuple[list[str], dict[str, str], Path]]

_INVALID = "InvalidParameterException"
_NOT_ENABLED = (
    "The execute command failed because execute command was not enabled when the task was run or "
    "the execute command agent isn\N{RIGHT SINGLE QUOTATION MARK}t running. Wait and try again or "
    "run a new task with execute command enabled and try again."
)
_NOT_CONNECTED = "The execute command failed due to an internal error. Try again later."
# The developer guide, "Using ECS Exec": what the task role has to allow for the agent to connect.
_AGENT_ACTIONS = (
    "ssmmessages:CreateControlChannel",
    "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)


class ExecuteCommandApi:
    """Answers ExecuteCommand and adds to `orders`; `services` is shared with the ECS controller."""

    def __init__(
        self,
        backends: Backends,
        services: Mapping[str, Service],
        orders: Orders,
        url: Callable[[str], str],
        command_inside: CommandInside,
    ) -> None:
        """`url` is where a session is found, `command_inside` how a task runs a command."""
        self._backends, self._services, self._orders = backends, services, orders
        self._url, self._command_inside = url, command_inside

    def install(self, hooks: Hooks) -> None:
        """Take the operation over from moto, which has it not."""
        hooks.handle("ecs", "ExecuteCommand", self._answer)

    def _answer(self, call: Call) -> Answer:
        wanted = call.parameters
        with self._backends.lock:
            cluster = self._cluster(wanted)
            task = self._task(cluster, wanted)
            container = _container(task, wanted)
            _check(wanted)
            self._check_agent(task)
            order = self._order(cluster, task, wanted["command"])
        self._orders.add(order)
        session = {
            "sessionId": order.session,
            "streamUrl": self._url(order.session),
            "tokenValue": order.token,
        }
        document = {
            "clusterArn": cluster.arn,
            "containerArn": container["containerArn"],
            "containerName": container["name"],
            "interactive": True,
            "session": session,
            "taskArn": task.arn,
        }
        return result(document)

    def _cluster(self, wanted: Mapping[str, Any]) -> Any:
        found = self._backends.ecs.clusters.get(_last(wanted.get("cluster") or "default"))
        if found is None:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return found

    def _task(self, cluster: Any, wanted: Mapping[str, Any]) -> Task:
        reference = _last(wanted.get("task") or "")
        if len(reference) not in (32, 36):
            raise AwsError(_INVALID, "task length should be one of [32,36]")
        for service in self._services.values():
            for task in service.tasks:
                if task.id == reference and service.cluster == cluster.name:
                    return task
        raise AwsError(_INVALID, "The referenced task was not found.")

    def _check_agent(self, task: Task) -> None:
        running = task.last_status == "RUNNING" and task.wanted
        if not running or not task.execute_command:
            raise AwsError(_INVALID, _NOT_ENABLED)
        # The agent writes into the container, and calls Session Manager as the task's role.
        if task.container.get("readonlyRootFilesystem") or not self._may_connect(task):
            raise AwsError("TargetNotConnectedException", _NOT_CONNECTED)

    def _may_connect(self, task: Task) -> bool:
        definition = self._backends.ecs.describe_task_definition(task.definition)
        role = getattr(definition, "task_role_arn", None) or ""
        return all(permitted(self._backends, role, action, "*") for action in _AGENT_ACTIONS)

    def _order(self, cluster: Any, task: Task, command: str) -> Order:
        try:
            words = shlex.split(command)
        except ValueError as error:
            raise AwsError(_INVALID, f"The command cannot be read: {error}.") from None
        try:
            argv, environment, folder = self._command_inside(task, words)
        except LookupError:
            raise AwsError(_INVALID, _NOT_ENABLED) from None
        return Order(
            task=task.id,
            command=command,
            argv=argv,
            environment=environment,
            folder=folder,
            missing=find(task.container["image"]).missing,
            kms_key=_kms_key(cluster),
            runs=lambda: task.wanted and task.last_status == "RUNNING",
        )


def _check(wanted: Mapping[str, Any]) -> None:
    if wanted.get("interactive") is not True:
        raise AwsError(_INVALID, "Interactive is the only mode supported currently.")
    if not str(wanted.get("command") or "").strip():
        raise AwsError(_INVALID, "Command cannot be blank.")


def _container(task: Task, wanted: Mapping[str, Any]) -> dict[str, Any]:
    containers: list[dict[str, Any]] = render.task(task)["containers"]
    name = wanted.get("container")
    for container in containers:
        if name in (None, container["name"]):
            return container
    raise AwsError(_INVALID, f"The container {name} was not found in the task.")


def _kms_key(cluster: Any) -> str | None:
    configuration = getattr(cluster, "configuration", None) or {}
    key = configuration.get("executeCommandConfiguration", {}).get("kmsKeyId")
    return str(key) if key else None


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
