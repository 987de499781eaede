"""ECS as far as it is needed here: which task is entered, and the order for a session in it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.ecs_exec.errors import (
    AgentNotConnectedError,
    AwsError,
    ClockSkewError,
    CredentialsError,
    EcsExecError,
    ExecDisabledError,
    NoRunningTaskError,
    NotPermittedError,
    ServiceNotFoundError,
    UnreachableError,
    WrongContainerError,
)
from harness.ecs_exec.session import Ticket

_DENIED = {"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"}
_CREDENTIALS = {
    "ExpiredTokenException",
    "ExpiredToken",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "IncompleteSignature",
    "MissingAuthenticationTokenException",
}
_SIGNATURE = {"InvalidSignatureException", "SignatureDoesNotMatch"}
_SKEWED = {"RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture"}
_TASKS_PER_CALL = 100


@dataclass(frozen=True, slots=True)
class Target:
    """A container in a running task."""

    cluster: str
    task: str
    container: str
    runtime: str = ""

    @property
    def session_target(self) -> str:
        """What Session Manager calls it."""
        return f"ecs:{_id(self.cluster)}_{_id(self.task)}_{self.runtime}"


def choose(ecs: Any, cluster: str, service: str, container: str | None) -> Target:
    """Return the newest running task of ``service``. Raises EcsExecError."""
    listed = _said(
        "ecs:ListTasks",
        lambda: ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="RUNNING"),
    )
    arns = listed["taskArns"][:_TASKS_PER_CALL]
    found = _described(ecs, cluster, arns) if arns else []
    running = [task for task in found if task.get("lastStatus") == "RUNNING"]
    if not running:
        states = ", ".join(str(task.get("lastStatus")) for task in found) or "it has none"
        raise NoRunningTaskError(f"service {service} has no running task: {states}")
    able = [task for task in running if task.get("enableExecuteCommand")] or running
    return _target(max(able, key=_age), cluster, container)


def given(ecs: Any, cluster: str, task: str, container: str | None) -> Target:
    """Return the task ``task`` (id or ARN), which has to run. Raises EcsExecError."""
    found = [t for t in _described(ecs, cluster, [task]) if t.get("lastStatus") == "RUNNING"]
    if not found:
        raise NoRunningTaskError(f"task {task} does not run in cluster {cluster}")
    return _target(found[0], cluster, container)


def order(ecs: Any, target: Target, command: str) -> Ticket:
    """Have a session opened in which ``command`` runs. Raises EcsExecError."""
    answer = _said(
        "ecs:ExecuteCommand",
        lambda: ecs.execute_command(
            cluster=target.cluster,
            task=target.task,
            container=target.container,
            command=command,
            interactive=True,
        ),
    )
    session = answer["session"]
    return Ticket(session["sessionId"], session["streamUrl"], session["tokenValue"])


def _described(ecs: Any, cluster: str, arns: list[str]) -> list[dict[str, Any]]:
    described = _said("ecs:DescribeTasks", lambda: ecs.describe_tasks(cluster=cluster, tasks=arns))
    tasks: list[dict[str, Any]] = described["tasks"]
    return tasks


def _age(task: dict[str, Any]) -> tuple[float, str]:
    started = task.get("startedAt") or task.get("createdAt")
    return (started.timestamp() if started else 0.0, str(task["taskArn"]))


def _target(task: dict[str, Any], cluster: str, container: str | None) -> Target:
    arn = str(task["taskArn"])
    if not task.get("enableExecuteCommand"):
        raise ExecDisabledError(f"task {_id(arn)} was started without ECS Exec")
    runtimes = {str(each["name"]): str(each.get("runtimeId")) for each in task["containers"]}
    names = list(runtimes)
    if container is None and len(names) != 1:
        raise WrongContainerError(f"task {_id(arn)} has several containers: {', '.join(names)}")
    if container is not None and container not in names:
        has = ", ".join(names) or "none"
        raise WrongContainerError(f"task {_id(arn)} has no container {container}, it has {has}")
    name = container or names[0]
    return Target(cluster, arn, name, runtimes[name])


def _id(arn: str) -> str:
    return arn.rpartition("/")[2]


def _said(action: str, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    from botocore import exceptions as aws

    try:
        return call()
    except aws.ClientError as error:
        details = error.response.get("Error", {})
        raise _refused(action, details.get("Code", "?"), details.get("Message", "")) from None
    except (aws.NoCredentialsError, aws.PartialCredentialsError, aws.TokenRetrievalError) as error:
        raise CredentialsError(f"{action}: {error}") from None
    except (aws.SSOError, aws.ProfileNotFound) as error:
        raise CredentialsError(f"{action}: {error}") from None
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        raise UnreachableError(
            f"{action}: the AWS endpoint does not answer ({type(error).__name__})"
        ) from None
    except aws.BotoCoreError as error:
        raise AwsError(f"{action}: {error}") from None


def _refused(action: str, code: str, text: str) -> EcsExecError:
    said = f"{action}: {code}: {text}"
    if code in _SKEWED or (
        code in _SIGNATURE and re.search(r"[Ss]ignature (expired|not yet)", text)
    ):
        return ClockSkewError(said)
    if code in _DENIED:
        named = re.search(r"perform:? ([\w-]+:\w+)", text)
        return NotPermittedError(said, named[1] if named else action)
    if code in _CREDENTIALS | _SIGNATURE:
        return CredentialsError(said)
    if code in ("ClusterNotFoundException", "ServiceNotFoundException"):
        return ServiceNotFoundError(said)
    if code == "TargetNotConnectedException":
        return AgentNotConnectedError(said)
    return _by_words(said, text)


def _by_words(said: str, text: str) -> EcsExecError:
    # InvalidParameterException is all that ECS says for these; only its words tell them apart.
    if "execute command was not enabled" in text:
        return ExecDisabledError(said)
    if re.search(r"task (was )?not found|task is not running|Unable to Locate", text, re.I):
        return NoRunningTaskError(said)
    if re.search(r"container.*(not found|does not exist|not exist)", text, re.I):
        return WrongContainerError(said)
    return AwsError(said)
